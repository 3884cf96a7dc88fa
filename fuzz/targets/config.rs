//! The fuzzer's door to `ringfence::fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence::fuzz::config(data));
