//! A small village for the tests of the assembly: members by name, events without signatures,
//! decisions by decree. Entries are made directly; reading signed events has its own tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use ayni_protocol::{Address, EventId, Part, PublicKey, Ruling, Timestamp, kind};
use ayni_witness::beacon::{Chain, TestBeacon};
use ayni_witness::canonical::sha256;
use ayni_witness::digest::{box_digest, result_digest, void_digest};
use ayni_witness::{
    Account, Charter, Decision, Fact, Instance, Roster, RosterRow, Timings, Value, WitnessSeat,
};

use crate::assembly::Assembly;
use crate::ballot::{Ballot, Delegation, Scope};
use crate::entry::{Entry, Published, Translation};
use crate::proposal::{Proposal, ProposalSpec, Title};
use crate::reason::Reason;
use crate::testing::choice;

pub fn id(name: &str) -> EventId {
    EventId(sha256(name))
}

pub fn key(name: &str) -> PublicKey {
    PublicKey(sha256(format!("key of {name}")))
}

/// Something that happens to an assembly.
#[derive(Debug, Clone)]
pub enum Step {
    Entry(Entry),
    Fact(Fact),
}

/// An assembly and everything it established.
#[derive(Debug, Default)]
pub struct Village {
    pub assembly: Assembly,
    pub facts: Vec<Fact>,
}

impl Village {
    /// A village whose charter, roster and members are established.
    pub fn founded() -> Self {
        Self::after(&founding())
    }

    pub fn after(steps: &[Step]) -> Self {
        let mut village = Self::default();
        steps.iter().for_each(|step| village.then(step));
        village
    }

    pub fn then(&mut self, step: &Step) {
        self.take(step.clone());
    }

    pub fn with(mut self, step: Step) -> Self {
        self.take(step);
        self
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Entry(entry) => self.assembly.apply(entry, &mut self.facts),
            Step::Fact(fact) => self.assembly.learn(&fact, &mut self.facts),
        }
    }

    pub fn ruling(&self, name: &str) -> Option<Ruling<Reason>> {
        self.assembly.ruling(&id(name))
    }

    pub fn state(&self, now: Timestamp) -> String {
        self.assembly.state(&id("vote"), now).unwrap().to_string()
    }

    /// The canonical tally of the proposal `vote`.
    pub fn json(&self) -> String {
        self.assembly.tally_of(&id("vote")).unwrap().content
    }

    /// The scores as `a 1, b -1`, of the decided box or of all that was seen.
    pub fn scores(&self) -> String {
        let view = self.assembly.proposal(&id("vote"), 0).unwrap();
        let scores: Vec<_> = view.options.iter().map(|o| format!("{} {}", o.id, o.score)).collect();
        scores.join(", ")
    }
}

pub fn beacon() -> (Chain, TestBeacon) {
    Chain::test([9; 32], 0, 3)
}

pub fn charter() -> Charter {
    Charter {
        id: id("village"),
        community: id("village"),
        community_key: key("village"),
        previous: None,
        name: "Village".into(),
        languages: vec!["en".into()],
        country: None,
        region: None,
        witnesses: vec![WitnessSeat { key: key("node"), url: String::new() }],
        quorum: 1,
        stewards: [].into(),
        approvals: 0,
        beacon: Some(beacon().0),
        timings: Timings { min_notice: 20, seal_window: 90, margin: 30, beacon_deadline: 1_000 },
    }
}

/// `ana 100, ben 64, …`.
pub fn roster(rows: &str) -> Roster {
    let rows: BTreeMap<_, _> = rows
        .split(", ")
        .map(|row| {
            let (name, credits) = row.split_once(' ').unwrap();
            let credits = credits.parse().unwrap();
            (key(name), RosterRow { credits, flags: [].into() })
        })
        .collect();
    Roster { id: id("roster"), community: id("village"), rows }
}

