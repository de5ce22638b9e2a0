//! A small world for the tests: nodes, each with a set of events, a model of a relay before it and
//! a [`Peer`] for each node it follows; and a network that does what it is told.
//!
//! The relay is a model, not ours, so that the two can disagree: it knows REQ, EVENT, AUTH and
//! NEG-*, answers in order, and can be told to do without NIP-77, to ask for authentication, or to
//! be too busy.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::OnceLock;

use ayni_protocol::wire as relay;
use ayni_protocol::wire::ClientMessage;
use ayni_protocol::{Draft, Event, EventId, Filter, Keys, Kind, Prefix, Rejection, VerifiedEvent};
use negentropy::{Id, Negentropy, NegentropyStorageVector};

use crate::{Millis, Peer, PeerEvent, PeerState, Terms, Transmit, wire};

/// Events signed once for all tests: several kinds and authors, times that collide and that say
/// nothing about the order in which they are published.
pub fn pool() -> &'static [VerifiedEvent] {
    static POOL: OnceLock<Vec<VerifiedEvent>> = OnceLock::new();
    POOL.get_or_init(|| {
        let sign = |n: u8| {
            let keys = Keys::from_secret([1 + n % 3; 32]).unwrap();
            let kind = Kind([4710, 4752, 4753, 37_470][usize::from(n) % 4]);
            let draft = Draft::new(kind).tag(["h", "x"]).tag([""; 0]).content(n.to_string());
            draft.sign(&keys, u64::from(n) * 7 % 11, [0; 32])
        };
        (0..48).map(sign).collect()
    })
}

/// How a node's relay deals with NIP-77.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negentropic {
    /// It knows it.
    Yes,
    /// It answers NEG-ERR.
    Refuses,
    /// It answers NOTICE.
    Complains,
    /// It answers nothing.
    Silent,
}

/// What a node's relay is like.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub negentropy: Negentropic,
    /// Everything needs authentication first.
    pub auth: bool,
    /// Nothing is admitted before the first event of the pool is there.
    pub strict: bool,
}

impl Manner {
    pub const PLAIN: Self = Self { negentropy: Negentropic::Yes, auth: false, strict: false };
}

#[derive(Debug)]
pub struct Node {
    pub events: BTreeMap<EventId, VerifiedEvent>,
    manner: Manner,
    /// How many events it is too busy for.
    pub busy: usize,
}

impl Node {
    /// The one door: verification, admission, and whether it is new.
    fn receive(&mut self, event: &Event) -> Result<bool, Rejection> {
        if self.events.contains_key(&event.id) {
            return Ok(false);
        }
        if self.busy > 0 {
            self.busy -= 1;
            return Err(Rejection::new(Prefix::RateLimited, "slow down"));
        }
        let first = pool()[0].id;
        if self.manner.strict && event.id != first && !self.events.contains_key(&first) {
            return Err(Rejection::new(Prefix::Restricted, "no charter yet"));
        }
        let known = pool().iter().find(|known| ***known == *event).cloned();
        let event = known.ok_or_else(|| Rejection::invalid("forged"))?;
        self.events.insert(event.id, event);
        Ok(true)
    }

    fn matching(&self, filter: &Filter) -> Vec<&VerifiedEvent> {
        let mut found: Vec<_> = self.events.values().filter(|e| filter.matches(e)).collect();
        found.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
        // Below what the pool may hold, above what one second of it may hold.
        found.truncate(filter.limit.unwrap_or(500).min(10));
        found
    }

    fn items(&self, filter: &Filter) -> Vec<(u64, EventId)> {
        let matching = self.events.values().filter(|event| filter.matches(event));
        let mut items: Vec<_> = matching.map(|event| (event.created_at, event.id)).collect();
        items.sort_unstable();
        items
    }
}

/// One connection as the network and the relay at its end see it.
#[derive(Debug, Default)]
pub struct Connection {
    pub up: VecDeque<String>,
    pub down: VecDeque<String>,
    subscriptions: BTreeMap<String, Vec<Filter>>,
    pub reconciliation: Option<(String, Vec<(u64, EventId)>)>,
    authenticated: bool,
}

