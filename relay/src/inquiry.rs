//! Answering a session's questions from the backend.
//!
//! An answer may be given up halfway, because it takes longer than whoever waits for it can wait:
//! then the question comes back, to be asked again elsewhere (see `asking.rs`).

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use ayni_protocol::hyperloglog::Registers;
use ayni_protocol::wire::Rest;
use ayni_protocol::{Event, EventId, Filter, Limits, Prefix, Rejection, Timestamp};

use crate::backend::{Asker, Backend, Stored};
use crate::session::reconciliation::{Pool, Reconciliation};
use crate::session::{Answer, Counted, Found, Question};

/// What answers questions, apart from threads.
pub struct Clerk<'a, B> {
    /// The keeper of events.
    pub backend: &'a B,
    /// The limits.
    pub limits: &'a Limits,
    /// Events that all reconciliations hold together.
    pub pool: &'a Pool,
    /// Who asks.
    pub asker: Asker<'a>,
}

impl<B: Backend> Clerk<'_, B> {
    /// The answer. `watch` puts a subscription's filters into the live index; it is called before
    /// the position is noted up to which the stored events are looked up, and once a subscription.
    ///
    /// # Errors
    /// The question, where the asker did not wait for the whole answer.
    pub fn answer(
        &self,
        mut question: Question,
        watch: impl Fn(u64, &Arc<[Filter]>),
    ) -> Result<Answer, Question> {
        let allowed = self.backend.may_read(self.asker.viewer);
        let answer = match &mut question {
            Question::Stored { key, filters, position } => Answer::Stored(
                *key,
                allowed.map(|()| {
                    let noted = *position.get_or_insert_with(|| {
                        watch(*key, filters);
                        self.backend.last_position()
                    });
                    self.stored(filters, noted)
                }),
            ),
            Question::Count { name, filters } => {
                Answer::Count(name.clone(), allowed.and_then(|()| self.count(filters)))
            }
            Question::Open { key, filter, message } => {
                Answer::Opened(*key, allowed.and_then(|()| self.open(filter, message)))
            }
            Question::Reconcile { key, session, message } => {
                Answer::Reconciled(*key, allowed.and_then(|()| self.reconcile(session, message)))
            }
        };
        if self.asker.gave_up() { Err(question) } else { Ok(answer) }
    }

    fn stored(&self, filters: &[Filter], position: u64) -> Found {
        let mut sent = BTreeSet::new();
        let (mut events, mut next) = (Vec::new(), Vec::new());
        let (several, mut finished) = (filters.len() > 1, true);
        for filter in self.in_turn(filters) {
            let part = self.part(filter);
            // What was stored after the position was noted comes live.
            let known = part.events.into_iter().filter(|event| event.position <= position);
            let fresh = known.filter(|event| !several || sent.insert(event.position));
            events.extend(fresh.map(|event| event.json));
            finished &= part.finished && !self.asker.viewer.misses(filter);
            next.extend(part.next);
        }
        // What one filter would have sent next, another may have sent.
        let left = |event: &Stored| event.position <= position && !sent.contains(&event.position);
        let rest = match finished {
            true => Rest::Finish,
            false if next.iter().any(left) => Rest::More,
            false => Rest::Unknown,
        };
        Found { events, position, rest }
    }

    /// The filters that match anything, one after another while whoever asks waits.
    fn in_turn<'f>(&'f self, filters: &'f [Filter]) -> impl Iterator<Item = &'f Filter> {
        let matching = filters.iter().filter(|filter| !filter.matches_nothing());
        let waits = |(at, _): &(usize, _)| *at == 0 || self.asker.may_go_on();
        matching.enumerate().take_while(waits).map(|(_, filter)| filter)
    }

    fn part(&self, filter: &Filter) -> Part {
        let limit = filter.limit_within(self.limits);
        if limit == 0 {
            // Live events alone are wanted, and nobody looks for others.
            return Part::default();
        }
        let mut part = self.cut(filter, limit);
        // A client that named this limit counts on it. Where the relay cuts, a client goes on at
        // the time of the last event, and would miss what is cut off of that second (NIP-67).
        // What a search finds is in another order than time.
        let by_time = filter.search.is_none();
        let by_relay = by_time && filter.limit.is_none_or(|wanted| wanted > limit);
        if by_relay {
            self.complete(filter, limit, &mut part, true);
        }
        part
    }

    /// The newest `limit` matches, and the one that would come next.
    fn cut(&self, filter: &Filter, limit: usize) -> Part {
        if self.asker.gave_up() {
            return Part::default();
        }
        let mut page = self.backend.query(filter, limit.saturating_add(1), &self.asker);
        let next = if page.events.len() > limit { page.events.pop() } else { None };
        let finished = page.exhausted && next.is_none();
        Part { events: page.events, next, finished }
    }

    /// Adds what is left of a second in which the answer was cut, as far as that is no more than a
    /// largest answer. Whoever asked up to that very second knows it already, and is told what comes
    /// next as well (`goes_on`), by whole seconds too: otherwise they would never get beyond it.
    fn complete(&self, filter: &Filter, limit: usize, part: &mut Part, goes_on: bool) {
        let (Some(last), Some(next)) = (part.events.last(), &part.next) else { return };
        let Some(second) = time(last).filter(|second| time(next) == Some(*second)) else { return };
        let of_second =
            Filter { since: Some(second), until: Some(second), limit: None, ..filter.clone() };
        let same = self.cut(&of_second, self.limits.max_limit);
        let sent: BTreeSet<u64> = part.events.iter().map(|event| event.position).collect();
        let missing = same.events.into_iter().filter(|event| !sent.contains(&event.position));
        part.events.extend(missing);
        if !same.finished {
            part.next = same.next;
            return;
        }
        let Some(before) = second.checked_sub(1) else {
            return (part.next, part.finished) = (None, true);
        };
        let older = Filter { since: filter.since, until: Some(before), ..of_second };
        if goes_on && filter.until == Some(second) {
            let mut rest = self.cut(&older, limit);
            self.complete(&older, limit, &mut rest, false);
            part.events.extend(rest.events);
            return (part.next, part.finished) = (rest.next, rest.finished);
        }
        let older = self.cut(&older, 1);
        part.finished = older.finished && older.events.is_empty();
        part.next = older.events.into_iter().next();
    }

    /// Every event once, whichever filters it matches (NIP-45).
    fn count(&self, filters: &[Filter]) -> Result<Counted, Rejection> {
        if let [filter] = filters {
            return Ok(self.count_one(filter));
        }
        let most = self.limits.reconciliation_events;
        let mut ids = BTreeSet::new();
        for filter in self.in_turn(filters) {
            let items = self.backend.items(filter, most.saturating_add(1), &self.asker);
            ids.extend(items.into_iter().map(|(_, id)| id));
            if ids.len() > most {
                let sentence = "too many events match; count one filter at a time";
                return Err(Rejection::new(Prefix::Unsupported, sentence));
            }
        }
        // Each filter has a place of its own, so registers of several would say nothing.
        Ok(Counted { events: ids.len(), registers: None })
    }

    fn count_one(&self, filter: &Filter) -> Counted {
        let mut registers = filter.offset.map(Registers::new);
        let mut events = 0;
        match &mut registers {
            _ if filter.matches_nothing() => {}
            None => events = self.backend.count(filter, &self.asker),
            Some(registers) => self.backend.authors(filter, &self.asker, &mut |author| {
                events += 1;
                registers.see(author);
            }),
        }
        Counted { events, registers }
    }

    fn open(
        &self,
        filter: &Filter,
        message: &[u8],
    ) -> Result<(Reconciliation, Vec<u8>), Rejection> {
        let most = self.limits.reconciliation_events;
        let mut items = Vec::new();
        if !filter.matches_nothing() {
            items = self.backend.items(filter, most.saturating_add(1), &self.asker);
        }
        if self.asker.gave_up() {
            // Nobody is told: the question is asked again, or refused.
            return Err(Rejection::new(Prefix::Error, "given up"));
        }
        if items.len() > most {
            let sentence = format!("this query is too big, more than {most} events match");
            return Err(Rejection::new(Prefix::Blocked, sentence));
        }
        if let Some(limit) = filter.limit {
            keep_newest(&mut items, limit);
        }
        let claim = self.pool.claim(items.len(), self.limits)?;
        let session = Reconciliation::new(items, claim, self.limits);
        let reply = self.reconcile(&session, message)?;
        Ok((session, reply))
    }

    /// A hostile message that makes the algorithm panic ends its own session only.
    fn reconcile(&self, session: &Reconciliation, message: &[u8]) -> Result<Vec<u8>, Rejection> {
        let answer = || session.answer(message, &|| self.asker.may_go_on());
        let answer = std::panic::catch_unwind(AssertUnwindSafe(answer));
        answer.unwrap_or_else(|_| Err(Rejection::invalid("no negentropy message")))
    }
}

