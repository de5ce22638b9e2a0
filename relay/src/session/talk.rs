//! A notation for conversations.
//!
//! A script is lines: `def NAME AUTHOR KIND[@TIME] TAG=VALUE… | CONTENT` makes an event,
//! `[…]` is what the client sends, with `<NAME>` for an event, `NAME.id` for its id and
//! `AUTHOR.key` for a key; `auth AUTHOR [URL]` answers the challenge; `store NAME` stores an event
//! from elsewhere and publishes it; `stop` stops the relay. The transcript shows what is answered.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use ayni_protocol::{Draft, Filter, Keys, Kind, kind};
use expect_test::Expect;

use super::*;
use crate::backend::{Asker, Backend as _};
use crate::fanout::Index;
use crate::inquiry::Clerk;
use crate::memory::{Memory, NOW};
use crate::session::reconciliation::Pool;

pub(super) const CHALLENGE: &str = "c0ffee";
pub(super) const URL: &str = "wss://relay.example";

pub(super) fn keys(name: &str) -> Keys {
    let number = ["", "ana", "ben", "eve", "zoe"].iter().position(|known| *known == name).unwrap();
    Keys::from_secret([u8::try_from(number).unwrap(); 32]).unwrap()
}

/// A session with its world, driven step by step and never waiting.
pub(super) struct Talk {
    pub(super) session: Session,
    pub(super) memory: Memory,
    index: RefCell<Index<u64>>,
    numbers: RefCell<BTreeMap<u64, u32>>,
    pool: Pool,
    pub(super) events: BTreeMap<String, VerifiedEvent>,
    pub(super) clock_ms: u64,
    pub(super) transcript: String,
}

