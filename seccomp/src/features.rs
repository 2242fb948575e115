//! What `cofferdam features` says about seccomp.

use crate::action;
use crate::architecture::Architecture;
use crate::flags::{self, FilterFlags};
use crate::operator;
use crate::sys;

/// What this crate and the running kernel support, in the terms of the OCI runtime-spec's "features" document
/// (`linux.seccomp`). All lists are sorted.
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
    /// The version of libseccomp, "a.b.c", if this build has that backend.
    pub libseccomp_version: Option<String>,
}

/// What is supported, asking the running kernel.
#[must_use]
pub fn features() -> Features {
    let known_flags = flags::KNOWN.map(|(name, _)| name).to_vec();
    let supported_flags = flags::KNOWN
        .iter()
        .filter(|(_, flag)| supported(*flag))
        .map(|(name, _)| *name)
        .collect();
    Features {
        actions: action::NAMES.to_vec(),
        operators: operator::NAMES.to_vec(),
        archs: Architecture::ALL.map(Architecture::name).to_vec(),
        known_flags,
        supported_flags,
        libseccomp_version: None,
    }
}

/// Whether the kernel supports a flag. `WAIT_KILLABLE_RECV` is only legal together with a listener.
pub(crate) fn supported(flag: FilterFlags) -> bool {
    match flag {
        FilterFlags::WAIT_KILLABLE_RECV => sys::knows_flags(flag | FilterFlags::NEW_LISTENER),
        _ => sys::knows_flags(flag),
    }
}
