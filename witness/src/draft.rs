//! Writing the council's events: from typed values to drafts that their author signs.
//!
//! What is written here is read by [`crate::read`] as the value it was written from.

use std::collections::BTreeSet;

use ayni_protocol::{Draft, EventId, Kind, hex, kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::beacon::Chain;
use crate::entry::{
    Action, BeaconRound, Body, BoxAttestation, CharterText, Choice, Consent, Merit, Named, Receipt,
    RosterPart, Setting, Step,
};
use crate::fact::{Instance, Round, Timings};
use crate::{merkle, roster};

/// Ids that one part of an attestation lists at most: base64 of 32 bytes each, well below the
/// 64 KiB that an event may have.
pub const ATTESTED_IDS_MAX: usize = 1_000;

/// Entries that one receipt names at most.
pub const RECEIPTED_MAX: usize = 500;

/// Writes any event of the council.
#[must_use]
pub fn body(body: &Body) -> Draft {
    match body {
        Body::Charter(text) => charter(text),
        Body::Roster(part) => roster(part),
        Body::Receipt(of) => receipt(of),
        Body::Attestation(of) => box_attestation(of),
        Body::Step(of) => step(of),
        Body::Beacon(of) => beacon_round(of),
        Body::Consent(of) => consent(of),
        Body::Setting(of) => setting(of),
        Body::Merit(of) => merit(of),
    }
}

/// A charter (4710), which the founder or the community signs.
#[must_use]
pub fn charter(text: &CharterText) -> Draft {
    let mut draft = Draft::new(kind::CHARTER).content(text.statutes.as_str());
    if let Some(previous) = &text.previous {
        draft = draft.tag(["h", &previous.community.to_string()]);
        draft = draft.tag(["e", &previous.charter.to_string(), "", "prev"]);
    }
    draft = draft.tag(["name", &text.name]);
    for language in &text.languages {
        draft = draft.tag(["lang", language]);
    }
    for (name, value) in [("country", &text.country), ("region", &text.region)] {
        if let Some(value) = value {
            draft = draft.tag([name, value]);
        }
    }
    for seat in &text.witnesses {
        draft = draft.tag(["w", &seat.key.to_string(), &seat.url]);
    }
    draft = draft.tag(["wq", &text.quorum.to_string()]);
    for steward in &text.stewards {
        draft = draft.tag(["steward", &steward.to_string()]);
    }
    draft = draft.tag(["approve", &text.approvals.to_string()]);
    if let Some(beacon) = &text.beacon {
        draft = draft.tag(chain(beacon));
    }
    timings(draft, &text.timings)
}

fn chain(chain: &Chain) -> [String; 6] {
    [
        "beacon".into(),
        hex::encode(&chain.hash),
        hex::encode(&chain.public_key),
        chain.genesis.to_string(),
        chain.period.to_string(),
        chain.scheme.clone(),
    ]
}

/// Only what differs from the usual, so that a plain charter stays readable.
fn timings(draft: Draft, timings: &Timings) -> Draft {
    let usual = Timings::default();
    [
        ("min-notice", timings.min_notice, usual.min_notice),
        ("seal-window", timings.seal_window, usual.seal_window),
        ("margin", timings.margin, usual.margin),
        ("beacon-deadline", timings.beacon_deadline, usual.beacon_deadline),
    ]
    .into_iter()
    .filter(|(_, secs, usual)| secs != usual)
    .fold(draft, |draft, (name, secs, _)| draft.tag([name, &secs.to_string()]))
}

/// One part of a roster (4711), which the community signs; [`roster::parts`] makes them.
#[must_use]
pub fn roster(part: &RosterPart) -> Draft {
    let draft = within(kind::ROSTER, part.community)
        .tag(["part", &part.part.to_string(), &part.total.to_string()])
        .tag(["root", &hex::encode(&part.root)]);
    part.rows.iter().fold(draft, |draft, (key, row)| {
        draft.tag(["p", &key.to_string(), &row.credits.to_string(), &roster::flags(row)])
    })
}

/// A receipt (4715), which a witness signs.
#[must_use]
pub fn receipt(receipt: &Receipt) -> Draft {
    let draft = about(kind::RECEIPT, receipt.community, receipt.subject);
    receipt.entries.iter().fold(draft, |draft, entry| draft.tag(["e", &entry.to_string()]))
}

/// One part of a box attestation (4716), which a witness signs; [`box_attestations`] makes them.
#[must_use]
pub fn box_attestation(of: &BoxAttestation) -> Draft {
    let bytes: Vec<u8> = of.ids.iter().flat_map(|id| id.0).collect();
    about(kind::BOX_ATTESTATION, of.community, of.subject)
        .tag(["n", &of.count.to_string()])
        .tag(["root", &hex::encode(&of.root)])
        .tag(["part", &of.part.to_string(), &of.total.to_string()])
        .content(STANDARD.encode(bytes))
}

/// The parts of a whole attestation, at least one.
#[must_use]
pub fn box_attestations(
    community: EventId,
    subject: EventId,
    ids: &BTreeSet<EventId>,
) -> Vec<BoxAttestation> {
    let root = merkle::root(ids.iter().map(|id| id.0));
    let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    let total = u32::try_from(ids.len().div_ceil(ATTESTED_IDS_MAX).max(1)).unwrap_or(u32::MAX);
    let mut ids = ids.iter().copied();
    (1..=total)
        .map(|part| {
            let ids = ids.by_ref().take(ATTESTED_IDS_MAX).collect();
            BoxAttestation { community, subject, count, root, part, total, ids }
        })
        .collect()
}

/// A seal of a witness that decides alone, so in the first attempt.
#[must_use]
pub fn seal(community: EventId, subject: EventId, instance: Instance, choice: Choice) -> Draft {
    step(&Step { community, subject, instance, attempt: 1, action: Action::Seal(choice) })
}

/// A step of a decision (4717), which a witness signs.
#[must_use]
pub fn step(step: &Step) -> Draft {
    let instance = match step.instance {
        Instance::Charter => "charter",
        Instance::Roster => "roster",
        Instance::Close => "close",
        Instance::Outcome => "outcome",
        Instance::Handover => "handover",
    };
    let draft = about(kind::DECISION, step.community, step.subject)
        .tag(["of", instance])
        .tag(["attempt", &step.attempt.to_string()]);
    match &step.action {
        Action::Propose(of) => choice(draft.tag(["step", "propose"]), of),
        Action::Seal(of) => choice(draft.tag(["step", "seal"]), of),
        Action::Ready(digest) => draft.tag(["step", "ready"]).tag([
            "digest".to_owned(),
            digest.map_or_else(|| "nil".into(), |digest| hex::encode(&digest)),
        ]),
    }
}

fn choice(draft: Draft, choice: &Choice) -> Draft {
    let draft = draft.tag(["digest", &hex::encode(&choice.digest)]);
    match &choice.named {
        Named::Box(attestations) => {
            marked(draft.tag(["value", "box"]), attestations.iter().copied(), "att")
        }
        Named::Void(reason) => draft.tag(["value", "void"]).tag(["reason", reason]),
        Named::Adopt(parts) => marked(draft.tag(["value", "adopt"]), parts.iter().copied(), "part"),
        Named::Result => draft.tag(["value", "result"]),
        Named::Closes(closes) => {
            marked(draft.tag(["value", "closes"]), closes.iter().copied(), "close")
        }
    }
}

fn marked(draft: Draft, ids: impl IntoIterator<Item = EventId>, marker: &str) -> Draft {
    ids.into_iter().fold(draft, |draft, id| draft.tag(["e", &id.to_string(), "", marker]))
}

/// A verified round of a beacon (4719), which anyone signs.
#[must_use]
pub fn beacon(round: &Round) -> Draft {
    beacon_tags(&round.chain, round.round, &round.signature)
}

/// A round of a beacon that nobody verified yet (4719).
#[must_use]
pub fn beacon_round(round: &BeaconRound) -> Draft {
    beacon_tags(&round.chain, round.round, &round.signature)
}

fn beacon_tags(chain: &[u8; 32], round: u64, signature: &[u8]) -> Draft {
    Draft::new(kind::BEACON)
        .tag(["chain", &hex::encode(chain)])
        .tag(["round", &round.to_string()])
        .tag(["sig", &hex::encode(signature)])
}

/// A consent (4740), which a member signs.
#[must_use]
pub fn consent(of: &Consent) -> Draft {
    within(kind::CONSENT, of.community).tag(["x", &hex::encode(&of.text)]).tag([
        "doc",
        &of.document,
        &of.version,
        &of.language,
        &of.country,
    ])
}

/// A setting (4741), which the community signs.
#[must_use]
pub fn setting(setting: &Setting) -> Draft {
    let mut draft =
        within(kind::SETTING, setting.community).tag(["v", &setting.version.to_string()]);
    if let Some(previous) = setting.previous {
        draft = draft.tag(["e", &previous.to_string(), "", "prev"]);
    }
    setting.changes.iter().fold(draft, |draft, (key, value)| draft.tag(["set", key, value]))
}

/// An award of merit (4742), which the community or a steward signs.
#[must_use]
pub fn merit(merit: &Merit) -> Draft {
    let draft = within(kind::MERIT, merit.community)
        .tag(["p", &merit.member.to_string()])
        .tag(["points", &merit.points.to_string()])
        .tag(["reason", &merit.reason]);
    match merit.cause {
        Some(cause) => draft.tag(["e", &cause.to_string()]),
        None => draft,
    }
}

fn within(kind: Kind, community: EventId) -> Draft {
    Draft::new(kind).tag(["h", &community.to_string()])
}

fn about(kind: Kind, community: EventId, subject: EventId) -> Draft {
    within(kind, community).tag(["s", &subject.to_string()])
}
