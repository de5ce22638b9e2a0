//! Maps by id or key that are only ever asked, never walked.
//!
//! Finding one id of a million costs a line or two of memory, where a tree costs twenty. The hash is
//! fixed, because nothing here may be random. Whoever wants many events to share a place in such a
//! map has to compute a million hashes for each of them, and gains a slower lookup.
//!
//! What is walked goes by order of arrival, and that may show nowhere: sort it, or use a tree.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::{EventId, PublicKey};

/// A map by event id.
pub type IdMap<V> = HashMap<EventId, V, FixedState>;

/// A map by key.
pub type KeyMap<V> = HashMap<PublicKey, V, FixedState>;
