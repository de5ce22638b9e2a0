//! A small world for tests: a council, people known by a number, and facts handed round.

use std::collections::BTreeSet;
use std::sync::Arc;

use ayni_protocol::{Draft, EventId, Keys, Part, PublicKey, Ruling, Timestamp, VerifiedEvent};

use crate::beacon::{Chain, Known, TestBeacon};
use crate::council::Council;
use crate::draft;
use crate::entry::{
    Action, Body, BoxAttestation, CharterText, Choice, Named, Previous, Receipt, RosterPart,
    Setting, Step,
};
use crate::fact::{Fact, Instance, RosterRow, Subject, Timings, Value, WitnessSeat};

/// Who founds communities here.
pub const FOUNDER: u8 = 1;
/// The first witness.
pub const WITNESS: u8 = 11;
/// Someone without any office.
pub const STRANGER: u8 = 99;

pub fn keys(who: u8) -> Keys {
    Keys::from_secret([who; 32]).unwrap()
}

pub fn key(who: u8) -> PublicKey {
    keys(who).public()
}

/// An id of something that the council does not read.
pub fn id(n: u8) -> EventId {
    EventId([n; 32])
}

pub fn signed(who: u8, draft: Draft) -> VerifiedEvent {
    draft.sign(&keys(who), 1, [0; 32])
}

pub struct World {
    pub council: Council,
    pub facts: Vec<Fact>,
}

impl World {
    pub fn new() -> Self {
        let known = Known { insecure_test_chains: true };
        Self { council: Council::new(known), facts: Vec::new() }
    }

    /// Signs and applies an event, and says what became of it.
    pub fn says(&mut self, who: u8, draft: Draft) -> String {
        let event = self.add(who, draft);
        self.verdict(&event)
    }

    pub fn add(&mut self, who: u8, draft: Draft) -> EventId {
        self.put(&signed(who, draft))
    }

    pub fn put(&mut self, event: &VerifiedEvent) -> EventId {
        let mut news = Vec::new();
        self.council.apply(Council::read(event).unwrap(), &mut news);
        self.hand_round(news);
        event.id
    }

    pub fn hear(&mut self, fact: &Fact) {
        let mut news = Vec::new();
        self.council.learn(fact, &mut news);
        self.hand_round(news);
    }

    fn hand_round(&mut self, mut news: Vec<Fact>) {
        while let Some(fact) = news.pop() {
            self.council.learn(&fact, &mut news);
            self.facts.push(fact);
        }
    }

    pub fn verdict(&self, event: &EventId) -> String {
        match self.council.ruling(event) {
            None => "unknown".into(),
            Some(Ruling::Counted) => "counted".into(),
            Some(Ruling::Void(reason)) => format!("{reason:?}"),
            Some(Ruling::Waiting(premise)) => premise.to_string(),
        }
    }

    /// Publishes what witness `who` has to at `now`, until nothing is left, and says in short what.
    pub fn serve(&mut self, who: u8, now: Timestamp) -> Vec<String> {
        let mut done = Vec::new();
        loop {
            let duties = self.council.duties(&key(who), now);
            assert!(done.len() < 100, "a duty that is done must be gone: {done:?}");
            if duties.is_empty() {
                return done;
            }
            for draft in duties {
                let event = draft.sign(&keys(who), now, [0; 32]);
                done.push(short(&Council::read(&event).unwrap().body));
                self.put(&event);
            }
        }
    }

    /// A community of FOUNDER with these witnesses, deciding by more than half.
    pub fn found(&mut self, witnesses: &[u8]) -> EventId {
        self.add(FOUNDER, draft::charter(&charter(witnesses)))
    }

    /// Hands in a vote that is open from 100 to 200, with 10 seconds of grace.
    pub fn vote(&mut self, subject: Subject) -> EventId {
        let id = subject.id;
        self.hear(&Fact::Subject(Arc::new(subject)));
        id
    }

    pub fn entry(&mut self, subject: EventId, entry: EventId) {
        self.hear(&Fact::Entry { subject, entry, units: 1 });
    }
}

/// What a witness published, in a few words.
fn short(body: &Body) -> String {
    match body {
        Body::Receipt(receipt) => format!("receipt of {}", receipt.entries.len()),
        Body::Attestation(of) => format!("attestation {}/{} of {}", of.part, of.total, of.count),
        Body::Step(step) => {
            let (choice, verb) = match &step.action {
                Action::Seal(choice) => (choice, ""),
                Action::Propose(choice) => (choice, " propose"),
                Action::Ready(None) => return format!("{:?} {} nil", step.instance, step.attempt),
                Action::Ready(Some(_)) => {
                    return format!("{:?} {} ready", step.instance, step.attempt);
                }
            };
            let value = match &choice.named {
                Named::Box(_) => "box".to_owned(),
                Named::Void(reason) => format!("void {reason}"),
                Named::Adopt(_) => "adopt".to_owned(),
                Named::Result => "result".to_owned(),
                Named::Closes(closes) => format!("{} closes", closes.len()),
            };
            format!("{:?}{verb} {value}", step.instance)
        }
        _ => panic!("no duty of a witness"),
    }
}

