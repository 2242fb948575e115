//! The flags a filter is loaded with.

use std::ops::{BitOr, BitOrAssign};

use crate::named::named_enum;

/// Flags of `seccomp(SECCOMP_SET_MODE_FILTER)`, see seccomp(2); the values are `linux/seccomp.h`'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FilterFlags(u32);

impl FilterFlags {
    /// Apply the filter to all threads (Linux 3.17). Known, but never used: the filter is loaded by
    /// a process with one thread.
    pub const TSYNC: Self = Self(1);
    /// Log every action but `SECCOMP_RET_ALLOW` (Linux 4.14).
    pub const LOG: Self = Self(1 << 1);
    /// Leave the Speculative Store Bypass mitigation off (Linux 4.17).
    pub const SPEC_ALLOW: Self = Self(1 << 2);
    /// Return a listener descriptor for `SECCOMP_RET_USER_NOTIF` (Linux 5.0).
    pub const NEW_LISTENER: Self = Self(1 << 3);
    /// With [`TSYNC`](Self::TSYNC): fail with `ESRCH` instead of returning a thread id (Linux 5.7).
    pub const TSYNC_ESRCH: Self = Self(1 << 4);
    /// A call that the supervisor received waits killably, not interruptibly (Linux 5.19).
    pub const WAIT_KILLABLE_RECV: Self = Self(1 << 5);

    /// No flag.
    #[must_use]
    pub const fn empty() -> Self {
        Self(0)
    }

    /// These bits, known or not.
    #[must_use]
    pub const fn from_bits_retain(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits, as seccomp(2) takes them.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for FilterFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for FilterFlags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

named_enum! {
    /// A flag that a profile may name (OCI runtime-spec, "Seccomp").
    #[non_exhaustive]
    pub enum FilterFlag {
        /// [`FilterFlags::LOG`].
        Log = "SECCOMP_FILTER_FLAG_LOG",
        /// [`FilterFlags::SPEC_ALLOW`].
        SpecAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
        /// [`FilterFlags::TSYNC`].
        Tsync = "SECCOMP_FILTER_FLAG_TSYNC",
        /// [`FilterFlags::WAIT_KILLABLE_RECV`].
        WaitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    }
}

impl FilterFlag {
    /// The flag as seccomp(2) takes it.
    #[must_use]
    pub const fn flags(self) -> FilterFlags {
        match self {
            Self::Log => FilterFlags::LOG,
            Self::SpecAllow => FilterFlags::SPEC_ALLOW,
            Self::Tsync => FilterFlags::TSYNC,
            Self::WaitKillableRecv => FilterFlags::WAIT_KILLABLE_RECV,
        }
    }
}
