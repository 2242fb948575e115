//! The init stub: reads a plan and executes it, step by step.
//!
//! A freestanding program: no C library, no heap, no thread. Everything it does is a system call,
//! and which ones is decided by the plan (`wire.rs`). What it may be trusted with can be judged by
//! reading `executor/`; the unsafe code is in `sys/`.

#![no_std]
#![no_main]
#![deny(unsafe_code)]

mod executor;
#[allow(dead_code, reason = "the supervisor encodes, the stub decodes")]
mod fields;
mod memory;
mod messages;
mod operations;
mod start;
mod sys;
#[allow(dead_code, reason = "the supervisor encodes, the stub decodes")]
mod wire;

use core::ffi::CStr;

/// The first argument is the number of the plan's descriptor, whether the steps are timed, and
/// whether there is a second stage.
fn main(argument: &CStr) -> ! {
    let mut number: u32 = 0;
    let (rest, two_stages) = match argument.to_bytes() {
        [rest @ .., wire::SECOND_STAGE] => (rest, true),
        rest => (rest, false),
    };
    let (digits, timed) = match rest {
        [digits @ .., wire::TIMED] => (digits, true),
        digits => (digits, false),
    };
    for digit in digits {
        match digit {
            b'0'..=b'9' if number < 100_000 => number = number * 10 + u32::from(digit - b'0'),
            _ => sys::exit(255),
        }
    }
    executor::run(number, timed, two_stages)
}

/// Bounds are checked everywhere, so that a defect ends here and does not corrupt memory.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(255)
}
