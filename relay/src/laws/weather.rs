//! A session in all weathers: every delay that threads, disks and sockets can cause, drawn at
//! random. OneVerdictEach, EveryQuestionAnswered, NothingMissedNothingRepeated, MessagesStayPrivate,
//! NoTextBreaksASession.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex};

use ayni_protocol::{
    Draft, EventId, Filter, Keys, Kind, PublicKey, Rejection, Timestamp, VerifiedEvent, hex, kind,
};
use proptest::prelude::*;

use crate::audience::Audience;
use crate::backend::{Accepted, Asker, Backend, Page, Source, Viewer};
use crate::inquiry::Clerk;
use crate::line::Line;
use crate::memory::{Memory, NOW};
use crate::receipt::Receipt;
use crate::session::reconciliation::Pool;
use crate::session::{Answer, Errand, Frame, Purpose, Question, Rules, Session, Work};
use crate::settings::{AuthMode, Settings};

const URL: &str = "ws://relay.example";

fn keys(number: u8) -> Keys {
    Keys::from_secret([number; 32]).unwrap()
}

/// Notes of three kinds by two authors, every fourth event a gift wrap for one of two others.
static EVENTS: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(|| {
    let event = |number: u8| {
        let time = NOW - u64::from(number) * 7 % 20;
        if number % 4 == 3 {
            let party = keys(11 + number / 4 % 2).public().to_string();
            return Draft::new(kind::GIFT_WRAP).tag(["p", &party]).sign(
                &keys(100 + number),
                time,
                [0; 32],
            );
        }
        let draft = Draft::new(Kind([1, 7, 1111][usize::from(number % 3)]));
        draft.content(number.to_string()).sign(&keys(1 + number % 2), time, [0; 32])
    };
    (0..24).map(event).collect()
});

/// Answers to the challenge, by the wraps' parties.
static AUTHS: LazyLock<Vec<VerifiedEvent>> = LazyLock::new(|| {
    let auth = |party| {
        Draft::new(kind::AUTH).tag(["relay", URL]).tag(["challenge", "c"]).sign(
            &keys(party),
            NOW,
            [0; 32],
        )
    };
    [11, 12].map(auth).to_vec()
});

/// What the client does.
#[derive(Debug, Clone)]
enum Say {
    Event(usize),
    Forgery(usize),
    Req(u8, Vec<&'static str>),
    Close(u8),
    Count(Vec<&'static str>),
    NegOpen,
    Auth(usize),
}

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Say(Say),
    /// The other side reads a few frames.
    Read(u8),
    /// One signature check ends, one event is stored, one verdict comes, or a batch of questions
    /// is looked up: whichever of what is under way.
    Work(prop::sample::Index),
    /// Looked-up answers arrive.
    Answer,
    /// Somebody else's event is stored.
    Store(usize),
    /// Somebody else's event will be stored in the middle of the next query.
    StoreDuringQuery(usize),
    /// What was stored first of all unpublished is published.
    Publish,
    /// Somebody else's event is published, and stored later.
    PublishAhead(usize),
    /// What was published ahead is stored.
    CatchUp,
    /// Published events reach the session.
    Deliver,
}

fn says() -> impl Strategy<Value = Say> {
    let filter = prop::sample::select(vec![
        "{}",
        r#"{"kinds":[1]}"#,
        r#"{"kinds":[7,1111,1059]}"#,
        r#"{"limit":0}"#,
        r#"{"kinds":[99999]}"#,
        r#"{"ids":[]}"#,
    ]);
    let filters = || prop::collection::vec(filter.clone(), 1..3);
    prop_oneof![
        4 => (0..EVENTS.len()).prop_map(Say::Event),
        1 => (0..EVENTS.len()).prop_map(Say::Forgery),
        4 => (0..3_u8, filters()).prop_map(|(name, filters)| Say::Req(name, filters)),
        1 => (0..3_u8).prop_map(Say::Close),
        1 => filters().prop_map(Say::Count),
        1 => Just(Say::NegOpen),
        1 => (0..2_usize).prop_map(Say::Auth),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => says().prop_map(Step::Say),
        2 => (1..9_u8).prop_map(Step::Read),
        6 => any::<prop::sample::Index>().prop_map(Step::Work),
        3 => Just(Step::Answer),
        3 => (0..EVENTS.len()).prop_map(Step::Store),
        2 => (0..EVENTS.len()).prop_map(Step::StoreDuringQuery),
        4 => Just(Step::Publish),
        3 => (0..EVENTS.len()).prop_map(Step::PublishAhead),
        1 => Just(Step::CatchUp),
        3 => Just(Step::Deliver),
    ];
    prop::collection::vec(step, 1..80)
}

/// A memory that others write to while it is asked.
#[derive(Default)]
struct Busy {
    memory: Memory,
    during_query: Mutex<Vec<VerifiedEvent>>,
    unpublished: Mutex<VecDeque<(VerifiedEvent, u64)>>,
    /// Published ahead, and to be stored before anything else is.
    ahead: Mutex<Vec<VerifiedEvent>>,
    queries: AtomicUsize,
}

impl Busy {
    fn store(&self, event: &VerifiedEvent) {
        self.catch_up();
        if self.memory.contains(&event.id) {
            return;
        }
        let position = self.memory.store(event).unwrap();
        self.unpublished.lock().unwrap().push_back((event.clone(), position));
    }

