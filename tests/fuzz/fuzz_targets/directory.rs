#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| whole_fuzz::directory(input));
