//! What `cofferdam features` says about seccomp.

use crate::action::{Action, ActionName};
use crate::architecture::Architecture;
use crate::flags::{FilterFlag, FilterFlags};
use crate::operator::Operator;
use crate::sys;
use crate::syscalls;

/// What this crate and the running kernel support, in the terms of the OCI runtime-spec's
/// "features" document (`linux.seccomp`). All lists are sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Features {
    /// Recognised `SCMP_ACT_*` names.
    pub actions: Vec<&'static str>,
    /// Recognised `SCMP_CMP_*` names.
    pub operators: Vec<&'static str>,
    /// Recognised `SCMP_ARCH_*` names.
    pub archs: Vec<&'static str>,
    /// Recognised `SECCOMP_FILTER_FLAG_*` names.
    pub known_flags: Vec<&'static str>,
    /// Those of them that the kernel knows too.
    pub supported_flags: Vec<&'static str>,
    /// The Linux version, "a.b", up to which the native compiler knows the system calls.
    pub syscalls_of_linux: &'static str,
    /// The version of libseccomp, "a.b.c", if this build has that backend.
    pub libseccomp_version: Option<String>,
}

/// What is supported, asking the running kernel.
#[must_use]
pub fn features() -> Features {
    fn names<T: Copy>(values: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
        values.iter().map(|value| name(*value)).collect()
    }
    let supported: Vec<FilterFlag> = FilterFlag::ALL
        .iter()
        .copied()
        .filter(|flag| flag.is_supported())
        .collect();
    Features {
        actions: names(ActionName::ALL, ActionName::name),
        operators: names(Operator::ALL, Operator::name),
        archs: names(Architecture::ALL, Architecture::name),
        known_flags: names(FilterFlag::ALL, FilterFlag::name),
        supported_flags: names(&supported, FilterFlag::name),
        syscalls_of_linux: syscalls::LINUX_VERSION,
        libseccomp_version: libseccomp_version(),
    }
}

impl FilterFlag {
    /// Whether the running kernel supports the flag: one call of seccomp(2).
    #[must_use]
    pub fn is_supported(self) -> bool {
        sys::knows_flags(match self {
            // Only legal together with a listener.
            Self::WaitKillableRecv => self.flags() | FilterFlags::NEW_LISTENER,
            _ => self.flags(),
        })
    }
}

/// The version of the library that is linked.
#[cfg(feature = "libseccomp")]
pub(crate) fn libseccomp_version() -> Option<String> {
    let libseccomp::ScmpVersion {
        major,
        minor,
        micro,
    } = libseccomp::ScmpVersion::current().ok()?;
    Some(format!("{major}.{minor}.{micro}"))
}

#[cfg(not(feature = "libseccomp"))]
fn libseccomp_version() -> Option<String> {
    None
}

/// The kernel's support as libseccomp counts it (seccomp_api_get(3)): each level needs those below.
pub(crate) fn api_level() -> u32 {
    let notify = || {
        sys::knows_action(Action::Notify.return_value())
            && sys::knows_flags(FilterFlags::NEW_LISTENER)
    };
    let levels: [&dyn Fn() -> bool; 6] = [
        &|| sys::knows_flags(FilterFlags::TSYNC),
        &|| {
            sys::knows_flags(FilterFlags::LOG)
                && sys::knows_action(Action::Log.return_value())
                && sys::knows_action(Action::KillProcess.return_value())
        },
        &|| sys::knows_flags(FilterFlags::SPEC_ALLOW),
        &notify,
        &|| sys::knows_flags(FilterFlags::TSYNC | FilterFlags::TSYNC_ESRCH),
        &|| FilterFlag::WaitKillableRecv.is_supported(),
    ];
    (1..)
        .zip(levels)
        .find(|(_, reached)| !reached())
        .map_or(7, |(level, _)| level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_flags_are_asked_for() {
        let features = features();
        assert_eq!(features.actions.len(), 9);
        assert_eq!(features.operators.len(), 7);
        assert_eq!(features.archs.len(), 18);
        assert!(features.known_flags.is_sorted());
        assert!(
            features
                .supported_flags
                .iter()
                .all(|flag| features.known_flags.contains(flag))
        );
        // Every kernel since 4.17 has it.
        assert!(
            features
                .supported_flags
                .contains(&"SECCOMP_FILTER_FLAG_SPEC_ALLOW")
        );
        assert!(!sys::knows_flags(FilterFlags::from_bits_retain(1 << 31)));
        assert!(!sys::knows_action(0x1234_0000));
        assert!((4..=7).contains(&api_level()));
    }

    #[test]
    #[cfg(feature = "libseccomp")]
    fn the_api_level_is_libseccomps() {
        // Older libraries know fewer levels.
        let theirs = libseccomp::get_api();
        assert!(api_level() >= theirs, "{} {theirs}", api_level());
    }
}
