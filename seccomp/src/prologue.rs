//! The ENOSYS rule as a prologue in front of a filter that libseccomp made.

use crate::architecture::{Architecture, X32_SYSCALL_BIT};
use crate::bpf;
use crate::enosys;
use crate::error::{Error, ErrorKind, Result};
use crate::program::Instruction;

/// The largest system call number that the profile mentions on an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Threshold {
    pub(crate) arch: Architecture,
    pub(crate) max_nr: u32,
}

/// The system call number with which s390 enters a call whose real number is in a register
/// (`__NR_setup`).
const S390_MULTIPLEX: u32 = 0;

fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// The prologue for these thresholds; what it does not answer falls through to the instruction
/// after it.
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

/// The code for one `AUDIT_ARCH_*` value. It ends by running over its end, where the jump to the
/// filter follows.
fn section(sharing: &[Threshold]) -> Result<Vec<Instruction>> {
    let enosys_return = instruction(bpf::RET_K, 0, 0, enosys::ACTION.return_value());
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
            code.extend([is_x32(2, 0), above(*max_nr, 1), enosys_return]);
        }
        [
            Threshold {
                arch: Architecture::X32,
                max_nr,
            },
        ] => {
            code.extend([is_x32(0, 2), above(*max_nr, 1), enosys_return]);
        }
        [
            Threshold {
                arch: Architecture::S390 | Architecture::S390x,
                max_nr,
            },
        ] => {
            let multiplex = instruction(bpf::JMP_JEQ_K, 1, 0, S390_MULTIPLEX);
            code.extend([multiplex, above(*max_nr, 1), enosys_return]);
        }
        [Threshold { max_nr, .. }] => code.extend([above(*max_nr, 1), enosys_return]),
        [one, other] => {
            let (x86_64, x32) = match (one.arch, other.arch) {
                (Architecture::X86_64, Architecture::X32) => (one, other),
                (Architecture::X32, Architecture::X86_64) => (other, one),
                _ => return Err(overlap()),
            };
            // An x32 call skips x86_64's check; x86_64's check skips x32's either way.
            let above_x86_64 = instruction(bpf::JMP_JGT_K, 1, 2, x86_64.max_nr);
            code.extend([
                is_x32(1, 0),
                above_x86_64,
                above(x32.max_nr, 1),
                enosys_return,
            ]);
        }
        _ => return Err(overlap()),
    }
    Ok(code)
}

fn overlap() -> Error {
    Error::new(ErrorKind::Unsupported, "seccomp architectures overlap")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FilterFlags, Program, evaluate};

    /// What the prologue does not answer.
    const FILTER: u32 = 0x7fff_0000;
    const ENOSYS_ANSWER: u32 = 0x0005_0026;

    fn program(thresholds: &[(Architecture, u32)]) -> Program {
        let thresholds: Vec<_> = thresholds
            .iter()
            .map(|&(arch, max_nr)| Threshold { arch, max_nr })
            .collect();
        let mut instructions = prologue(&thresholds).unwrap();
        instructions.push(instruction(bpf::RET_K, 0, 0, FILTER));
        Program::new(&instructions, FilterFlags::empty()).unwrap()
    }

    fn answer(program: &Program, arch: Architecture, nr: u32) -> u32 {
        evaluate(program, arch, nr, [0; 6]).unwrap()
    }

    /// One threshold for each architecture but those that share x86_64's value: the program is long
    /// enough that the first section's way to the filter needs a long jump.
    #[test]
    fn every_architecture_has_its_own_threshold() {
        let thresholds: Vec<_> = Architecture::ALL
            .iter()
            .copied()
            .filter(|arch| *arch != Architecture::X32)
            .zip((100..).step_by(10))
            .collect();
        let program = program(&thresholds);
        for (arch, max_nr) in thresholds {
            assert_eq!(answer(&program, arch, max_nr), FILTER, "{}", arch.name());
            assert_eq!(
                answer(&program, arch, max_nr + 1),
                ENOSYS_ANSWER,
                "{}",
                arch.name()
            );
            assert_eq!(answer(&program, arch, 1), FILTER, "{}", arch.name());
        }
    }

    #[test]
    fn architectures_without_threshold_are_left_to_the_filter() {
        let program = program(&[(Architecture::Aarch64, 10)]);
        assert_eq!(answer(&program, Architecture::X86_64, 5000), FILTER);
        assert_eq!(
            answer(&self::program(&[]), Architecture::X86_64, 5000),
            FILTER
        );
    }

    #[test]
    fn x86_64_and_x32_are_told_apart_by_bit_30() {
        const X32: u32 = X32_SYSCALL_BIT;
        let one = program(&[(Architecture::X86_64, 10)]);
        assert_eq!(answer(&one, Architecture::X86_64, 11), ENOSYS_ANSWER);
        assert_eq!(answer(&one, Architecture::X86_64, X32 | 11), FILTER);
        let other = program(&[(Architecture::X32, X32 | 10)]);
        assert_eq!(answer(&other, Architecture::X86_64, 11), FILTER);
        assert_eq!(answer(&other, Architecture::X86_64, X32 | 10), FILTER);
        assert_eq!(
            answer(&other, Architecture::X86_64, X32 | 11),
            ENOSYS_ANSWER
        );
        for pair in [[0, 1], [1, 0]] {
            let thresholds = [(Architecture::X86_64, 20), (Architecture::X32, X32 | 10)];
            let both = program(&pair.map(|index| thresholds[index]));
            assert_eq!(answer(&both, Architecture::X86_64, 20), FILTER);
            assert_eq!(answer(&both, Architecture::X86_64, 21), ENOSYS_ANSWER);
            assert_eq!(answer(&both, Architecture::X86_64, X32 | 10), FILTER);
            assert_eq!(answer(&both, Architecture::X86_64, X32 | 11), ENOSYS_ANSWER);
        }
    }

    #[test]
    fn the_multiplexed_call_of_s390_is_enosys() {
        for arch in [Architecture::S390, Architecture::S390x] {
            let program = program(&[(arch, 10)]);
            assert_eq!(answer(&program, arch, 0), ENOSYS_ANSWER);
            assert_eq!(answer(&program, arch, 1), FILTER);
            assert_eq!(answer(&program, arch, 11), ENOSYS_ANSWER);
        }
    }
}
