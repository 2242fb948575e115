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
    let mut machine = Machine::default();
    let mut position: usize = 0;
    // Jumps only go forward, so this ends.
    loop {
        let step = instructions
            .get(position)
            .ok_or("no return before the end")
            .and_then(|bytes| machine.execute(&Instruction::from_bytes(*bytes), data));
        match step {
            Ok(Step::Skip(skip)) => position = position.saturating_add(1).saturating_add(skip),
            Ok(Step::Return(value)) => return Ok(value),
            Err(what) => {
                return Err(Error::new(
                    ErrorKind::InvalidProgram,
                    format!("seccomp filter, instruction {position}: {what}"),
                ));
            }
        }
    }
}

/// The registers and the memory of a classic BPF program.
#[derive(Default)]
struct Machine {
    accumulator: u32,
    index: u32,
    memory: [u32; 16],
}

/// What comes after an instruction.
enum Step {
    /// The next one, after this many others.
    Skip(usize),
    /// The end, with this answer.
    Return(u32),
}

/// What is wrong with an instruction.
type Invalid = &'static str;

impl Machine {
    fn execute(&mut self, instruction: &Instruction, data: &Data) -> Result<Step, Invalid> {
        let Instruction { code, jt, jf, k } = *instruction;
        match code {
            bpf::LD_W_ABS => {
                self.accumulator = data.word(k).ok_or("load outside of the data")?;
            }
            bpf::LD_W_LEN => self.accumulator = bpf::DATA_SIZE,
            bpf::LDX_W_LEN => self.index = bpf::DATA_SIZE,
            bpf::LD_IMM => self.accumulator = k,
            bpf::LDX_IMM => self.index = k,
            bpf::LD_MEM => self.accumulator = *self.cell(k)?,
            bpf::LDX_MEM => self.index = *self.cell(k)?,
            bpf::ST => *self.cell(k)? = self.accumulator,
            bpf::STX => *self.cell(k)? = self.index,
            bpf::TAX => self.index = self.accumulator,
            bpf::TXA => self.accumulator = self.index,
            bpf::RET_K => return Ok(Step::Return(k)),
            bpf::RET_A => return Ok(Step::Return(self.accumulator)),
            bpf::JA => return Ok(Step::Skip(usize::try_from(k).unwrap_or(usize::MAX))),
            _ if code & bpf::CLASS == bpf::CLASS_JMP => {
                let taken = self.jumps(code, self.operand(code, k))?;
                return Ok(Step::Skip(usize::from(if taken { jt } else { jf })));
            }
            _ if code & bpf::CLASS == bpf::CLASS_ALU => {
                match self.calculate(code, self.operand(code, k))? {
                    Some(result) => self.accumulator = result,
                    None => return Ok(Step::Return(0)),
                }
            }
            _ => return Err("unknown instruction"),
        }
        Ok(Step::Skip(0))
    }

    fn cell(&mut self, number: u32) -> Result<&mut u32, Invalid> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.memory.get_mut(number).ok_or("no such memory")
    }

    fn operand(&self, code: u16, k: u32) -> u32 {
        if code & bpf::SOURCE_X == 0 {
            k
        } else {
            self.index
        }
    }

    fn jumps(&self, code: u16, operand: u32) -> Result<bool, Invalid> {
        Ok(match code & bpf::OPERATION {
            bpf::JUMP_EQ => self.accumulator == operand,
            bpf::JUMP_GT => self.accumulator > operand,
            bpf::JUMP_GE => self.accumulator >= operand,
            bpf::JUMP_SET => self.accumulator & operand != 0,
            _ => return Err("unknown jump"),
        })
    }

    /// `None` ends the program with the value 0: a division by an X register that is 0
    /// (Documentation/networking/filter).
    fn calculate(&self, code: u16, operand: u32) -> Result<Option<u32>, Invalid> {
        let value = self.accumulator;
        Ok(Some(match code & bpf::OPERATION {
            bpf::ALU_ADD => value.wrapping_add(operand),
            bpf::ALU_SUB => value.wrapping_sub(operand),
            bpf::ALU_MUL => value.wrapping_mul(operand),
            bpf::ALU_DIV => match (code & bpf::SOURCE_X, value.checked_div(operand)) {
                (0, None) => return Err("division by zero"),
                (_, quotient) => return Ok(quotient),
            },
            bpf::ALU_AND => value & operand,
            bpf::ALU_OR => value | operand,
            bpf::ALU_XOR => value ^ operand,
            bpf::ALU_LSH => value.wrapping_shl(operand),
            bpf::ALU_RSH => value.wrapping_shr(operand),
            bpf::ALU_NEG => value.wrapping_neg(),
            _ => return Err("unknown arithmetic"),
        }))
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