#[derive(Debug)]
pub struct Follow {
    pub from: usize,
    pub to: usize,
    pub peer: Peer,
    pub connection: Option<Connection>,
    /// Whether attempts to connect fail.
    pub cut_off: bool,
    /// Events that went over this link, either way.
    pub carried: usize,
    /// Events that were handed out on this side.
    pub handed_out: usize,
}

#[derive(Debug)]
pub struct World {
    pub nodes: Vec<Node>,
    pub follows: Vec<Follow>,
    pub now: Millis,
    terms: Terms,
    seed: u64,
}

impl World {
    /// Nodes of these manners, and who follows whom.
    pub fn new(manners: &[Manner], follows: &[(usize, usize)], terms: &Terms, seed: u64) -> Self {
        let node = |manner: &Manner| Node { events: BTreeMap::new(), manner: *manner, busy: 0 };
        let mut world = Self {
            nodes: manners.iter().map(node).collect(),
            follows: vec![],
            now: 1_000,
            terms: terms.clone(),
            seed,
        };
        for (from, to) in follows {
            let peer = world.fresh_peer();
            let (from, to) = (*from, *to);
            let follow = Follow {
                from,
                to,
                peer,
                connection: None,
                cut_off: false,
                carried: 0,
                handed_out: 0,
            };
            world.follows.push(follow);
        }
        world
    }

    fn fresh_peer(&mut self) -> Peer {
        self.seed += 1;
        Peer::new(self.terms.clone(), self.seed, self.now)
    }

    /// Someone publishes an event of the pool at a node.
    pub fn publish(&mut self, node: usize, event: usize) {
        let event = &pool()[event % pool().len()];
        if self.nodes[node].events.insert(event.id, event.clone()).is_none() {
            self.announce(node, event.id);
        }
    }

    /// An event was stored: to every subscriber of the node's relay, and to its own peers.
    fn announce(&mut self, node: usize, id: EventId) {
        let event = self.nodes[node].events[&id].clone();
        for follow in &mut self.follows {
            let Some(connection) = follow.connection.as_mut().filter(|_| follow.to == node) else {
                continue;
            };
            for (name, filters) in &connection.subscriptions {
                if filters.iter().any(|filter| filter.matches(&event)) {
                    let text = format!("{}{}]", relay::event_head(name), event.json());
                    connection.down.push_back(text);
                }
            }
        }
        for at in 0..self.follows.len() {
            if self.follows[at].from == node {
                self.follows[at].peer.handle_local(id, self.now);
                self.drive(at);
            }
        }
    }

    /// Does what a driver does, until the machine wants nothing more.
    pub fn drive(&mut self, at: usize) {
        loop {
            let (now, follow) = (self.now, &mut self.follows[at]);
            if let Some(transmit) = follow.peer.poll_transmit() {
                self.transmit(at, transmit);
            } else if let Some(event) = follow.peer.poll_event() {
                match event {
                    PeerEvent::ItemsWanted => {
                        let items = self.nodes[follow.from].items(&self.terms.scope);
                        follow.peer.handle_items(items, now);
                    }
                    PeerEvent::Received(event) => self.admit(at, &event),
                }
            } else {
                break;
            }
        }
    }

    fn transmit(&mut self, at: usize, transmit: Transmit) {
        let (now, follow) = (self.now, &mut self.follows[at]);
        let say = |follow: &mut Follow, text| {
            follow.connection.as_mut().expect("connected").up.push_back(text);
        };
        match transmit {
            Transmit::Connect if follow.cut_off => follow.peer.handle_disconnected("refused", now),
            Transmit::Connect => {
                let mut connection = Connection::default();
                if self.nodes[follow.to].manner.auth {
                    connection.down.push_back(relay::auth("riddle"));
                }
                follow.connection = Some(connection);
                follow.peer.handle_connected(now);
            }
            Transmit::Text(text) => say(follow, text),
            Transmit::Upload(id) => {
                let text = wire::event_json(self.nodes[follow.from].events[&id].json());
                follow.carried += 1;
                say(follow, text);
            }
            Transmit::Authenticate { challenge } => {
                let keys = Keys::from_secret([9; 32]).unwrap();
                let draft = Draft::new(ayni_protocol::kind::AUTH).tag(["challenge", &challenge]);
                follow.peer.handle_signed(&draft.sign(&keys, 0, [0; 32]), now);
            }
            Transmit::Ping => follow.peer.handle_alive(now),
            Transmit::Close { .. } => follow.connection = None,
        }
    }

