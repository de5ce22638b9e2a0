//! The first start: keys, a charter with one witness, which is this node, and a currency.
//!
//! Everything that is decided here can be changed later by events that everyone sees; only the
//! keys cannot be made again. So they are written first, to files that are never overwritten.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Body, Currency, Enforce, Memo, Rules};
use ayni_protocol::{
    Address, Amount, Draft, EventId, Filter, Keys, PublicKey, Scale, VerifiedEvent, kind,
};
use ayni_store::{DiskStore, Store as _, everyone};
use ayni_witness::beacon::{Chain, TestBeacon};
use ayni_witness::entry::CharterText;
use ayni_witness::{Timings, WitnessSeat};

use crate::peers::Peers;
use crate::{clock, keys};

/// What a community starts with.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Its languages by code, the preferred first.
    pub languages: Vec<String>,
    /// ISO 3166-1 code.
    pub country: Option<String>,
    /// Slug of its region.
    pub region: Option<String>,
    /// Name of the currency.
    pub currency: String,
    /// Its code.
    pub code: String,
    /// Its decimals.
    pub scale: u8,
    /// How far below zero an account may go at first, in the currency's decimals.
    pub limit: String,
    /// Who may do everyday acts with their own key, and approve others.
    pub stewards: BTreeSet<PublicKey>,
    /// How many of them an act needs that is not an everyday one.
    pub approvals: usize,
    /// A local test beacon, and timings of seconds: for demonstrations and tests.
    pub test_chain: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            name: "Our community".into(),
            languages: vec!["en".into()],
            country: None,
            region: None,
            currency: "Hour".into(),
            code: "HOUR".into(),
            scale: 2,
            limit: "20.00".into(),
            stewards: BTreeSet::new(),
            approvals: 0,
            test_chain: false,
        }
    }
}

/// What was founded.
#[derive(Debug, Clone)]
pub struct Founded {
    /// Name of the community.
    pub name: String,
    /// Its id.
    pub community: EventId,
    /// Name of the currency.
    pub currency: String,
    /// The currency's address.
    pub address: Address,
    /// The first rules, where stewards have to approve them.
    pub awaited: Option<EventId>,
    /// Where the keys are.
    pub keys: PathBuf,
}

/// A local test chain's secret, and the public key it is known by.
pub struct LocalBeacon {
    /// Public key of the chain.
    pub public_key: Vec<u8>,
    /// Signs its rounds.
    pub beacon: TestBeacon,
}

impl LocalBeacon {
    /// The beacon of a seed.
    #[must_use]
    pub fn of(seed: [u8; 32]) -> Self {
        let (chain, beacon) = Chain::test(seed, 0, 1);
        Self { public_key: chain.public_key, beacon }
    }
}

/// Makes the folder and the node's key, where there is none yet, and no community.
///
/// # Errors
/// Where the folder cannot be written.
pub fn prepare(data: &Path) -> Result<()> {
    let file = keys::folder(data).join("node.key");
    if !file.exists() {
        keys::write_new(&file, &keys::nsec(&keys::generate())?)?;
    }
    Ok(())
}

/// Makes the folder of a relay that is only that.
///
/// # Errors
/// Where there is a community in it, or peers to keep in step with, or it cannot be written.
pub fn prepare_relay(data: &Path) -> Result<()> {
    if keys::folder(data).join("community.key").exists() {
        bail!("{} holds a community; run it without --relay-only", data.display());
    }
    if !Peers::load(data)?.urls.is_empty() {
        bail!("{} has peers, whose books a relay does not keep; see `ayni peer`", data.display());
    }
    prepare(data)
}

/// The folder's local test beacon, if it has one.
///
/// # Errors
/// Where its file holds no key.
pub fn local_beacon(data: &Path) -> Result<Option<LocalBeacon>> {
    if !keys::folder(data).join("beacon.key").exists() {
        return Ok(None);
    }
    Ok(Some(LocalBeacon::of(keys::of_node(data, "beacon")?.secret())))
}

/// Founds a community in a folder that has none.
///
/// # Errors
/// What is wrong with the plan or the folder; nothing is half founded but keys.
pub fn found(data: &Path, plan: &Plan) -> Result<Founded> {
    let limit = check(plan)?;
    if keys::folder(data).join("community.key").exists() {
        bail!("{} holds a community already; start it with `ayni run`", data.display());
    }
    let (store, _) = DiskStore::open(data).context("cannot open the store")?;
    prepare(data)?;
    let node = keys::of_node(data, "node")?;
    let community = founder(data, &store)?;
    let chain = if plan.test_chain { test_chain(data)? } else { Chain::quicknet() };
    let timings = if plan.test_chain { seconds() } else { Timings::default() };
    let seats = Seats { witness: node.public(), community: community.public() };
    let mut sign = |draft: Draft| draft.sign(&community, clock::now(), clock::entropy());
    let events = plan.events(limit, seats, chain, timings, &mut sign);
    store.append(&events.all, clock::now())?;
    let folder = keys::folder(data);
    std::fs::rename(folder.join("founding.key"), folder.join("community.key"))
        .and_then(|()| std::fs::File::open(&folder)?.sync_all())
        .context("cannot name the community's key")?;
    Ok(Founded {
        name: plan.name.clone(),
        community: events.charter,
        currency: plan.currency.clone(),
        address: events.address,
        awaited: (plan.approvals > 0).then_some(events.rules),
        keys: keys::folder(data),
    })
}

