//! The system call ABIs a filter can know.

use crate::error::{Error, Result};

/// A system call ABI, under libseccomp's names.
///
/// The kernel tells a filter the ABI as an `AUDIT_ARCH_*` value (`linux/audit.h`).
/// [`X86_64`](Self::X86_64) and [`X32`](Self::X32) share one and differ by bit 30 of the system
/// call number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Architecture {
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit ARM, EABI.
    Arm,
    /// LoongArch, 64-bit.
    Loongarch64,
    /// MIPS o32, big endian.
    Mips,
    /// MIPS n64, big endian.
    Mips64,
    /// MIPS n32, big endian.
    Mips64N32,
    /// MIPS o32, little endian.
    Mipsel,
    /// MIPS n64, little endian.
    Mipsel64,
    /// MIPS n32, little endian.
    Mipsel64N32,
    /// 32-bit PowerPC.
    Ppc,
    /// 64-bit PowerPC, big endian.
    Ppc64,
    /// 64-bit PowerPC, little endian.
    Ppc64Le,
    /// 64-bit RISC-V.
    Riscv64,
    /// 31-bit s390.
    S390,
    /// 64-bit s390.
    S390x,
    /// x32: 32-bit pointers in 64-bit mode.
    X32,
    /// 32-bit x86 (i386).
    X86,
    /// 64-bit x86.
    X86_64,
}

/// Bit 30 of a system call number: the call is an x32 one (`__X32_SYSCALL_BIT` in `asm/unistd.h`).
pub(crate) const X32_SYSCALL_BIT: u32 = 0x4000_0000;

impl Architecture {
    /// Every architecture, sorted by OCI name.
    pub const ALL: [Self; 18] = [
        Self::Aarch64,
        Self::Arm,
        Self::Loongarch64,
        Self::Mips,
        Self::Mips64,
        Self::Mips64N32,
        Self::Mipsel,
        Self::Mipsel64,
        Self::Mipsel64N32,
        Self::Ppc,
        Self::Ppc64,
        Self::Ppc64Le,
        Self::Riscv64,
        Self::S390,
        Self::S390x,
        Self::X32,
        Self::X86,
        Self::X86_64,
    ];

    /// The architecture with this OCI name (`SCMP_ARCH_*`).
    ///
    /// # Errors
    ///
    /// The name is unknown.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|arch| arch.name() == name)
            .ok_or_else(|| Error::invalid(format!("unknown seccomp architecture {name:?}")))
    }

    /// The OCI name (`SCMP_ARCH_*`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Aarch64 => "SCMP_ARCH_AARCH64",
            Self::Arm => "SCMP_ARCH_ARM",
            Self::Loongarch64 => "SCMP_ARCH_LOONGARCH64",
            Self::Mips => "SCMP_ARCH_MIPS",
            Self::Mips64 => "SCMP_ARCH_MIPS64",
            Self::Mips64N32 => "SCMP_ARCH_MIPS64N32",
            Self::Mipsel => "SCMP_ARCH_MIPSEL",
            Self::Mipsel64 => "SCMP_ARCH_MIPSEL64",
            Self::Mipsel64N32 => "SCMP_ARCH_MIPSEL64N32",
            Self::Ppc => "SCMP_ARCH_PPC",
            Self::Ppc64 => "SCMP_ARCH_PPC64",
            Self::Ppc64Le => "SCMP_ARCH_PPC64LE",
            Self::Riscv64 => "SCMP_ARCH_RISCV64",
            Self::S390 => "SCMP_ARCH_S390",
            Self::S390x => "SCMP_ARCH_S390X",
            Self::X32 => "SCMP_ARCH_X32",
            Self::X86 => "SCMP_ARCH_X86",
            Self::X86_64 => "SCMP_ARCH_X86_64",
        }
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
    fn names_are_sorted_and_found() {
        let names: Vec<_> = Architecture::ALL.iter().map(|arch| arch.name()).collect();
        assert!(names.is_sorted());
        for arch in Architecture::ALL {
            assert_eq!(Architecture::from_name(arch.name()).unwrap(), arch);
        }
        assert!(Architecture::from_name("SCMP_ARCH_VAX").is_err());
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
