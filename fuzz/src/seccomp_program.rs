//! Classic BPF from anywhere, after the number and the six arguments of a system call: a program
//! runs to its end or is refused, and never for ever.

use crate::cursor::Cursor;
use seccomp::{Architecture, FilterFlags, Program, evaluate};

pub(crate) fn run(input: &[u8]) {
    let mut input = Cursor::new(input);
    let number = input.u32();
    let arguments = [(); 6].map(|()| input.u64());
    let bytes = input.rest().to_vec();
    let Ok(program) = Program::from_bytes(bytes, FilterFlags::default()) else {
        return;
    };
    let _answer = evaluate(&program, Architecture::X86_64, number, arguments);
}
