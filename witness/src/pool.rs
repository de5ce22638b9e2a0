//! What the laws are tried on: everything that can happen to a community and goes wrong in it.

use std::sync::{Arc, LazyLock};

use ayni_protocol::{EventId, VerifiedEvent};

use crate::beacon::Chain;
use crate::draft;
use crate::entry::{
    Action, BeaconRound, BoxAttestation, CharterText, Choice, Consent, Merit, Named, Step,
};
use crate::fact::{Fact, Instance, Subject, Value};
use crate::testing::{
    FOUNDER, STRANGER, WITNESS, adopt, attestation, boxed, charter, id, key, later, list, receipt,
    roster, seal, seal_box, setting, signed, step, void, vote_in,
};

const CLOSE: Instance = Instance::Close;

/// What a council may be handed.
#[derive(Debug, Clone)]
pub enum Item {
    Event(VerifiedEvent),
    Fact(Fact),
}

/// Everything that can happen to a community and goes wrong in it, right and wrong together.
pub static POOL: LazyLock<Vec<Item>> = LazyLock::new(|| {
    let mut pool = Pool(Vec::new());
    let (cid, second) = pool.charters();
    pool.rosters(cid, second);
    pool.a_vote_with_one_witness(cid);
    pool.a_vote_with_three_witnesses(cid, second);
    pool.customs(cid);
    pool.0
});

struct Pool(Vec<Item>);

impl Pool {
    fn event(&mut self, who: u8, draft: ayni_protocol::Draft) -> EventId {
        let event = signed(who, draft);
        let id = event.id;
        self.0.push(Item::Event(event));
        id
    }

    fn fact(&mut self, fact: Fact) {
        self.0.push(Item::Fact(fact));
    }

    fn charters(&mut self) -> (EventId, EventId) {
        let first = CharterText {
            stewards: [key(3), key(4)].into(),
            approvals: 1,
            beacon: Some(Chain::quicknet()),
            ..charter(&[WITNESS])
        };
        let cid = self.event(FOUNDER, draft::charter(&first));
        let open = CharterText { stewards: [key(5)].into(), ..charter(&[11, 12, 13]) };
        let second = self.event(FOUNDER, later(cid, cid, open));
        let fork = self.event(FOUNDER, later(cid, cid, charter(&[14])));
        let third = self.event(FOUNDER, later(cid, second, charter(&[15])));
        for act in [second, fork] {
            self.fact(Fact::Approved { act, steward: key(3) });
            self.event(WITNESS, adopt(cid, act, Instance::Charter, &[]));
        }
        self.fact(Fact::Mandated { act: third, community: cid });
        for who in [11, 12, 99] {
            self.event(who, adopt(cid, third, Instance::Charter, &[]));
        }
        // One of the second version's three witnesses decides alone from the fourth on.
        let fourth = self.event(FOUNDER, later(cid, third, charter(&[13])));
        self.event(15, adopt(cid, fourth, Instance::Charter, &[]));
        self.event(STRANGER, later(cid, cid, charter(&[99])));
        self.event(FOUNDER, later(second, cid, charter(&[99])));
        let (unknown, _) = Chain::test([9; 32], 1, 1);
        let odd = CharterText { beacon: Some(Chain { period: 2, ..unknown }), ..charter(&[99]) };
        self.event(2, draft::charter(&odd));
        (cid, second)
    }

    fn rosters(&mut self, cid: EventId, second: EventId) {
        let whole = self.event(FOUNDER, draft::roster(&roster(cid, &[21, 22], 9)[0]));
        self.fact(Fact::Approved { act: whole, steward: key(4) });
        self.event(12, adopt(cid, whole, Instance::Roster, &[]));
        self.event(15, adopt(cid, whole, Instance::Roster, &[]));
        let early = self.event(FOUNDER, draft::roster(&roster(cid, &[26], 1)[0]));
        self.event(13, adopt(cid, early, Instance::Roster, &[]));
        let parts = roster(cid, &[21, 22, 23], 1);
        let ids: Vec<_> =
            parts.iter().map(|part| self.event(FOUNDER, draft::roster(part))).collect();
        let twice = draft::roster(&parts[1]).sign(&crate::testing::keys(FOUNDER), 2, [0; 32]);
        let again = [twice.id, ids[2]];
        self.0.push(Item::Event(twice));
        self.event(13, adopt(cid, ids[0], Instance::Roster, &ids[1..]));
        self.event(12, adopt(cid, ids[0], Instance::Roster, &again));
        self.event(11, adopt(cid, ids[0], Instance::Roster, &[]));
        self.event(12, adopt(cid, ids[0], Instance::Roster, &[ids[1], second]));
        self.event(STRANGER, draft::roster(&roster(cid, &[24], 1)[0]));
        self.event(FOUNDER, draft::roster(&roster(cid, &[25], 1)[0]));
    }

