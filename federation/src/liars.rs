//! Peers that are not honest, against one machine: what they can make it keep and do, and how soon
//! it leaves them.

use std::collections::BTreeSet;

use ayni_protocol::wire as relay;
use ayni_protocol::{Draft, EventId, Keys, Prefix, Rejection, kind};
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use proptest::prelude::*;

use crate::world::pool;
use crate::{Millis, Peer, PeerEvent, PeerState, Terms, Transmit};

/// Small numbers everywhere, so that every bound is reached.
fn terms() -> Terms {
    Terms {
        batch_ids: 4,
        batches_in_flight: 2,
        admitting_max: 12,
        uploads_in_flight: 4,
        page_events: 6,
        pass_ids_max: 40,
        remembered_ids: 16,
        strikes_max: 20,
        withheld_max: 10,
        refusals_max: 10,
        message_bytes: 20_000,
        ..Terms::default()
    }
}

/// A machine, and what a driver would have to remember for it.
struct Victim {
    peer: Peer,
    now: Millis,
    /// Events at our door, not yet answered.
    waiting: Vec<EventId>,
    /// What was to be sent since the last message came.
    said: Vec<Transmit>,
    closed: Option<String>,
}

impl Victim {
    /// Connected, holding the first events of the pool.
    fn connected(seed: u64) -> Self {
        let peer = Peer::new(terms(), seed, 0);
        let mut victim = Self { peer, now: 0, waiting: vec![], said: vec![], closed: None };
        victim.connect();
        victim
    }

    fn connect(&mut self) {
        self.now = self.peer.poll_timeout(self.now).unwrap_or(self.now);
        self.peer.handle_timeout(self.now);
        assert_eq!(self.peer.poll_transmit(), Some(Transmit::Connect));
        self.closed = None;
        self.peer.handle_connected(self.now);
        self.drain();
    }

    fn hear(&mut self, text: &str) {
        self.said.clear();
        self.peer.handle_message(text, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            if let Some(transmit) = self.peer.poll_transmit() {
                match &transmit {
                    Transmit::Close { reason } => self.closed = Some(reason.clone()),
                    Transmit::Authenticate { challenge } => {
                        let keys = Keys::from_secret([9; 32]).unwrap();
                        let draft = Draft::new(kind::AUTH).tag(["challenge", challenge]);
                        let signed = draft.sign(&keys, 0, [0; 32]);
                        self.peer.handle_signed(&signed, self.now);
                    }
                    _ => {}
                }
                self.said.push(transmit);
            } else if let Some(event) = self.peer.poll_event() {
                match event {
                    PeerEvent::ItemsWanted => {
                        let items = pool()[..8].iter().map(|event| (event.created_at, event.id));
                        self.peer.handle_items(items.collect(), self.now);
                    }
                    PeerEvent::Received(event) => self.waiting.push(event.id),
                }
            } else {
                return;
            }
        }
    }

    /// Our door answers the first that waits.
    fn answer(&mut self, outcome: Result<(), Option<Prefix>>) {
        if self.waiting.is_empty() {
            return;
        }
        let id = self.waiting.remove(0);
        match outcome {
            Ok(()) => self.peer.handle_stored(&id, self.now),
            Err(None) => self.peer.handle_forged(&id, self.now),
            Err(Some(prefix)) => {
                self.peer.handle_refused(&id, &Rejection::new(prefix, "no"), self.now);
            }
        }
        self.drain();
    }

    /// The ids of the batches it asked for with its last words.
    fn batches(&self) -> Vec<String> {
        let texts = self.said.iter().filter_map(|transmit| match transmit {
            Transmit::Text(text) => Some(text),
            _ => None,
        });
        let names = texts.filter_map(|text| text.strip_prefix("[\"REQ\",\"get-"));
        names.filter_map(|rest| Some(format!("get-{}", rest.split('"').next()?))).collect()
    }

    fn auth_id(&self) -> Option<EventId> {
        self.said.iter().find_map(|transmit| match transmit {
            Transmit::Text(text) if text.starts_with("[\"AUTH\"") => {
                text.split('"').nth(5)?.parse().ok()
            }
            _ => None,
        })
    }
}

fn event(subscription: &str, json: &str) -> String {
    format!("{}{json}]", relay::event_head(subscription))
}

