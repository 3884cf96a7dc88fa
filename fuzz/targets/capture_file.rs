//! The fuzzer's door to `ringfence::fuzz::capture_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringfence::fuzz::capture_file(data));
