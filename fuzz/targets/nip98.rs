//! The target `nip98`; what it does is in `src/nip98.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ayni_fuzz::nip98::run(data));
