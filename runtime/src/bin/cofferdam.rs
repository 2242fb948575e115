//! The command line `cofferdam`: the commands, flags and outputs of runc.

#![no_main]
#![allow(unsafe_code, reason = "the entry point has a name without mangling")]

use std::ffi::{c_char, c_int};

/// The C library calls this. A Rust `main` would come after the standard library has looked for its
/// stack in `/proc/self/maps` and installed handlers that tell of an overflow, which takes as long
/// as a short command.
// SAFETY: no other symbol of this program has this name.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    cofferdam::cli::enter(std::env::args_os())
}
