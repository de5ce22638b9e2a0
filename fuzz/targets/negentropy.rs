//! The target `negentropy`; what it does is in `src/negentropy.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ayni_fuzz::negentropy::run(data));
