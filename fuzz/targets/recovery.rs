//! The target `recovery`; what it does is in `src/recovery.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ayni_fuzz::recovery::run(data));
