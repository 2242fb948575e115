//! Signals, and the end of the process.

use super::consts::*;
use super::{Result, invoke, number};

#[repr(C)]
struct SigAction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// Gives these signals their default action, one bit each from signal 1 on, and blocks none.
pub(crate) fn reset_signals(which: u64) -> Result<()> {
    let default = SigAction {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let none: u64 = 0;
    // SIGKILL and SIGSTOP cannot be changed.
    for signal in (1..=64)
        .filter(|signal| which >> (signal - 1) & 1 == 1 && !matches!(*signal, SIGKILL | SIGSTOP))
    {
        // SAFETY: a struct sigaction of the kernel, and the size of its mask.
        unsafe { call!(RT_SIGACTION, signal, &raw const default, 0, SIGSET_SIZE) }?;
    }
    // SAFETY: a mask of that size.
    unsafe { call!(RT_SIGPROCMASK, SIG_SETMASK, &raw const none, 0, SIGSET_SIZE) }.map(drop)
}

extern "C" fn ended_by(signal: i32) {
    exit(128 + signal)
}

/// Lets `SIGTERM`, `SIGINT`, `SIGHUP` and `SIGQUIT` end this process even if it is the first of its
/// pid namespace, where the kernel would ignore signals without a handler. A filter that is loaded
/// by now may forbid that: then only `SIGKILL` ends it.
pub(crate) fn exit_on_signals() {
    let handler = ended_by as extern "C" fn(i32) as usize;
    // x86_64 wants a restorer; the handler never returns to it.
    let action = SigAction {
        handler,
        flags: SA_RESTORER,
        restorer: handler,
        mask: 0,
    };
    for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
        // SAFETY: as above; the handler only ends the process.
        let _ = unsafe { call!(RT_SIGACTION, signal, &raw const action, 0, SIGSET_SIZE) };
    }
}

/// Ends the process: its only thread, if a filter forbids to end all of them.
pub(crate) fn exit(code: i32) -> ! {
    loop {
        // SAFETY: no pointer; it does not return.
        let _ = unsafe { call!(EXIT_GROUP, code) };
        // SAFETY: as above.
        let _ = unsafe { call!(EXIT, code) };
    }
}
