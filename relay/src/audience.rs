//! Everybody who is listening: the live index, and the connections behind it.
//!
//! Handing an event out costs one look-up under a short lock and one push for each subscription
//! that wants it; nothing is awaited, so no reader can hold the publisher up.
//!
//! An event may be handed out ahead of the store's sync, which takes longer than all the rest. Until
//! queries find it, it is kept here as well, for whoever subscribes meanwhile: their query would
//! miss it, and it has passed the others already. Positions tell whether a query had it after all.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ayni_protocol::{Filter, VerifiedEvent};

use crate::fanout::Index;
use crate::line::Line;
use crate::session::Live;

/// A subscription as the index knows it.
type Target = (Arc<Line>, u64);

#[derive(Debug, Default)]
struct Inner {
    index: Index<Target>,
    /// Where each subscription is filed, by connection and key.
    numbers: BTreeMap<(u64, u64), u32>,
    /// What was handed out and is not found by queries yet.
    ahead: Vec<(VerifiedEvent, Arc<Live>)>,
}

/// All live subscriptions.
#[derive(Debug, Default)]
pub struct Audience(Mutex<Inner>);

impl Audience {
    /// Files a subscription, unless its connection has ended meanwhile.
    pub fn watch(&self, line: &Arc<Line>, key: u64, filters: &Arc<[Filter]>) {
        let mut inner = self.lock();
        if line.has_ended() {
            return;
        }
        let number = inner.index.insert((Arc::clone(line), key), Arc::clone(filters));
        inner.numbers.insert((line.number, key), number);
        for (event, live) in &inner.ahead {
            let wanted = filters.iter().any(|filter| filter.matches(event));
            if wanted && (!event.kind.is_private() || line.may_see(event)) {
                line.deliver(key, live);
            }
        }
    }

    /// Takes one subscription out, if it is filed.
    pub fn unwatch(&self, line: &Line, key: u64) {
        let mut inner = self.lock();
        if let Some(number) = inner.numbers.remove(&(line.number, key)) {
            inner.index.remove(number);
        }
    }

    /// A connection has ended: takes out all it had, and keeps out what may still come.
    pub fn forget(&self, line: &Line) {
        let mut inner = self.lock();
        line.end();
        let all = (line.number, 0)..=(line.number, u64::MAX);
        let filed: Vec<_> = inner.numbers.extract_if(all, |_, _| true).collect();
        for (_, number) in filed {
            inner.index.remove(number);
        }
    }

    /// Brings an event to everyone who wants it and may see it, and tells how many subscriptions
    /// that were. `ahead` says that queries do not find it before [`Self::catch_up`].
    pub fn publish(&self, event: &VerifiedEvent, position: Option<u64>, ahead: bool) -> usize {
        let mut inner = self.lock();
        let mut targets: Vec<Target> = inner.index.matches(event).into_iter().cloned().collect();
        let live = LazyCell::new(|| Arc::new(Live::new(event, position)));
        if ahead {
            inner.ahead.push((event.clone(), Arc::clone(&live)));
        }
        drop(inner);
        if event.kind.is_private() {
            targets.retain(|(line, _)| line.may_see(event));
        }
        for (line, key) in &targets {
            line.deliver(*key, &live);
        }
        targets.len()
    }

    /// Queries find all that was handed out until now.
    pub fn catch_up(&self) {
        self.lock().ahead.clear();
    }

    /// How many subscriptions are filed.
    pub fn len(&self) -> usize {
        self.lock().index.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
