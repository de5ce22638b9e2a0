//! The target `session`; what it does is in `src/session.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ayni_fuzz::session::run(data));
