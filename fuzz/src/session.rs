//! A session driven by bytes: what a client says, word for word, mixed with signature checks,
//! verdicts, answers, live events and time in any order.
//!
//! Every EVENT gets one OK; every REQ that is left open gets an EOSE or CLOSED, every COUNT a COUNT
//! or CLOSED; what is stored is sent once to every open subscription; a gift wrap only to its
//! party; and what waits inside is bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use ayni_protocol::wire::{ClientMessage, Complaint, Rest};
use ayni_protocol::{Draft, EventId, Limits, Rejection, Timestamp, VerifiedEvent, kind};
use ayni_relay::session::reconciliation::{Pool, Reconciliation};
use ayni_relay::session::{
    Answer, Counted, Errand, Farewell, Found, Frame, Live, Purpose, Question, Rules, Session, Work,
};
use ayni_relay::{Accepted, AuthMode, Settings};
use serde_json::Value;

use crate::seed::{EVENTS, NOW, keys};

const URL: &str = "ws://relay.example";

/// Low, so that every one of them is met.
static LIMITS: LazyLock<Limits> = LazyLock::new(|| Limits {
    message_bytes: 2_048,
    subscriptions: 3,
    filters: 2,
    filter_values: 8,
    auth_attempts: 3,
    auth_keys: 1,
    outbound_bytes: 16_384,
    inbound_bytes_per_sec: 2_048,
    inbound_burst_bytes: 8_192,
    reconciliations: 2,
    ..Limits::default()
});

static AUTHS: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(|| {
    let auth = |person| {
        let draft = Draft::new(kind::AUTH).tag(["relay", URL]).tag(["challenge", "c"]);
        draft.sign(&keys(person), NOW, [0; 32])
    };
    [11, 12].map(auth).to_vec()
});

static RULES: LazyLock<[Arc<Rules>; 2]> = LazyLock::new(|| {
    [AuthMode::OnConnect, AuthMode::OnDemand].map(|auth| {
        let public_urls = vec![URL.into()];
        let settings =
            Settings { public_urls, auth, limits: LIMITS.clone(), ..Settings::default() };
        Arc::new(Rules::new(&settings))
    })
});

/// A REQ that was left open.
#[derive(Default)]
struct Open {
    ends: usize,
    seen: Vec<String>,
}

/// A session and everything around it.
struct World {
    session: Session,
    clock_ms: u64,
    pool: Pool,
    errands: VecDeque<Errand>,
    submits: VecDeque<(VerifiedEvent, usize)>,
    verdicts: VecDeque<(EventId, usize)>,
    asked: VecDeque<Vec<Question>>,
    answers: VecDeque<Vec<Answer>>,
    watched: BTreeSet<u64>,
    /// Events in the order of storing, and how many of them were published.
    stored: Vec<Arc<Live>>,
    published: usize,
    oks_owed: BTreeMap<String, i64>,
    counts_owed: BTreeMap<String, i64>,
    open: BTreeMap<String, Open>,
    /// Whether the gift wraps' party has authenticated.
    party: bool,
    stopped: bool,
}

/// Steps of two bytes, and text where the step is something said.
pub fn run(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    let mut world = World::new(usize::from(first % 2));
    while let Some((&[what, which], more)) = rest.split_first_chunk() {
        rest = more.get(world.step(what, which, more)..).unwrap_or_default();
        world.take_work();
        world.check_bounds();
    }
    world.settle();
    world.check();
}

