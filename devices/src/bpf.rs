//! The eBPF program that enforces device rules on cgroup v2.
//!
//! Program type `BPF_PROG_TYPE_CGROUP_DEVICE` (Linux 4.15). Its context is `struct
//! bpf_cgroup_dev_ctx`: the word `access_type` (low half: 1 block device, 2 character device; high
//! half: 1 mknod, 2 read, 4 write), then `major`, then `minor`. It returns 1 to allow, 0 to deny.
//!
//! What a program means, as `security/device_cgroup.c` defines it:
//! * deny by default: an access is allowed if *one* exception grants all of it; two exceptions that
//!   grant half each do not.
//! * allow by default: an access is denied if an exception denies *any* part of it. An exception
//!   that denies writing denies opening for reading and writing, too.
//!
//! The instructions are as few as the rules permit, because every container pays for loading them:
//! exceptions implied by wider ones are dropped, what holds for both device types is tested once,
//! and what shares type, access or major number shares the test. The rules that every container
//! gets come to 21 instructions.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Access, Emulator, Error, ErrorKind, Kind, Result};

/// One eBPF instruction, as `struct bpf_insn` of `linux/bpf.h` lays it out on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct Insn {
    /// Class, operation and operand source.
    pub code: u8,
    /// Destination and source register, four bits each, in the order of the machine's bit fields.
    pub registers: u8,
    /// Jump distance, or offset into the context.
    pub offset: i16,
    /// Immediate operand.
    pub immediate: i32,
}

impl Insn {
    const fn new(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Self {
        let registers = if cfg!(target_endian = "little") {
            source << 4 | destination
        } else {
            destination << 4 | source
        };
        Self {
            code,
            registers,
            offset,
            immediate,
        }
    }

    /// The eight bytes the kernel reads, in the byte order of this machine.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        let [o0, o1] = self.offset.to_ne_bytes();
        let [i0, i1, i2, i3] = self.immediate.to_ne_bytes();
        [self.code, self.registers, o0, o1, i0, i1, i2, i3]
    }
}

/// Result register.
const R0: u8 = 0;
/// The context pointer on entry.
const R1: u8 = 1;
const ACCESS_TYPE: u8 = 2;
const MAJOR: u8 = 3;
const MINOR: u8 = 4;

/// `BPF_LDX | BPF_MEM | BPF_W`
const LOAD_WORD: u8 = 0x61;
/// `BPF_ALU64 | BPF_MOV | BPF_K`
const MOVE: u8 = 0xb7;
/// `BPF_JMP | BPF_JA`
const JUMP: u8 = 0x05;
/// `BPF_JMP | BPF_EXIT`
const EXIT: u8 = 0x95;

/// A test of a register against an immediate operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Test {
    /// `BPF_JMP | BPF_JEQ | BPF_K`
    Equal = 0x15,
    /// `BPF_JMP | BPF_JSET | BPF_K`
    AnyBit = 0x45,
    /// `BPF_JMP | BPF_JNE | BPF_K`
    NotEqual = 0x55,
}

/// Where a jump goes, before distances are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Label(usize);

/// The verdict of an exception that matches.
const MATCHED: Label = Label(0);
/// The default verdict.
const DEFAULT: Label = Label(1);

#[derive(Debug, Clone, Copy)]
enum Op {
    Plain(Insn),
    Branch {
        test: Test,
        register: u8,
        operand: i32,
        target: Label,
    },
    Goto(Label),
    Here(Label),
}

/// Compiles a state of the emulator into a program.
///
/// Numbers above 2³¹-1 are beyond what a device number can hold; an exception that names one
/// matches nothing and is left out.
///
/// ```
/// use cofferdam_devices::{Emulator, Rule, bpf, defaults};
///
/// let rules: Vec<Rule> = std::iter::once(Rule::everything(false))
///     .chain(defaults::rules())
///     .collect();
/// let program = bpf::assemble(&Emulator::from_rules(&rules)?)?;
/// assert_eq!(program.len(), 21);
/// # Ok::<(), cofferdam_devices::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::TooManyRules`] when a jump would be longer than the 32767 instructions that fit its
/// field (some ten thousand exceptions).
pub fn assemble(state: &Emulator) -> Result<Vec<Insn>> {
    let mut program = Assembler::new(state.allows_by_default());
    let exceptions = Exceptions::of(state);
    program.exceptions(&exceptions);
    program.finish()
}

/// The access an exception is about, by the numbers it names.
type ByNumber = BTreeMap<Numbers, Access>;

/// Major and minor number, `None` for all.
type Numbers = (Option<u32>, Option<u32>);

/// The exceptions that are not implied by others.
struct Exceptions {
    /// Holds for every device of both types.
    everywhere: Access,
    block: ByNumber,
    char: ByNumber,
}