pub fn account(name: &str, version: u64, active: bool) -> Step {
    Step::Fact(Fact::Account(Arc::new(Account {
        policy: id(&format!("policy {version} of {name}")),
        community: id("village"),
        currency: Address {
            kind: kind::CURRENCY,
            author: key("village"),
            identifier: "hours".into(),
        },
        account: key(name),
        version,
        account_type: "member".into(),
        active,
        signers: [key(name)].into(),
        flags: [].into(),
        inviter: None,
    })))
}

/// Charter, roster (ana 100, ben 64, cem 100, dia 100) and the account of ana.
pub fn founding() -> Vec<Step> {
    vec![
        Step::Fact(Fact::Charter(Arc::new(charter()))),
        Step::Fact(Fact::Roster(Arc::new(roster("ana 100, ben 64, cem 100, dia 100")))),
        account("ana", 1, true),
    ]
}

/// The proposal `vote` by ana, dated 50, open from 100 to 200 with 10 seconds of grace. A lot gets
/// the right round.
pub fn proposal(text: &str) -> Proposal {
    proposed(crate::testing::spec(text).under(&charter()))
}

pub fn proposed(spec: ProposalSpec) -> Proposal {
    Proposal {
        id: id("vote"),
        author: key("ana"),
        created_at: 50,
        community: id("village"),
        charter: id("village"),
        roster: id("roster"),
        spec,
    }
}

pub fn vote(text: &str) -> Step {
    Step::Entry(Entry::Proposal(Box::new(proposal(text))))
}

/// The ballot called `name` by somebody at a time, on the proposal `vote`.
pub fn ballot(name: &str, voter: &str, created_at: Timestamp, says: &str) -> Step {
    Step::Entry(Entry::Ballot(Ballot {
        id: id(name),
        voter: key(voter),
        created_at,
        community: id("village"),
        proposal: id("vote"),
        choice: choice(says),
    }))
}

/// A delegation to somebody, or to nobody (`-`).
pub fn delegation(
    name: &str,
    delegator: &str,
    created_at: Timestamp,
    delegate: &str,
    scope: Scope,
) -> Step {
    Step::Entry(Entry::Delegation(Delegation {
        id: id(name),
        delegator: key(delegator),
        created_at,
        community: id("village"),
        delegate: (delegate != "-").then(|| key(delegate)),
        scope,
    }))
}

pub fn only_this() -> Scope {
    Scope::Proposal(id("vote"))
}

pub fn published(name: &str, json: &str) -> Step {
    Step::Entry(Entry::Tally(Published {
        id: id(name),
        community: id("village"),
        proposal: id("vote"),
        content_hash: sha256(json),
    }))
}

pub fn translation(name: &str, subject: &str) -> Step {
    Step::Entry(Entry::Translation(Translation {
        id: id(name),
        author: key("eva"),
        created_at: 60,
        community: id("village"),
        subject: id(subject),
        title: Title { text: "Was zuerst?".into(), lang: "de".into() },
        options: Vec::new(),
        text: String::new(),
    }))
}

/// The witnesses fix the box of `vote`.
pub fn sealed(names: &[&str]) -> Step {
    let ids: std::collections::BTreeSet<_> = names.iter().map(|name| id(name)).collect();
    let digest = box_digest(id("vote"), &ids);
    decided(Instance::Close, Value::Box(Arc::new(ids)), digest)
}

/// The witnesses void `vote`.
pub fn voided(instance: Instance, reason: &str) -> Step {
    decided(instance, Value::Void(reason.into()), void_digest(id("vote"), reason))
}

/// The witnesses fix a result.
pub fn certified(result: [u8; 32]) -> Step {
    decided(Instance::Outcome, Value::Result(result), result_digest(id("vote"), result))
}

pub fn disputed() -> Step {
    Step::Fact(Fact::Disputed { subject: id("vote") })
}

/// The round that draws ties of `vote`.
pub fn round() -> Step {
    let (chain, secret) = beacon();
    let number = chain.round_at_or_after(200 + 10 + 90);
    Step::Fact(Fact::Beacon(chain.verify(number, &secret.sign(number)).unwrap()))
}

fn decided(instance: Instance, value: Value, digest: [u8; 32]) -> Step {
    Step::Fact(Fact::Decided(Arc::new(Decision { subject: id("vote"), instance, value, digest })))
}