impl Talk {
    pub(super) fn new(settings: &Settings) -> Self {
        let rules = Arc::new(Rules::new(settings));
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            session: Session::new(rules, address, CHALLENGE.into()),
            memory: Memory::default(),
            index: RefCell::default(),
            numbers: RefCell::default(),
            pool: Pool::default(),
            events: BTreeMap::new(),
            clock_ms: 0,
            transcript: String::new(),
        }
    }

    pub(super) fn run(&mut self, script: &str) {
        self.hear();
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !line.starts_with("def ") {
                writeln!(self.transcript, "> {line}").unwrap();
            }
            self.step(line);
            self.work();
            self.hear();
        }
    }

    fn step(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["def", name, author, kind, ..] => {
                let draft = line.split(" | ").nth(1).unwrap_or("");
                let tags = line.split(" | ").next().unwrap().split_whitespace().skip(4);
                self.define(name, author, kind, tags, draft);
            }
            ["store", name] => {
                let event = self.events[*name].clone();
                let position = self.memory.store(&event);
                self.publish(&event, position);
            }
            ["auth", who] => self.auth(who, URL),
            ["auth", who, url] => self.auth(who, url),
            ["stop"] => self.session.stop(),
            _ => {
                let text = self.spell(line);
                self.send(&text);
            }
        }
    }

    fn define<'a>(
        &mut self,
        name: &str,
        author: &str,
        kind: &str,
        tags: impl Iterator<Item = &'a str>,
        content: &str,
    ) {
        let (kind, time) = kind.split_once('@').unwrap_or((kind, "0"));
        let mut draft = Draft::new(Kind(kind.parse().unwrap())).content(self.spell(content));
        for tag in tags {
            let (name, value) = tag.split_once('=').unwrap_or((tag, ""));
            draft = draft.tag([name, &self.spell(value)]);
        }
        let time = NOW.checked_add_signed(time.parse().unwrap()).unwrap();
        self.events.insert(name.into(), draft.sign(&keys(author), time, [0; 32]));
    }

    pub(super) fn auth(&mut self, who: &str, url: &str) {
        let event = auth_event(who, CHALLENGE, url, self.memory.now());
        self.events.insert(format!("auth-{who}"), event.clone());
        self.send(&format!("[\"AUTH\",{}]", event.json()));
    }

    /// Puts events, ids and keys where the script names them.
    fn spell(&self, line: &str) -> String {
        let mut text = line.to_owned();
        for name in ["ana", "ben", "eve", "zoe"] {
            text = text.replace(&format!("{name}.key"), &keys(name).public().to_string());
        }
        for (name, event) in &self.events {
            text = text.replace(&format!("<{name}>"), event.json());
            text = text.replace(&format!("{name}.id"), &event.id.to_string());
        }
        text
    }

    pub(super) fn send(&mut self, text: &str) {
        self.session.receive(text, self.memory.now(), self.clock_ms);
    }

    pub(super) fn publish(&mut self, event: &VerifiedEvent, position: Option<u64>) -> usize {
        let live = Arc::new(Live::new(event, position));
        let wanted: Vec<u64> = self.index.borrow().matches(event).into_iter().copied().collect();
        for key in &wanted {
            self.session.live(*key, &live, self.memory.now());
        }
        if self.session.viewer().may_see(event) { wanted.len() } else { 0 }
    }

    pub(super) fn work(&mut self) {
        while let Some(work) = self.session.next_work() {
            match work {
                Work::Verify(Errand { event, purpose, weight }) => {
                    let id = event.id;
                    if purpose == Purpose::Store && self.memory.contains(&id) {
                        self.session.settled(id, weight, Ok(Accepted::duplicate()));
                        continue;
                    }
                    let outcome = event.verify().map_err(|e| Rejection::invalid(e.to_string()));
                    self.session.verified(id, purpose, weight, outcome);
                }
                Work::Submit { event, weight, .. } => {
                    let position = self.memory.store(&event);
                    let told = self.publish(&event, position);
                    let unheard = position.is_none() && told == 0;
                    let verdict =
                        if unheard { Err(Accepted::unheard()) } else { Ok(Accepted::stored()) };
                    self.session.settled(event.id, weight, verdict);
                }
                Work::Unwatch(key) => {
                    if let Some(number) = self.numbers.borrow_mut().remove(&key) {
                        self.index.borrow_mut().remove(number);
                    }
                }
                Work::Ask(questions, viewer) => self.ask(questions, &viewer),
            }
        }
    }

    fn ask(&mut self, questions: Vec<Question>, viewer: &Viewer) {
        let rules = Arc::clone(&self.session.rules);
        let asker = Asker::new(viewer, &|| true);
        let clerk = Clerk { backend: &self.memory, limits: &rules.limits, pool: &self.pool, asker };
        let watch = |key: u64, filters: &Arc<[Filter]>| {
            let number = self.index.borrow_mut().insert(key, Arc::clone(filters));
            self.numbers.borrow_mut().insert(key, number);
        };
        let answers = questions.into_iter().map(|q| clerk.answer(q, watch).unwrap()).collect();
        self.session.answered(answers);
    }

    pub(super) fn hear(&mut self) {
        while let Some(frame) = self.session.next_frame() {
            let mut bytes = Vec::new();
            frame.write_payload(&mut bytes);
            assert_eq!(bytes.len(), frame.payload_bytes());
            let mut text = String::from_utf8(bytes).unwrap();
            if frame == Frame::Ping {
                text.push_str("PING");
            }
            for (name, event) in &self.events {
                text = text.replace(event.json(), &format!("<{name}>"));
                text = text.replace(&event.id.to_string(), &format!("{name}.id"));
            }
            writeln!(self.transcript, "< {text}").unwrap();
            self.work();
        }
        if let Some(farewell) = self.session.farewell() {
            writeln!(self.transcript, "({farewell:?})").unwrap();
        }
    }
}

fn auth_event(who: &str, challenge: &str, url: &str, time: Timestamp) -> VerifiedEvent {
    Draft::new(kind::AUTH).tag(["relay", url]).tag(["challenge", challenge]).sign(
        &keys(who),
        time,
        [0; 32],
    )
}

pub(super) fn settings() -> Settings {
    Settings {
        public_urls: vec![URL.into(), "ws://127.0.0.1:7777/".into()],
        auth: AuthMode::OnDemand,
        ..Settings::default()
    }
}

pub(super) fn check_with(settings: &Settings, script: &str, expected: &Expect) {
    let mut talk = Talk::new(settings);
    talk.run(script);
    expected.assert_eq(&talk.transcript);
}

pub(super) fn check(script: &str, expected: &Expect) {
    check_with(&settings(), script, expected);
}

pub(super) fn check_limits(limits: Limits, script: &str, expected: &Expect) {
    check_with(&Settings { limits, ..settings() }, script, expected);
}
