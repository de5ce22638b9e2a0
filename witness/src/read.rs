//! Reading the council's events: the shape of each kind, stateless (protocol sections 2 and 4).

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::shape::{parsed, signed, unsigned};
use ayni_protocol::{EventId, Malformed, PublicKey, Shape, Tag, VerifiedEvent, hex, kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::beacon::Chain;
use crate::entry::{
    Action, BeaconRound, Body, BoxAttestation, CharterText, Choice, Consent, Entry, Merit, Named,
    Previous, Receipt, RosterPart, Setting, Step,
};
use crate::fact::{Instance, RosterRow, Timings, WitnessSeat};
use crate::{merkle, roster};

/// Witnesses of a charter at most.
pub const WITNESSES_MAX: usize = 31;
/// Rows of one part of a roster at most.
pub const ROSTER_ROWS_MAX: usize = 500;

const HEX: &str = "64 lowercase hex digits";

/// Reads one event of the council.
///
/// # Errors
/// [`Malformed`], with a sentence for its author.
pub fn entry(event: &VerifiedEvent) -> Result<Entry, Malformed> {
    let shape = Shape::of(event)?;
    let body = match event.kind {
        kind::CHARTER => Body::Charter(Box::new(charter(shape, &event.content)?)),
        kind::ROSTER => Body::Roster(roster_part(shape)?),
        kind::RECEIPT => Body::Receipt(receipt(shape)?),
        kind::BOX_ATTESTATION => Body::Attestation(attestation(shape, &event.content)?),
        kind::DECISION => Body::Step(step(shape)?),
        kind::BEACON => Body::Beacon(beacon(shape)?),
        kind::CONSENT => Body::Consent(consent(shape)?),
        kind::SETTING => Body::Setting(setting(shape)?),
        kind::MERIT => Body::Merit(merit(shape)?),
        _ => return Err(Malformed::BadTag("kind", "a kind that the council reads")),
    };
    Ok(Entry { id: event.id, author: event.pubkey, created_at: event.created_at, body })
}

fn charter(shape: Shape<'_>, statutes: &str) -> Result<CharterText, Malformed> {
    let seats = shape.all("w").map(seat).collect::<Result<Vec<_>, _>>()?;
    let distinct: BTreeSet<_> = seats.iter().map(|seat| seat.key).collect();
    if distinct.len() != seats.len() || !(1..=WITNESSES_MAX).contains(&seats.len()) {
        return Err(Malformed::BadTag("w", "1 to 31 different witnesses"));
    }
    let quorum: usize = shape.unsigned("wq")?;
    if quorum > seats.len() || seats.len() >= quorum.saturating_mul(2) {
        return Err(Malformed::BadTag("wq", "more than half of the witnesses, and at most all"));
    }
    Ok(CharterText {
        previous: previous(shape)?,
        name: nonempty(shape.text("name")?, "name")?.to_owned(),
        languages: shape.all("lang").map(|tag| value(tag, "lang")).collect::<Result<_, _>>()?,
        country: shape.optional_text("country")?.map(str::to_owned),
        region: shape.optional_text("region")?.map(str::to_owned),
        witnesses: seats,
        quorum,
        stewards: shape
            .all("steward")
            .map(|tag| parsed(tag.value().unwrap_or(""), "steward", HEX))
            .collect::<Result<_, _>>()?,
        approvals: shape.optional_unsigned("approve")?.unwrap_or(0),
        beacon: shape.optional("beacon")?.map(chain).transpose()?,
        timings: timings(shape)?,
        statutes: statutes.to_owned(),
    })
}

/// The first charter carries neither `h` nor `prev`, every later one both.
fn previous(shape: Shape<'_>) -> Result<Option<Previous>, Malformed> {
    match (shape.optional("h")?, shape.optional_marked("prev")?) {
        (None, None) => Ok(None),
        (Some(_), Some(charter)) => Ok(Some(Previous { community: shape.community()?, charter })),
        (Some(_), None) => Err(Malformed::MissingTag("prev")),
        (None, Some(_)) => Err(Malformed::MissingTag("h")),
    }
}

fn seat(tag: Tag<'_>) -> Result<WitnessSeat, Malformed> {
    let key = parsed(tag.value().unwrap_or(""), "w", "a witness's key and its relay")?;
    Ok(WitnessSeat { key, url: tag.get(2).unwrap_or("").to_owned() })
}

fn chain(tag: Tag<'_>) -> Result<Chain, Malformed> {
    const FORM: &str = "chain hash, public key, genesis, period and scheme";
    let bad = || Malformed::BadTag("beacon", FORM);
    let at = |place| tag.get(place).ok_or_else(bad);
    Ok(Chain {
        hash: hex::decode(at(1)?).map_err(|_| bad())?,
        public_key: hex::decode::<96>(at(2)?).map_err(|_| bad())?.to_vec(),
        genesis: unsigned(at(3)?, "beacon")?,
        period: unsigned(at(4)?, "beacon")?,
        scheme: at(5)?.to_owned(),
    })
}

fn timings(shape: Shape<'_>) -> Result<Timings, Malformed> {
    let usual = Timings::default();
    let or = |name, usual| Ok(shape.optional_unsigned(name)?.unwrap_or(usual));
    Ok(Timings {
        min_notice: or("min-notice", usual.min_notice)?,
        seal_window: or("seal-window", usual.seal_window)?,
        margin: or("margin", usual.margin)?,
        beacon_deadline: or("beacon-deadline", usual.beacon_deadline)?,
    })
}

fn roster_part(shape: Shape<'_>) -> Result<RosterPart, Malformed> {
    let (part, total) = part_of(shape)?;
    let mut rows = BTreeMap::new();
    for tag in shape.all("p") {
        let key: PublicKey = parsed(tag.value().unwrap_or(""), "p", "key, credits and flags")?;
        let after_the_last = rows.last_key_value().is_none_or(|(last, _)| *last < key);
        if !after_the_last {
            return Err(Malformed::BadTag("p", "sorted by key, each key once"));
        }
        rows.insert(key, row(tag)?);
    }
    if rows.len() > ROSTER_ROWS_MAX || rows.is_empty() && total > 1 {
        return Err(Malformed::BadTag("p", "1 to 500 rows a part"));
    }
    let root = hash(shape, "root")?;
    if total == 1 && root != roster::root(&rows) {
        return Err(Malformed::BadTag("root", "the Merkle root over the rows"));
    }
    Ok(RosterPart { community: shape.community()?, part, total, root, rows })
}

fn row(tag: Tag<'_>) -> Result<RosterRow, Malformed> {
    let credits = unsigned(tag.get(2).unwrap_or(""), "p")?;
    let flags = tag.get(3).unwrap_or("");
    let row = RosterRow {
        credits,
        flags: flags.split(',').filter(|flag| !flag.is_empty()).map(str::to_owned).collect(),
    };
    // The root is over the text, so the text has one spelling.
    if roster::flags(&row) == flags {
        Ok(row)
    } else {
        Err(Malformed::BadTag("p", "key, credits and flags sorted and joined by commas"))
    }
}

/// `["part", i, total]`, 1 of 1 where it is not there.
fn part_of(shape: Shape<'_>) -> Result<(u32, u32), Malformed> {
    let Some(tag) = shape.optional("part")? else { return Ok((1, 1)) };
    let part = unsigned(tag.get(1).unwrap_or(""), "part")?;
    let total = unsigned(tag.get(2).unwrap_or(""), "part")?;
    if (1..=total).contains(&part) {
        Ok((part, total))
    } else {
        Err(Malformed::BadTag("part", "which part from 1, and of how many"))
    }
}

fn receipt(shape: Shape<'_>) -> Result<Receipt, Malformed> {
    let entries: BTreeSet<_> = shape.unmarked()?.into_iter().collect();
    if entries.is_empty() {
        return Err(Malformed::MissingTag("e"));
    }
    Ok(Receipt { community: shape.community()?, subject: subject(shape)?, entries })
}

fn attestation(shape: Shape<'_>, content: &str) -> Result<BoxAttestation, Malformed> {
    let (part, total) = part_of(shape)?;
    let ids = ids(content)?;
    let count = shape.unsigned("n")?;
    let here = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    if here > count || total == 1 && here != count {
        return Err(Malformed::BadTag("n", "the number of entries that all parts list"));
    }
    let root = hash(shape, "root")?;
    if total == 1 && root != merkle::root(ids.iter().map(|id| id.0)) {
        return Err(Malformed::BadTag("root", "the Merkle root over the ids"));
    }
    let (community, subject) = (shape.community()?, subject(shape)?);
    Ok(BoxAttestation { community, subject, count, root, part, total, ids })
}

fn ids(content: &str) -> Result<BTreeSet<EventId>, Malformed> {
    let bad = || Malformed::BadContent("base64 of 32-byte ids, sorted, each once");
    let bytes = STANDARD.decode(content).map_err(|_| bad())?;
    let mut ids = BTreeSet::new();
    for id in bytes.chunks(32) {
        let id = EventId(id.try_into().map_err(|_| bad())?);
        if ids.last().is_some_and(|last| id <= *last) {
            return Err(bad());
        }
        ids.insert(id);
    }
    Ok(ids)
}

fn step(shape: Shape<'_>) -> Result<Step, Malformed> {
    let instance = match shape.text("of")? {
        "charter" => Instance::Charter,
        "roster" => Instance::Roster,
        "close" => Instance::Close,
        "outcome" => Instance::Outcome,
        "handover" => Instance::Handover,
        _ => return Err(Malformed::BadTag("of", "charter, roster, close, outcome or handover")),
    };
    let action = match shape.text("step")? {
        "propose" => Action::Propose(choice(shape, instance)?),
        "ready" if shape.text("digest")? == "nil" => Action::Ready(None),
        "ready" => Action::Ready(Some(hash(shape, "digest")?)),
        "seal" => Action::Seal(choice(shape, instance)?),
        _ => return Err(Malformed::BadTag("step", "propose, ready or seal")),
    };
    let (community, subject) = (shape.community()?, subject(shape)?);
    Ok(Step { community, subject, instance, attempt: shape.unsigned("attempt")?, action })
}

fn choice(shape: Shape<'_>, instance: Instance) -> Result<Choice, Malformed> {
    let named = match (shape.text("value")?, instance) {
        ("void", _) => Named::Void(nonempty(shape.text("reason")?, "reason")?.to_owned()),
        ("adopt", Instance::Charter | Instance::Roster) => {
            Named::Adopt(shape.every_marked("part")?)
        }
        ("box", Instance::Close) => Named::Box(shape.every_marked("att")?.into_iter().collect()),
        ("result", Instance::Outcome) => Named::Result,
        ("closes", Instance::Handover) => {
            Named::Closes(shape.every_marked("close")?.into_iter().collect())
        }
        _ => return Err(Malformed::BadTag("value", "a value that this instance can have")),
    };
    Ok(Choice { named, digest: hash(shape, "digest")? })
}

fn beacon(shape: Shape<'_>) -> Result<BeaconRound, Malformed> {
    const FORM: &str = "96 lowercase hex digits";
    let round = shape.unsigned("round")?;
    if round == 0 {
        return Err(Malformed::BadTag("round", "1 or later"));
    }
    let signature = hex::decode(shape.text("sig")?).map_err(|_| Malformed::BadTag("sig", FORM))?;
    Ok(BeaconRound { chain: hash(shape, "chain")?, round, signature })
}

fn consent(shape: Shape<'_>) -> Result<Consent, Malformed> {
    let document = shape.required("doc")?;
    let at = |place| document.get(place).unwrap_or("").to_owned();
    nonempty(&at(1), "doc")?;
    Ok(Consent {
        community: shape.community()?,
        text: hash(shape, "x")?,
        document: at(1),
        version: at(2),
        language: at(3),
        country: at(4),
    })
}

fn setting(shape: Shape<'_>) -> Result<Setting, Malformed> {
    let mut changes = BTreeMap::new();
    for tag in shape.all("set") {
        let key = value(tag, "set")?;
        let to = tag.get(2).ok_or(Malformed::BadTag("set", "a key and a value"))?;
        if changes.insert(key, to.to_owned()).is_some() {
            return Err(Malformed::RepeatedTag("set".into()));
        }
    }
    if changes.is_empty() {
        return Err(Malformed::MissingTag("set"));
    }
    let (version, previous) = (shape.unsigned("v")?, shape.optional_marked("prev")?);
    match (version, previous) {
        (0, _) | (1, Some(_)) => Err(Malformed::BadTag("v", "1 for the first, which has no prev")),
        (2.., None) => Err(Malformed::MissingTag("prev")),
        _ => Ok(Setting { community: shape.community()?, version, previous, changes }),
    }
}

fn merit(shape: Shape<'_>) -> Result<Merit, Malformed> {
    let cause = match shape.unmarked()?.as_slice() {
        [] => None,
        [cause] => Some(*cause),
        _ => return Err(Malformed::RepeatedTag("e".into())),
    };
    Ok(Merit {
        community: shape.community()?,
        member: shape.key("p")?,
        points: signed(shape.text("points")?, "points")?,
        reason: nonempty(shape.text("reason")?, "reason")?.to_owned(),
        cause,
    })
}

fn subject(shape: Shape<'_>) -> Result<EventId, Malformed> {
    parsed(shape.text("s")?, "s", "the subject's id, 64 lowercase hex digits")
}

fn hash(shape: Shape<'_>, name: &'static str) -> Result<[u8; 32], Malformed> {
    hex::decode(shape.text(name)?).map_err(|_| Malformed::BadTag(name, HEX))
}

fn value(tag: Tag<'_>, name: &'static str) -> Result<String, Malformed> {
    nonempty(tag.value().unwrap_or(""), name).map(str::to_owned)
}

fn nonempty<'a>(text: &'a str, name: &'static str) -> Result<&'a str, Malformed> {
    if text.is_empty() { Err(Malformed::BadTag(name, "a name and a value")) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys, Kind};

    use super::*;

    /// What is said of an event with these tags: `name value value; name value`.
    fn says(kind: Kind, tags: &str, content: &str) -> String {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let mut draft = Draft::new(kind).content(content);
        for tag in tags.split("; ").filter(|tag| !tag.is_empty()) {
            draft = draft.tag(tag.split(' ').map(|value| match value {
                "-" => String::new(),
                "A" => "aa".repeat(32),
                "B" => "bb".repeat(32),
                _ => value.to_owned(),
            }));
        }
        match entry(&draft.sign(&keys, 1, [0; 32])) {
            Ok(_) => "ok".into(),
            Err(wrong) => wrong.to_string(),
        }
    }

    #[test]
    fn a_charter_is_read_strictly() {
        let many: Vec<_> =
            (0..32).map(|n| format!("w {}", format!("{n:02x}").repeat(32))).collect();
        let cases = [
            ("name X; w A wss://a; wq 1", "ok"),
            ("name X; w A; w B; wq 2; lang pt; lang en; steward A; approve 1; margin 5", "ok"),
            ("name X; w A; wq 1; h A; e B - prev", "ok"),
            ("name X; w A; wq 1; h A", "needs a tag prev"),
            ("name X; w A; wq 1; e B - prev", "needs a tag h"),
            ("w A; wq 1", "needs a tag name"),
            ("name X; wq 1", "1 to 31 different witnesses"),
            ("name X; w A; w A; wq 2", "1 to 31 different witnesses"),
            (&format!("name X; wq 17; {}", many.join("; ")), "1 to 31 different witnesses"),
            ("name X; w A; w B; wq 1", "more than half"),
            ("name X; w A; wq 2", "more than half"),
            ("name X; w A; wq 1; wq 1", "only once"),
            ("name X; w A; wq 1; margin -5", "whole number"),
            ("name X; w A; wq 1; beacon A B 1 1 x", "chain hash, public key"),
            ("name X; w A; wq 1; expiration 9", "may not carry"),
        ];
        for (tags, expected) in cases {
            let said = says(kind::CHARTER, tags, "");
            assert!(said.contains(expected), "{tags}: {said}");
        }
    }

    #[test]
    fn a_roster_is_sorted_and_matches_its_root() {
        let row = RosterRow { credits: 7, flags: ["age18".into(), "id".into()].into() };
        let rows = BTreeMap::from([(PublicKey([0xaa; 32]), row)]);
        let root = hex::encode(&roster::root(&rows));
        let cases = [
            (format!("h A; part 1 1; root {root}; p A 7 age18,id"), "ok"),
            (format!("h A; root {root}; p A 7 age18,id"), "ok"),
            (format!("h A; part 1 2; root {root}; p B 7; p A 7"), "sorted by key"),
            (format!("h A; part 1 2; root {root}; p A 7; p A 7"), "sorted by key"),
            (format!("h A; part 3 2; root {root}; p A 7"), "which part"),
            (format!("h A; part 0 2; root {root}; p A 7"), "which part"),
            (format!("h A; part 1 2; root {root}"), "1 to 500 rows"),
            (format!("h A; root {root}; p A 8 age18,id"), "Merkle root over the rows"),
            (format!("h A; root {root}; p A 7 id,age18"), "flags sorted"),
            (format!("h A; root {root}; p A 4294967296"), "whole number"),
        ];
        for (tags, expected) in cases {
            let said = says(kind::ROSTER, &tags, "");
            assert!(said.contains(expected), "{tags}: {said}");
        }
    }

    #[test]
    fn an_attestation_lists_sorted_ids() {
        let (one, two) = ([1_u8; 32], [2_u8; 32]);
        let root = hex::encode(&merkle::root([one, two]));
        let text = |ids: &[[u8; 32]]| STANDARD.encode(ids.concat());
        let cases = [
            ("n 2", text(&[one, two]), "ok"),
            ("n 2", text(&[two, one]), "sorted, each once"),
            ("n 2", text(&[one, one]), "sorted, each once"),
            ("n 1", text(&[one, two]), "number of entries"),
            ("n 3", text(&[one, two]), "number of entries"),
            ("n 1", text(&[one]), "Merkle root over the ids"),
            ("n 2", text(&[one, two])[1..].to_owned(), "base64"),
            ("n 2", STANDARD.encode([1; 63]), "32-byte ids"),
        ];
        for (tags, content, expected) in cases {
            let said =
                says(kind::BOX_ATTESTATION, &format!("h A; s B; root {root}; {tags}"), &content);
            assert!(said.contains(expected), "{tags}: {said}");
        }
    }

    #[test]
    fn a_step_has_a_value_that_its_instance_can_have() {
        let cases = [
            ("of close; step seal; value box; digest A; e B - att", "ok"),
            ("of close; step seal; value void; digest A; reason min-units", "ok"),
            ("of close; step ready; digest nil", "ok"),
            ("of outcome; step seal; value result; digest A", "ok"),
            ("of roster; step propose; value adopt; digest A; e B - part", "ok"),
            ("of close; step seal; value void; digest A", "needs a tag reason"),
            ("of close; step seal; value result; digest A", "value that this instance"),
            ("of outcome; step seal; value box; digest A", "value that this instance"),
            ("of charter; step seal; value box; digest A", "value that this instance"),
            ("of handover; step propose; value closes; digest A; e B - close", "ok"),
            (
                "of close; step seal; value closes; digest A; e B - close",
                "value that this instance",
            ),
            ("of expire:1; step seal; value void; digest A", "charter, roster, close"),
            ("of close; step vote; value box; digest A", "propose, ready or seal"),
            ("of close; step seal; value box; digest nil", "hex"),
        ];
        for (tags, expected) in cases {
            let said = says(kind::DECISION, &format!("h A; s B; attempt 1; {tags}"), "");
            assert!(said.contains(expected), "{tags}: {said}");
        }
    }

    #[test]
    fn the_smaller_kinds_are_read_strictly() {
        let sig = "ab".repeat(48);
        let cases = [
            (kind::RECEIPT, "h A; s B; e A; e B", "ok"),
            (kind::RECEIPT, "h A; s B", "needs a tag e"),
            (kind::BEACON, &format!("chain A; round 1; sig {sig}"), "ok"),
            (kind::BEACON, &format!("chain A; round 0; sig {sig}"), "1 or later"),
            (kind::BEACON, "chain A; round 1; sig ab", "96 lowercase"),
            (kind::CONSENT, "h A; x B; doc terms 2 pt PT", "ok"),
            (kind::CONSENT, "h A; x B; doc", "doc must be"),
            (kind::SETTING, "h A; v 1; set a 1; set b -", "ok"),
            (kind::SETTING, "h A; v 2; e B - prev; set a 1", "ok"),
            (kind::SETTING, "h A; v 1; e B - prev; set a 1", "has no prev"),
            (kind::SETTING, "h A; v 0; set a 1", "1 for the first"),
            (kind::SETTING, "h A; v 2; set a 1", "needs a tag prev"),
            (kind::SETTING, "h A; v 1; set a 1; set a 2", "set may stand only once"),
            (kind::SETTING, "h A; v 1; set a", "a key and a value"),
            (kind::SETTING, "h A; v 1", "needs a tag set"),
            (kind::MERIT, "h A; p B; points -5; reason cooking; e A", "ok"),
            (kind::MERIT, "h A; p B; points +5; reason cooking", "whole number"),
            (kind::MERIT, "h A; p B; points 5; reason x; e A; e B", "e may stand only once"),
            (kind::MERIT, "h A; points 5; reason x", "needs a tag p"),
            (kind::BALLOT, "h A", "kind"),
        ];
        for (kind, tags, expected) in cases {
            let said = says(kind, tags, "");
            assert!(said.contains(expected), "{kind} {tags}: {said}");
        }
    }
}
