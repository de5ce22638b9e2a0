//! The target `filter`; what it does is in `src/filter.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ayni_fuzz::filter::run(data));