    /// The position that an event will have which is published ahead, if it is not here.
    fn goes_ahead(&self, event: &VerifiedEvent) -> Option<u64> {
        let mut ahead = self.ahead.lock().unwrap();
        if self.memory.contains(&event.id) || ahead.contains(event) {
            return None;
        }
        ahead.push(event.clone());
        Some(self.memory.last_position() + u64::try_from(ahead.len()).unwrap())
    }

    fn catch_up(&self) {
        for event in self.ahead.lock().unwrap().drain(..) {
            self.memory.store(&event).unwrap();
        }
    }
}

impl Backend for Busy {
    fn now(&self) -> Timestamp {
        NOW
    }
    fn contains(&self, id: &EventId) -> bool {
        self.memory.contains(id)
    }
    fn submit(&self, event: VerifiedEvent, source: Source, receipt: Receipt) {
        self.memory.submit(event, source, receipt);
    }
    fn query(&self, filter: &Filter, limit: usize, asker: &Asker<'_>) -> Page {
        let others: Vec<_> = self.during_query.lock().unwrap().drain(..).collect();
        others.iter().for_each(|event| self.store(event));
        self.queries.fetch_add(1, Relaxed);
        let _ = asker.may_go_on();
        self.memory.query(filter, limit, asker)
    }
    fn count(&self, filter: &Filter, asker: &Asker<'_>) -> usize {
        let _ = asker.may_go_on();
        self.memory.count(filter, asker)
    }
    fn authors(&self, filter: &Filter, asker: &Asker<'_>, each: &mut dyn FnMut(&PublicKey)) {
        self.memory.authors(filter, asker, each);
    }
    fn items(&self, filter: &Filter, cap: usize, asker: &Asker<'_>) -> Vec<(Timestamp, EventId)> {
        self.memory.items(filter, cap, asker)
    }
    fn last_position(&self) -> u64 {
        self.memory.last_position()
    }
    fn may_read(&self, _viewer: &Viewer) -> Result<(), Rejection> {
        Ok(())
    }
}

/// A REQ that its client left open, and what came for it.
#[derive(Debug, Default)]
struct Open {
    filters: Vec<Filter>,
    ends: usize,
    seen: Vec<EventId>,
}

struct World {
    session: Session,
    rules: Arc<Rules>,
    busy: Busy,
    pool: Pool,
    audience: Audience,
    line: Arc<Line>,
    errands: Vec<Errand>,
    submits: Vec<(VerifiedEvent, usize)>,
    verdicts: Vec<(EventId, usize)>,
    asked: Vec<(Vec<Question>, Arc<Viewer>)>,
    /// Answers to the first questions of a batch whose others were given up.
    impatient: bool,
    answers: Vec<Vec<Answer>>,
    /// What is owed: OKs by id, answers to COUNT.
    oks_owed: BTreeMap<EventId, i64>,
    counts_owed: i64,
    open: BTreeMap<String, Open>,
    parties: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let settings = Settings {
            public_urls: vec![URL.into()],
            auth: AuthMode::OnConnect,
            ..Settings::default()
        };
        let rules = Arc::new(Rules::new(&settings));
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            session: Session::new(Arc::clone(&rules), address, "c".into()),
            rules,
            busy: Busy::default(),
            pool: Pool::default(),
            audience: Audience::default(),
            line: Arc::new(Line::new(1, address, usize::MAX)),
            errands: Vec::new(),
            submits: Vec::new(),
            verdicts: Vec::new(),
            asked: Vec::new(),
            impatient: false,
            answers: Vec::new(),
            oks_owed: BTreeMap::new(),
            counts_owed: 0,
            open: BTreeMap::new(),
            parties: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Say(say) if self.session.wants_input() => self.say(say),
            Step::Say(_) => {}
            Step::Read(count) => (0..count).for_each(|_| {
                self.read();
            }),
            Step::Work(which) => {
                self.work_once(which.index(64));
            }
            Step::Answer => self.answer(),
            Step::Store(number) => self.busy.store(&EVENTS[number]),
            Step::StoreDuringQuery(number) => {
                self.busy.during_query.lock().unwrap().push(EVENTS[number].clone());
            }
            Step::Publish => {
                self.publish();
            }
            Step::PublishAhead(number) => {
                let event = &EVENTS[number];
                if let Some(position) = self.busy.goes_ahead(event) {
                    self.audience.publish(event, Some(position), true);
                }
            }
            Step::CatchUp => self.catch_up(),
            Step::Deliver => {
                self.deliver();
            }
        }
        self.take_work();
    }

    fn say(&mut self, say: Say) {
        let text = match say {
            Say::Event(number) => {
                *self.oks_owed.entry(EVENTS[number].id).or_default() += 1;
                format!("[\"EVENT\",{}]", EVENTS[number].json())
            }
            Say::Forgery(number) => {
                *self.oks_owed.entry(EVENTS[number].id).or_default() += 1;
                let forged = EVENTS[number].json().replace("\"content\":\"", "\"content\":\"!");
                format!("[\"EVENT\",{forged}]")
            }
            Say::Req(name, filters) => {
                self.read_all_about(&name.to_string());
                let parsed = filters.iter().map(|text| Filter::parse(text).unwrap()).collect();
                let open = Open { filters: parsed, ..Open::default() };
                self.open.insert(name.to_string(), open);
                format!("[\"REQ\",\"{name}\",{}]", filters.join(","))
            }
            Say::Close(name) => {
                self.read_all_about(&name.to_string());
                self.open.remove(&name.to_string());
                format!("[\"CLOSE\",\"{name}\"]")
            }
            Say::Count(filters) => {
                self.counts_owed += 1;
                format!("[\"COUNT\",\"count\",{}]", filters.join(","))
            }
            Say::NegOpen => "[\"NEG-OPEN\",\"neg\",{},\"6100000200\"]".into(),
            Say::Auth(number) => {
                let auth = &AUTHS[number];
                *self.oks_owed.entry(auth.id).or_default() += 1;
                self.parties.insert(auth.pubkey.to_string());
                format!("[\"AUTH\",{}]", auth.json())
            }
        };
        self.session.receive(&text, NOW, 0);
    }

    /// What was sent before a name is used again belongs to its old use.
    fn read_all_about(&mut self, name: &str) {
        if self.open.contains_key(name) {
            while self.read() {}
        }
    }

    fn take_work(&mut self) {
        while let Some(work) = self.session.next_work() {
            match work {
                Work::Verify(errand) => self.errands.push(errand),
                Work::Submit { event, weight, .. } => self.submits.push((event, weight)),
                Work::Unwatch(key) => {
                    self.audience.unwatch(&self.line, key);
                }
                Work::Ask(questions, viewer) => self.asked.push((questions, viewer)),
            }
        }
    }

    /// Does one piece of what is under way; tells whether there was any.
    fn work_once(&mut self, which: usize) -> bool {
        let sizes = [self.errands.len(), self.submits.len(), self.verdicts.len(), self.asked.len()];
        let total: usize = sizes.iter().sum();
        if total == 0 {
            return false;
        }
        let mut at = which % total;
        if at < sizes[0] {
            let Errand { event, purpose, weight } = self.errands.remove(at);
            let id = event.id;
            if purpose == Purpose::Store && self.busy.contains(&id) {
                self.session.settled(id, weight, Ok(Accepted::duplicate()));
                return true;
            }
            let outcome = event.verify().map_err(|error| Rejection::invalid(error.to_string()));
            self.session.verified(id, purpose, weight, outcome);
            self.line.recognise(self.session.viewer());
            return true;
        }
        at -= sizes[0];
        if at < sizes[1] {
            let (event, weight) = self.submits.remove(at);
            self.busy.store(&event);
            self.verdicts.push((event.id, weight));
            return true;
        }
        at -= sizes[1];
        if at < sizes[2] {
            let (id, weight) = self.verdicts.remove(at);
            self.session.settled(id, weight, Ok(Accepted::stored()));
            return true;
        }
        let (questions, viewer) = self.asked.remove(at - sizes[2]);
        self.look_up(questions, viewer);
        true
    }

    fn look_up(&mut self, questions: Vec<Question>, viewer: Arc<Viewer>) {
        // Every other time whoever asks waits for nothing, and what is given up is asked again.
        self.impatient = !self.impatient;
        let patient = !self.impatient;
        let go_on = || patient;
        let asker = Asker::new(&viewer, &go_on);
        let (backend, limits) = (&self.busy, &self.rules.limits);
        let clerk = Clerk { backend, limits, pool: &self.pool, asker };
        let watch =
            |key: u64, filters: &Arc<[Filter]>| self.audience.watch(&self.line, key, filters);
        let (mut answers, mut left) = (Vec::new(), Vec::new());
        for question in questions {
            match if left.is_empty() { clerk.answer(question, watch) } else { Err(question) } {
                Ok(answer) => answers.push(answer),
                Err(question) => left.push(question),
            }
        }
        if left.is_empty() {
            self.answers.push(answers);
        } else {
            self.session.answered_so_far(answers);
            self.asked.push((left, viewer));
        }
    }

    fn answer(&mut self) {
        if !self.answers.is_empty() {
            let answers = self.answers.remove(0);
            self.session.answered(answers);
        }
    }

    fn publish(&mut self) -> bool {
        let Some((event, position)) = self.busy.unpublished.lock().unwrap().pop_front() else {
            return false;
        };
        self.audience.publish(&event, Some(position), false);
        true
    }

    fn catch_up(&self) {
        self.busy.catch_up();
        self.audience.catch_up();
    }

    fn deliver(&mut self) -> bool {
        let arrivals = self.line.take();
        for (key, live) in &arrivals.live {
            self.session.live(*key, live, NOW);
        }
        !arrivals.live.is_empty()
    }

    /// The other side reads one frame.
    fn read(&mut self) -> bool {
        let Some(frame) = self.session.next_frame() else { return false };
        let mut payload = Vec::new();
        frame.write_payload(&mut payload);
        let text = String::from_utf8(payload).unwrap();
        assert!(frame != Frame::Ping);
        self.check_privacy(&text);
        let list: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let name = list[1].as_str().unwrap();
        match list[0].as_str().unwrap() {
            "EVENT" => {
                let id: EventId = list[2]["id"].as_str().unwrap().parse().unwrap();
                self.open.get_mut(name).unwrap().seen.push(id);
            }
            "EOSE" | "CLOSED" if name != "count" => self.open.get_mut(name).unwrap().ends += 1,
            "COUNT" | "CLOSED" => self.counts_owed -= 1,
            "OK" => *self.oks_owed.get_mut(&name.parse().unwrap()).unwrap() -= 1,
            "AUTH" | "NEG-MSG" | "NEG-ERR" => {}
            other => panic!("{other} was not to be said"),
        }
        true
    }

    /// MessagesStayPrivate.
    fn check_privacy(&self, text: &str) {
        if text.starts_with("[\"OK\"") {
            return;
        }
        for event in EVENTS.iter().filter(|event| event.kind == kind::GIFT_WRAP) {
            if text.contains(&hex::encode(&event.id.0)) {
                let party = event.tags.named("p").next().unwrap().value().unwrap();
                assert!(self.parties.contains(party), "leaked: {text}");
            }
        }
    }

    /// Everything under way comes to its end.
    fn settle(&mut self) {
        self.catch_up();
        loop {
            self.take_work();
            let mut moved = self.work_once(0) || !self.answers.is_empty();
            self.answer();
            moved |= self.publish();
            moved |= self.deliver();
            moved |= self.read();
            if !moved {
                return;
            }
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert!(self.oks_owed.values().all(|owed| *owed == 0), "{:?}", self.oks_owed);
        prop_assert_eq!(self.counts_owed, 0);
        let everybody = Viewer { keys: AUTHS.iter().map(|auth| auth.pubkey).collect() };
        let limits = &self.rules.limits;
        for (name, open) in &self.open {
            prop_assert_eq!(open.ends, 1, "{} ends once", name);
            let seen: BTreeSet<_> = open.seen.iter().copied().collect();
            prop_assert_eq!(seen.len(), open.seen.len(), "{} sees nothing twice", name);
            for filter in open.filters.iter().filter(|filter| filter.limit.is_none()) {
                let all = self.busy.memory.items(
                    filter,
                    limits.max_limit,
                    &Asker::new(&everybody, &|| true),
                );
                for event in EVENTS.iter().filter(|event| event.kind != kind::GIFT_WRAP) {
                    let stored = all.contains(&(event.created_at, event.id));
                    prop_assert!(!stored || seen.contains(&event.id), "{} misses one", name);
                }
            }
        }
        Ok(())
    }
}

