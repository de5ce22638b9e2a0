//! The target `verify`; what it does is in `src/verify.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ayni_fuzz::verify::run(data));