/// A negentropy answer that claims to hold these.
fn claims(ids: impl IntoIterator<Item = EventId>) -> String {
    let ids: Vec<_> = ids.into_iter().collect();
    let mut message = vec![0x61, 0, 0, 2];
    if ids.len() > 127 {
        message.push(0x80 | u8::try_from(ids.len() >> 7).unwrap());
    }
    message.push(u8::try_from(ids.len() & 127).unwrap());
    ids.iter().for_each(|id| message.extend(id.0));
    relay::neg_msg("sync", &message)
}

fn made_up(n: u16) -> EventId {
    let mut id = [0xee; 32];
    id[..2].copy_from_slice(&n.to_be_bytes());
    EventId(id)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    Babble,
    Flood,
    NonsenseNegentropy,
    EndlessNegentropy,
    UnopenedNegentropy,
    UnaskedEvents,
    OutsideTheScope,
    Forgeries,
    EmptyPromises,
    EndlessChallenges,
    UselessEvents,
    OverlongPages,
    OksToNothing,
}

const LIES: [Lie; 13] = [
    Lie::Babble,
    Lie::Flood,
    Lie::NonsenseNegentropy,
    Lie::EndlessNegentropy,
    Lie::UnopenedNegentropy,
    Lie::UnaskedEvents,
    Lie::OutsideTheScope,
    Lie::Forgeries,
    Lie::EmptyPromises,
    Lie::EndlessChallenges,
    Lie::UselessEvents,
    Lie::OverlongPages,
    Lie::OksToNothing,
];

impl Lie {
    /// What the operator reads.
    fn reason(self) -> &'static str {
        match self {
            Self::Babble => "the peer sent text that is no message of a relay",
            Self::Flood => "the peer sent a message beyond all limits",
            Self::NonsenseNegentropy => "the peer sent negentropy that makes no sense",
            Self::EndlessNegentropy => "the peer sent negentropy without end",
            Self::UnopenedNegentropy => "the peer sent negentropy that nobody opened",
            Self::UnaskedEvents | Self::OutsideTheScope | Self::OverlongPages => {
                "the peer sent events that nobody asked for"
            }
            Self::Forgeries => "the peer sent forged events",
            Self::EmptyPromises => "the peer sent promises of events that it does not give",
            Self::EndlessChallenges => "the peer sent challenges without end",
            Self::UselessEvents => "the peer sent events that this node refuses",
            Self::OksToNothing => "the peer sent an OK to nothing",
        }
    }

    /// Tells it once more, `n` times before.
    fn tell(self, victim: &mut Victim, n: usize) {
        let some = &pool()[10 + n % 30];
        match self {
            Self::Babble => victim.hear("[\"EVENT\",\"live\",{\"id\":1}]"),
            Self::Flood => victim.hear(&relay::notice(&"x".repeat(20_000))),
            Self::NonsenseNegentropy => {
                victim.hear(&relay::eose("live", relay::Rest::Unknown));
                victim.hear(&relay::neg_msg("sync", &[0x61, 0, 0, 9]));
            }
            Self::EndlessNegentropy => {
                victim.hear(&relay::eose("live", relay::Rest::Unknown));
                let differs = [[0x61, 0, 0, 1].as_slice(), &[0; 16]].concat();
                victim.hear(&relay::neg_msg("sync", &differs));
            }
            Self::UnopenedNegentropy => victim.hear(&relay::neg_msg("other", &[0x61])),
            Self::UnaskedEvents => victim.hear(&event("get-999", some.json())),
            Self::OutsideTheScope => {
                let keys = Keys::from_secret([1; 32]).unwrap();
                let note = Draft::new(kind::NOTE).sign(&keys, 1, [0; 32]);
                victim.hear(&event("live", note.json()));
            }
            Self::Forgeries => {
                let id = made_up(u16::try_from(n).unwrap()).to_string();
                let forged = some.json().replace(&some.id.to_string(), &id);
                victim.hear(&event("live", &forged));
                victim.answer(Err(None));
            }
            Self::EmptyPromises => {
                victim.hear(&relay::eose("live", relay::Rest::Unknown));
                victim.hear(&claims((0..30).map(made_up)));
                for _ in 0..10 {
                    for name in victim.batches() {
                        victim.hear(&relay::eose(&name, relay::Rest::Unknown));
                    }
                }
            }
            Self::EndlessChallenges => {
                victim.hear(&relay::auth(&n.to_string()));
                let id = victim.auth_id();
                id.iter().for_each(|id| victim.hear(&relay::ok(id, false, "restricted: no")));
            }
            Self::UselessEvents => {
                victim.hear(&event("live", some.json()));
                victim.answer(Err(Some(Prefix::Restricted)));
            }
            Self::OverlongPages => {
                victim.hear(&relay::eose("live", relay::Rest::Unknown));
                let blocked = Rejection::new(Prefix::Blocked, "no negentropy");
                victim.hear(&relay::neg_err("sync", &blocked));
                victim.hear(&event("page", some.json()));
                victim.answer(Ok(()));
            }
            Self::OksToNothing => victim.hear(&relay::ok(&some.id, true, "")),
        }
    }
}

