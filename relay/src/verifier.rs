//! Signature checks on all cores, away from the async threads.
//!
//! A few plain threads take events from one queue, several at a time, and bring the outcomes to
//! the connections they belong to, those of one connection together, so that its writer sees them
//! together. The queue is bounded: what comes beyond is refused with `rate-limited:`, but a single
//! connection rarely gets there, because it may only have so many bytes under way.
//!
//! A single event on a relay that has nothing else to check is not worth waking a thread for, and
//! then another to hear of it: it is checked where it came ([`Verifier::check_here`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use ayni_protocol::{KnownKeys, Prefix, Rejection};

use crate::line::{Checked, Line};
use crate::session::Errand;
use crate::statistics::{Counters, add};

/// Events a thread takes at once, and no more than its share of those that wait: enough that locking
/// and waking cost nothing beside 30 to 80 microseconds of work each.
const BATCH: usize = 16;
/// Public keys that each thread remembers, in a hundred bytes each.
const KEYS: usize = 16_384;

struct Job {
    errand: Errand,
    line: Arc<Line>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Threads that wait to be woken.
    idle: usize,
    stopped: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// How many jobs wait, for those who only want to know.
    waiting: AtomicUsize,
    filled: Condvar,
    threads: usize,
    /// Held by the one thread of sockets that checks an event itself.
    here: Mutex<KnownKeys>,
    counters: Arc<Counters>,
}

/// The pool. Its threads end when it is dropped.
pub struct Verifier {
    shared: Arc<Shared>,
    capacity: usize,
}

impl Verifier {
    /// A pool with one thread a core, holding at most `capacity` events that wait.
    pub fn new(capacity: usize, counters: Arc<Counters>) -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            waiting: AtomicUsize::new(0),
            filled: Condvar::new(),
            threads: cores,
            here: Mutex::new(KnownKeys::up_to(KEYS)),
            counters,
        });
        for number in 0..cores {
            let shared = Arc::clone(&shared);
            let name = format!("verifier-{number}");
            if let Err(error) = thread::Builder::new().name(name).spawn(move || shared.run()) {
                tracing::error!(%error, "a verifier thread could not be started");
            }
        }
        Self { shared, capacity }
    }

    /// Whether far fewer events wait than may.
    pub fn has_time(&self) -> bool {
        self.shared.waiting.load(Relaxed) < self.capacity / 8
    }

    /// Checks an event on the thread of its socket, if nothing waits here, which may at all, and no
    /// other socket's thread does the same: at least one of them stays free for all the others.
    ///
    /// # Errors
    /// The errand, where it has to wait its turn.
    pub fn check_here(&self, errand: Errand) -> Result<Checked, Errand> {
        if self.capacity == 0 || self.shared.waiting.load(Relaxed) > 0 {
            return Err(errand);
        }
        let Ok(mut known) = self.shared.here.try_lock() else { return Err(errand) };
        add(&self.shared.counters.verified, 1);
        Ok(verify(errand, &mut known))
    }

    /// Takes events in; their outcomes come to `line`. Those there is no room for get theirs at
    /// once: it is returned.
    pub fn check(&self, mut errands: Vec<Errand>, line: &Arc<Line>) -> Vec<Checked> {
        let mut queue = self.shared.lock();
        let room = self.capacity.saturating_sub(queue.jobs.len());
        let beyond = errands.split_off(errands.len().min(room));
        let sleepers = queue.idle.min(errands.len());
        let job = |errand| Job { errand, line: Arc::clone(line) };
        queue.jobs.extend(errands.into_iter().map(job));
        self.shared.waiting.store(queue.jobs.len(), Relaxed);
        drop(queue);
        (0..sleepers).for_each(|_| self.shared.filled.notify_one());
        beyond.into_iter().map(unchecked).collect()
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.filled.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut known = KnownKeys::up_to(KEYS);
        while let Some(batch) = self.next_batch() {
            add(&self.counters.verified, batch.len());
            verify_batch(batch, &mut known);
        }
    }

    fn next_batch(&self) -> Option<Vec<Job>> {
        let mut queue = self.lock();
        loop {
            if queue.stopped {
                return None;
            }
            if !queue.jobs.is_empty() {
                let count = queue.jobs.len().div_ceil(self.threads).min(BATCH);
                let batch = queue.jobs.drain(..count).collect();
                self.waiting.store(queue.jobs.len(), Relaxed);
                return Some(batch);
            }
            queue.idle += 1;
            queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

fn verify_batch(batch: Vec<Job>, known: &mut KnownKeys) {
    let mut done: Vec<Checked> = Vec::new();
    let mut whose: Option<Arc<Line>> = None;
    for Job { errand, line } in batch {
        let same = whose.as_ref().is_some_and(|other| Arc::ptr_eq(other, &line));
        if let Some(other) = whose.take_if(|_| !same) {
            other.bring(std::mem::take(&mut done));
        }
        done.push(verify(errand, known));
        whose = Some(line);
    }
    if let Some(line) = whose {
        line.bring(done);
    }
}

fn unchecked(Errand { event, purpose, weight }: Errand) -> Checked {
    let sentence = "this relay has too many events to check; try again soon";
    let outcome = Err(Rejection::new(Prefix::RateLimited, sentence));
    Checked { id: event.id, purpose, weight, outcome }
}

fn verify(errand: Errand, known: &mut KnownKeys) -> Checked {
    let Errand { event, purpose, weight } = errand;
    let id = event.id;
    let outcome = event.verify_among(known).map_err(|error| Rejection::invalid(error.to_string()));
    Checked { id, purpose, weight, outcome }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Event, Keys, kind};

    use super::*;
    use crate::session::Purpose;

    fn errand(change: impl FnOnce(&mut Event)) -> Errand {
        let keys = Keys::from_secret([7; 32]).unwrap();
        let mut event = Event::clone(&Draft::new(kind::NOTE).sign(&keys, 1, [9; 32]));
        change(&mut event);
        Errand { event: Box::new(event), purpose: Purpose::Store, weight: 300 }
    }

    #[test]
    fn what_is_checked_where_it_came_is_checked_as_well() {
        let verifier = Verifier::new(8, Arc::default());
        let good = verifier.check_here(errand(|_| {})).unwrap();
        assert!(good.outcome.is_ok_and(|event| event.id == good.id));
        let forged = verifier.check_here(errand(|event| event.sig[3] ^= 1)).unwrap();
        assert_eq!(forged.outcome.unwrap_err().prefix, Prefix::Invalid);
        let counted = verifier.shared.counters.verified.load(Relaxed);
        assert_eq!(counted, 2);
    }

    #[test]
    fn one_socket_at_a_time_checks_for_itself_and_none_while_others_wait() {
        let verifier = Verifier::new(8, Arc::default());
        let busy = verifier.shared.here.lock().unwrap();
        assert!(verifier.check_here(errand(|_| {})).is_err());
        drop(busy);
        verifier.shared.waiting.store(1, Relaxed);
        assert!(verifier.check_here(errand(|_| {})).is_err());
        verifier.shared.waiting.store(0, Relaxed);
        assert!(verifier.check_here(errand(|_| {})).is_ok());
        assert!(Verifier::new(0, Arc::default()).check_here(errand(|_| {})).is_err());
    }
}
