//! An interpreter for seccomp filters: what would this filter answer?

use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};
use crate::program::{Instruction, Program};

use crate::bpf;

/// `struct seccomp_data` (`linux/seccomp.h`): what a filter sees of a system call.
struct Data {
    nr: u32,
    arch: u32,
    args: [u64; 6],
}

impl Data {
    /// The 32-bit word at a byte offset, in the byte order of this machine. The instruction pointer
    /// reads as 0.
    fn word(&self, offset: u32) -> Option<u32> {
        match offset {
            bpf::OFFSET_NR => Some(self.nr),
            bpf::OFFSET_ARCH => Some(self.arch),
            8 | 12 => Some(0),
            _ => {
                let position = usize::try_from(offset.checked_sub(bpf::OFFSET_ARGS)?).ok()?;
                let bytes = self.args.get(position / 8)?.to_ne_bytes();
                match position % 8 {
                    0 => bytes.first_chunk().copied().map(u32::from_ne_bytes),
                    4 => bytes.last_chunk().copied().map(u32::from_ne_bytes),
                    _ => None,
                }
            }
        }
    }
}

/// Runs a filter for one system call and gives the value it returns.
///
/// `nr` is the number as the kernel sees it: on x32 it includes bit 30. Use
/// [`Action::from_return_value`](crate::Action::from_return_value) for the meaning of the value.
///
/// All instructions the kernel accepts in a seccomp filter (`seccomp_check_filter()` in
/// `kernel/seccomp.c`) are known; the instruction pointer reads as 0. Memory is the machine's own
/// byte order, so that a filter for an architecture of the other order cannot be evaluated
/// meaningfully.
///
/// # Errors
///
/// The program is not one the kernel would load: an instruction that is not known, a jump or a load
/// outside, a division by a constant 0, or an end without a return.
pub fn evaluate(program: &Program, arch: Architecture, nr: u32, args: [u64; 6]) -> Result<u32> {
    run(
        program.as_bytes(),
        &Data {
            nr,
            arch: arch.audit_arch(),
            args,
        },
    )
}

