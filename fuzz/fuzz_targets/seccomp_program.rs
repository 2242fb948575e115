//! Classic BPF from anywhere: a program runs to its end or is refused, and never for ever.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seccomp::{Architecture, FilterFlags, Program, evaluate};

fuzz_target!(|input: (u32, [u64; 6], Vec<u8>)| {
    let (number, arguments, bytes) = input;
    let Ok(program) = Program::from_bytes(bytes, FilterFlags::default()) else {
        return;
    };
    let _answer = evaluate(&program, Architecture::X86_64, number, arguments);
});
