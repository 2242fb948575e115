//! How the program begins.

#![allow(
    unsafe_code,
    reason = "the entry point is reached with nothing but a stack"
)]

use core::arch::global_asm;
use core::ffi::{CStr, c_char};

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {entry}",
    "ud2",
    entry = sym entry,
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "bl {entry}",
    "brk 1",
    entry = sym entry,
);

/// The initial stack: the number of arguments, then pointers to them (System V ABI).
unsafe extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: the kernel puts the count there.
    let count = unsafe { stack.read() };
    if count < 2 {
        crate::sys::exit(255);
    }
    // SAFETY: there are at least two pointers to NUL-terminated strings that stay as long as the
    // process.
    let argument = unsafe { CStr::from_ptr(stack.add(2).read() as *const c_char) };
    crate::main(argument)
}
