//! How the program begins and ends.

use core::arch::global_asm;
use core::ffi::{CStr, c_char};

use crate::sys;

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
    // SAFETY: the kernel puts the count there, and as many pointers to strings that stay as long as
    // the process.
    let arguments =
        unsafe { core::slice::from_raw_parts(stack.add(1).cast::<*const c_char>(), stack.read()) };
    let code = crate::main(arguments.iter().map(|argument| {
        // SAFETY: as above; each ends with a NUL.
        unsafe { CStr::from_ptr(*argument) }
    }));
    sys::exit(code)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(134)
}