    fn admit(&mut self, at: usize, event: &Event) {
        let (now, id, node) = (self.now, event.id, self.follows[at].from);
        self.follows[at].handed_out += 1;
        let outcome = self.nodes[node].receive(event);
        let peer = &mut self.follows[at].peer;
        match &outcome {
            Ok(_) => peer.handle_stored(&id, now),
            Err(why) if why.prefix == Prefix::Invalid => peer.handle_forged(&id, now),
            Err(why) => peer.handle_refused(&id, why, now),
        }
        if outcome == Ok(true) {
            self.announce(node, id);
        }
    }

    /// The next message towards the relay arrives. Whether there was one.
    pub fn deliver_up(&mut self, at: usize) -> bool {
        let Some(connection) = self.follows[at].connection.as_mut() else { return false };
        let Some(text) = connection.up.pop_front() else { return false };
        let node = self.follows[at].to;
        let message = ClientMessage::parse(&text).expect("peers speak well");
        let mut stored = None;
        if let ClientMessage::Event(event) = message {
            let (id, open) = (event.id, self.open(at));
            let outcome = if open {
                self.nodes[node].receive(&event)
            } else {
                Err(Rejection::new(Prefix::AuthRequired, "who are you?"))
            };
            let why = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
            stored = (outcome == Ok(true)).then_some(id);
            self.answer(at, relay::ok(&id, outcome.is_ok(), &why));
        } else {
            self.answer_query(at, message);
        }
        stored.into_iter().for_each(|id| self.announce(node, id));
        true
    }

    fn open(&self, at: usize) -> bool {
        let follow = &self.follows[at];
        let authenticated = follow.connection.as_ref().is_some_and(|c| c.authenticated);
        authenticated || !self.nodes[follow.to].manner.auth
    }

    fn answer(&mut self, at: usize, text: String) {
        self.follows[at].connection.as_mut().expect("connected").down.push_back(text);
    }

    fn answer_query(&mut self, at: usize, message: ClientMessage) {
        let closed = Rejection::new(Prefix::AuthRequired, "who are you?");
        let open = self.open(at);
        let follow = &mut self.follows[at];
        let (node, carried) = (&self.nodes[follow.to], &mut follow.carried);
        let connection = follow.connection.as_mut().expect("connected");
        let down = &mut connection.down;
        match message {
            ClientMessage::Auth(event) => {
                let right = event.tags.named("challenge").any(|t| t.value() == Some("riddle"));
                connection.authenticated |= right;
                down.push_back(relay::ok(&event.id, right, ""));
            }
            ClientMessage::Req(name, _) if !open => down.push_back(relay::closed(&name, &closed)),
            ClientMessage::NegOpen(name, ..) if !open => {
                down.push_back(relay::neg_err(&name, &closed));
            }
            ClientMessage::Req(name, filters) => {
                for event in filters.iter().flat_map(|filter| node.matching(filter)) {
                    *carried += 1;
                    let head = relay::event_head(&name);
                    down.push_back(format!("{head}{}]", event.json()));
                }
                down.push_back(relay::eose(&name, relay::Rest::Unknown));
                connection.subscriptions.insert(name, filters);
            }
            ClientMessage::Close(name) => _ = connection.subscriptions.remove(&name),
            ClientMessage::NegOpen(name, filter, message) => {
                let blocked = Rejection::new(Prefix::Blocked, "no negentropy");
                match node.manner.negentropy {
                    Negentropic::Refuses => down.push_back(relay::neg_err(&name, &blocked)),
                    Negentropic::Complains => down.push_back(relay::notice("unknown verb")),
                    Negentropic::Silent => {}
                    Negentropic::Yes => {
                        let items = node.items(&filter);
                        down.push_back(relay::neg_msg(&name, &reconcile(&items, &message)));
                        connection.reconciliation = Some((name, items));
                    }
                }
            }
            ClientMessage::NegMessage(name, message) => match &connection.reconciliation {
                Some((open, items)) if *open == name => {
                    down.push_back(relay::neg_msg(&name, &reconcile(items, &message)));
                }
                _ => {
                    let gone = Rejection::new(Prefix::Error, "not open");
                    down.push_back(relay::neg_err(&name, &gone));
                }
            },
            ClientMessage::NegClose(_) => connection.reconciliation = None,
            other => panic!("peers do not say {other:?}"),
        }
    }

