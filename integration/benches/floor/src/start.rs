//! How the program begins and ends, and the memory functions that the compiler expects to find.

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

/// One byte at a time, and volatile, so that the compiler does not make a call of `memcpy` of it.
macro_rules! each_byte {
    ($index:ident in $range:expr => $to:expr, $from:expr) => {
        for $index in $range {
            // SAFETY: the caller's promise.
            unsafe { $to.add($index).write_volatile($from) };
        }
    };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the contract of memcpy. The direction flag is clear by the ABI.
    unsafe {
        core::arch::asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _,
            inout("rsi") from => _, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    each_byte!(index in 0..count => to, from.add(index).read_volatile());
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the contract of memset.
    unsafe {
        core::arch::asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _,
            in("eax") byte, options(nostack, preserves_flags));
    }
    #[cfg(not(target_arch = "x86_64"))]
    each_byte!(index in 0..count => to, byte as u8);
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if from.addr() >= to.addr() {
        each_byte!(index in 0..count => to, from.add(index).read_volatile());
    } else {
        each_byte!(index in (0..count).rev() => to, from.add(index).read_volatile());
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for index in 0..count {
        // SAFETY: the contract of memcmp.
        let (left, right) = unsafe {
            (
                left.add(index).read_volatile(),
                right.add(index).read_volatile(),
            )
        };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(left, right, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: the text ends with a NUL.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}