/// Anything a peer, a store or a clock may do.
#[derive(Debug, Clone)]
enum Deed {
    Event(usize, usize),
    Eose(usize),
    Closed(usize, usize),
    Ok(usize, bool, usize),
    NegError(usize),
    Negentropy(Vec<u8>),
    Claims(u16, u16),
    Notice,
    Auth(u8),
    Authenticated(bool),
    Text(String),
    Answer(usize),
    Local(usize),
    Missed,
    Pass(Millis),
    Connect,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let (name, event, prefix) = (0..8_usize, 0..pool().len(), 0..Prefix::ALL.len());
    let deed = prop_oneof![
        8 => (name.clone(), event.clone()).prop_map(|(name, event)| Deed::Event(name, event)),
        6 => name.clone().prop_map(Deed::Eose),
        1 => (name, prefix.clone()).prop_map(|(name, prefix)| Deed::Closed(name, prefix)),
        3 => (0..12_usize, any::<bool>(), prefix.clone())
            .prop_map(|(event, yes, prefix)| Deed::Ok(event, yes, prefix)),
        1 => prefix.clone().prop_map(Deed::NegError),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Deed::Negentropy),
        3 => (0..200_u16, 0..120_u16).prop_map(|(from, many)| Deed::Claims(from, many)),
        1 => Just(Deed::Notice),
        1 => any::<u8>().prop_map(Deed::Auth),
        1 => any::<bool>().prop_map(Deed::Authenticated),
        1 => "[\\[\\]{}\",:a-zE0-9 -]{0,60}".prop_map(Deed::Text),
        4 => prefix.prop_map(Deed::Answer),
        2 => event.prop_map(Deed::Local),
        1 => Just(Deed::Missed),
        2 => (0..20_000_u64).prop_map(Deed::Pass),
        1 => Just(Deed::Connect),
    ];
    prop::collection::vec(deed, 0..200)
}

fn name(at: usize) -> String {
    let names = ["live", "page", "sync", "other"];
    names.get(at).map_or_else(|| format!("get-{}", at - 4), |name| (*name).to_owned())
}

fn refusal(at: usize) -> Rejection {
    Rejection::new(Prefix::ALL[at], "no")
}

