//! What a filter answers for a system call.

use crate::error::{Error, Result};
use crate::named::named_enum;

// linux/seccomp.h: the upper 16 bits are the action, the lower 16 its data.
const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_KILL_THREAD: u32 = 0x0000_0000;
const RET_TRAP: u32 = 0x0003_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_USER_NOTIF: u32 = 0x7fc0_0000;
const RET_TRACE: u32 = 0x7ff0_0000;
const RET_LOG: u32 = 0x7ffc_0000;
const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ACTION_FULL: u32 = 0xffff_0000;
const RET_DATA: u32 = 0x0000_ffff;

/// `EPERM`, the error number of `SCMP_ACT_ERRNO` and `SCMP_ACT_TRACE` without an `errnoRet`.
const DEFAULT_ERRNO: u16 = 1;

/// What the kernel does with a system call: the typed form of a filter's return value.
///
/// The variants are the kernel's (`SECCOMP_RET_*` in `linux/seccomp.h`, described in seccomp(2)).
/// [`ActionName`] has the specification's names, of which `SCMP_ACT_KILL` is
/// [`Action::KillThread`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// End the whole process with `SIGSYS` (Linux 4.14).
    KillProcess,
    /// End the calling thread with `SIGSYS`.
    KillThread,
    /// Send `SIGSYS` to the calling thread, which may handle it.
    Trap,
    /// Fail the call with this error number; the kernel caps it at 4095.
    Errno(u16),
    /// Hand the call to a supervisor through a listener descriptor (Linux 5.0).
    Notify,
    /// Hand the call to a ptrace(2) tracer with this message; without a tracer the call fails with
    /// `ENOSYS`.
    Trace(u16),
    /// Let the call through, and log it (Linux 4.14).
    Log,
    /// Let the call through.
    Allow,
}

named_enum! {
    /// The name of an action: an [`Action`] without the number that some of them carry.
    pub enum ActionName {
        /// Let the call through.
        Allow = "SCMP_ACT_ALLOW",
        /// Fail the call with an error number.
        Errno = "SCMP_ACT_ERRNO",
        /// The older name of [`ActionName::KillThread`].
        Kill = "SCMP_ACT_KILL",
        /// End the process.
        KillProcess = "SCMP_ACT_KILL_PROCESS",
        /// End the thread.
        KillThread = "SCMP_ACT_KILL_THREAD",
        /// Let the call through, and log it.
        Log = "SCMP_ACT_LOG",
        /// Ask the listener.
        Notify = "SCMP_ACT_NOTIFY",
        /// Ask the tracer.
        Trace = "SCMP_ACT_TRACE",
        /// Send `SIGSYS`.
        Trap = "SCMP_ACT_TRAP",
    }
}

impl ActionName {
    /// The action of this name with its `errnoRet`.
    ///
    /// `errno` is used by [`Errno`](Self::Errno) and [`Trace`](Self::Trace) alone (absent: `EPERM`)
    /// and ignored by the others.
    ///
    /// # Errors
    ///
    /// `errno` is used and does not fit the 16 bits the kernel has for it.
    pub fn action(self, errno: Option<u32>) -> Result<Action> {
        let data = || match errno {
            None => Ok(DEFAULT_ERRNO),
            Some(value) => u16::try_from(value).map_err(|_| {
                Error::invalid(format!("seccomp errnoRet {value} does not fit in 16 bits"))
            }),
        };
        Ok(match self {
            Self::Kill | Self::KillThread => Action::KillThread,
            Self::KillProcess => Action::KillProcess,
            Self::Trap => Action::Trap,
            Self::Errno => Action::Errno(data()?),
            Self::Trace => Action::Trace(data()?),
            Self::Allow => Action::Allow,
            Self::Log => Action::Log,
            Self::Notify => Action::Notify,
        })
    }
}

impl Action {
    /// The name, and the `errnoRet` of the actions that have one.
    pub(crate) fn name_and_data(self) -> (ActionName, Option<u32>) {
        match self {
            Self::KillProcess => (ActionName::KillProcess, None),
            Self::KillThread => (ActionName::KillThread, None),
            Self::Trap => (ActionName::Trap, None),
            Self::Errno(errno) => (ActionName::Errno, Some(errno.into())),
            Self::Notify => (ActionName::Notify, None),
            Self::Trace(message) => (ActionName::Trace, Some(message.into())),
            Self::Log => (ActionName::Log, None),
            Self::Allow => (ActionName::Allow, None),
        }
    }

