//! The memory functions that the compiler expects to find where there is no C library.

#![allow(
    unsafe_code,
    reason = "the contracts are those of C: addresses and a count"
)]

use core::ffi::c_char;

#[cfg(target_arch = "x86_64")]
mod arch {
    use core::arch::asm;

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        // SAFETY: the contract of memcpy. The direction flag is clear by the ABI.
        unsafe {
            asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
                 options(nostack, preserves_flags));
        }
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        // SAFETY: the contract of memset.
        unsafe {
            asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("eax") byte,
                 options(nostack, preserves_flags));
        }
        to
    }

    pub(super) unsafe fn copy_down(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the contract of memmove; the direction flag is clear again at the end.
        unsafe {
            asm!("std", "rep movsb", "cld",
                 inout("rcx") count => _,
                 inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
                 inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _,
                 options(nostack));
        }
    }

    pub(super) unsafe fn copy_up(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: copying upwards is right for an overlap in which the target lies below.
        unsafe { memcpy(to, from, count) };
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use core::arch::asm;

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
        // SAFETY: the contract of memcpy.
        unsafe { copy_up(to, from, count) };
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
        // SAFETY: the contract of memset.
        unsafe {
            asm!("1:", "cbz {n}, 2f", "strb {b:w}, [{t}], #1", "sub {n}, {n}, #1", "b 1b", "2:",
                 n = inout(reg) count => _, t = inout(reg) to => _, b = in(reg) byte,
                  options(nostack));
        }
        to
    }

    pub(super) unsafe fn copy_up(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the contract of memmove, for a target that lies below.
        unsafe {
            asm!("1:", "cbz {n}, 2f", "ldrb {b:w}, [{f}], #1", "strb {b:w}, [{t}], #1", "sub {n}, {n}, #1", "b 1b", "2:",
                 n = inout(reg) count => _, t = inout(reg) to => _,
                  f = inout(reg) from => _, b = out(reg) _,
                 options(nostack));
        }
    }

    pub(super) unsafe fn copy_down(to: *mut u8, from: *const u8, count: usize) {
        // SAFETY: the contract of memmove, for a target that lies above.
        unsafe {
            asm!("1:", "cbz {n}, 2f", "sub {n}, {n}, #1", "ldrb {b:w}, [{f}, {n}]", "strb {b:w}, [{t}, {n}]", "b 1b", "2:",
                 n = inout(reg) count => _, t = in(reg) to, f = in(reg) from,
                  b = out(reg) _, options(nostack));
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if (to as usize).wrapping_sub(from as usize) < count {
        // SAFETY: the contract of memmove; the target lies above and overlaps.
        unsafe { arch::copy_down(to, from, count) };
    } else {
        // SAFETY: the contract of memmove; the target lies below, or the two do not overlap.
        unsafe { arch::copy_up(to, from, count) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    for index in 0..count {
        // SAFETY: the contract of memcmp. Volatile, so that the compiler does not make a call to
        // memcmp of it.
        let (a, b) = unsafe {
            (
                one.add(index).read_volatile(),
                other.add(index).read_volatile(),
            )
        };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(one, other, count) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const c_char) -> usize {
    let mut length = 0;
    // SAFETY: the contract of strlen.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}
