//! The fraud proof (kind 4759): two signed events that should not both exist, side by side.
//!
//! Whether they verify and conflict can be seen from the proof alone, so a proof that does not hold
//! is malformed. Anybody may publish one. An order-fork suspends the account until a later policy
//! of it names a proof of the same fork as its `reason`: two devices can sign twice by accident.

use ayni_protocol::shape::parsed;
use ayni_protocol::{
    Address, Draft, Event, EventId, Malformed, PublicKey, Shape, VerifiedEvent, kind,
};

use crate::entry::{Body, Entry};
use crate::fork::Case;
use crate::{Attestation, Repeat, tags};

/// What a fraud proof says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fraud {
    /// The currency.
    pub currency: Address,
    /// What was signed twice.
    pub case: Case,
    /// The place: the account or witness, and the number.
    pub place: (PublicKey, u64),
    /// Who signed the two events, as they stand in the proof.
    pub authors: [PublicKey; 2],
    /// The two events, by id.
    pub events: [EventId; 2],
    /// The two events as canonical JSON, in one list.
    pub proof: String,
}

impl Fraud {
    /// A proof from two events, where they do conflict.
    ///
    /// # Errors
    /// [`Malformed::BadContent`] where they do not.
    pub fn new(
        currency: Address,
        case: Case,
        one: &VerifiedEvent,
        two: &VerifiedEvent,
    ) -> Result<Self, Malformed> {
        let place = conflict(case, &currency, one, two).ok_or(NO_CONFLICT)?;
        Ok(Self {
            currency,
            case,
            place,
            authors: [one.pubkey, two.pubkey],
            events: [one.id, two.id],
            proof: format!("[{},{}]", one.json(), two.json()),
        })
    }

    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        let case = parsed(shape.text("case")?, "case", "one of the protocol's forks")?;
        let [one, two] = pair(content).ok_or(NO_CONFLICT)?;
        let fraud = Self::new(shape.currency()?, case, &one, &two)?;
        Ok(Self { proof: content.to_owned(), ..fraud })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        tags::key(tags::in_currency(draft, &self.currency), "p", &self.place.0)
            .tag(["case", self.case.as_str()])
            .content(&self.proof)
    }
}

const NO_CONFLICT: Malformed =
    Malformed::BadContent("a list of two signed events that conflict as the case says");

fn pair(content: &str) -> Option<[VerifiedEvent; 2]> {
    let [one, two] = <[Event; 2]>::try_from(tags::events(content)?).ok()?;
    Some([one.verify().ok()?, two.verify().ok()?])
}

/// The account or witness and the number that two events both claim, where they say two things.
fn conflict(
    case: Case,
    currency: &Address,
    one: &VerifiedEvent,
    two: &VerifiedEvent,
) -> Option<(PublicKey, u64)> {
    if one.id == two.id || one.kind != two.kind {
        return None;
    }
    let claims = |event: &VerifiedEvent| match case {
        Case::Vote => Some(Vec::from_iter(vote(event))),
        _ => Some(claims(case, currency, &Entry::read(event).ok()?)),
    };
    let (first, second) = (claims(one)?, claims(two)?);
    let conflicts = |one: &&Claim| {
        second.iter().any(|two| {
            let places = [(one.whose, one.number, &one.place), (two.whose, two.number, &two.place)];
            places[0] == places[1] && one.says != two.says
        })
    };
    first.iter().find(conflicts).map(|claim| (claim.whose, claim.number))
}

/// What an event claims: a place that should hold one thing, and the thing.
struct Claim {
    whose: PublicKey,
    number: u64,
    /// Whatever else makes the place.
    place: String,
    says: String,
}

fn claims(case: Case, currency: &Address, entry: &Entry) -> Vec<Claim> {
    // A log spans all currencies.
    if case != Case::Log && entry.currency().as_ref() != Some(currency) {
        return Vec::new();
    }
    let plain = |whose, number| {
        let (place, says) = (String::new(), entry.id.to_string());
        vec![Claim { whose, number, place, says }]
    };
    match (case, &entry.body) {
        (Case::Order, Body::Order(order)) => {
            // Under other rules a payment that nobody certified may be signed again.
            let (whose, number) = (entry.speaker(), order.seq);
            let (place, says) = (order.epoch.to_string(), entry.id.to_string());
            vec![Claim { whose, number, place, says }]
        }
        (Case::Policy, Body::Policy(policy)) => plain(policy.account, policy.version),
        (Case::Rules, Body::Rules(rules)) => plain(entry.author, rules.epoch),
        (Case::Charge, Body::Charge(charge)) => plain(entry.author, charge.cseq),
        (Case::Log, Body::Attestation(Attestation::State(statement))) => {
            plain(entry.author, statement.log.index)
        }
        (Case::Attest, Body::Attestation(Attestation::State(statement))) => {
            let claim = |repeat: &Repeat| Claim {
                whose: entry.author,
                number: repeat.seq,
                place: format!("{} {}", repeat.payer, statement.epoch),
                says: repeat.order.to_string(),
            };
            statement.orders().iter().map(claim).collect()
        }
        _ => Vec::new(),
    }
}

/// Which step of which decision, and the digest it carries.
fn vote(event: &VerifiedEvent) -> Option<Claim> {
    let shape = Shape::of(event).ok().filter(|_| event.kind == kind::DECISION)?;
    let mut place = String::new();
    for name in ["s", "of", "step"] {
        place.push_str(shape.text(name).ok()?);
        place.push('|');
    }
    let (number, says) = (shape.unsigned("attempt").ok()?, shape.text("digest").ok()?.to_owned());
    Some(Claim { whose: event.pubkey, number, place, says })
}
