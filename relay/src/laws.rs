//! The claims of this crate, by name.
