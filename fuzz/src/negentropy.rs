//! Reconciliation: messages that are none are refused on both sides without harm, and between two
//! honest sides each learns exactly what it lacks.

use std::collections::BTreeSet;

use ayni_federation::{Peer, PeerEvent, Terms, Transmit};
use ayni_protocol::wire::{ClientMessage, Rest, eose, neg_msg, ok};
use ayni_protocol::{EventId, Limits, Timestamp};
use ayni_relay::session::reconciliation::{Pool, Reconciliation};

type Items = Vec<(Timestamp, EventId)>;

/// Which items each side has, and what is to become of the messages between them.
pub fn run(data: &[u8]) {
    let Some((&[ours, theirs, how, count], rest)) = data.split_first_chunk() else { return };
    let (ours, theirs) = (items(ours, count), items(theirs, count));
    if how % 2 == 0 {
        hostile_to_the_relay(theirs, rest);
    } else {
        between(&ours, theirs, rest);
    }
}

/// Up to 32 items, of which the bits choose; some of one time, some of one beginning.
fn items(bits: u8, count: u8) -> Items {
    let chosen = |number: &u8| bits & (1 << (number % 8)) != 0;
    let item = |number: u8| {
        let mut id = [number; 32];
        id[..3].fill(7);
        (u64::from(number / 3), EventId(id))
    };
    (0..count % 32).filter(chosen).map(item).collect()
}

/// Each message is a byte of length and as many bytes.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&length, more) = rest.split_first()?;
        let (message, left) = more.split_at(usize::from(length).min(more.len()));
        rest = left;
        Some(message)
    })
}

fn hostile_to_the_relay(items: Items, rest: &[u8]) {
    let session = server(items);
    for message in messages(rest).take(8) {
        let Ok(answer) = session.answer(message, &|| true) else { return };
        assert!(answer.first() == Some(&0x61) && answer.len() <= 60_000);
    }
}

fn server(items: Items) -> Reconciliation {
    let (limits, pool) = (Limits::default(), Pool::default());
    let claim = pool.claim(items.len(), &limits).unwrap();
    Reconciliation::new(items, claim, &limits)
}

/// A peer of ours against a relay of ours; each message given replaces one answer, an empty one
/// lets it pass.
fn between(ours: &Items, theirs: Items, rest: &[u8]) {
    let mut peer = Peer::new(Terms::default(), 1, 0);
    let mut world = Between { lied: false, asked: BTreeSet::new(), offered: BTreeSet::new() };
    let server = server(theirs.clone());
    let mut lies = messages(rest);
    peer.handle_timeout(0);
    assert_eq!(peer.poll_transmit(), Some(Transmit::Connect));
    peer.handle_connected(1);
    for step in 0..1_000 {
        while let Some(event) = peer.poll_event() {
            if event == PeerEvent::ItemsWanted {
                peer.handle_items(ours.clone(), 2 + step);
            }
        }
        let Some(transmit) = peer.poll_transmit() else { break };
        if let Some(answer) = world.relay(transmit, &server, &mut lies) {
            peer.handle_message(&answer, 2 + step);
        }
    }
    if !world.lied {
        let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) = (ids(ours), ids(&theirs));
        assert_eq!(world.asked, theirs.difference(&ours).copied().collect());
        assert_eq!(world.offered, ours.difference(&theirs).copied().collect());
    }
}

fn ids(items: &Items) -> BTreeSet<EventId> {
    items.iter().map(|(_, id)| *id).collect()
}

/// What was seen between the two.
struct Between {
    lied: bool,
    asked: BTreeSet<EventId>,
    offered: BTreeSet<EventId>,
}

impl Between {
    fn relay<'a>(
        &mut self,
        transmit: Transmit,
        server: &Reconciliation,
        lies: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Option<String> {
        let text = match transmit {
            Transmit::Text(text) => text,
            Transmit::Upload(id) => {
                self.offered.insert(id);
                return Some(ok(&id, true, ""));
            }
            _ => return None,
        };
        let (name, message) = match ClientMessage::parse(&text).expect("our own peer") {
            ClientMessage::Req(name, filters) => {
                self.asked.extend(filters.iter().flat_map(|filter| &filter.ids).flatten());
                return Some(eose(&name, Rest::Unknown));
            }
            ClientMessage::NegOpen(name, _, message) => (name, message),
            ClientMessage::NegMessage(name, message) => (name, message),
            _ => return None,
        };
        match lies.next() {
            Some([0, raw @ ..]) => {
                self.lied = true;
                return std::str::from_utf8(raw).ok().map(str::to_owned);
            }
            Some([_, lie @ ..]) => {
                self.lied = true;
                return Some(neg_msg(&name, lie));
            }
            _ => {}
        }
        let answer = server.answer(&message, &|| true);
        assert!(self.lied || answer.is_ok(), "honest messages are understood");
        Some(neg_msg(&name, &answer.ok()?))
    }
}
