//! Names for the classic BPF instructions a seccomp filter may use (`linux/bpf_common.h`,
//! `linux/filter.h`).

/// Load the 32-bit word at a byte offset of `struct seccomp_data` into A.
pub(crate) const LD_W_ABS: u16 = 0x20;
/// Load the size of `struct seccomp_data` into A.
pub(crate) const LD_W_LEN: u16 = 0x80;
/// Load the size of `struct seccomp_data` into X.
pub(crate) const LDX_W_LEN: u16 = 0x81;
/// Load a constant into A.
pub(crate) const LD_IMM: u16 = 0x00;
/// Load a constant into X.
pub(crate) const LDX_IMM: u16 = 0x01;
/// Load a memory cell into A.
pub(crate) const LD_MEM: u16 = 0x60;
/// Load a memory cell into X.
pub(crate) const LDX_MEM: u16 = 0x61;
/// Store A in a memory cell.
pub(crate) const ST: u16 = 0x02;
/// Store X in a memory cell.
pub(crate) const STX: u16 = 0x03;
/// Copy A to X.
pub(crate) const TAX: u16 = 0x07;
/// Copy X to A.
pub(crate) const TXA: u16 = 0x87;
/// Return a constant.
pub(crate) const RET_K: u16 = 0x06;
/// Return A.
pub(crate) const RET_A: u16 = 0x16;
/// Jump, always; the 32-bit operand is the distance.
pub(crate) const JA: u16 = 0x05;

/// Mask of the instruction class.
pub(crate) const CLASS: u16 = 0x07;
/// Arithmetic on A.
pub(crate) const CLASS_ALU: u16 = 0x04;
/// Jumps.
pub(crate) const CLASS_JMP: u16 = 0x05;
/// The operand is X instead of the constant.
pub(crate) const SOURCE_X: u16 = 0x08;
/// Mask of the operation within a class.
pub(crate) const OPERATION: u16 = 0xf0;

/// Jump if A = operand.
pub(crate) const JUMP_EQ: u16 = 0x10;
/// Jump if A > operand.
pub(crate) const JUMP_GT: u16 = 0x20;
/// Jump if A ≥ operand.
pub(crate) const JUMP_GE: u16 = 0x30;
/// Jump if A & operand ≠ 0.
pub(crate) const JUMP_SET: u16 = 0x40;

/// [`JUMP_EQ`] with a constant.
pub(crate) const JMP_JEQ_K: u16 = CLASS_JMP | JUMP_EQ;
/// [`JUMP_GT`] with a constant.
pub(crate) const JMP_JGT_K: u16 = CLASS_JMP | JUMP_GT;
/// [`JUMP_GE`] with a constant.
pub(crate) const JMP_JGE_K: u16 = CLASS_JMP | JUMP_GE;
/// [`JUMP_SET`] with a constant.
pub(crate) const JMP_JSET_K: u16 = CLASS_JMP | JUMP_SET;

/// A + operand.
pub(crate) const ALU_ADD: u16 = 0x00;
/// A − operand.
pub(crate) const ALU_SUB: u16 = 0x10;
/// A × operand.
pub(crate) const ALU_MUL: u16 = 0x20;
/// A ÷ operand.
pub(crate) const ALU_DIV: u16 = 0x30;
/// A | operand.
pub(crate) const ALU_OR: u16 = 0x40;
/// A & operand.
pub(crate) const ALU_AND: u16 = 0x50;
/// A << operand.
pub(crate) const ALU_LSH: u16 = 0x60;
/// A >> operand.
pub(crate) const ALU_RSH: u16 = 0x70;
/// −A.
pub(crate) const ALU_NEG: u16 = 0x80;
/// A ^ operand.
pub(crate) const ALU_XOR: u16 = 0xa0;
/// [`ALU_AND`] with a constant.
pub(crate) const ALU_AND_K: u16 = CLASS_ALU | ALU_AND;

/// Offset of `nr` in `struct seccomp_data`.
pub(crate) const OFFSET_NR: u32 = 0;
/// Offset of `arch`.
pub(crate) const OFFSET_ARCH: u32 = 4;
/// Offset of `args`, six 64-bit values.
pub(crate) const OFFSET_ARGS: u32 = 16;
/// Size of `struct seccomp_data`.
pub(crate) const DATA_SIZE: u32 = 64;
