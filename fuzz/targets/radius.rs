//! The fuzzer's door to `ringfence_core::fuzz::radius`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence_core::fuzz::radius(data));