impl Exceptions {
    fn of(state: &Emulator) -> Self {
        let (mut block, mut char) = (ByNumber::new(), ByNumber::new());
        for rule in state.exceptions() {
            let reachable =
                |number: Option<u32>| number.is_none_or(|number| i32::try_from(number).is_ok());
            if !reachable(rule.major) || !reachable(rule.minor) {
                continue;
            }
            match rule.kind {
                Kind::Block => block.insert((rule.major, rule.minor), rule.access),
                Kind::Char => char.insert((rule.major, rule.minor), rule.access),
                Kind::All | Kind::Fifo => None,
            };
        }
        drop_implied(&mut block);
        drop_implied(&mut char);
        let every = (None, None);
        let mut everywhere = Access::NONE;
        if let (Some(&a), Some(&b)) = (block.get(&every), char.get(&every))
            && a == b
        {
            everywhere = a;
            block.remove(&every);
            char.remove(&every);
        }
        Self {
            everywhere,
            block,
            char,
        }
    }
}

/// Removes every exception for which a wider one is about the same access, or more.
fn drop_implied(exceptions: &mut ByNumber) {
    let all = exceptions.clone();
    exceptions.retain(|&(major, minor), access| {
        let mut wider = vec![(None, None)];
        if major.is_some() && minor.is_some() {
            wider.extend([(major, None), (None, minor)]);
        }
        !wider.into_iter().any(|key| {
            key != (major, minor) && all.get(&key).is_some_and(|other| other.contains(*access))
        })
    });
}

struct Assembler {
    ops: Vec<Op>,
    labels: usize,
    allow_by_default: bool,
}

impl Assembler {
    fn new(allow_by_default: bool) -> Self {
        Self {
            ops: Vec::new(),
            labels: 2,
            allow_by_default,
        }
    }

    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    fn branch(&mut self, test: Test, register: u8, operand: i32, target: Label) {
        self.ops.push(Op::Branch {
            test,
            register,
            operand,
            target,
        });
    }

    fn load(&mut self, register: u8, offset: i16) {
        self.ops
            .push(Op::Plain(Insn::new(LOAD_WORD, register, R1, offset, 0)));
    }

    fn exceptions(&mut self, exceptions: &Exceptions) {
        let Exceptions {
            everywhere,
            block,
            char,
        } = exceptions;
        let uses = |f: fn(&Numbers) -> bool| block.keys().any(f) || char.keys().any(f);
        if everywhere.is_empty() && block.is_empty() && char.is_empty() {
            return;
        }
        let matched = i32::from(!self.allow_by_default);
        self.ops.push(Op::Plain(Insn::new(MOVE, R0, 0, 0, matched)));
        if *everywhere != Access::ALL {
            self.load(ACCESS_TYPE, 0);
        }
        if !everywhere.is_empty() {
            let next = self.label();
            self.unless_covered(*everywhere, next);
            self.ops.push(Op::Goto(MATCHED));
            self.ops.push(Op::Here(next));
        }
        if uses(|(major, _)| major.is_some()) {
            self.load(MAJOR, 4);
        }
        if uses(|(_, minor)| minor.is_some()) {
            self.load(MINOR, 8);
        }
        // `BPF_DEVCG_DEV_BLOCK` is 1, `BPF_DEVCG_DEV_CHAR` is 2.
        match (block.is_empty(), char.is_empty()) {
            (true, true) => {}
            (true, false) => {
                self.only_type(2, DEFAULT);
                self.numbers(char);
            }
            (false, true) => {
                self.only_type(1, DEFAULT);
                self.numbers(block);
            }
            (false, false) if block == char => self.numbers(block),
            (false, false) => {
                let next = self.label();
                self.only_type(2, next);
                self.numbers(char);
                self.ops.push(Op::Goto(DEFAULT));
                self.ops.push(Op::Here(next));
                self.only_type(1, DEFAULT);
                self.numbers(block);
            }
        }
        self.ops.push(Op::Goto(DEFAULT));
    }

    /// Goes to `other` when a bit of any other device type is set.
    fn only_type(&mut self, device_type: i32, other: Label) {
        self.branch(Test::AnyBit, ACCESS_TYPE, 0xffff & !device_type, other);
    }

    /// Goes to `next` when an exception about `access` does not decide this access.
    fn unless_covered(&mut self, access: Access, next: Label) {
        if access == Access::ALL {
            return;
        }
        if self.allow_by_default {
            // Any denied bit decides.
            let decided = self.label();
            let denied = i32::from(access.bits()) << 16;
            self.branch(Test::AnyBit, ACCESS_TYPE, denied, decided);
            self.ops.push(Op::Goto(next));
            self.ops.push(Op::Here(decided));
        } else {
            // Any bit that is not granted leaves it open, those of future kernels included.
            let open = !(i32::from(access.bits()) << 16) & !0xffff;
            self.branch(Test::AnyBit, ACCESS_TYPE, open, next);
        }
    }

