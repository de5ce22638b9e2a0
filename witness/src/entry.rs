//! What the council's events say, once read: typed values, nothing left to check but what depends
//! on other events.
//!
//! [`crate::read`] makes these from signed events, [`crate::draft`] makes events from these.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{EventId, PublicKey, Timestamp};

use crate::beacon::Chain;
use crate::fact::{Instance, RosterRow, Timings, WitnessSeat};

/// An event of the council.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event.
    pub id: EventId,
    /// Who signed it.
    pub author: PublicKey,
    /// What its author says of the time; nothing is decided by it.
    pub created_at: Timestamp,
    /// What it says.
    pub body: Body,
}

/// What an event of the council says, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Kind 4710.
    Charter(Box<CharterText>),
    /// Kind 4711.
    Roster(RosterPart),
    /// Kind 4715.
    Receipt(Receipt),
    /// Kind 4716.
    Attestation(BoxAttestation),
    /// Kind 4717.
    Step(Step),
    /// Kind 4719.
    Beacon(BeaconRound),
    /// Kind 4740.
    Consent(Consent),
    /// Kind 4741.
    Setting(Setting),
    /// Kind 4742.
    Merit(Merit),
}

/// A charter as it is written (kind 4710).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharterText {
    /// What it follows; nothing for the first charter, which makes the community.
    pub previous: Option<Previous>,
    /// Name of the community.
    pub name: String,
    /// Languages, by code, the preferred first.
    pub languages: Vec<String>,
    /// ISO 3166-1 code.
    pub country: Option<String>,
    /// Slug of the region.
    pub region: Option<String>,
    /// The witnesses in order, 1 to 31, distinct.
    pub witnesses: Vec<WitnessSeat>,
    /// How many of them decide; twice this is more than there are.
    pub quorum: usize,
    /// Keys that may do everyday acts and approve others.
    pub stewards: BTreeSet<PublicKey>,
    /// Approvals of stewards that an act needs.
    pub approvals: usize,
    /// The randomness beacon.
    pub beacon: Option<Chain>,
    /// How long things take.
    pub timings: Timings,
    /// The statutes, for people.
    pub statutes: String,
}

/// What a later charter follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous {
    /// The community.
    pub community: EventId,
    /// The version before.
    pub charter: EventId,
}

/// One part of a roster (kind 4711).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterPart {
    /// The community.
    pub community: EventId,
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub total: u32,
    /// Root over the rows of all parts.
    pub root: [u8; 32],
    /// Rows of this part, by key.
    pub rows: BTreeMap<PublicKey, RosterRow>,
}

/// A witness's word that it received entries in time (kind 4715).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The community.
    pub community: EventId,
    /// What they are entries of.
    pub subject: EventId,
    /// The entries, at least one.
    pub entries: BTreeSet<EventId>,
}

/// One part of a witness's list of the entries it received (kind 4716).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxAttestation {
    /// The community.
    pub community: EventId,
    /// What they are entries of.
    pub subject: EventId,
    /// How many entries all parts list together.
    pub count: u64,
    /// Root over the ids of all parts.
    pub root: [u8; 32],
    /// Which part, from 1.
    pub part: u32,
    /// Of how many.
    pub total: u32,
    /// Ids of this part.
    pub ids: BTreeSet<EventId>,
}

/// A step of a decision (kind 4717).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The community.
    pub community: EventId,
    /// What is decided on.
    pub subject: EventId,
    /// Which question.
    pub instance: Instance,
    /// The attempt, from 1.
    pub attempt: u32,
    /// What is said.
    pub action: Action,
}

/// What a step of a decision says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The proposer of this attempt proposes a value.
    Propose(Choice),
    /// A witness is ready to seal this digest in this attempt, or none.
    Ready(Option<[u8; 32]>),
    /// A witness seals a value.
    Seal(Choice),
}

/// A value and its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The value, as far as the step states it.
    pub named: Named,
    /// The digest, which the reader recomputes.
    pub digest: [u8; 32],
}

/// What a step states of the value it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The box that these attestations give. A seal may leave them to a proposal.
    Box(BTreeSet<EventId>),
    /// Nothing counts, for this reason.
    Void(String),
    /// The subject is adopted. For a roster of several parts, its parts after the first, in order;
    /// a seal may leave them to a proposal.
    Adopt(Vec<EventId>),
    /// The result that follows from the decided box.
    Result,
    /// These closes of witnesses hold.
    Closes(BTreeSet<EventId>),
}

/// A round of a beacon, not yet verified (kind 4719).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeaconRound {
    /// Hash of the chain.
    pub chain: [u8; 32],
    /// The round's number, from 1.
    pub round: u64,
    /// The signature.
    pub signature: [u8; 48],
}

/// A member's consent to a legal text (kind 4740).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Consent {
    /// The community.
    pub community: EventId,
    /// SHA-256 of the text.
    pub text: [u8; 32],
    /// Name of the document.
    pub document: String,
    /// Its version.
    pub version: String,
    /// Its language.
    pub language: String,
    /// The country it is for.
    pub country: String,
}

/// One change of a community's configuration (kind 4741).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The community.
    pub community: EventId,
    /// Version, from 1.
    pub version: u64,
    /// The version before, none for version 1.
    pub previous: Option<EventId>,
    /// What is set to what.
    pub changes: BTreeMap<String, String>,
}

/// An award of merit (kind 4742).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merit {
    /// The community.
    pub community: EventId,
    /// Who is awarded.
    pub member: PublicKey,
    /// How many points; below zero takes some back.
    pub points: i64,
    /// What for, one word.
    pub reason: String,
    /// The event that earned it.
    pub cause: Option<EventId>,
}
