//! Charters and the one decision primitive: attest, decide, draw; the drand beacon
