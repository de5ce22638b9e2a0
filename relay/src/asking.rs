//! Handing a conversation's questions to the backend.
//!
//! Most answers are a matter of microseconds, so the socket's own thread asks, and gives up at the
//! first pause after half a millisecond. What was given up is asked again on a blocking thread, and so
//! is what is known to take longer: counts, reconciliations, searches and very many lists. There
//! scans take turns of some milliseconds, as many at a time as there are cores, and whoever had least
//! is next (`turns.rs`): so the worst of filters delays nobody by much more than a turn. Only so many
//! are begun at a time that a thousand of them do not make a thousand threads. A question that takes
//! too long altogether is refused.
//!
//! Deliberately absent: what is asked (`session`) and how it is answered (`inquiry`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ayni_protocol::{Filter, Prefix, Rejection};
use tokio::runtime::Handle;

use crate::backend::{Asker, Backend, Viewer};
use crate::inquiry::Clerk;
use crate::line::Line;
use crate::relay::Shared;
use crate::session::{Answer, Question};
use crate::turns::{Turn, Turns};

/// How long a socket's own thread goes on looking.
const GLANCE: Duration = Duration::from_micros(500);
/// How long a scan goes on before the next one has its turn.
const TURN: Duration = Duration::from_millis(5);
/// Lists and ids of a question up to which finding them is a matter of microseconds.
const LISTS_MAX: usize = 500;

/// The questions that take longer than a moment.
#[derive(Debug)]
pub struct Scans {
    /// Some are begun at a time, each on a thread.
    begun: Arc<Turns>,
    /// Of these, a few look.
    turns: Arc<Turns>,
}

impl Scans {
    /// As many turns at a time as there are cores.
    pub fn new(cores: usize) -> Self {
        Self { begun: Turns::new(cores.saturating_mul(32)), turns: Turns::new(cores) }
    }
}

/// Whether it is worth a try to answer it here and now. An index of words takes its time before it
/// comes to a pause.
fn is_quick(question: &Question) -> bool {
    let lists = |filter: &Filter| {
        let ids = filter.ids.as_ref().map_or(0, BTreeSet::len);
        let authors = filter.authors.as_ref().map_or(1, BTreeSet::len);
        let kinds = filter.kinds.as_ref().map_or(1, BTreeSet::len);
        let tags: usize = filter.tags.iter().map(|(_, values)| values.len()).sum();
        authors.saturating_mul(kinds).saturating_add(ids + tags)
    };
    match question {
        Question::Stored { filters, .. } => {
            filters.iter().all(|filter| filter.search.is_none())
                && filters.iter().map(lists).sum::<usize>() <= LISTS_MAX
        }
        _ => false,
    }
}

/// Answers here and now, as far as that is quickly done; and what is left to ask.
pub fn quickly<B: Backend>(
    shared: &Shared<B>,
    line: &Arc<Line>,
    viewer: &Viewer,
    questions: Vec<Question>,
) -> (Vec<Answer>, Vec<Question>) {
    let began = Instant::now();
    let go_on = || began.elapsed() < GLANCE;
    let (mut done, mut left) = (Vec::with_capacity(questions.len()), Vec::new());
    for question in questions {
        // Each is asked by itself, the first in any case.
        let asked = left.is_empty() && is_quick(&question) && (done.is_empty() || go_on());
        match if asked { answer(shared, line, viewer, question, &go_on) } else { Err(question) } {
            Ok(answer) => done.push(answer),
            Err(question) => left.push(question),
        }
    }
    (done, left)
}

/// Answers one question after another on blocking threads, in turns with other scans.
pub async fn aside<B: Backend>(
    shared: Arc<Shared<B>>,
    line: Arc<Line>,
    viewer: Arc<Viewer>,
    questions: Vec<Question>,
) -> Vec<Answer> {
    let mut done = Vec::with_capacity(questions.len());
    for question in questions {
        // If the backend panics, the question still gets its answer.
        let refusal = question.refuse(trouble());
        let begun = shared.scans.begun.take(line.number).await;
        let (shared, line, viewer) = (Arc::clone(&shared), Arc::clone(&line), Arc::clone(&viewer));
        let handle = Handle::current();
        let scan = tokio::task::spawn_blocking(move || {
            let _begun = begun;
            let scan = Scan::begin(&shared, &line, &handle);
            let outcome = answer(&shared, &line, &viewer, question, &|| scan.may_go_on());
            outcome.unwrap_or_else(|question| question.refuse(too_long()))
        });
        done.push(scan.await.unwrap_or(refusal));
    }
    done
}

/// The answer; the question where it was given up.
fn answer<B: Backend>(
    shared: &Shared<B>,
    line: &Arc<Line>,
    viewer: &Viewer,
    question: Question,
    go_on: &dyn Fn() -> bool,
) -> Result<Answer, Question> {
    let asker = Asker::new(viewer, go_on);
    let limits = &shared.settings.limits;
    let clerk = Clerk { backend: &*shared.backend, limits, pool: &shared.pool, asker };
    clerk.answer(question, |key, filters| shared.audience.watch(line, key, filters))
}

/// One question's turns.
struct Scan<'a> {
    turns: &'a Arc<Turns>,
    line: &'a Line,
    handle: &'a Handle,
    turn: RefCell<Option<Turn>>,
    ends: Instant,
}

impl<'a> Scan<'a> {
    /// Waits for the first turn.
    fn begin<B>(shared: &'a Shared<B>, line: &'a Line, handle: &'a Handle) -> Self {
        let ends = Instant::now() + Duration::from_secs(shared.settings.limits.query_secs);
        let turns = &shared.scans.turns;
        let scan = Self { turns, line, handle, turn: RefCell::default(), ends };
        scan.next();
        scan
    }

    /// Lets others in once this turn was long enough. No, once all turns together were too long, or
    /// nobody waits any more.
    fn may_go_on(&self) -> bool {
        if self.turn.borrow().as_ref().is_none_or(|turn| turn.lasted() >= TURN) {
            self.next();
        }
        Instant::now() < self.ends && !self.line.has_ended()
    }

    /// Gives the turn back and queues for another.
    fn next(&self) {
        drop(self.turn.take());
        self.turn.replace(Some(self.handle.block_on(self.turns.take(self.line.number))));
    }
}

fn trouble() -> Rejection {
    Rejection::new(Prefix::Error, "this relay could not answer; try again later")
}

fn too_long() -> Rejection {
    Rejection::new(Prefix::Error, "this takes too long to look up; ask for less at a time")
}
