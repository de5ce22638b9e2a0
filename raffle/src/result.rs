//! The draw of a fixed list by a round, and its canonical JSON (protocol sections 4 and 8).
//!
//! Anyone who holds the tickets and the round gets the same bytes, so a published draw is believed
//! only where it equals one's own.

use ayni_protocol::{EventId, hex};
use ayni_witness::canonical::{canonical_json, sha256};
use ayni_witness::draw::{self, Drawn, Seed};
use serde_json::json;

use crate::list::TicketList;
use crate::spec::{RaffleSpec, Scope};

/// The round that draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entropy {
    /// Hash of the chain.
    pub chain: [u8; 32],
    /// The round's number.
    pub round: u64,
    /// SHA-256 of its signature.
    pub randomness: [u8; 32],
}

/// What came out of the drum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// The round that drew.
    pub entropy: Entropy,
    /// Where the numbers start.
    pub seed: [u8; 32],
    /// The winning tickets, prize 1 first; fewer than prizes where the drum ran empty.
    pub winners: Vec<EventId>,
    /// The tickets in reserve, in order.
    pub reserves: Vec<EventId>,
    /// The canonical JSON: the content of kind 4733.
    pub json: String,
    /// Its SHA-256, which the witnesses decide.
    pub sha256: [u8; 32],
}

impl Draw {
    /// Draws the winners of `raffle` from its list. Nothing where a number of the result would be
    /// too large for canonical JSON, which [`RaffleSpec::check`] and the list rule out.
    #[must_use]
    pub fn new(
        raffle: EventId,
        spec: &RaffleSpec,
        list: &TicketList,
        entropy: Entropy,
    ) -> Option<Self> {
        let Entropy { chain, round, randomness } = entropy;
        let seed = Seed::new(raffle, *list.root(), list.units(), chain, round, randomness);
        let reserves = usize::try_from(spec.reserves).ok()?;
        let drawn = draw::draw(&seed, list.lots(), spec.scope.into(), spec.prizes.len(), reserves);
        let json = canonical(raffle, list, entropy, &seed, &drawn)?;
        let sha256 = sha256(&json);
        let Drawn { winners, reserves } = drawn;
        Some(Self { entropy, seed: seed.0, winners, reserves, json, sha256 })
    }

    /// The ticket that won this prize, counted from 1.
    #[must_use]
    pub fn winner(&self, prize: u32) -> Option<EventId> {
        let at = usize::try_from(prize).ok()?.checked_sub(1)?;
        self.winners.get(at).copied()
    }
}

impl From<Scope> for draw::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Person => Self::Person,
            Scope::Ticket => Self::Ticket,
            Scope::Unit => Self::Unit,
        }
    }
}

fn canonical(
    raffle: EventId,
    list: &TicketList,
    entropy: Entropy,
    seed: &Seed,
    drawn: &Drawn,
) -> Option<String> {
    let winner = |(prize, ticket): (u32, &EventId)| {
        let holder = list.sold().get(ticket)?.holder;
        Some(json!({"prize": prize, "ticket": ticket, "pk": holder}))
    };
    let winners: Option<Vec<_>> = (1..).zip(&drawn.winners).map(winner).collect();
    canonical_json(&json!({
        "v": 1,
        "raffle": raffle,
        "chain": hex::encode(&entropy.chain),
        "round": entropy.round,
        "root": hex::encode(list.root()),
        "units": list.units(),
        "seed": hex::encode(&seed.0),
        "winners": winners?,
        "reserves": drawn.reserves,
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ayni_protocol::PublicKey;

    use super::*;
    use crate::list::Boxed;

    fn list(spec: &RaffleSpec) -> TicketList {
        let ticket = |(at, quantity): (usize, u32)| Boxed {
            id: EventId(sha256(format!("ticket-{at}"))),
            holder: PublicKey(sha256(format!("buyer-{}", at % 4))),
            person: PublicKey(sha256(format!("buyer-{}", at % 4))),
            quantity,
            order: None,
            minor: 0,
        };
        let boxed: Vec<_> = [1, 3, 2, 5, 1, 1].into_iter().enumerate().map(ticket).collect();
        TicketList::new(spec, &boxed, &BTreeSet::new())
    }

    fn spec() -> RaffleSpec {
        let text = r#"{"prizes": [{"text": "A"}, {"text": "B"}], "reserves": 1, "price": "0",
            "opens": 1, "closes": 2}"#;
        serde_json::from_str(text).unwrap()
    }

    /// The vector `draw` of protocol section 4, at round 1000 of quicknet.
    #[test]
    fn the_vector_of_the_protocol() {
        let entropy = Entropy {
            chain: hex::decode("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971")
                .unwrap(),
            round: 1_000,
            randomness: hex::decode(
                "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
            )
            .unwrap(),
        };
        let (spec, raffle) = (spec(), EventId(sha256("raffle-1")));
        let drawn = Draw::new(raffle, &spec, &list(&spec), entropy).unwrap();
        let ticket = |n| EventId(sha256(format!("ticket-{n}")));
        assert_eq!(drawn.winners, [ticket(3), ticket(2)]);
        assert_eq!(drawn.reserves, [ticket(1)]);
        assert_eq!((drawn.winner(2), drawn.winner(0)), (Some(ticket(2)), None));
        expect_test::expect![[r#"{"chain":"52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971","raffle":"22ee5478ec302c07da803e86b3a67db65a6afcf8422369525afc3961d7c25d67","reserves":["737ce60fccf9da889f4605c0a20479b502eb8ed97e7bf3b5db1295ccd350b1bb"],"root":"997e3612b5a4dac7defa6f2f8ef9f2a11554c55326f1720ee1c648e4aaeaccb2","round":1000,"seed":"6e864879b9af62e54ad504c4eea2495ca28dbbc4351a23877a10bdc516af9708","units":13,"v":1,"winners":[{"pk":"4e3df2b6e06b6471ed99d860525ac9b2929453e3908fac9a72b712443f9fff7c","prize":1,"ticket":"e2dee88df5463dc7b5408011bacbb1f3d89fa7ac2e1065857393eddff8d60094"},{"pk":"9d1f2ef5bc0e40a07739e9fd211c2ed545b0fa037d57839f498a78dfa8e57c65","prize":2,"ticket":"7c1696c142c892af006091282434503b7df22d4527c40064d22003f1cea2cb8b"}]}"#]].assert_eq(&drawn.json);
    }

    #[test]
    fn an_empty_drum_has_no_winners() {
        let spec = spec();
        let empty = TicketList::new(&spec, &[], &BTreeSet::new());
        let entropy = Entropy { chain: [1; 32], round: 1, randomness: [2; 32] };
        let drawn = Draw::new(EventId([3; 32]), &spec, &empty, entropy).unwrap();
        assert!(drawn.winners.is_empty() && drawn.json.contains(r#""winners":[]"#));
    }
}
