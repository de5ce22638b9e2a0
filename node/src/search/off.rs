//! No search: nobody can hold a [`Seeker`].

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Result;
use ayni_protocol::{Filter, VerifiedEvent};
use ayni_relay::{Asker, Page};
use ayni_store::DiskStore;

/// What there is none of.
#[derive(Clone)]
pub enum Seeker {}

/// Nothing begins.
///
/// # Errors
/// Never.
pub fn begin(_data: &Path, _store: &Arc<DiskStore>) -> Result<Option<(Seeker, JoinHandle<()>)>> {
    Ok(None)
}

impl Seeker {
    /// As in the other half.
    pub fn hear(&self, _event: &VerifiedEvent, _position: u64) {
        match *self {}
    }

    /// As in the other half.
    #[must_use]
    pub fn query(&self, _filter: &Filter, _limit: usize, _asker: &Asker<'_>) -> Page {
        match *self {}
    }

    /// As in the other half.
    pub fn stop(&self) {
        match *self {}
    }
}