    /// The value a filter returns for this action.
    #[must_use]
    pub fn return_value(self) -> u32 {
        match self {
            Self::KillProcess => RET_KILL_PROCESS,
            Self::KillThread => RET_KILL_THREAD,
            Self::Trap => RET_TRAP,
            Self::Errno(errno) => RET_ERRNO | u32::from(errno),
            Self::Notify => RET_USER_NOTIF,
            Self::Trace(message) => RET_TRACE | u32::from(message),
            Self::Log => RET_LOG,
            Self::Allow => RET_ALLOW,
        }
    }

    /// Whether the kernel prefers this action where several filters answer differently: it takes
    /// the smallest as a signed number (`seccomp_run_filters` in `kernel/seccomp.c`). Two errors
    /// are equally strict, whatever their numbers.
    #[cfg(feature = "libseccomp")]
    pub(crate) fn is_stricter_than(self, other: Self) -> bool {
        let rank = |action: Self| (action.return_value() & RET_ACTION_FULL).cast_signed();
        rank(self) < rank(other)
    }

    /// The action of a filter's return value; like the kernel, an unknown value is
    /// [`Action::KillProcess`] and the data of actions without data are ignored.
    #[must_use]
    pub fn from_return_value(value: u32) -> Self {
        // The mask leaves 16 bits, so the conversion always succeeds.
        let data = u16::try_from(value & RET_DATA).unwrap_or_default();
        match value & RET_ACTION_FULL {
            RET_KILL_THREAD => Self::KillThread,
            RET_TRAP => Self::Trap,
            RET_ERRNO => Self::Errno(data),
            RET_USER_NOTIF => Self::Notify,
            RET_TRACE => Self::Trace(data),
            RET_LOG => Self::Log,
            RET_ALLOW => Self::Allow,
            _ => Self::KillProcess,
        }
    }

    /// A return value's place in the order of actions, strictest first: the one by which the kernel
    /// chooses between the answers of several filters (seccomp(2), "SECCOMP_SET_MODE_FILTER").
    pub(crate) fn strictness(value: u32) -> u32 {
        // SECCOMP_RET_KILL_PROCESS, with the highest bit, comes first.
        (value & RET_ACTION_FULL) ^ RET_KILL_PROCESS
    }

    /// Whether the call is executed without anybody else's consent: [`Allow`](Self::Allow) or
    /// [`Log`](Self::Log).
    #[must_use]
    pub fn lets_through(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errno_defaults_to_eperm_and_is_ignored_by_other_actions() {
        assert_eq!(ActionName::Errno.action(None).unwrap(), Action::Errno(1));
        assert_eq!(
            ActionName::Trace.action(Some(38)).unwrap(),
            Action::Trace(38)
        );
        assert_eq!(ActionName::Log.action(Some(70_000)).unwrap(), Action::Log);
        assert!(ActionName::Errno.action(Some(70_000)).is_err());
    }

    #[test]
    fn every_action_survives_the_return_value_and_the_name() {
        for name in ActionName::ALL {
            let action = name.action(Some(13)).unwrap();
            assert_eq!(Action::from_return_value(action.return_value()), action);
            let (again, data) = action.name_and_data();
            assert_eq!(again.action(data).unwrap(), action, "{name:?}");
        }
    }

    #[test]
    fn strictness_is_the_kernels_order() {
        let order = [
            Action::KillProcess,
            Action::KillThread,
            Action::Trap,
            Action::Errno(9),
            Action::Notify,
            Action::Trace(3),
            Action::Log,
            Action::Allow,
        ];
        assert!(order.is_sorted_by_key(|action| Action::strictness(action.return_value())));
    }

    #[test]
    fn unknown_return_values_kill_the_process_as_in_the_kernel() {
        assert_eq!(Action::from_return_value(0x1234_0000), Action::KillProcess);
    }
}
