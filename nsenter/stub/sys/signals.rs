//! Signals, and the end of the process.

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
    for signal in
        (1..=64).filter(|signal| which >> (signal - 1) & 1 == 1 && !matches!(signal, 9 | 19))
    {
        // SAFETY: a struct sigaction of the kernel; 8 is the size of its mask.
        unsafe { call!(RT_SIGACTION, signal, &raw const default, 0, 8) }?;
    }
    // SAFETY: a mask of 8 bytes. SIG_SETMASK is 2.
    unsafe { call!(RT_SIGPROCMASK, 2, &raw const none, 0, 8) }.map(drop)
}

extern "C" fn ended_by(signal: i32) {
    exit(128 + signal)
}

/// Lets `SIGTERM`, `SIGINT`, `SIGHUP` and `SIGQUIT` end this process even if it is the first of its
/// pid namespace, where the kernel would ignore signals without a handler. A filter that is loaded
/// by now may forbid that: then only `SIGKILL` ends it.
pub(crate) fn exit_on_signals() {
    let handler = ended_by as extern "C" fn(i32) as usize;
    // SA_RESTORER: x86_64 wants one; the handler never returns to it.
    let action = SigAction {
        handler,
        flags: 0x0400_0000,
        restorer: handler,
        mask: 0,
    };
    for signal in [15, 2, 1, 3] {
        // SAFETY: as above; the handler only ends the process.
        let _ = unsafe { call!(RT_SIGACTION, signal, &raw const action, 0, 8) };
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
