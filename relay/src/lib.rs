//! A Nostr relay: a pure session inside a tokio server
