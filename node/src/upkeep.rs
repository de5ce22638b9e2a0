//! What a node does for its disk from time to time: it lets go what need not be kept, and gives the
//! room back once that is worth the writing.
//!
//! Deliberately absent: a snapshot of the index while the node runs. Taking one stops the writer
//! for as long as it takes to write the index out, and spares a node that crashed one reading of
//! its journal.

use std::sync::Arc;
use std::time::Duration;

use ayni_protocol::Timestamp;
use ayni_store::{Fault, Retention, Store as _};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::clock;

/// Looks after the store every so often, until it is told to stop.
pub async fn run(backend: Backend, retention: Retention, every_secs: u64, stop: CancellationToken) {
    let mut every = clock::every(Duration::from_secs(every_secs.max(1)));
    let retention = Arc::new(retention);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let (backend, retention) = (backend.clone(), Arc::clone(&retention));
        // Blocking work, and a stop waits for it: it ends between two removals or two segments at
        // the latest when the disk fails, and is durable step by step.
        match tokio::task::spawn_blocking(move || once(&backend, &retention)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::error!(%fault, "the store could not be looked after"),
            Err(bug) => tracing::error!(%bug, "looking after the store ended with a bug"),
        }
    }
}

/// Lets go what need not be kept, and compacts where that gives enough back, also where the disk is
/// too full to let more go.
fn once(backend: &Backend, retention: &Retention) -> Result<(), Fault> {
    let (store, now) = (backend.store(), clock::now());
    let removed = let_go(backend, retention, now);
    store.drop_expired(now);
    if store.is_wasteful(retention) {
        let done = store.compact(now)?;
        tracing::info!(%done, "the journal was compacted");
    }
    match removed? {
        0 => {}
        removed => tracing::info!(removed, "events that need not be kept were let go"),
    }
    Ok(())
}

/// Lets go what the rules no longer cover, and what was banned and could not go then. How many.
fn let_go(backend: &Backend, retention: &Retention, now: Timestamp) -> Result<usize, Fault> {
    let rulebook = backend.policy().management().rulebook();
    let banned: Vec<_> = rulebook.banned_events.keys().copied().collect();
    let store = backend.store();
    Ok(store.remove(&banned)? + store.retain(retention, now)?)
}
