//! The way into one connection's task for everybody else: an inbox, bounded in bytes, and a waker.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use ayni_protocol::{Event, EventId, Rejection, VerifiedEvent};
use futures_util::task::AtomicWaker;

use crate::backend::Viewer;
use crate::receipt::Verdict;
use crate::session::{Live, Purpose};

/// The outcome of a signature check.
#[derive(Debug)]
pub struct Checked {
    pub id: EventId,
    pub purpose: Purpose,
    pub weight: usize,
    pub outcome: Result<VerifiedEvent, Rejection>,
}

/// What the backend made of a submitted event.
#[derive(Debug)]
pub struct Settled {
    pub id: EventId,
    pub weight: usize,
    pub verdict: Verdict,
}

/// What came for a connection since it last looked.
#[derive(Debug, Default)]
pub struct Arrivals {
    pub checked: Vec<Checked>,
    pub settled: Vec<Settled>,
    pub live: Vec<(u64, Arc<Live>)>,
    live_bytes: usize,
}

/// The shared end of a connection.
#[derive(Debug)]
pub struct Line {
    /// Which connection this is.
    pub number: u64,
    /// Whose it is.
    pub address: IpAddr,
    arrivals: Mutex<Arrivals>,
    /// Who is on the connection, for whoever hands out private events.
    viewer: Mutex<Arc<Viewer>>,
    overflowed: AtomicBool,
    stopping: AtomicBool,
    ended: AtomicBool,
    waker: AtomicWaker,
    capacity_bytes: usize,
}

impl Line {
    pub fn new(number: u64, address: IpAddr, capacity_bytes: usize) -> Self {
        Self {
            number,
            address,
            arrivals: Mutex::default(),
            viewer: Mutex::default(),
            overflowed: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            capacity_bytes,
        }
    }

    /// Notes who is on the connection now.
    pub fn recognise(&self, viewer: &Arc<Viewer>) {
        *self.viewer.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(viewer);
    }

    /// Whether those on the connection may see an event.
    pub fn may_see(&self, event: &Event) -> bool {
        self.viewer.lock().unwrap_or_else(PoisonError::into_inner).may_see(event)
    }

    /// Brings a live event for a subscription. Where too much lies there already, nothing more is
    /// taken: the connection will find that it overflowed and end.
    pub fn deliver(&self, key: u64, live: &Arc<Live>) {
        let mut arrivals = self.lock();
        arrivals.live_bytes += live.json.len();
        if arrivals.live_bytes > self.capacity_bytes {
            self.overflowed.store(true, Ordering::Release);
        } else {
            arrivals.live.push((key, Arc::clone(live)));
        }
        drop(arrivals);
        self.waker.wake();
    }

    /// Brings outcomes of signature checks.
    pub fn bring(&self, checked: Vec<Checked>) {
        self.lock().checked.extend(checked);
        self.waker.wake();
    }

    /// Brings what became of a submitted event.
    pub fn settle(&self, settled: Settled) {
        self.lock().settled.push(settled);
        self.waker.wake();
    }

    /// Asks the connection to end politely.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Marks the connection as ended. Only [`crate::audience::Audience`] does, under its lock.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Takes all that came.
    pub fn take(&self) -> Arrivals {
        std::mem::take(&mut *self.lock())
    }

    pub fn has_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whom to wake when something comes.
    pub fn register(&self, context: &Context<'_>) {
        let waker: &Waker = context.waker();
        self.waker.register(waker);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