fn perform(victim: &mut Victim, deed: Deed) {
    match deed {
        Deed::Event(to, at) => victim.hear(&event(&name(to), pool()[at].json())),
        Deed::Eose(to) => victim.hear(&relay::eose(&name(to), relay::Rest::Unknown)),
        Deed::Closed(to, why) => victim.hear(&relay::closed(&name(to), &refusal(why))),
        Deed::Ok(at, yes, why) => {
            victim.hear(&relay::ok(&pool()[at].id, yes, &refusal(why).to_string()));
        }
        Deed::NegError(why) => victim.hear(&relay::neg_err("sync", &refusal(why))),
        Deed::Negentropy(bytes) => victim.hear(&relay::neg_msg("sync", &bytes)),
        Deed::Claims(from, many) => victim.hear(&claims((from..from + many).map(made_up))),
        Deed::Notice => victim.hear(&relay::notice("unknown verb")),
        Deed::Auth(n) => victim.hear(&relay::auth(&n.to_string())),
        Deed::Authenticated(yes) => {
            let id = victim.auth_id();
            id.iter().for_each(|id| victim.hear(&relay::ok(id, yes, "")));
        }
        Deed::Text(text) => victim.hear(&text),
        Deed::Answer(why) => {
            let good = Prefix::ALL[why] == Prefix::Duplicate;
            victim.answer(if good { Ok(()) } else { Err(Some(Prefix::ALL[why])) });
        }
        Deed::Local(at) => {
            victim.peer.handle_local(pool()[at].id, victim.now);
            victim.drain();
        }
        Deed::Missed => victim.peer.handle_missed(victim.now),
        Deed::Pass(ms) => {
            victim.now += ms;
            victim.peer.handle_timeout(victim.now);
            let due = victim.peer.poll_timeout(victim.now);
            assert!(due.is_none_or(|due| due > victim.now), "time stands still");
            victim.said.clear();
            victim.drain();
        }
        Deed::Connect => {
            if victim.peer.status(victim.now).state == PeerState::Disconnected {
                victim.said.clear();
                victim.connect();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// BoundedWork.
    #[test]
    fn bounded_work(deeds in deeds(), seed in any::<u64>()) {
        let (mut victim, terms) = (Victim::connected(seed), terms());
        for deed in deeds {
            victim.said.clear();
            perform(&mut victim, deed.clone());
            let status = victim.peer.status(victim.now);
            let waiting: BTreeSet<_> = victim.waiting.iter().collect();
            prop_assert_eq!(waiting.len(), victim.waiting.len(), "handed out twice");
            prop_assert!(waiting.len() <= terms.admitting_max, "{deed:?}");
            prop_assert!(status.missing <= terms.pass_ids_max + terms.admitting_max, "{deed:?}");
            prop_assert!(status.missing_there <= pool().len(), "{deed:?}");
            prop_assert!(status.refused_there <= 2 * terms.remembered_ids, "{deed:?}");
            let windows = terms.uploads_in_flight + terms.batches_in_flight;
            prop_assert!(victim.said.len() <= windows + 4, "{deed:?} {:?}", victim.said);
        }
    }

    /// LiarsAreClosed.
    #[test]
    fn liars_are_closed(
        lies in prop::collection::vec(prop::sample::select(LIES.as_slice()), 1..4),
        seed in any::<u64>(),
    ) {
        let (mut victim, terms) = (Victim::connected(seed), terms());
        let mut waits = vec![];
        for lie in lies {
            let mut told = 0;
            while victim.closed.is_none() {
                prop_assert!(told < 120, "{lie:?} is believed");
                lie.tell(&mut victim, told);
                told += 1;
            }
            prop_assert_eq!(victim.closed.as_deref(), Some(lie.reason()));
            let status = victim.peer.status(victim.now);
            prop_assert_eq!(status.state, PeerState::Disconnected);
            prop_assert_eq!(status.last_error.as_deref(), Some(lie.reason()));
            victim.hear(&relay::eose("live", relay::Rest::Unknown));
            prop_assert_eq!(&victim.said, &vec![], "nothing is said any more");
            waits.push(victim.peer.poll_timeout(victim.now).unwrap() - victim.now);
            victim.waiting.clear();
            victim.connect();
        }
        prop_assert!(waits[0] >= terms.lie_first_ms / 2);
        prop_assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    }
}

#[test]
fn every_lie_is_told_at_least_once() {
    for lie in LIES {
        let mut victim = Victim::connected(1);
        for told in 0..120 {
            if victim.closed.is_none() {
                lie.tell(&mut victim, told);
            }
        }
        assert_eq!(victim.closed.as_deref(), Some(lie.reason()), "{lie:?}");
    }
}

#[test]
fn a_claim_is_well_formed() {
    let text = claims((0..200).map(made_up));
    let bytes = text.split('"').nth(5).unwrap();
    let bytes: Vec<_> = (0..bytes.len() / 2)
        .map(|at| u8::from_str_radix(&bytes[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let mut storage = NegentropyStorageVector::new();
    storage.seal().unwrap();
    let mut engine = Negentropy::owned(storage, 60_000).unwrap();
    engine.initiate().unwrap();
    let (mut have, mut need): (Vec<Id>, Vec<Id>) = (vec![], vec![]);
    engine.reconcile_with_ids(&bytes, &mut have, &mut need).unwrap();
    assert_eq!((have.len(), need.len()), (0, 200));
}
