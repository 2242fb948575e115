//! Writes a program from its end to its start.
//!
//! BPF jumps only forward, and a conditional jump over at most 255 instructions. Written from the
//! end, every target is there already when a jump to it is written, its distance is known, and
//! where it is too far one more instruction (a repeated return, or an unconditional jump, whose
//! distance has 32 bits) makes it near.

use crate::bpf;
use crate::program::Instruction;

/// Where a jump leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// To an instruction that returns this value; it is written when it is needed.
    Return(u32),
    /// To code that is written already.
    Code(Label),
}

/// A written instruction: how many there were when it was written, itself included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// The distance a conditional jump to a resolved target may have at most: one less than its 8 bits
/// can say, because bringing the other target near may add an instruction in between.
const NEAR: usize = 254;

/// A program under construction.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Last instruction first.
    reversed: Vec<Instruction>,
    /// The latest return of each value.
    returns: Vec<(u32, Label)>,
    /// The latest jump to a label that was too far away.
    trampolines: Vec<(Label, Label)>,
}

impl Assembler {
    /// Writes an instruction that goes on with the one written before it.
    pub(super) fn push(&mut self, code: u16, k: u32) -> Label {
        self.write(Instruction {
            code,
            jt: 0,
            jf: 0,
            k,
        })
    }

    /// Writes a conditional jump.
    pub(super) fn jump(&mut self, code: u16, k: u32, yes: Destination, no: Destination) -> Label {
        let yes = self.near(yes);
        let no = self.near(no);
        let (jt, jf) = (self.short_distance(yes), self.short_distance(no));
        self.write(Instruction { code, jt, jf, k })
    }

    /// Makes the next instruction written go on at `destination`.
    pub(super) fn enter(&mut self, destination: Destination) {
        match destination {
            Destination::Code(label) if self.distance(label) == 0 => {}
            Destination::Code(label) => {
                self.jump_always(label);
            }
            Destination::Return(value) => {
                self.push(bpf::RET_K, value);
            }
        }
    }

    /// The program, first instruction first.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }

    fn write(&mut self, instruction: Instruction) -> Label {
        self.reversed.push(instruction);
        Label(self.reversed.len())
    }

    fn jump_always(&mut self, label: Label) -> Label {
        // A program has far fewer than 2^32 instructions, so a distance always fits.
        let distance = u32::try_from(self.distance(label)).unwrap_or(u32::MAX);
        self.push(bpf::JA, distance)
    }

    /// The instructions between the next one written and `label`.
    fn distance(&self, label: Label) -> usize {
        self.reversed.len().saturating_sub(label.0)
    }

    /// The distance to a label that [`near`](Self::near) gave.
    fn short_distance(&self, label: Label) -> u8 {
        u8::try_from(self.distance(label)).unwrap_or(u8::MAX)
    }

    /// A label with the meaning of `destination` that the next instruction can jump to.
    fn near(&mut self, destination: Destination) -> Label {
        match destination {
            Destination::Code(label) if self.distance(label) <= NEAR => label,
            Destination::Code(label) => {
                let known = self
                    .trampolines
                    .iter()
                    .position(|(target, _)| *target == label);
                if let Some(index) = known {
                    let (_, trampoline) = self.trampolines.swap_remove(index);
                    if self.distance(trampoline) <= NEAR {
                        self.trampolines.push((label, trampoline));
                        return trampoline;
                    }
                }
                let trampoline = self.jump_always(label);
                self.trampolines.push((label, trampoline));
                trampoline
            }
            Destination::Return(value) => {
                let known = self
                    .returns
                    .iter()
                    .position(|(returned, _)| *returned == value);
                if let Some(index) = known {
                    let (_, label) = self.returns.swap_remove(index);
                    if self.distance(label) <= NEAR {
                        self.returns.push((value, label));
                        return label;
                    }
                }
                let label = self.push(bpf::RET_K, value);
                self.returns.push((value, label));
                label
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, FilterFlags, Program, evaluate};

    /// For every number below `count` a test of its own that returns the number: every second one
    /// far from its start.
    #[test]
    fn jumps_reach_any_distance() {
        let count = 1000;
        let mut assembler = Assembler::default();
        let far = assembler.push(bpf::RET_K, 7);
        let mut next = Destination::Return(u32::MAX);
        for number in (0..count).rev() {
            let yes = if number % 2 == 0 {
                Destination::Code(far)
            } else {
                Destination::Return(number)
            };
            next = Destination::Code(assembler.jump(bpf::JMP_JEQ_K, number, yes, next));
        }
        assembler.enter(next);
        assembler.push(bpf::LD_W_ABS, bpf::OFFSET_NR);
        let program = Program::new(&assembler.finish(), FilterFlags::empty()).unwrap();
        for number in 0..count {
            let expected = if number % 2 == 0 { 7 } else { number };
            assert_eq!(
                evaluate(&program, Architecture::X86_64, number, [0; 6]).unwrap(),
                expected
            );
        }
        assert_eq!(
            evaluate(&program, Architecture::X86_64, count, [0; 6]).unwrap(),
            u32::MAX
        );
    }
}
