//! The system call ABIs a filter can know.

use crate::named::named_enum;

named_enum! {
    /// A system call ABI, under libseccomp's names.
    ///
    /// The kernel passes a filter the ABI as an `AUDIT_ARCH_*` value (`linux/audit.h`).
    /// [`X86_64`](Self::X86_64) and [`X32`](Self::X32) share one and differ by bit 30 of the system
    /// call number.
    #[non_exhaustive]
    pub enum Architecture {
        /// 64-bit ARM.
        Aarch64 = "SCMP_ARCH_AARCH64",
        /// 32-bit ARM, EABI.
        Arm = "SCMP_ARCH_ARM",
        /// LoongArch, 64-bit.
        Loongarch64 = "SCMP_ARCH_LOONGARCH64",
        /// MIPS o32, big endian.
        Mips = "SCMP_ARCH_MIPS",
        /// MIPS n64, big endian.
        Mips64 = "SCMP_ARCH_MIPS64",
        /// MIPS n32, big endian.
        Mips64N32 = "SCMP_ARCH_MIPS64N32",
        /// MIPS o32, little endian.
        Mipsel = "SCMP_ARCH_MIPSEL",
        /// MIPS n64, little endian.
        Mipsel64 = "SCMP_ARCH_MIPSEL64",
        /// MIPS n32, little endian.
        Mipsel64N32 = "SCMP_ARCH_MIPSEL64N32",
        /// 32-bit PowerPC.
        Ppc = "SCMP_ARCH_PPC",
        /// 64-bit PowerPC, big endian.
        Ppc64 = "SCMP_ARCH_PPC64",
        /// 64-bit PowerPC, little endian.
        Ppc64Le = "SCMP_ARCH_PPC64LE",
        /// 64-bit RISC-V.
        Riscv64 = "SCMP_ARCH_RISCV64",
        /// 31-bit s390.
        S390 = "SCMP_ARCH_S390",
        /// 64-bit s390.
        S390x = "SCMP_ARCH_S390X",
        /// x32: 32-bit pointers in 64-bit mode.
        X32 = "SCMP_ARCH_X32",
        /// 32-bit x86 (i386).
        X86 = "SCMP_ARCH_X86",
        /// 64-bit x86.
        X86_64 = "SCMP_ARCH_X86_64",
    }
}

/// Bit 30 of a system call number: the call is an x32 one (`__X32_SYSCALL_BIT` in `asm/unistd.h`).
pub(crate) const X32_SYSCALL_BIT: u32 = 0x4000_0000;

impl Architecture {
    /// The short name that libcontainer stores and Docker's profiles use in `arches`, for example
    /// `amd64`.
    #[must_use]
    pub const fn short_name(self) -> &'static str {
        match self {
            Self::Aarch64 => "arm64",
            Self::Arm => "arm",
            Self::Loongarch64 => "loong64",
            Self::Mips => "mips",
            Self::Mips64 => "mips64",
            Self::Mips64N32 => "mips64n32",
            Self::Mipsel => "mipsel",
            Self::Mipsel64 => "mipsel64",
            Self::Mipsel64N32 => "mipsel64n32",
            Self::Ppc => "ppc",
            Self::Ppc64 => "ppc64",
            Self::Ppc64Le => "ppc64le",
            Self::Riscv64 => "riscv64",
            Self::S390 => "s390",
            Self::S390x => "s390x",
            Self::X32 => "x32",
            Self::X86 => "x86",
            Self::X86_64 => "amd64",
        }
    }

    /// The architecture of a [short name](Self::short_name).
    #[must_use]
    pub fn from_short_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|architecture| architecture.short_name() == name)
    }

    /// The `AUDIT_ARCH_*` value (`linux/audit.h`) in the `arch` field of `struct seccomp_data`.
    #[must_use]
    pub fn audit_arch(self) -> u32 {
        match self {
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
            Self::Loongarch64 => 0xc000_0102,
            Self::Mips => 0x0000_0008,
            Self::Mips64 => 0x8000_0008,
            Self::Mips64N32 => 0xa000_0008,
            Self::Mipsel => 0x4000_0008,
            Self::Mipsel64 => 0xc000_0008,
            Self::Mipsel64N32 => 0xe000_0008,
            Self::Ppc => 0x0000_0014,
            Self::Ppc64 => 0x8000_0015,
            Self::Ppc64Le => 0xc000_0015,
            Self::Riscv64 => 0xc000_00f3,
            Self::S390 => 0x0000_0016,
            Self::S390x => 0x8000_0016,
            Self::X86 => 0x4000_0003,
            Self::X32 | Self::X86_64 => 0xc000_003e,
        }
    }

    /// The ABI of this build, which is always part of a filter; `None` where libseccomp has no name
    /// for it.
    #[must_use]
    pub const fn native() -> Option<Self> {
        const LITTLE: bool = cfg!(target_endian = "little");
        if cfg!(all(target_arch = "x86_64", target_pointer_width = "32")) {
            Some(Self::X32)
        } else if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "x86") {
            Some(Self::X86)
        } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
            Some(Self::Aarch64)
        } else if cfg!(all(target_arch = "arm", target_endian = "little")) {
            Some(Self::Arm)
        } else if cfg!(target_arch = "riscv64") {
            Some(Self::Riscv64)
        } else if cfg!(target_arch = "loongarch64") {
            Some(Self::Loongarch64)
        } else if cfg!(target_arch = "powerpc64") {
            Some(if LITTLE { Self::Ppc64Le } else { Self::Ppc64 })
        } else if cfg!(target_arch = "powerpc") {
            Some(Self::Ppc)
        } else if cfg!(target_arch = "s390x") {
            Some(Self::S390x)
        } else if cfg!(target_arch = "mips") {
            Some(if LITTLE { Self::Mipsel } else { Self::Mips })
        } else if cfg!(all(target_arch = "mips64", target_pointer_width = "32")) {
            Some(if LITTLE {
                Self::Mipsel64N32
            } else {
                Self::Mips64N32
            })
        } else if cfg!(target_arch = "mips64") {
            Some(if LITTLE { Self::Mipsel64 } else { Self::Mips64 })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_short_name_is_found() {
        for arch in Architecture::ALL {
            assert_eq!(
                Architecture::from_short_name(arch.short_name()),
                Some(*arch)
            );
        }
        assert_eq!(Architecture::from_short_name("vax"), None);
    }

    #[test]
    fn only_x32_and_x86_64_share_an_audit_value() {
        for (index, one) in Architecture::ALL.iter().enumerate() {
            for other in Architecture::ALL.iter().skip(index + 1) {
                let shared = one.audit_arch() == other.audit_arch();
                assert_eq!(
                    shared,
                    (*one, *other) == (Architecture::X32, Architecture::X86_64)
                );
            }
        }
    }
}