    /// The next message from the relay arrives. Whether there was one.
    pub fn deliver_down(&mut self, at: usize) -> bool {
        let Some(connection) = self.follows[at].connection.as_mut() else { return false };
        let Some(text) = connection.down.pop_front() else { return false };
        self.follows[at].peer.handle_message(&text, self.now);
        self.drive(at);
        true
    }

    /// The connection breaks, with everything in it.
    pub fn cut(&mut self, at: usize) {
        if self.follows[at].connection.take().is_some() {
            self.follows[at].peer.handle_disconnected("the connection was lost", self.now);
            self.drive(at);
        }
    }

    /// The following node forgets all it knew of its peer, as after a restart.
    pub fn restart(&mut self, at: usize) {
        self.follows[at].connection = None;
        self.follows[at].peer = self.fresh_peer();
    }

    /// Time passes.
    pub fn pass(&mut self, ms: Millis) {
        self.now += ms;
        for at in 0..self.follows.len() {
            let (now, peer) = (self.now, &mut self.follows[at].peer);
            if peer.poll_timeout(now).is_some_and(|due| due <= now) {
                peer.handle_timeout(now);
                let next = peer.poll_timeout(now);
                assert!(next.is_none_or(|next| next > now), "time stands still: {peer:?}");
                self.drive(at);
            }
        }
    }

    /// Delivers everything, and what follows from it, while no time passes.
    pub fn quiet(&mut self) {
        let bound = 20_000;
        for _ in 0..bound {
            let mut moved = false;
            for at in 0..self.follows.len() {
                moved |= self.deliver_up(at) | self.deliver_down(at);
            }
            if !moved {
                return;
            }
        }
        panic!("the world does not come to rest: {self:?}");
    }

    /// Lets time pass, with no more faults, until `done`; how many times somebody had to wake up.
    pub fn until(&mut self, done: impl Fn(&Self) -> bool) -> Option<usize> {
        for wakes in 0..2_000 {
            self.quiet();
            if done(self) {
                return Some(wakes);
            }
            let due = self.follows.iter().filter_map(|follow| follow.peer.poll_timeout(self.now));
            let next = due.min().unwrap_or(self.now);
            self.pass(next.saturating_sub(self.now));
        }
        None
    }

    pub fn ids(&self, node: usize) -> BTreeSet<EventId> {
        self.nodes[node].events.keys().copied().collect()
    }

    pub fn all_equal(&self) -> bool {
        (1..self.nodes.len()).all(|node| self.ids(node) == self.ids(0))
    }

    pub fn all_in_step(&self) -> bool {
        let state = |follow: &Follow| follow.peer.status(self.now).state;
        self.follows.iter().all(|follow| state(follow) == PeerState::InStep)
    }

    /// Events carried over all links, and events handed out anywhere.
    pub fn traffic(&self) -> (usize, usize) {
        let carried = self.follows.iter().map(|follow| follow.carried).sum();
        (carried, self.follows.iter().map(|follow| follow.handed_out).sum())
    }
}

/// The answering side of negentropy, which keeps nothing between two messages.
fn reconcile(items: &[(u64, EventId)], message: &[u8]) -> Vec<u8> {
    let mut storage = NegentropyStorageVector::new();
    for (time, id) in items {
        storage.insert(*time, Id::from_byte_array(id.0)).unwrap();
    }
    storage.seal().unwrap();
    Negentropy::owned(storage, 4_096).unwrap().reconcile(message).unwrap()
}