    fn a_vote_with_one_witness(&mut self, cid: EventId) {
        let vote = vote_in(cid, cid, 50);
        let subject = vote.id;
        self.fact(Fact::Subject(Arc::new(vote)));
        for n in 1..=4 {
            self.fact(Fact::Entry { subject, entry: id(n), units: u64::from(n) });
        }
        self.event(WITNESS, receipt(cid, subject, &[id(1), id(2)]));
        self.event(STRANGER, receipt(cid, subject, &[id(3)]));
        let ids = [id(1), id(2)];
        let both = ids.into();
        let parts = [(1, id(1)), (2, id(2))].map(|(part, id)| BoxAttestation {
            part,
            total: 2,
            ids: [id].into(),
            ..list(cid, subject, &ids)
        });
        let halves = parts.map(|part| self.event(WITNESS, draft::box_attestation(&part)));
        let forged = self.event(STRANGER, attestation(cid, subject, &ids));
        self.event(WITNESS, seal_box(cid, subject, &halves, &ids));
        self.event(WITNESS, seal_box(cid, subject, &[halves[0], forged], &ids));
        self.event(WITNESS, seal_box(cid, subject, &halves[..1], &[id(1)]));
        self.event(WITNESS, void(cid, subject, CLOSE, "cancelled"));
        self.fact(Fact::Failed { subject, reason: "cancelled".into() });
        for result in [7, 8] {
            let value = Value::Result([result; 32]);
            let named = Named::Result;
            self.event(WITNESS, seal(cid, subject, Instance::Outcome, named, &value));
            self.fact(Fact::Result { subject, result: [result; 32] });
        }
        let seal = Choice { named: Named::Box(both), digest: [0; 32] };
        self.event(WITNESS, draft::seal(cid, subject, CLOSE, seal));
    }

    fn a_vote_with_three_witnesses(&mut self, cid: EventId, second: EventId) {
        let vote = Subject { round: Some(99), ..vote_in(cid, second, 51) };
        let subject = vote.id;
        self.fact(Fact::Subject(Arc::new(vote)));
        self.fact(Fact::Entry { subject, entry: id(1), units: 1 });
        self.event(13, receipt(cid, subject, &[id(1)]));
        let lists = [(11, vec![id(1)]), (12, vec![id(1), id(2)]), (13, vec![])];
        let seen = lists.map(|(who, ids)| self.event(who, attestation(cid, subject, &ids)));
        let all = boxed(&[id(1), id(2)]);
        let named = |ids: &[EventId]| Named::Box(ids.iter().copied().collect());
        for who in [11, 12, 13] {
            let said = (named(&seen), &all);
            self.event(who, step(cid, subject, CLOSE, (Action::Propose, 1), said));
            self.event(who, seal(cid, subject, CLOSE, named(&[]), &all));
        }
        let ready = Action::Ready(None);
        let ready = Step { community: cid, subject, instance: CLOSE, attempt: 1, action: ready };
        self.event(13, draft::step(&ready));
        self.event(13, void(cid, subject, CLOSE, "no-seal"));
        self.event(12, seal_box(cid, subject, &seen[..2], &[id(1), id(2)]));
        self.event(12, seal_box(cid, subject, &seen[..1], &[id(1)]));
    }

    fn customs(&mut self, cid: EventId) {
        let first = self.event(FOUNDER, setting(cid, 1, None, "a", "1"));
        let one = self.event(FOUNDER, setting(cid, 2, Some(first), "a", "2"));
        let other = self.event(FOUNDER, setting(cid, 2, Some(first), "b", "2"));
        let last = self.event(FOUNDER, setting(cid, 3, Some(one), "c", "3"));
        self.event(FOUNDER, setting(cid, 9, Some(other), "c", "9"));
        self.event(STRANGER, setting(cid, 1, None, "a", "bad"));
        for act in [first, one, other, last] {
            self.fact(Fact::Approved { act, steward: key(4) });
        }
        for who in [3, 5, FOUNDER, STRANGER] {
            let reason = "cooking".to_owned();
            let (member, points, cause) = (key(21), i64::from(who), None);
            let merit = Merit { community: cid, member, points, reason, cause };
            self.event(who, draft::merit(&merit));
        }
        for community in [cid, id(77)] {
            let text = |word: &str| word.to_owned();
            let consent = Consent {
                community,
                text: [1; 32],
                document: text("terms"),
                version: text("1"),
                language: text("pt"),
                country: text("PT"),
            };
            self.event(21, draft::consent(&consent));
        }
        for chain in [Chain::quicknet().hash, [1; 32]] {
            let round = BeaconRound { chain, round: 1, signature: [7; 48] };
            self.event(STRANGER, draft::beacon_round(&round));
        }
    }
}