impl World {
    fn new(mode: usize) -> Self {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            session: Session::new(Arc::clone(&RULES[mode]), address, "c".into()),
            clock_ms: 0,
            pool: Pool::default(),
            errands: VecDeque::new(),
            submits: VecDeque::new(),
            verdicts: VecDeque::new(),
            asked: VecDeque::new(),
            answers: VecDeque::new(),
            watched: BTreeSet::new(),
            stored: Vec::new(),
            published: 0,
            oks_owed: BTreeMap::new(),
            counts_owed: BTreeMap::new(),
            open: BTreeMap::new(),
            party: false,
            stopped: false,
        }
    }

    /// Does one step and gives how many of the bytes that follow it used.
    fn step(&mut self, what: u8, which: u8, more: &[u8]) -> usize {
        match what % 16 {
            0..6 => {
                let length = usize::from(which).min(more.len());
                if let Ok(text) = std::str::from_utf8(&more[..length]) {
                    self.say(text);
                }
                return length;
            }
            6 => self.say_signed(which),
            7 => {
                for _ in 0..which % 16 {
                    self.read();
                }
            }
            8 => self.check_one(usize::from(which)),
            9 => self.store_one(usize::from(which)),
            10 => self.settle_one(usize::from(which)),
            11 => self.look_up(which),
            12 => self.answer(),
            13 => self.store(&EVENTS[usize::from(which) % EVENTS.len()]),
            14 => self.publish(),
            _ => match which {
                0 => {
                    self.stopped = true;
                    self.session.stop();
                }
                1 => self.session.heard(self.clock_ms),
                _ => {
                    self.clock_ms += u64::from(which) * 100;
                    self.session.tick(self.clock_ms);
                }
            },
        }
        0
    }

    fn now(&self) -> Timestamp {
        NOW + self.clock_ms / 1_000
    }

    /// One of the signed events is sent, or an answer to the challenge.
    fn say_signed(&mut self, which: u8) {
        let number = usize::from(which);
        let text = match number.checked_sub(240) {
            Some(number) => format!("[\"AUTH\",{}]", AUTHS[number % 2].json()),
            None => format!("[\"EVENT\",{}]", EVENTS[number % EVENTS.len()].json()),
        };
        self.say(&text);
    }

    fn say(&mut self, text: &str) {
        if !self.session.wants_input() || text.len() > LIMITS.message_bytes {
            return;
        }
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Event(event) | ClientMessage::Auth(event)) => {
                self.owe_ok(event.id.to_string());
            }
            Err(Complaint::Event(id, _)) => self.owe_ok(id),
            Ok(ClientMessage::Req(name, _)) | Err(Complaint::Subscription(name, _)) => {
                // A CLOSED could be the answer to either.
                if self.counts_owed.get(&name).is_some_and(|owed| *owed > 0) {
                    return;
                }
                self.read_all();
                self.open.insert(name, Open::default());
            }
            Ok(ClientMessage::Count(name, _)) | Err(Complaint::Count(name, _)) => {
                if self.open.contains_key(&name) {
                    return;
                }
                *self.counts_owed.entry(name).or_default() += 1;
            }
            Ok(ClientMessage::Close(name)) => {
                self.read_all();
                self.open.remove(&name);
            }
            _ => {}
        }
        // Reading may have ended the conversation's patience, but never a sender's turn.
        let now = self.now();
        self.session.spend(text.len(), self.clock_ms);
        self.session.receive(text, now, self.clock_ms);
    }

    fn owe_ok(&mut self, id: String) {
        *self.oks_owed.entry(id).or_default() += 1;
    }

    fn read_all(&mut self) {
        while self.read() {}
    }

    fn take_work(&mut self) {
        while let Some(work) = self.session.next_work() {
            match work {
                Work::Verify(errand) => self.errands.push_back(errand),
                Work::Submit { event, weight, .. } => self.submits.push_back((event, weight)),
                Work::Unwatch(key) => drop(self.watched.remove(&key)),
                Work::Ask(questions, _) => self.asked.push_back(questions),
            }
        }
    }

    /// A signature check ends. Only what was signed passes, which needs no arithmetic here.
    fn check_one(&mut self, which: usize) {
        let Some(errand) = take(&mut self.errands, which) else { return };
        let Errand { event, purpose, weight } = errand;
        let id = event.id;
        let is_stored = self.stored.iter().any(|stored| stored.event.id == id);
        if purpose == Purpose::Store && is_stored {
            self.session.settled(id, weight, Ok(Accepted::duplicate()));
            return;
        }
        let signed = EVENTS.iter().chain(&*AUTHS).find(|signed| ***signed == *event);
        let outcome = signed.cloned().ok_or_else(|| Rejection::invalid("forged"));
        self.session.verified(id, purpose, weight, outcome);
    }

    fn store_one(&mut self, which: usize) {
        if let Some((event, weight)) = take(&mut self.submits, which) {
            self.verdicts.push_back((event.id, weight));
            self.store(&event);
        }
    }

    fn settle_one(&mut self, which: usize) {
        if let Some((id, weight)) = take(&mut self.verdicts, which) {
            self.session.settled(id, weight, Ok(Accepted::stored()));
        }
    }

    fn store(&mut self, event: &VerifiedEvent) {
        if self.stored.iter().all(|stored| stored.event.id != event.id) {
            let position = u64::try_from(self.stored.len() + 1).ok();
            self.stored.push(Arc::new(Live::new(event, position)));
        }
    }

    /// Everything stored is found by every question, gift wraps aside.
    fn look_up(&mut self, which: u8) {
        let Some(questions) = self.asked.pop_front() else { return };
        let refuses = which == 255;
        let answer = |question: Question| {
            if refuses {
                return question.refuse(Rejection::invalid("not now"));
            }
            match question {
                Question::Stored { key, .. } => {
                    self.watched.insert(key);
                    let is_public = |live: &&Arc<Live>| live.event.kind != kind::GIFT_WRAP;
                    let public = self.stored.iter().filter(is_public);
                    let events = public.map(|live| live.json.clone()).collect();
                    let position = u64::try_from(self.stored.len()).unwrap();
                    Answer::Stored(key, Ok(Found { events, position, rest: Rest::Unknown }))
                }
                Question::Count { name, .. } => {
                    let counted = Counted { events: self.stored.len(), registers: None };
                    Answer::Count(name, Ok(counted))
                }
                Question::Open { key, message, .. } => {
                    Answer::Opened(key, open(&self.pool, &self.stored, &message))
                }
                Question::Reconcile { key, session, message } => {
                    Answer::Reconciled(key, reconcile(&session, &message))
                }
            }
        };
        let answers = questions.into_iter().map(answer).collect();
        self.answers.push_back(answers);
    }

    fn answer(&mut self) {
        if let Some(answers) = self.answers.pop_front() {
            self.session.answered(answers);
        }
    }

    /// The next event that was stored is told to everyone who watches.
    fn publish(&mut self) {
        let Some(live) = self.stored.get(self.published).cloned() else { return };
        self.published += 1;
        let now = self.now();
        for key in self.watched.clone() {
            self.session.live(key, &live, now);
        }
    }

    /// The other side reads one frame.
    fn read(&mut self) -> bool {
        let Some(frame) = self.session.next_frame() else { return false };
        assert_ne!(self.session.farewell(), Some(Farewell::TooSlow), "nothing is sent then");
        let text = match frame {
            Frame::Ping => return true,
            Frame::Event { head, json } => {
                self.see(&head, &json);
                return true;
            }
            Frame::Text(text) => text,
        };
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        let name = list[1].as_str().unwrap();
        match list[0].as_str().unwrap() {
            "EOSE" => self.open.get_mut(name).expect("asked").ends += 1,
            "CLOSED" => match self.open.get_mut(name) {
                Some(open) => open.ends += 1,
                None => *self.counts_owed.get_mut(name).expect("asked") -= 1,
            },
            "COUNT" => *self.counts_owed.get_mut(name).expect("asked") -= 1,
            "OK" => {
                self.party |= list[2] == true && name == AUTHS[0].id.to_string();
                *self.oks_owed.get_mut(name).expect("sent") -= 1;
            }
            "AUTH" | "NOTICE" | "NEG-MSG" | "NEG-ERR" => {}
            other => panic!("{other} was not to be said"),
        }
        true
    }

    /// An event was sent: `["EVENT","name",` and the canonical JSON, which begins with the id.
    fn see(&mut self, head: &str, json: &[u8]) {
        let name = head.strip_prefix("[\"EVENT\",").and_then(|rest| rest.strip_suffix(','));
        let name: String = serde_json::from_str(name.unwrap()).unwrap();
        let id = std::str::from_utf8(&json[7..71]).unwrap().to_owned();
        let wraps = EVENTS.iter().filter(|event| event.kind == kind::GIFT_WRAP);
        let is_wrap = wraps.into_iter().any(|wrap| wrap.json().as_bytes() == json);
        assert!(self.party || !is_wrap, "a gift wrap for a stranger");
        self.open.get_mut(&name).expect("only what was asked for").seen.push(id);
    }

    fn check_bounds(&self) {
        let most = 2 * (LIMITS.outbound_bytes + LIMITS.message_bytes);
        assert!(self.session.waiting_bytes() <= most, "{}", self.session.waiting_bytes());
        assert!(self.session.subscriptions() <= LIMITS.subscriptions);
        assert!(self.watched.len() <= LIMITS.subscriptions + 8, "what is closed is unwatched");
    }

    /// Everything under way comes to its end.
    fn settle(&mut self) {
        loop {
            self.take_work();
            let under_way = self.errands.len() + self.submits.len() + self.verdicts.len();
            let asked = self.asked.len() + self.answers.len();
            self.check_one(0);
            self.store_one(0);
            self.settle_one(0);
            self.look_up(0);
            self.answer();
            let unpublished = self.stored.len() - self.published;
            self.publish();
            if !self.read() && under_way + asked + unpublished == 0 {
                return;
            }
        }
    }

    fn check(&self) {
        let farewell = self.session.farewell();
        if farewell == Some(Farewell::TooSlow) {
            return;
        }
        for (id, owed) in &self.oks_owed {
            assert_eq!(*owed, 0, "OK of {id}");
        }
        if farewell == Some(Farewell::Idle) {
            return;
        }
        for (name, owed) in &self.counts_owed {
            assert_eq!(*owed, 0, "COUNT {name}");
        }
        for (name, open) in &self.open {
            // Stopping closes what had its EOSE.
            let ends_most = if self.stopped { 2 } else { 1 };
            assert!((1..=ends_most).contains(&open.ends), "{name} ends {} times", open.ends);
            let seen: BTreeSet<_> = open.seen.iter().collect();
            assert_eq!(seen.len(), open.seen.len(), "{name} sees something twice");
        }
        if farewell.is_none() {
            assert_eq!(self.session.subscriptions(), self.watched.len());
            self.check_nothing_missed();
        }
    }

    /// Of the subscriptions that are open, each has seen every event that is for all and lasts.
    fn check_nothing_missed(&self) {
        let complete = |open: &&Open| {
            let mut all = self
                .stored
                .iter()
                .map(|live| &live.event)
                .filter(|event| event.kind != kind::GIFT_WRAP && event.expiration().is_none());
            all.all(|event| open.seen.contains(&event.id.to_string()))
        };
        let complete = self.open.values().filter(complete).count();
        assert!(complete >= self.session.subscriptions(), "an open subscription missed an event");
    }
}

/// Takes one of those that wait.
fn take<T>(waiting: &mut VecDeque<T>, which: usize) -> Option<T> {
    let at = which.checked_rem(waiting.len())?;
    waiting.remove(at)
}

fn open(
    pool: &Pool,
    stored: &[Arc<Live>],
    message: &[u8],
) -> Result<(Reconciliation, Vec<u8>), Rejection> {
    let items = stored.iter().map(|live| (live.event.created_at, live.event.id));
    let items: Vec<_> = BTreeSet::from_iter(items).into_iter().collect();
    let claim = pool.claim(items.len(), &LIMITS)?;
    let session = Reconciliation::new(items, claim, &LIMITS);
    let reply = reconcile(&session, message)?;
    Ok((session, reply))
}

fn reconcile(session: &Reconciliation, message: &[u8]) -> Result<Vec<u8>, Rejection> {
    session.answer(message, &|| true)
}