fn run(bytes: &[u8], data: &Data) -> Result<u32> {
    let (instructions, _) = bytes.as_chunks::<{ Instruction::SIZE }>();
    let mut accumulator: u32 = 0;
    let mut index: u32 = 0;
    let mut memory = [0_u32; 16];
    let mut position: usize = 0;
    // Jumps only go forward, so this ends.
    loop {
        let invalid = |what: &str| {
            Error::new(
                ErrorKind::InvalidProgram,
                format!("seccomp filter, instruction {position}: {what}"),
            )
        };
        let bytes = instructions
            .get(position)
            .ok_or_else(|| invalid("no return before the end"))?;
        let Instruction { code, jt, jf, k } = Instruction::from_bytes(*bytes);
        let cell = usize::try_from(k).unwrap_or(usize::MAX);
        let mut skip: usize = 0;
        match code {
            bpf::LD_W_ABS => {
                accumulator = data
                    .word(k)
                    .ok_or_else(|| invalid("load outside of the data"))?
            }
            bpf::LD_W_LEN => accumulator = bpf::DATA_SIZE,
            bpf::LDX_W_LEN => index = bpf::DATA_SIZE,
            bpf::LD_IMM => accumulator = k,
            bpf::LDX_IMM => index = k,
            bpf::LD_MEM => {
                accumulator = *memory.get(cell).ok_or_else(|| invalid("no such memory"))?
            }
            bpf::LDX_MEM => index = *memory.get(cell).ok_or_else(|| invalid("no such memory"))?,
            bpf::ST => {
                *memory
                    .get_mut(cell)
                    .ok_or_else(|| invalid("no such memory"))? = accumulator
            }
            bpf::STX => {
                *memory
                    .get_mut(cell)
                    .ok_or_else(|| invalid("no such memory"))? = index
            }
            bpf::TAX => index = accumulator,
            bpf::TXA => accumulator = index,
            bpf::RET_K => return Ok(k),
            bpf::RET_A => return Ok(accumulator),
            bpf::JA => skip = cell,
            _ if code & bpf::CLASS == bpf::CLASS_JMP => {
                let operand = if code & bpf::SOURCE_X == 0 { k } else { index };
                let taken = match code & bpf::OPERATION {
                    bpf::JUMP_EQ => accumulator == operand,
                    bpf::JUMP_GT => accumulator > operand,
                    bpf::JUMP_GE => accumulator >= operand,
                    bpf::JUMP_SET => accumulator & operand != 0,
                    _ => return Err(invalid("unknown jump")),
                };
                skip = usize::from(if taken { jt } else { jf });
            }
            _ if code & bpf::CLASS == bpf::CLASS_ALU => {
                let operand = if code & bpf::SOURCE_X == 0 { k } else { index };
                let divide = |by: u32| match (code & bpf::SOURCE_X, by) {
                    (0, 0) => Err(invalid("division by zero")),
                    // A division by a zero X register ends the program with the value 0
                    // (Documentation/networking/filter).
                    (_, 0) => Ok(None),
                    (_, by) => Ok(Some(by)),
                };
                accumulator = match code & bpf::OPERATION {
                    bpf::ALU_ADD => accumulator.wrapping_add(operand),
                    bpf::ALU_SUB => accumulator.wrapping_sub(operand),
                    bpf::ALU_MUL => accumulator.wrapping_mul(operand),
                    bpf::ALU_DIV => match divide(operand)? {
                        Some(by) => accumulator / by,
                        None => return Ok(0),
                    },
                    bpf::ALU_AND => accumulator & operand,
                    bpf::ALU_OR => accumulator | operand,
                    bpf::ALU_XOR => accumulator ^ operand,
                    bpf::ALU_LSH => accumulator.wrapping_shl(operand),
                    bpf::ALU_RSH => accumulator.wrapping_shr(operand),
                    bpf::ALU_NEG => accumulator.wrapping_neg(),
                    _ => return Err(invalid("unknown arithmetic")),
                };
            }
            _ => return Err(invalid("unknown instruction")),
        }
        position = position.saturating_add(1).saturating_add(skip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::FilterFlags;

    fn program(instructions: &[(u16, u8, u8, u32)]) -> Program {
        let instructions: Vec<_> = instructions
            .iter()
            .map(|&(code, jt, jf, k)| Instruction { code, jt, jf, k })
            .collect();
        Program::new(&instructions, FilterFlags::empty()).unwrap()
    }

    #[test]
    fn loads_see_number_architecture_and_both_halves_of_an_argument() {
        let args = [0, 0, 0, 0, 0, 0x1122_3344_5566_7788];
        let load = |offset| {
            evaluate(
                &program(&[(bpf::LD_W_ABS, 0, 0, offset), (bpf::RET_A, 0, 0, 0)]),
                Architecture::X86_64,
                7,
                args,
            )
        };
        assert_eq!(load(0).unwrap(), 7);
        assert_eq!(load(4).unwrap(), 0xc000_003e);
        let mut halves = [load(56).unwrap(), load(60).unwrap()];
        halves.sort_unstable();
        assert_eq!(halves, [0x1122_3344, 0x5566_7788]);
        assert!(load(64).is_err());
        assert!(load(2).is_err());
    }

    #[test]
    fn jumps_choose_and_ends_without_return_are_errors() {
        let jump = program(&[
            (bpf::LD_W_ABS, 0, 0, 0),
            (bpf::JMP_JGE_K, 1, 0, 10),
            (bpf::RET_K, 0, 0, 1),
            (bpf::JA, 0, 0, 1),
            (bpf::RET_K, 0, 0, 2),
            (bpf::RET_K, 0, 0, 3),
        ]);
        assert_eq!(evaluate(&jump, Architecture::X86, 9, [0; 6]).unwrap(), 1);
        assert_eq!(evaluate(&jump, Architecture::X86, 10, [0; 6]).unwrap(), 3);
        let open = program(&[(bpf::LD_IMM, 0, 0, 0)]);
        let error = evaluate(&open, Architecture::X86, 0, [0; 6]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidProgram);
        assert!(
            evaluate(
                &program(&[(bpf::JA, 0, 0, u32::MAX)]),
                Architecture::X86,
                0,
                [0; 6]
            )
            .is_err()
        );
    }

    #[test]
    fn arithmetic_and_memory_work() {
        let sum = program(&[
            (bpf::LD_W_ABS, 0, 0, 0),
            (bpf::ST, 0, 0, 3),
            (bpf::LDX_MEM, 0, 0, 3),
            (bpf::CLASS_ALU | bpf::ALU_ADD | bpf::SOURCE_X, 0, 0, 0),
            (bpf::CLASS_ALU | bpf::ALU_LSH, 0, 0, 4),
            (bpf::RET_A, 0, 0, 0),
        ]);
        assert_eq!(evaluate(&sum, Architecture::X86, 5, [0; 6]).unwrap(), 160);
    }
}
