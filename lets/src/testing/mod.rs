//! Names, bodies and signatures that the tests of this crate share.

mod market;
mod world;

use std::sync::Arc;

use ayni_protocol::{
    Address, Draft, EventId, Keys, Malformed, PublicKey, Scale, VerifiedEvent, kind,
};
use ayni_witness::{Charter, Fact, Leg, Timings, WitnessSeat};
use sha2::{Digest as _, Sha256};

pub use self::market::{LUZ, MOONS, Market, moon, moon_charter};
pub use self::world::{NODE, World, play, refusal, repeat, told};
use crate::*;

/// The keys of somebody with this name.
pub fn keys(name: &str) -> Keys {
    Keys::from_secret(Sha256::digest(name).into()).unwrap()
}

/// The public key of somebody with this name.
pub fn key(name: &str) -> PublicKey {
    keys(name).public()
}

pub const COMMUNITY: EventId = EventId([0xc0; 32]);

/// The currency of the community whose key is `sol`'s.
pub fn currency() -> Address {
    Address { kind: kind::CURRENCY, author: key("sol"), identifier: "hour".into() }
}

pub fn scale() -> Scale {
    Scale::new(2).unwrap()
}

/// The charter with this id, these witnesses and quorum; `sole` and `zoe` are stewards.
pub fn charter(id: EventId, witnesses: &[&str], quorum: usize, approvals: usize) -> Fact {
    let seat = |name: &&str| WitnessSeat { key: key(name), url: String::new() };
    Fact::Charter(Arc::new(Charter {
        id,
        community: COMMUNITY,
        community_key: key("sol"),
        previous: (id != COMMUNITY).then_some(COMMUNITY),
        name: "Vale do Sol".into(),
        languages: vec![],
        country: None,
        region: None,
        witnesses: witnesses.iter().map(seat).collect(),
        quorum,
        stewards: [key("sole"), key("zoe")].into(),
        approvals,
        beacon: None,
        timings: Timings::default(),
    }))
}

/// Hard limits of 10.00 and nothing else, in the currency of this community key.
pub fn rules(author: PublicKey) -> Rules {
    Rules {
        currency: Address { author, ..currency() },
        epoch: 0,
        charter: COMMUNITY,
        previous: None,
        scale: scale(),
        enforce: Enforce::Hard,
        limit: 1_000,
        formula: None,
        max: None,
        levies: vec![],
        treasury: None,
        memo: Memo::Private,
        require: vec![],
        demurrage: None,
        fee: None,
        about: String::new(),
    }
}

/// An order over `minor` to somebody, under rules nobody has.
pub fn order(payee: &str, minor: i64) -> Order {
    let (epoch, previous) = (EventId([1; 32]), EventId([1; 32]));
    let terms =
        Terms { epoch, seq: 0, previous, payee: key(payee), gross: minor.max(1), levied: false };
    let order = Order::new(&terms, &rules(key("sol"))).unwrap();
    Order { legs: vec![Leg { account: key(payee), minor, purpose: String::new() }], ..order }
}

/// An opening charge from one account to another.
pub fn charge(from: &str, to: &str, minor: i64) -> Charge {
    Charge {
        currency: currency(),
        cseq: 0,
        previous: None,
        cause: Cause::Opening,
        scale: scale(),
        debits: vec![(key(from), minor)],
        credits: vec![(key(to), minor)],
        basis: None,
        note: String::new(),
    }
}

/// How many random cases a law is tried with: `ordinary`, or ten times as many where AYNI_NIGHTLY is
/// set.
pub fn cases(ordinary: u32) -> proptest::test_runner::Config {
    let nightly = std::env::var_os("AYNI_NIGHTLY").is_some();
    proptest::test_runner::Config::with_cases(if nightly { ordinary * 10 } else { ordinary })
}

/// Signs a body as `name`, at a time that makes events distinct where nothing else does.
pub fn sign(name: &str, body: impl Into<Body>, at: u64) -> VerifiedEvent {
    body.into().draft(&COMMUNITY).sign(&keys(name), at, [0; 32])
}

/// What reading a draft gives, once `ana` signed it.
pub fn read_draft(draft: Draft) -> Result<Entry, Malformed> {
    Entry::read(&draft.sign(&keys("ana"), 1, [0; 32]))
}

/// What reading a body gives, once `ana` signed it.
pub fn read(body: impl Into<Body>) -> Result<Entry, Malformed> {
    read_draft(body.into().draft(&COMMUNITY))
}
