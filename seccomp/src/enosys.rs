//! The answer for system calls that are newer than the profile.
//!
//! A profile cannot name system calls that are newer than itself. If they failed with the default
//! action's `EPERM`, programs would give up where `ENOSYS` makes them fall back to an older call
//! (glibc and `clone3` is the known case). So a call with a number above every number that the
//! profile mentions fails with `ENOSYS`.

use crate::action::Action;

/// `ENOSYS`, 38 on every architecture but MIPS.
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
const ENOSYS: u16 = 38;
/// `ENOSYS` on MIPS.
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
const ENOSYS: u16 = 89;

/// The answer for calls that the profile is too old to know.
pub(crate) const ACTION: Action = Action::Errno(ENOSYS);
