//! The system calls that rustix marks unsafe.

#![allow(
    unsafe_code,
    reason = "unshare(2) is unsafe in rustix because of CLONE_FILES, which is not used"
)]

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Gives this thread, and the commands that it starts, a mount namespace and a network namespace of
/// their own.
pub(crate) fn own_namespaces() {
    // SAFETY: no file descriptor table is unshared.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::NEWNET) }.expect("unshare");
}
