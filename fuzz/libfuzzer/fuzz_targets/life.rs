#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cofferdam_fuzz::run("life", input));
