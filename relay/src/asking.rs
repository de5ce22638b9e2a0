//! Handing a conversation's questions to the backend.
//!
//! Most answers are a matter of microseconds, so the socket's own thread asks, and gives up at the
//! first pause of a scan. What was given up is asked again on a blocking thread, where scans take
//! turns of some milliseconds, as many at a time as there are cores: so the worst of filters delays
//! nobody by more than a turn, and a thousand of them do not make a thousand threads. A scan that
//! takes too long altogether is refused.
//!
//! Deliberately absent: what is asked (`session`) and how it is answered (`inquiry`).

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ayni_protocol::{Prefix, Rejection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::backend::{Asker, Backend, Viewer};
use crate::inquiry::Clerk;
use crate::line::Line;
use crate::relay::Shared;
use crate::session::{Answer, Question};

/// How long a scan goes on before the next one has its turn.
const TURN: Duration = Duration::from_millis(5);

/// The scans that go on: a few at a time have their turn, some more wait for theirs.
#[derive(Debug)]
pub struct Scans {
    turns: Arc<Semaphore>,
    begun: Arc<Semaphore>,
}

impl Scans {
    /// As many turns at a time as there are cores, and so many scans begun.
    pub fn new(cores: usize) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { turns: semaphore(cores), begun: semaphore(cores.saturating_mul(32)) }
    }
}

/// Answers here and now, as far as that is quickly done; and what is left to ask.
pub fn quickly<B: Backend>(
    shared: &Shared<B>,
    line: &Arc<Line>,
    viewer: &Viewer,
    questions: Vec<Question>,
) -> (Vec<Answer>, Vec<Question>) {
    let quick = |question: &Question| match question {
        // To search is to ask an index that knows no pauses.
        Question::Stored { filters, .. } => filters.iter().all(|filter| filter.search.is_none()),
        _ => false,
    };
    if questions.iter().all(quick) {
        answers(shared, line, viewer, questions, &|| false)
    } else {
        (Vec::new(), questions)
    }
}

/// Answers on a blocking thread, in turns with other scans.
pub async fn aside<B: Backend>(
    shared: Arc<Shared<B>>,
    line: Arc<Line>,
    viewer: Arc<Viewer>,
    questions: Vec<Question>,
) -> Vec<Answer> {
    // If the backend panics, every question still gets its answer.
    let refusals: Vec<Answer> =
        questions.iter().map(|question| question.refuse(trouble())).collect();
    let Ok(begun) = Arc::clone(&shared.scans.begun).acquire_owned().await else { return refusals };
    let handle = Handle::current();
    let scan = tokio::task::spawn_blocking(move || {
        let _begun = begun;
        let turns = Turns::new(&shared.scans.turns, handle, shared.settings.limits.query_secs);
        let (mut done, left) = answers(&shared, &line, &viewer, questions, &|| turns.may_go_on());
        done.extend(left.iter().map(|question| question.refuse(too_long())));
        done
    });
    scan.await.unwrap_or(refusals)
}

/// Answers until one is given up; what is left begins with that.
fn answers<B: Backend>(
    shared: &Shared<B>,
    line: &Arc<Line>,
    viewer: &Viewer,
    questions: Vec<Question>,
    go_on: &dyn Fn() -> bool,
) -> (Vec<Answer>, Vec<Question>) {
    let asker = Asker::new(viewer, go_on);
    let limits = &shared.settings.limits;
    let clerk = Clerk { backend: &*shared.backend, limits, pool: &shared.pool, asker };
    let watch = |key, filters: &_| shared.audience.watch(line, key, filters);
    let (mut done, mut left) = (Vec::with_capacity(questions.len()), Vec::new());
    for question in questions {
        if clerk.asker.gave_up() {
            left.push(question);
        } else {
            match clerk.answer(question, watch) {
                Ok(answer) => done.push(answer),
                Err(question) => left.push(question),
            }
        }
    }
    (done, left)
}

/// One scan's turns.
struct Turns<'a> {
    turns: &'a Arc<Semaphore>,
    handle: Handle,
    turn: RefCell<Option<OwnedSemaphorePermit>>,
    turn_began: Cell<Instant>,
    ends: Instant,
}

impl<'a> Turns<'a> {
    /// Waits for the first turn.
    fn new(turns: &'a Arc<Semaphore>, handle: Handle, most_secs: u64) -> Self {
        let now = Instant::now();
        let turns = Self {
            turns,
            handle,
            turn: RefCell::new(None),
            turn_began: Cell::new(now),
            ends: now + Duration::from_secs(most_secs),
        };
        turns.next();
        turns
    }

    /// Lets others in once this turn was long enough. No, once all turns together were too long.
    fn may_go_on(&self) -> bool {
        if self.turn_began.get().elapsed() >= TURN {
            self.next();
        }
        Instant::now() < self.ends
    }

    /// Gives the turn back and queues for another.
    fn next(&self) {
        drop(self.turn.take());
        let turn = self.handle.block_on(Arc::clone(self.turns).acquire_owned());
        // Nobody closes the semaphore.
        self.turn.replace(turn.ok());
        self.turn_began.set(Instant::now());
    }
}

fn trouble() -> Rejection {
    Rejection::new(Prefix::Error, "this relay could not answer; try again later")
}

fn too_long() -> Rejection {
    Rejection::new(Prefix::Error, "this takes too long to look up; ask for less at a time")
}
