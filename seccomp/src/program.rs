//! A compiled filter.

use crate::error::{Error, ErrorKind, Result};
use crate::flags::FilterFlags;

/// One classic BPF instruction: `struct sock_filter` of `linux/filter.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Operation and addressing mode.
    pub code: u16,
    /// Instructions to skip when a conditional jump is taken.
    pub jt: u8,
    /// Instructions to skip when it is not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

impl Instruction {
    /// Size in a program, bytes.
    pub const SIZE: usize = 8;

    /// The instruction as the kernel reads it (host byte order).
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [c0, c1] = self.code.to_ne_bytes();
        let [k0, k1, k2, k3] = self.k.to_ne_bytes();
        [c0, c1, self.jt, self.jf, k0, k1, k2, k3]
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        let [c0, c1, jt, jf, k0, k1, k2, k3] = bytes;
        Self {
            code: u16::from_ne_bytes([c0, c1]),
            jt,
            jf,
            k: u32::from_ne_bytes([k0, k1, k2, k3]),
        }
    }
}

/// A filter ready to be loaded: instructions, the flags to load it with, and whether loading it
/// returns a listener descriptor.
///
/// The process that loads it calls `prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prog)` when the
/// flags are 0 and `seccomp(SECCOMP_SET_MODE_FILTER, flags, prog)` otherwise;
/// [`install`](crate::install()) does that for the calling thread.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Program {
    bytes: Vec<u8>,
    flags: FilterFlags,
}

/// The most instructions the kernel takes in one filter (`BPF_MAXINSNS`, `linux/bpf_common.h`).
pub const MAX_INSTRUCTIONS: usize = 4096;

impl Program {
    pub(crate) fn new(instructions: &[Instruction], flags: FilterFlags) -> Result<Self> {
        if instructions.len() > MAX_INSTRUCTIONS {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "seccomp filter too large: {} instructions, the kernel takes {MAX_INSTRUCTIONS}",
                    instructions.len()
                ),
            ));
        }
        let mut bytes = Vec::with_capacity(instructions.len() * Instruction::SIZE);
        for instruction in instructions {
            bytes.extend_from_slice(&instruction.to_bytes());
        }
        Ok(Self { bytes, flags })
    }

    /// A program from the bytes of its instructions, for instance [`as_bytes`](Self::as_bytes) of
    /// another one.
    ///
    /// The instructions are checked no further: the kernel checks them when they are loaded.
    ///
    /// # Errors
    ///
    /// `bytes` is empty, no multiple of 8 bytes, or more than [`MAX_INSTRUCTIONS`].
    pub fn from_bytes(bytes: Vec<u8>, flags: FilterFlags) -> Result<Self> {
        let count = bytes.len() / Instruction::SIZE;
        if !bytes.len().is_multiple_of(Instruction::SIZE) || count == 0 || count > MAX_INSTRUCTIONS
        {
            return Err(Error::new(
                ErrorKind::InvalidProgram,
                format!("{} bytes are not a BPF program", bytes.len()),
            ));
        }
        Ok(Self { bytes, flags })
    }

    /// The instructions as the kernel reads them: [`len`](Self::len) times 8 bytes, host byte
    /// order.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The instructions, one after the other.
    #[must_use]
    pub fn instructions(&self) -> impl ExactSizeIterator<Item = Instruction> {
        let (chunks, _) = self.bytes.as_chunks::<{ Instruction::SIZE }>();
        chunks.iter().map(|chunk| Instruction::from_bytes(*chunk))
    }

    /// The number of instructions, 1 to [`MAX_INSTRUCTIONS`].
    #[must_use]
    pub fn len(&self) -> u16 {
        // Both constructors keep the length far below 16 bits.
        u16::try_from(self.bytes.len() / Instruction::SIZE).unwrap_or(u16::MAX)
    }

    /// Whether it has no instruction; a compiled program always has some.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The flags to load the program with.
    #[must_use]
    pub fn flags(&self) -> FilterFlags {
        self.flags
    }

    /// Whether loading the program returns a listener descriptor, because some rule is
    /// `SCMP_ACT_NOTIFY`.
    #[must_use]
    pub fn notify(&self) -> bool {
        self.flags.contains(FilterFlags::NEW_LISTENER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_survive_the_bytes() {
        let instruction = Instruction {
            code: 0x15,
            jt: 1,
            jf: 2,
            k: 0xdead_beef,
        };
        let program = Program::new(&[instruction; 3], FilterFlags::LOG).unwrap();
        assert_eq!(program.len(), 3);
        assert!(program.instructions().all(|other| other == instruction));
        assert_eq!(
            Program::from_bytes(program.as_bytes().to_vec(), FilterFlags::LOG).unwrap(),
            program
        );
    }

    #[test]
    fn a_length_the_kernel_does_not_take_is_refused() {
        let ret = Instruction {
            code: 6,
            jt: 0,
            jf: 0,
            k: 0,
        };
        assert!(Program::new(&vec![ret; MAX_INSTRUCTIONS], FilterFlags::empty()).is_ok());
        let error =
            Program::new(&vec![ret; MAX_INSTRUCTIONS + 1], FilterFlags::empty()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(Program::from_bytes(vec![0; 12], FilterFlags::empty()).is_err());
        assert!(Program::from_bytes(Vec::new(), FilterFlags::empty()).is_err());
    }
}
