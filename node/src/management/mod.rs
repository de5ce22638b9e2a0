//! What an operator changes while the node runs (NIP-86): logged first, then in force.
//!
//! [`log`] is where it is kept, [`rulebook`] what it comes to, [`order`] what there is to order, and
//! [`rpc`] how operators ask for it.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Result;
use tokio::sync::watch;

pub mod laws;
pub mod log;
pub mod order;
pub mod rpc;
pub mod rulebook;

pub use log::{Act, Log};
pub use order::{Order, Role};
pub use rulebook::Rulebook;

/// The log, and the rulebook it comes to.
#[derive(Debug)]
pub struct Management {
    log: Mutex<Log>,
    rulebook: RwLock<Arc<Rulebook>>,
    changes: watch::Sender<u64>,
}

impl Management {
    /// The management of a data folder, and the acts it holds already.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open(data: &Path) -> Result<(Self, Vec<Act>)> {
        let (log, acts) = Log::open(data)?;
        let rulebook = RwLock::new(Arc::new(fold(&acts)));
        let changes = watch::Sender::new(0);
        Ok((Self { log: Mutex::new(log), rulebook, changes }, acts))
    }

    /// What is in force.
    #[must_use]
    pub fn rulebook(&self) -> Arc<Rulebook> {
        Arc::clone(&self.rulebook.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes with every act.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Logs an act and puts it in force. Waits for the disk.
    ///
    /// # Errors
    /// Where it is no order or the disk refuses it; nothing has changed then.
    pub fn act(&self, act: &Act) -> Result<()> {
        let Ok(()) = self.act_if(act, |_| Ok::<_, Infallible>(()))?;
        Ok(())
    }

    /// The same, unless `may` says otherwise of what is in force at that moment; no other act comes
    /// in between.
    ///
    /// # Errors
    /// As [`Management::act`]; inside, what `may` said.
    pub fn act_if<E>(
        &self,
        act: &Act,
        may: impl FnOnce(&Rulebook) -> Result<(), E>,
    ) -> Result<Result<(), E>> {
        let order = act.order().map_err(anyhow::Error::msg)?;
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Rulebook::clone(&self.rulebook());
        if let Err(refused) = may(&next) {
            return Ok(Err(refused));
        }
        log.append(act)?;
        next.apply(order);
        *self.rulebook.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        drop(log);
        self.changes.send_modify(|changes| *changes += 1);
        Ok(Ok(()))
    }
}

/// What acts come to.
#[must_use]
pub fn fold(acts: &[Act]) -> Rulebook {
    let mut rulebook = Rulebook::default();
    acts.iter().filter_map(|act| act.order().ok()).for_each(|order| rulebook.apply(order));
    rulebook
}
