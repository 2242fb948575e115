//! The command line `nsinit` of libcontainer's first years.

#![no_main]
#![allow(unsafe_code, reason = "the entry point has a name without mangling")]

use std::ffi::{c_char, c_int};

/// The C library calls this, as in the program `cofferdam`.
// SAFETY: no other symbol of this program has this name.
#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    cofferdam::nsinit::enter(std::env::args_os())
}