    /// Tests the numbers of one device type; falls through when nothing matches.
    fn numbers(&mut self, exceptions: &ByNumber) {
        let mut by_access: BTreeMap<Access, Vec<Numbers>> = BTreeMap::new();
        for (&key, &access) in exceptions {
            by_access.entry(access).or_default().push(key);
        }
        for (access, keys) in by_access {
            let next = self.label();
            self.unless_covered(access, next);
            self.numbers_of_one_access(&keys);
            self.ops.push(Op::Here(next));
        }
    }

    fn numbers_of_one_access(&mut self, keys: &[Numbers]) {
        let mut rest = keys;
        while let Some((&(major, minor), tail)) = rest.split_first() {
            // The keys are sorted: those with the same major number follow each other.
            match (major.map(u32::cast_signed), minor.map(u32::cast_signed)) {
                (None, None) => self.ops.push(Op::Goto(MATCHED)),
                (None, Some(minor)) => self.branch(Test::Equal, MINOR, minor, MATCHED),
                (Some(major), None) => self.branch(Test::Equal, MAJOR, major, MATCHED),
                (Some(number), Some(_)) => {
                    let same = rest.iter().take_while(|key| key.0 == major).count();
                    let (group, tail) = rest.split_at(same);
                    let next = self.label();
                    self.branch(Test::NotEqual, MAJOR, number, next);
                    for minor in group.iter().filter_map(|key| key.1) {
                        self.branch(Test::Equal, MINOR, minor.cast_signed(), MATCHED);
                    }
                    self.ops.push(Op::Here(next));
                    rest = tail;
                    continue;
                }
            }
            rest = tail;
        }
    }

    /// Appends the verdicts, drops what cannot be reached (the kernel's verifier refuses it) and
    /// turns labels into distances.
    fn finish(mut self) -> Result<Vec<Insn>> {
        let default = i32::from(self.allow_by_default);
        self.ops.extend([
            Op::Here(DEFAULT),
            Op::Plain(Insn::new(MOVE, R0, 0, 0, default)),
            Op::Here(MATCHED),
            Op::Plain(Insn::new(EXIT, 0, 0, 0, 0)),
        ]);
        // There may be nothing but dead code between a jump and its target.
        loop {
            let live = self.without_dead_code();
            let done = live.len() == self.ops.len();
            self.ops = live;
            if done {
                break;
            }
        }
        let ops = self.ops;
        let mut places = vec![0_usize; self.labels];
        let mut place = 0;
        for op in &ops {
            match *op {
                Op::Here(Label(label)) => {
                    if let Some(slot) = places.get_mut(label) {
                        *slot = place;
                    }
                }
                _ => place += 1,
            }
        }
        let distance = |target: Label, from: usize| {
            let to = places.get(target.0).copied().unwrap_or(usize::MAX);
            to.checked_sub(from + 1)
                .and_then(|distance| i16::try_from(distance).ok())
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::TooManyRules,
                        format_args!("device rules need {place} eBPF instructions: too many"),
                    )
                })
        };
        let mut program = Vec::with_capacity(place);
        for op in &ops {
            let from = program.len();
            program.push(match *op {
                Op::Here(_) => continue,
                Op::Plain(insn) => insn,
                Op::Goto(target) => Insn::new(JUMP, 0, 0, distance(target, from)?, 0),
                Op::Branch {
                    test,
                    register,
                    operand,
                    target,
                } => Insn::new(test as u8, register, 0, distance(target, from)?, operand),
            });
        }
        Ok(program)
    }

    /// All jumps go forward, so one pass finds what is reachable. A jump to the next instruction is
    /// dropped as well.
    fn without_dead_code(&self) -> Vec<Op> {
        let mut wanted = BTreeSet::new();
        let mut kept = Vec::with_capacity(self.ops.len());
        let mut reachable = true;
        for (index, &op) in self.ops.iter().enumerate() {
            if let Op::Here(label) = op {
                reachable |= wanted.contains(&label);
            } else if !reachable {
                continue;
            }
            match op {
                Op::Goto(target) => {
                    let following = self.ops.iter().skip(index + 1);
                    let mut labels = following.map_while(|op| match op {
                        Op::Here(label) => Some(*label),
                        _ => None,
                    });
                    if labels.any(|label| label == target) {
                        continue;
                    }
                    wanted.insert(target);
                    reachable = false;
                }
                Op::Branch { target, .. } => {
                    wanted.insert(target);
                }
                Op::Plain(_) | Op::Here(_) => {}
            }
            kept.push(op);
        }
        kept
    }
}

#[cfg(test)]
mod tests;
