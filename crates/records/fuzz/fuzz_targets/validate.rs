#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| records_fuzz::validate(input));