/// Keeps the newest `limit`, here as in a REQ: of the second that is cut the lowest ids.
fn keep_newest(items: &mut Vec<(Timestamp, EventId)>, limit: usize) {
    let beyond = items.len().saturating_sub(limit);
    let Some(&(second, _)) = items.get(beyond) else { return items.clear() };
    let begins = items.partition_point(|(time, _)| *time < second);
    let ends = items.partition_point(|(time, _)| *time <= second);
    items.drain(begins + ends - beyond..ends);
    items.drain(..begins);
}

/// What one filter finds.
#[derive(Default)]
struct Part {
    events: Vec<Stored>,
    /// The newest that matches and was left out.
    next: Option<Stored>,
    /// Whether surely nothing was left out.
    finished: bool,
}

fn time(event: &Stored) -> Option<Timestamp> {
    Some(Event::parse(str::from_utf8(&event.json).ok()?).ok()?.created_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_those_that_a_req_would_send() {
        let item = |time, id| (time, EventId([id; 32]));
        let all = [item(1, 1), item(2, 1), item(2, 2), item(2, 3), item(3, 9)];
        for limit in 0..7 {
            let mut as_sent = all.to_vec();
            as_sent.sort_by_key(|(time, id)| (std::cmp::Reverse(*time), *id));
            as_sent.truncate(limit);
            as_sent.sort();
            let mut kept = all.to_vec();
            keep_newest(&mut kept, limit);
            assert_eq!(kept, as_sent, "{limit}");
        }
    }
}