/// Whether a community is still to be founded: nothing of it is here, or only a beginning.
#[must_use]
pub fn is_due(data: &Path) -> bool {
    let keys = keys::folder(data);
    !keys.join("node.key").exists() || keys.join("founding.key").exists()
}

/// The community's key. It gets its name when the community is stored; until then a founding that
/// was interrupted, as by a full disk, goes on with it.
fn founder(data: &Path, store: &DiskStore) -> Result<Keys> {
    let path = keys::folder(data).join("founding.key");
    if !path.exists() {
        let community = keys::generate();
        keys::write_new(&path, &keys::nsec(&community)?)?;
        return Ok(community);
    }
    let community = keys::of_node(data, "founding")?;
    let authors = Some([community.public()].into());
    let own = Filter { authors, ..Filter::default() };
    if store.count(&own, clock::now(), &everyone) > 0 {
        bail!(
            "the founding of a community in {} was interrupted and left a part of it; \
             begin anew in an empty folder",
            data.display()
        );
    }
    Ok(community)
}

fn check(plan: &Plan) -> Result<Amount> {
    let Some(scale) = Scale::new(plan.scale) else { bail!("a currency has 0 to 6 decimals") };
    let limit = Amount::parse(&plan.limit).context("the limit")?;
    if limit.scale != scale {
        let sample = scale.format(i128::from(scale.unit()) * 20);
        bail!("the limit must be written with {} decimals, as in {sample}", plan.scale);
    }
    if plan.approvals > plan.stewards.len() {
        bail!(
            "there are {} stewards, who cannot give {} approvals; name more with --steward",
            plan.stewards.len(),
            plan.approvals
        );
    }
    if plan.name.trim().is_empty() || plan.currency.trim().is_empty() {
        bail!("the community and its currency need names");
    }
    Ok(limit)
}

fn test_chain(data: &Path) -> Result<Chain> {
    let path = keys::folder(data).join("beacon.key");
    if !path.exists() {
        keys::write_new(&path, &keys::nsec(&keys::generate())?)?;
    }
    let secret = keys::of_node(data, "beacon")?;
    Ok(Chain::test(secret.secret(), clock::now(), 1).0)
}

/// Timings for whoever wants to see the end of a vote today. Between the close and the last moment
/// for a seal lie five seconds, so that a busy machine still seals in time.
const fn seconds() -> Timings {
    Timings { min_notice: 0, seal_window: 6, margin: 1, beacon_deadline: 600 }
}

/// Who holds which office in a new community.
#[derive(Debug, Clone, Copy)]
pub struct Seats {
    /// The one witness.
    pub witness: PublicKey,
    /// The community's own key, which signs what `sign` signs.
    pub community: PublicKey,
}

/// The events that found a community.
#[derive(Debug, Clone)]
pub struct Events {
    /// Id of the charter, and so of the community.
    pub charter: EventId,
    /// The first rules.
    pub rules: EventId,
    /// The currency.
    pub address: Address,
    /// Charter, rules and currency, in this order.
    pub all: Vec<VerifiedEvent>,
}

impl Plan {
    /// The events that found what is planned. Pure: keys, time and randomness are in `sign`.
    pub fn events(
        &self,
        limit: Amount,
        seats: Seats,
        chain: Chain,
        timings: Timings,
        sign: &mut dyn FnMut(Draft) -> VerifiedEvent,
    ) -> Events {
        let charter =
            sign(ayni_witness::draft::charter(&self.charter(seats.witness, chain, timings)));
        let slug = self.code.to_lowercase();
        let address = Address {
            kind: kind::CURRENCY,
            author: seats.community,
            identifier: slug.as_str().into(),
        };
        let rules = first_rules(address.clone(), charter.id, limit);
        let rules = sign(Body::from(rules).draft(&charter.id));
        let currency = Currency {
            slug,
            name: self.currency.clone(),
            code: self.code.clone(),
            symbol: String::new(),
            scale: limit.scale,
            rules: Some(rules.id),
            about: String::new(),
        };
        let currency = sign(Body::from(currency).draft(&charter.id));
        Events {
            charter: charter.id,
            rules: rules.id,
            address,
            all: vec![charter, rules, currency],
        }
    }

    fn charter(&self, witness: PublicKey, chain: Chain, timings: Timings) -> CharterText {
        CharterText {
            previous: None,
            name: self.name.clone(),
            languages: self.languages.clone(),
            country: self.country.clone(),
            region: self.region.clone(),
            witnesses: vec![WitnessSeat { key: witness, url: String::new() }],
            quorum: 1,
            stewards: self.stewards.clone(),
            approvals: self.approvals,
            beacon: Some(chain),
            timings,
            statutes: String::new(),
        }
    }
}

/// The plainest rules there are: a hard limit, no levies, memos that all can read.
fn first_rules(currency: Address, charter: EventId, limit: Amount) -> Rules {
    Rules {
        currency,
        epoch: 0,
        charter,
        previous: None,
        scale: limit.scale,
        enforce: Enforce::Hard,
        limit: limit.minor,
        formula: None,
        max: None,
        levies: Vec::new(),
        treasury: None,
        memo: Memo::Public,
        demurrage: None,
        fee: None,
        require: Vec::new(),
        about: String::new(),
    }
}