#[test]
fn of_what_is_given_up_no_further_filter_is_asked() {
    let busy = Busy::default();
    busy.store(&EVENTS[0]);
    let (viewer, pool) = (Viewer::default(), Pool::default());
    let limits = Settings::default().limits;
    let asker = Asker::new(&viewer, &|| false);
    let clerk = Clerk { backend: &busy, limits: &limits, pool: &pool, asker };
    let filters = vec![Filter::default(); limits.filters].into();
    let question = Question::Stored { key: 1, filters, position: None };
    assert!(clerk.answer(question, |_, _| {}).is_err());
    assert_eq!(busy.queries.load(Relaxed), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// OneVerdictEach, EveryQuestionAnswered, NothingMissedNothingRepeated, MessagesStayPrivate.
    #[test]
    fn a_session_in_all_weathers(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.settle();
        world.check()?;
        prop_assert_eq!(world.audience.len(), world.session.subscriptions(), "the index keeps what is open");
    }

    /// NoTextBreaksASession.
    #[test]
    fn no_text_breaks_a_session(
        texts in prop::collection::vec(
            "(\\[\"(REQ|EVENT|AUTH|COUNT|CLOSE|NEG-OPEN|NEG-MSG|NEG-CLOSE|X)\"|\\{)\
             [\\[\\]{}\",:a-f0-9kindslmt#\\\\ .-]{0,60}",
            1..12,
        )
    ) {
        let mut world = World::new();
        let mut frames = 0;
        for text in &texts {
            world.session.receive(text, NOW, 0);
            world.take_work();
            while world.work_once(0) {
                world.answer();
                world.take_work();
            }
            while world.session.next_frame().is_some() {
                frames += 1;
                world.take_work();
            }
        }
        prop_assert!(world.session.farewell().is_none());
        prop_assert!(frames <= texts.len() + 1);
    }
}
