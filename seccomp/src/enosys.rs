//! The ENOSYS prologue in front of a filter that libseccomp made.
//!
//! A profile cannot name system calls that are newer than itself. If they failed with the default action's `EPERM`,
//! programs would give up where `ENOSYS` makes them fall back to an older call (glibc and `clone3` is the known
//! case). So a call with a number above every number that the profile mentions fails with `ENOSYS`.

use crate::action::Action;
use crate::architecture::{Architecture, X32_SYSCALL_BIT};
use crate::bpf;
use crate::error::{Error, ErrorKind, Result};
use crate::program::Instruction;

/// The largest system call number that the profile mentions on an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Threshold {
    pub(crate) arch: Architecture,
    pub(crate) max_nr: u32,
}

/// `ENOSYS`, 38 on every architecture but MIPS.
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
const ENOSYS: u16 = 38;
/// `ENOSYS` on MIPS.
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
const ENOSYS: u16 = 89;

/// The answer for calls that the profile is too old to know.
pub(crate) const ACTION: Action = Action::Errno(ENOSYS);

/// The system call number with which s390 enters a call whose real number is in a register (`__NR_setup`).
const S390_MULTIPLEX: u32 = 0;

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// The prologue for these thresholds; what it does not answer falls through to the instruction after it.
///
/// Thresholds of architectures with the same `AUDIT_ARCH_*` value must be x86_64's and x32's.
pub(crate) fn prologue(thresholds: &[Threshold]) -> Result<Vec<Instruction>> {
    let mut sections: Vec<(u32, Vec<Instruction>)> = Vec::new();
    for threshold in thresholds {
        let audit_arch = threshold.arch.audit_arch();
        if sections.iter().any(|(other, _)| *other == audit_arch) {
            continue;
        }
        let sharing: Vec<Threshold> = thresholds
            .iter()
            .filter(|other| other.arch.audit_arch() == audit_arch)
            .copied()
            .collect();
        sections.push((audit_arch, section(&sharing)?));
    }

    // Built from the end: a section's jump over the rest is as long as what was already built.
    let mut tail: Vec<Instruction> = Vec::new();
    for (audit_arch, mut section) in sections.into_iter().rev() {
        let distance = u32::try_from(tail.len()).map_err(|_| too_large())?;
        section.push(instruction(bpf::JA, 0, 0, distance));
        let skip = u8::try_from(section.len()).map_err(|_| too_large())?;
        section.insert(0, instruction(bpf::JMP_JEQ_K, 0, skip, audit_arch));
        section.append(&mut tail);
        tail = section;
    }
    if !tail.is_empty() {
        tail.insert(0, instruction(bpf::LD_W_ABS, 0, 0, bpf::OFFSET_ARCH));
    }
    Ok(tail)
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge, "seccomp ENOSYS prologue too large")
}

/// The code for one `AUDIT_ARCH_*` value. It ends by running over its end, where the jump to the filter follows.
fn section(sharing: &[Threshold]) -> Result<Vec<Instruction>> {
    let enosys = instruction(bpf::RET_K, 0, 0, ACTION.return_value());
    let above = |max_nr, skip| instruction(bpf::JMP_JGT_K, 0, skip, max_nr);
    let is_x32 =
        |skip_if, skip_unless| instruction(bpf::JMP_JSET_K, skip_if, skip_unless, X32_SYSCALL_BIT);
    let mut code = vec![instruction(bpf::LD_W_ABS, 0, 0, bpf::OFFSET_NR)];
    match sharing {
        // Calls of the sibling ABI, which the filter does not know, are left to the filter.
        [
            Threshold {
                arch: Architecture::X86_64,
                max_nr,
            },
        ] => {
            code.extend([is_x32(2, 0), above(*max_nr, 1), enosys]);
        }
        [
            Threshold {
                arch: Architecture::X32,
                max_nr,
            },
        ] => {
            code.extend([is_x32(0, 2), above(*max_nr, 1), enosys]);
        }
        [
            Threshold {
                arch: Architecture::S390 | Architecture::S390x,
                max_nr,
            },
        ] => {
            let multiplex = instruction(bpf::JMP_JEQ_K, 1, 0, S390_MULTIPLEX);
            code.extend([multiplex, above(*max_nr, 1), enosys]);
        }
        [Threshold { max_nr, .. }] => code.extend([above(*max_nr, 1), enosys]),
        [one, other] => {
            let (x86_64, x32) = match (one.arch, other.arch) {
                (Architecture::X86_64, Architecture::X32) => (one, other),
                (Architecture::X32, Architecture::X86_64) => (other, one),
                _ => return Err(overlap()),
            };
            // An x32 call skips x86_64's check; x86_64's check skips x32's either way.
            let above_x86_64 = instruction(bpf::JMP_JGT_K, 1, 2, x86_64.max_nr);
            code.extend([is_x32(1, 0), above_x86_64, above(x32.max_nr, 1), enosys]);
        }
        _ => return Err(overlap()),
    }
    Ok(code)
}

fn overlap() -> Error {
    Error::new(ErrorKind::Unsupported, "seccomp architectures overlap")
}
