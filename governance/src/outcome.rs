//! The result of a decided box: lots drawn where they are needed, and the canonical JSON that the
//! witnesses sign and anyone may publish (protocol sections 5 and 8).

use std::collections::BTreeMap;

use ayni_protocol::{EventId, PublicKey, hex};
use ayni_witness::Round;
use ayni_witness::canonical::{canonical_json, sha256};
use ayni_witness::draw::{Lot, Scope, Seed, draw, list_root, units};
use serde_json::{Map, Value, json};

use crate::proposal::Proposal;
use crate::tally::{Count, Verdict};

/// What a decided box came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The options that pass, in the order in which they were taken; none where nothing passes.
    pub options: Vec<String>,
    /// The options between which the lot was drawn; none where there was no lot.
    pub tied: Vec<String>,
    /// The canonical JSON.
    pub json: String,
    /// Its SHA-256.
    pub result: [u8; 32],
}

/// What goes into a tally beside the count.
#[derive(Debug, Clone, Copy)]
pub struct SealedBox<'a> {
    /// The digest that the witnesses sealed.
    pub digest: [u8; 32],
    /// The ballot that stands, by voter.
    pub ballots: &'a BTreeMap<PublicKey, EventId>,
}

/// The outcome; nothing where a lot must be drawn and `round` is not there.
#[must_use]
pub fn outcome(
    proposal: &Proposal,
    sealed: SealedBox<'_>,
    count: &Count<PublicKey>,
    round: Option<&Round>,
) -> Option<Outcome> {
    let (options, drawn) = match &count.verdict {
        Verdict::Settled(options) => (options.clone(), None),
        Verdict::Lot(tied) => {
            let round = round?;
            (vec![lot(proposal.id, tied, round)?], Some((tied, round.round)))
        }
    };
    let value = tally_value(proposal, sealed, count, &options, drawn);
    let json = canonical_json(&value)?;
    let tied = drawn.map(|(tied, _)| tied.clone()).unwrap_or_default();
    Some(Outcome { options, tied, result: sha256(&json), json })
}

/// Draws one of the tied options with section 4's function.
///
/// A lot's id is the option's id in ASCII, filled up with zeros to 32 bytes, so that lots come in
/// the order of option ids; its key is all zeros, because an option is nobody's.
#[must_use]
pub fn lot(proposal: EventId, tied: &[String], round: &Round) -> Option<String> {
    let lots: Vec<Lot> = tied
        .iter()
        .map(|option| Lot { id: padded(option), key: PublicKey([0; 32]), quantity: 1 })
        .collect();
    let seed = Seed::new(
        proposal,
        list_root(&lots),
        units(&lots),
        round.chain,
        round.round,
        round.randomness,
    );
    let winner = draw(&seed, &lots, Scope::Ticket, 1, 0).winners.first().copied()?;
    tied.iter().find(|option| padded(option) == winner).cloned()
}

fn padded(option: &str) -> EventId {
    let mut id = [0; 32];
    id.iter_mut().zip(option.bytes()).for_each(|(to, from)| *to = from);
    EventId(id)
}

/// The members of section 8, and where a lot was drawn `round` and `tied`.
fn tally_value(
    proposal: &Proposal,
    sealed: SealedBox<'_>,
    count: &Count<PublicKey>,
    options: &[String],
    drawn: Option<(&Vec<String>, u64)>,
) -> Value {
    let scores: Map<String, Value> =
        count.scores.iter().map(|score| (score.option.clone(), score.score.into())).collect();
    let spoiled: Vec<Value> = count
        .spoiled
        .iter()
        .map(|(voter, reason)| {
            let ballot = sealed.ballots.get(voter);
            json!({"ballot": ballot, "reason": reason.code(), "voter": voter})
        })
        .collect();
    let mut value = json!({
        "v": 1,
        "proposal": proposal.id,
        "method": proposal.spec.method,
        "box": hex::encode(&sealed.digest),
        "eligible": count.eligible,
        "voters": count.turnout(),
        "abstained": count.abstained(),
        "delegated": count.delegated(),
        "spoiled": spoiled,
        "scores": scores,
        "quorum_met": count.quorum_met,
        "outcome": options,
    });
    if let (Some((tied, round)), Some(members)) = (drawn, value.as_object_mut()) {
        members.insert("round".into(), round.into());
        members.insert("tied".into(), json!(tied));
    }
    value
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::rules::Tie;
    use crate::tally::tally;
    use crate::testing::{choice, rules, spec};

    fn round(number: u64) -> Round {
        let randomness = sha256(number.to_be_bytes());
        Round { chain: [7; 32], round: number, randomness, signature: Vec::new() }
    }

    fn key(byte: u8) -> PublicKey {
        PublicKey([byte; 32])
    }

    fn proposal(text: &str) -> Proposal {
        Proposal {
            id: EventId(sha256("proposal-1")),
            author: key(1),
            created_at: 0,
            community: EventId([1; 32]),
            charter: EventId([1; 32]),
            roster: EventId([2; 32]),
            spec: spec(text),
        }
    }

    #[test]
    fn the_canonical_tally() {
        let papers = ["a=7 b=-7 c=1", "a=10 b=1", "b=8", "abstain"];
        let ballots = (1..).zip(papers).map(|(voter, paper)| (key(voter), choice(paper))).collect();
        let credits = (1..=5).map(|voter| (key(voter), 100)).collect();
        let rules = rules("quadratic a b c");
        let count = tally(&rules, &credits, &ballots, &[(key(5), key(1))].into());
        let ids = (1..=4).map(|voter| (key(voter), EventId([voter; 32]))).collect();
        let sealed = SealedBox { digest: [9; 32], ballots: &ids };
        let outcome = outcome(&proposal("quadratic a b c"), sealed, &count, None).unwrap();
        expect![[r#"{"abstained":1,"box":"0909090909090909090909090909090909090909090909090909090909090909","delegated":1,"eligible":5,"method":"quadratic","outcome":["a"],"proposal":"22e971ef187286f3238ccf7f6552a1605434b5fc3684ef3b642cf011166b253f","quorum_met":true,"scores":{"a":14,"b":-6,"c":2},"spoiled":[{"ballot":"0202020202020202020202020202020202020202020202020202020202020202","reason":"Overspent","voter":"0202020202020202020202020202020202020202020202020202020202020202"}],"v":1,"voters":4}"#]]
        .assert_eq(&outcome.json);
        assert_eq!(outcome.result, sha256(&outcome.json));
    }

    #[test]
    fn a_lot_waits_for_its_round_and_is_fair_to_look_at() {
        let rules = crate::rules::Rules { tie: Tie::Lot, ..rules("single a b") };
        let ballots = [(key(1), choice("a=1")), (key(2), choice("b=1"))].into();
        let credits = [(key(1), 0), (key(2), 0)].into();
        let count = tally(&rules, &credits, &ballots, &BTreeMap::new());
        let sealed = SealedBox { digest: [9; 32], ballots: &BTreeMap::new() };
        let proposal = proposal("single a b");
        assert_eq!(outcome(&proposal, sealed, &count, None), None);
        let drawn = outcome(&proposal, sealed, &count, Some(&round(5))).unwrap();
        assert!(drawn.json.contains(r#""round":5"#) && drawn.json.contains(r#""tied":["a","b"]"#));
        let tied = ["a".to_owned(), "b".to_owned()];
        let winners: Vec<_> =
            (0..100).filter_map(|number| lot(proposal.id, &tied, &round(number))).collect();
        let first = winners.iter().filter(|winner| *winner == "a").count();
        assert!((30..70).contains(&first) && winners.len() == 100, "{first} of 100");
    }
}