pub fn charter(witnesses: &[u8]) -> CharterText {
    CharterText {
        previous: None,
        name: "Vale do Sol".into(),
        languages: vec!["pt".into()],
        country: Some("PT".into()),
        region: None,
        witnesses: witnesses
            .iter()
            .map(|who| WitnessSeat { key: key(*who), url: String::new() })
            .collect(),
        quorum: witnesses.len() / 2 + 1,
        stewards: BTreeSet::new(),
        approvals: 0,
        beacon: None,
        timings: Timings::default(),
        statutes: "We lend a hand.".into(),
    }
}

/// A charter that follows `charter` in `community`.
pub fn later(community: EventId, charter: EventId, text: CharterText) -> Draft {
    let previous = Some(Previous { community, charter });
    draft::charter(&CharterText { previous, ..text })
}

/// A local beacon with a round every 10 seconds from time 0.
pub fn beacon() -> (Chain, TestBeacon) {
    Chain::test([5; 32], 0, 10)
}

pub fn vote_in(community: EventId, charter: EventId, n: u8) -> Subject {
    Subject {
        id: id(n),
        community,
        charter,
        opens: 100,
        closes: 200,
        grace: 10,
        round: None,
        min_units: 0,
    }
}

pub fn receipt(community: EventId, subject: EventId, entries: &[EventId]) -> Draft {
    draft::receipt(&Receipt { community, subject, entries: entries.iter().copied().collect() })
}

/// The only part of an attestation.
pub fn attestation(community: EventId, subject: EventId, ids: &[EventId]) -> Draft {
    draft::box_attestation(&list(community, subject, ids))
}

pub fn list(community: EventId, subject: EventId, ids: &[EventId]) -> BoxAttestation {
    let ids = ids.iter().copied().collect();
    draft::box_attestations(community, subject, &ids).remove(0)
}

/// A step with the digest that its value gives.
pub fn step(
    community: EventId,
    subject: EventId,
    instance: Instance,
    (action, attempt): (fn(Choice) -> Action, u32),
    (named, value): (Named, &Value),
) -> Draft {
    let action = action(Choice { named, digest: digest(subject, value) });
    draft::step(&Step { community, subject, instance, attempt, action })
}

/// A seal of the first attempt.
pub fn seal(
    community: EventId,
    subject: EventId,
    instance: Instance,
    named: Named,
    value: &Value,
) -> Draft {
    step(community, subject, instance, (Action::Seal, 1), (named, value))
}

/// A seal of the box that these attestations give.
pub fn seal_box(
    community: EventId,
    subject: EventId,
    attestations: &[EventId],
    ids: &[EventId],
) -> Draft {
    let named = Named::Box(attestations.iter().copied().collect());
    seal(community, subject, Instance::Close, named, &boxed(ids))
}

pub fn adopt(community: EventId, subject: EventId, instance: Instance, later: &[EventId]) -> Draft {
    seal(community, subject, instance, Named::Adopt(later.to_vec()), &Value::Adopt)
}

pub fn void(community: EventId, subject: EventId, instance: Instance, reason: &str) -> Draft {
    let value = Value::Void(reason.into());
    seal(community, subject, instance, Named::Void(reason.into()), &value)
}

pub fn boxed(ids: &[EventId]) -> Value {
    Value::Box(Arc::new(ids.iter().copied().collect()))
}

fn digest(subject: EventId, value: &Value) -> [u8; 32] {
    match value {
        Value::Box(ids) => crate::digest::box_digest(subject, ids.as_ref()),
        Value::Void(reason) => crate::digest::void_digest(subject, reason),
        Value::Adopt => crate::digest::adopt_digest(subject),
        Value::Closes(ids) => crate::digest::closes_digest(subject, ids.as_ref()),
        Value::Result(result) => crate::digest::result_digest(subject, *result),
    }
}

/// The parts of a roster of these people with 100 credits each, `size` rows a part.
pub fn roster(community: EventId, people: &[u8], size: usize) -> Vec<RosterPart> {
    let row = || RosterRow { credits: 100, flags: BTreeSet::from(["id".to_owned()]) };
    let rows: std::collections::BTreeMap<_, _> =
        people.iter().map(|who| (key(*who), row())).collect();
    let root = crate::roster::root(&rows);
    let all: Vec<_> = rows.into_iter().collect();
    let total = u32::try_from(all.len().div_ceil(size)).unwrap();
    let parts = all.chunks(size).zip(1..);
    parts
        .map(|(rows, part)| {
            let rows = rows.iter().cloned().collect();
            RosterPart { community, part, total, root, rows }
        })
        .collect()
}

pub fn setting(
    community: EventId,
    version: u64,
    previous: Option<EventId>,
    key: &str,
    value: &str,
) -> Draft {
    let changes = [(key.to_owned(), value.to_owned())].into();
    draft::setting(&Setting { community, version, previous, changes })
}
