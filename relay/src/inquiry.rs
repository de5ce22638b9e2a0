//! Answering a session's questions from the backend.
//!
//! What is quick is answered where it is asked; the rest goes to blocking threads, as many at a
//! time as there are cores, so that one connection's scan delays no socket and no flood of scans
//! makes a thousand threads. Questions of one connection are answered one batch after another,
//! which is what keeps a connection's share fair.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use ayni_protocol::{Filter, Limits, Prefix, Rejection};

use crate::backend::{Backend, Viewer};
use crate::session::reconciliation::{Pool, Reconciliation};
use crate::session::{Answer, Found, Question};

/// What answers questions, apart from threads.
pub struct Clerk<'a, B> {
    /// The keeper of events.
    pub backend: &'a B,
    /// The limits.
    pub limits: &'a Limits,
    /// Events that all reconciliations hold together.
    pub pool: &'a Pool,
    /// Who asks.
    pub viewer: &'a Viewer,
}

impl<B: Backend> Clerk<'_, B> {
    /// Whether the answer takes microseconds.
    pub fn is_quick(&self, question: &Question) -> bool {
        let Question::Stored { filters, .. } = question else { return false };
        filters.iter().all(|filter| {
            let limit = filter.limit_within(self.limits);
            filter.matches_nothing() || self.backend.is_quick(filter, limit)
        })
    }

    /// The answer. `watch` puts a subscription's filters into the live index; it is called before
    /// the position is noted up to which the stored events are looked up.
    pub fn answer(&self, question: Question, watch: impl Fn(u64, &Arc<[Filter]>)) -> Answer {
        let allowed = self.backend.may_read(self.viewer);
        match question {
            Question::Stored { key, filters } => Answer::Stored(
                key,
                allowed.map(|()| {
                    watch(key, &filters);
                    self.stored(&filters)
                }),
            ),
            Question::Count { name, filters } => {
                Answer::Count(name, allowed.and_then(|()| self.count(&filters)))
            }
            Question::Open { key, filter, message } => {
                Answer::Opened(key, allowed.and_then(|()| self.open(&filter, &message)))
            }
            Question::Reconcile { key, session, message } => {
                Answer::Reconciled(key, allowed.and_then(|()| reconcile(&session, &message)))
            }
        }
    }

    fn stored(&self, filters: &[Filter]) -> Found {
        let position = self.backend.last_position();
        let mut seen = BTreeSet::new();
        let mut events = Vec::new();
        let several = filters.len() > 1;
        for filter in filters {
            let limit = filter.limit_within(self.limits);
            if limit == 0 || filter.matches_nothing() {
                continue;
            }
            let page = self.backend.query(filter, limit, self.viewer);
            // What was stored after the position was noted comes live.
            let known = page.events.into_iter().filter(|event| event.position <= position);
            events.extend(
                known
                    .filter(|event| !several || seen.insert(event.position))
                    .map(|event| event.json),
            );
        }
        Found { events, position }
    }

    /// Every event once, whichever filters it matches (NIP-45).
    fn count(&self, filters: &[Filter]) -> Result<usize, Rejection> {
        if let [filter] = filters {
            let nothing = filter.matches_nothing();
            return Ok(if nothing { 0 } else { self.backend.count(filter, self.viewer) });
        }
        let most = self.limits.reconciliation_events;
        let mut ids = BTreeSet::new();
        for filter in filters.iter().filter(|filter| !filter.matches_nothing()) {
            let items = self.backend.items(filter, most.saturating_add(1), self.viewer);
            ids.extend(items.into_iter().map(|(_, id)| id));
            if ids.len() > most {
                let sentence = "too many events match; count one filter at a time";
                return Err(Rejection::new(Prefix::Unsupported, sentence));
            }
        }
        Ok(ids.len())
    }

    fn open(
        &self,
        filter: &Filter,
        message: &[u8],
    ) -> Result<(Reconciliation, Vec<u8>), Rejection> {
        let most = self.limits.reconciliation_events;
        let mut items = Vec::new();
        if !filter.matches_nothing() {
            items = self.backend.items(filter, most.saturating_add(1), self.viewer);
        }
        if items.len() > most {
            let sentence = format!("this query is too big, more than {most} events match");
            return Err(Rejection::new(Prefix::Blocked, sentence));
        }
        // A limit asks for the newest, here as in a REQ.
        let beyond = filter.limit.map_or(0, |limit| items.len().saturating_sub(limit));
        items.drain(..beyond);
        let claim = self.pool.claim(items.len(), self.limits)?;
        let mut session = Reconciliation::open(items, claim, self.limits)?;
        let reply = guarded(&mut session, message)?;
        Ok((session, reply))
    }
}

fn reconcile(session: &Mutex<Reconciliation>, message: &[u8]) -> Result<Vec<u8>, Rejection> {
    guarded(&mut session.lock().unwrap_or_else(PoisonError::into_inner), message)
}

/// A hostile message that makes the algorithm panic ends its own session only.
fn guarded(session: &mut Reconciliation, message: &[u8]) -> Result<Vec<u8>, Rejection> {
    let answer = std::panic::catch_unwind(AssertUnwindSafe(|| session.answer(message)));
    answer.unwrap_or_else(|_| Err(Rejection::invalid("no negentropy message")))
}
