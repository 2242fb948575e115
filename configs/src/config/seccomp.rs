//! The system call filter as libcontainer stores it.

use serde::{Deserialize, Serialize};

use crate::int_enum::int_enum;
use crate::nullable::{is_default, or_default};

int_enum! {
    /// What happens on a system call.
    pub enum Action: u32 {
        /// Kill the thread; kept apart from [`Action::KillThread`] because the names differ.
        Kill = 1 => "SCMP_ACT_KILL",
        /// Fail with an errno.
        Errno = 2 => "SCMP_ACT_ERRNO",
        /// Send SIGSYS.
        Trap = 3 => "SCMP_ACT_TRAP",
        /// Let it pass.
        Allow = 4 => "SCMP_ACT_ALLOW",
        /// Ask the tracer.
        Trace = 5 => "SCMP_ACT_TRACE",
        /// Let it pass and log it.
        Log = 6 => "SCMP_ACT_LOG",
        /// Ask the listener.
        Notify = 7 => "SCMP_ACT_NOTIFY",
        /// Kill the thread.
        KillThread = 8 => "SCMP_ACT_KILL_THREAD",
        /// Kill the process.
        KillProcess = 9 => "SCMP_ACT_KILL_PROCESS",
    }
}

int_enum! {
    /// How an argument is compared.
    pub enum Operator: u32 {
        /// Equal.
        EqualTo = 1 => "SCMP_CMP_EQ",
        /// Not equal.
        NotEqualTo = 2 => "SCMP_CMP_NE",
        /// Greater.
        GreaterThan = 3 => "SCMP_CMP_GT",
        /// Greater or equal.
        GreaterThanOrEqualTo = 4 => "SCMP_CMP_GE",
        /// Less.
        LessThan = 5 => "SCMP_CMP_LT",
        /// Less or equal.
        LessThanOrEqualTo = 6 => "SCMP_CMP_LE",
        /// Equal after masking.
        MaskEqualTo = 7 => "SCMP_CMP_MASKED_EQ",
    }
}

/// Makes the enumeration of architectures: three names each.
macro_rules! architectures {
    ($($(#[$meta:meta])* $variant:ident => $go:literal, $scmp:literal;)*) => {
        /// A processor architecture, stored under Go's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Architecture {
            $($(#[$meta])* #[serde(rename = $go)] $variant,)*
        }

        impl Architecture {
            /// Every architecture a filter can name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stored name, for example `amd64`.
            #[must_use]
            pub const fn go_name(self) -> &'static str {
                match self { $(Self::$variant => $go,)* }
            }

            /// The name in config.json, for example `SCMP_ARCH_X86_64`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $scmp,)* }
            }

            /// The architecture of a name in config.json.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($scmp => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

architectures! {
    /// 32-bit x86.
    X86 => "x86", "SCMP_ARCH_X86";
    /// 64-bit x86.
    X86_64 => "amd64", "SCMP_ARCH_X86_64";
    /// 64-bit x86 with 32-bit pointers.
    X32 => "x32", "SCMP_ARCH_X32";
    /// 32-bit ARM.
    Arm => "arm", "SCMP_ARCH_ARM";
    /// 64-bit ARM.
    Aarch64 => "arm64", "SCMP_ARCH_AARCH64";
    /// 32-bit MIPS, big endian.
    Mips => "mips", "SCMP_ARCH_MIPS";
    /// 64-bit MIPS, big endian.
    Mips64 => "mips64", "SCMP_ARCH_MIPS64";
    /// 64-bit MIPS with 32-bit pointers, big endian.
    Mips64N32 => "mips64n32", "SCMP_ARCH_MIPS64N32";
    /// 32-bit MIPS, little endian.
    Mipsel => "mipsel", "SCMP_ARCH_MIPSEL";
    /// 64-bit MIPS, little endian.
    Mipsel64 => "mipsel64", "SCMP_ARCH_MIPSEL64";
    /// 64-bit MIPS with 32-bit pointers, little endian.
    Mipsel64N32 => "mipsel64n32", "SCMP_ARCH_MIPSEL64N32";
    /// 32-bit PowerPC.
    Ppc => "ppc", "SCMP_ARCH_PPC";
    /// 64-bit PowerPC, big endian.
    Ppc64 => "ppc64", "SCMP_ARCH_PPC64";
    /// 64-bit PowerPC, little endian.
    Ppc64le => "ppc64le", "SCMP_ARCH_PPC64LE";
    /// 64-bit RISC-V.
    Riscv64 => "riscv64", "SCMP_ARCH_RISCV64";
    /// 31-bit System z.
    S390 => "s390", "SCMP_ARCH_S390";
    /// 64-bit System z.
    S390x => "s390x", "SCMP_ARCH_S390X";
    /// 64-bit LoongArch.
    Loongarch64 => "loong64", "SCMP_ARCH_LOONGARCH64";
}

/// A flag of `seccomp(2)`, stored under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SeccompFlag {
    /// Apply to every thread. The filter is always installed by a single thread, so it changes
    /// nothing.
    #[serde(rename = "SECCOMP_FILTER_FLAG_TSYNC")]
    Tsync,
    /// Log every action but ALLOW, Linux 4.14.
    #[serde(rename = "SECCOMP_FILTER_FLAG_LOG")]
    Log,
    /// Do not switch the speculative store bypass mitigation on, Linux 4.17.
    #[serde(rename = "SECCOMP_FILTER_FLAG_SPEC_ALLOW")]
    SpecAllow,
    /// Only fatal signals interrupt a notified call once it was received, Linux 5.19.
    #[serde(rename = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")]
    WaitKillableRecv,
}

impl SeccompFlag {
    /// Every known flag.
    pub const ALL: [Self; 4] = [
        Self::Tsync,
        Self::Log,
        Self::SpecAllow,
        Self::WaitKillableRecv,
    ];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tsync => "SECCOMP_FILTER_FLAG_TSYNC",
            Self::Log => "SECCOMP_FILTER_FLAG_LOG",
            Self::SpecAllow => "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            Self::WaitKillableRecv => "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        }
    }

    /// The flag of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.name() == name)
    }
}

/// A system call filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seccomp {
    /// For what no rule matches.
    pub default_action: Action,
    /// Architectures added to the native one.
    #[serde(default, deserialize_with = "or_default")]
    pub architectures: Vec<Architecture>,
    /// Flags for the kernel.
    #[serde(default, deserialize_with = "or_default")]
    pub flags: Vec<SeccompFlag>,
    /// One rule for each system call name and block of the bundle.
    #[serde(default, deserialize_with = "or_default")]
    pub syscalls: Vec<SeccompSyscall>,
    /// Errno of the default action; `None` means EPERM.
    #[serde(default)]
    pub default_errno_ret: Option<u32>,
    /// Socket that receives the notification descriptor.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub listener_path: String,
    /// Opaque data for the listener.
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "is_default"
    )]
    pub listener_metadata: String,
}

/// A rule for one system call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeccompSyscall {
    /// Name of the call.
    pub name: String,
    /// What happens.
    pub action: Action,
    /// Errno of the action; `None` means EPERM.
    #[serde(rename = "errnoRet", default)]
    pub errno_ret: Option<u32>,
    /// Conditions; none means every call.
    #[serde(default, deserialize_with = "or_default")]
    pub args: Vec<SeccompArg>,
}

/// A condition on one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeccompArg {
    /// Argument number, 0..=5.
    pub index: u32,
    /// Value compared with, or the mask.
    pub value: u64,
    /// Value compared with after masking.
    #[serde(default, deserialize_with = "or_default")]
    pub value_two: u64,
    /// How.
    pub op: Operator,
}
