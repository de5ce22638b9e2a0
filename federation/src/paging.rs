//! The difference of two sets where the peer does not know NIP-77: read all of it, page by page.
//!
//! A filter with a limit gives the newest, so pages go back in time by `until`. The bound is
//! inclusive, because several events share a second and a page may end between them; only when a
//! page brings nothing new does the next one begin a second earlier. `created_at` is free text
//! (protocol, principle 2), so a pass can not start from where the last one ended.

use std::collections::BTreeSet;

use ayni_protocol::{Event, EventId, Filter, Timestamp};

use crate::{Terms, scope};

/// One reading of the peer's events.
#[derive(Debug)]
pub struct Paging {
    /// Oldest first.
    items: Vec<(Timestamp, EventId)>,
    ours: BTreeSet<EventId>,
    seen: BTreeSet<EventId>,
    until: Option<Timestamp>,
    page: Page,
}

#[derive(Debug, Default)]
struct Page {
    events: usize,
    new: usize,
    oldest: Option<Timestamp>,
}

/// What one event of a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// One we do not hold.
    New,
    /// One we hold, or that came before.
    Known,
    /// Not what was asked for, or more than that.
    Unasked,
}

/// How the reading goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Ask for the next page.
    Page,
    /// All was read.
    Done,
    /// Enough for one pass; the rest was not read.
    Enough,
}

impl Paging {
    /// Begins, holding `items`.
    pub fn new(items: Vec<(Timestamp, EventId)>) -> Self {
        let ours = items.iter().map(|(_, id)| *id).collect();
        Self { items, ours, seen: BTreeSet::new(), until: None, page: Page::default() }
    }

    /// What to ask for next.
    pub fn filter(&self, terms: &Terms) -> Filter {
        scope::page(&terms.scope, self.until, terms.page_events)
    }

    /// Takes an event of the page.
    pub fn take(&mut self, event: &Event, terms: &Terms) -> Found {
        let late = self.until.is_some_and(|until| event.created_at > until);
        if late || self.page.events >= terms.page_events || !terms.scope.matches(event) {
            return Found::Unasked;
        }
        self.page.events += 1;
        let oldest = self.page.oldest.get_or_insert(event.created_at);
        *oldest = event.created_at.min(*oldest);
        if !self.seen.insert(event.id) {
            return Found::Known;
        }
        self.page.new += 1;
        if self.ours.contains(&event.id) { Found::Known } else { Found::New }
    }

    /// Takes the end of the page.
    pub fn turn(&mut self, terms: &Terms) -> Turn {
        let page = std::mem::take(&mut self.page);
        let Some(oldest) = page.oldest else { return Turn::Done };
        if self.seen.len() >= terms.pass_ids_max.saturating_add(self.ours.len()) {
            return Turn::Enough;
        }
        self.until = if page.new > 0 { Some(oldest) } else { oldest.checked_sub(1) };
        let over = self.until.is_none() || self.until < terms.scope.since;
        if over { Turn::Done } else { Turn::Page }
    }

    /// What we hold and the peer did not show, oldest first.
    pub fn unseen(&self) -> Vec<EventId> {
        let ids = self.items.iter().map(|(_, id)| *id);
        ids.filter(|id| !self.seen.contains(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys, VerifiedEvent, kind};
    use proptest::prelude::*;

    use super::*;

    fn event(n: u8, time: Timestamp) -> VerifiedEvent {
        let keys = Keys::from_secret([1; 32]).unwrap();
        Draft::new(kind::CHARTER).content(n.to_string()).sign(&keys, time, [0; 32])
    }

    /// What a relay would answer: the newest first, at most its own limit.
    fn answer(events: &[VerifiedEvent], filter: &Filter, most: usize) -> Vec<VerifiedEvent> {
        let mut found: Vec<_> = events.iter().filter(|e| filter.matches(e)).cloned().collect();
        found.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
        found.truncate(most.min(filter.limit.unwrap()));
        found
    }

    fn read(paging: &mut Paging, events: &[VerifiedEvent], most: usize) -> BTreeSet<EventId> {
        let terms = Terms::default();
        let mut new = BTreeSet::new();
        for _ in 0..=2 * events.len() + 1 {
            for event in answer(events, &paging.filter(&terms), most) {
                match paging.take(&event, &terms) {
                    Found::New => _ = new.insert(event.id),
                    Found::Known => {}
                    Found::Unasked => panic!("it was asked for"),
                }
            }
            match paging.turn(&terms) {
                Turn::Page => {}
                Turn::Done => return new,
                Turn::Enough => panic!("it is far below its share"),
            }
        }
        panic!("a reading ends")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]
        /// Whatever the relay's own limit, provided no second holds more events than that.
        #[test]
        fn every_event_is_found(times in prop::collection::vec(0_u64..12, 0..12), held in 0..8_u8) {
            let pool = times.iter().zip(0..).map(|(time, n)| event(n, *time));
            let pool: Vec<_> = pool.collect();
            let crowd = times.iter().map(|t| times.iter().filter(|o| *o == t).count()).max();
            let ours = pool.iter().take(held.into()).map(|e| (e.created_at, e.id)).collect();
            let mut paging = Paging::new(ours);
            let new = read(&mut paging, &pool, crowd.unwrap_or(0) + 1);
            let expected = pool.iter().skip(held.into()).map(|e| e.id).collect();
            prop_assert_eq!(new, expected);
            prop_assert_eq!(paging.unseen(), vec![]);
        }
    }

    #[test]
    fn what_the_peer_lacks_is_what_it_did_not_show() {
        let (ours, theirs) = (event(1, 5), event(2, 5));
        let mut paging = Paging::new(vec![(5, ours.id)]);
        assert_eq!(
            read(&mut paging, std::slice::from_ref(&theirs), 500),
            BTreeSet::from([theirs.id])
        );
        assert_eq!(paging.unseen(), [ours.id]);
    }

    #[test]
    fn what_was_not_asked_for_is_noticed() {
        let terms = Terms { page_events: 1, ..Terms::default() };
        let mut paging = Paging::new(vec![]);
        assert_eq!(paging.take(&event(1, 5), &terms), Found::New);
        assert_eq!(paging.take(&event(2, 5), &terms), Found::Unasked);
        assert_eq!(paging.turn(&terms), Turn::Page);
        assert_eq!(paging.take(&event(3, 6), &terms), Found::Unasked);
        let keys = Keys::from_secret([1; 32]).unwrap();
        let note = Draft::new(kind::NOTE).sign(&keys, 1, [0; 32]);
        assert_eq!(paging.take(&note, &terms), Found::Unasked);
    }

    #[test]
    fn a_peer_without_end_is_left_at_its_share() {
        let terms = Terms { pass_ids_max: 3, page_events: 2, ..Terms::default() };
        let mut paging = Paging::new(vec![]);
        let mut turns = (0..4).map(|n| {
            paging.take(&event(2 * n, 5), &terms);
            paging.take(&event(2 * n + 1, 5), &terms);
            paging.turn(&terms)
        });
        assert_eq!(turns.next(), Some(Turn::Page));
        assert_eq!(turns.next(), Some(Turn::Enough));
    }
}
