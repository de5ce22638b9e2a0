//! The target `wire`; what it does is in `src/wire.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ayni_fuzz::wire::run(data));
