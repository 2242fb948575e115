//! The native compiler: one binary search per architecture over ranges of system call numbers.
//!
//! libseccomp's filters test one number after the other, or search a tree with a leaf per number. But neighbours
//! mostly have the same answer: 350 allowed calls are some 50 ranges. So the rules become a map from number to
//! answer, the map becomes ranges, and the ranges a balanced tree of comparisons. The ENOSYS rule is the range above
//! the largest number. Checks of arguments hang behind the tree.
//!
//! [`numbers`] collects the answers per number, [`ranges`] merges them, [`conditions`] and [`tree`] turn them into
//! instructions with [`assembler`]; [`multiplex`] knows what the socket calls and System V IPC are on 32-bit x86.

mod assembler;
mod conditions;
mod multiplex;
mod numbers;
mod ranges;
mod tree;

use crate::action::Action;
use crate::architecture::{Architecture, X32_SYSCALL_BIT};
use crate::bpf;
use crate::compile::Warning;
use crate::error::Result;
use crate::operator::Operator;
use crate::program::Program;
use crate::rules::{Condition, Entry, Rules};
use crate::syscalls::Syscall;

use assembler::{Assembler, Destination};
use conditions::Checks;
use numbers::{Defaults, Numbers};
use ranges::{Answer, Ranges};

/// The answer for calls of an architecture that is not part of the filter.
const UNKNOWN_ARCHITECTURE: Action = Action::KillThread;

/// The number of a call that a tracer cancelled (seccomp(2), `SECCOMP_RET_TRACE`). It looks like a call of x32, but
/// gets the default action.
const CANCELLED: u32 = u32::MAX;

/// Compiles checked rules; all architectures must be known to [`crate::syscalls`].
pub(crate) fn compile(rules: &Rules<'_>, warnings: &mut Vec<Warning>) -> Result<Program> {
    let entries = resolve(rules, warnings);
    let defaults = Defaults {
        answer: rules.default_action.return_value(),
        enosys: rules.answers_enosys(),
    };
    let mut checks = Checks::default();
    let mut assembler = Assembler::default();
    // Written from the end of the program to its start: the native architecture last, so that it comes first.
    let mut dispatch: Vec<(u32, Destination)> = Vec::new();
    for arch in rules.architectures.iter().rev() {
        let audit_arch = arch.audit_arch();
        if dispatch.iter().any(|(other, _)| *other == audit_arch) {
            continue;
        }
        let mut ranges = Ranges::default();
        if matches!(arch, Architecture::X86_64 | Architecture::X32) {
            for abi in [Architecture::X86_64, Architecture::X32] {
                if rules.architectures.contains(&abi) {
                    collect(rules, &entries, abi, warnings).append_to(
                        defaults,
                        &mut checks,
                        &mut ranges,
                    );
                } else {
                    append_unknown_abi(abi, defaults, &mut ranges);
                }
            }
        } else {
            collect(rules, &entries, *arch, warnings).append_to(defaults, &mut checks, &mut ranges);
        }
        let search = tree::write(&ranges.pieces(), &mut checks, &mut assembler);
        assembler.enter(search);
        let start = assembler.push(bpf::LD_W_ABS, bpf::OFFSET_NR);
        dispatch.push((audit_arch, Destination::Code(start)));
    }
    let mut next = Destination::Return(UNKNOWN_ARCHITECTURE.return_value());
    for (audit_arch, start) in dispatch {
        next = Destination::Code(assembler.jump(bpf::JMP_JEQ_K, audit_arch, start, next));
    }
    assembler.enter(next);
    assembler.push(bpf::LD_W_ABS, bpf::OFFSET_ARCH);
    Program::new(&assembler.finish(), rules.flags)
}

/// The numbers of the one of x86_64 and x32 that is not part of the filter.
fn append_unknown_abi(abi: Architecture, defaults: Defaults, ranges: &mut Ranges) {
    let unknown = Answer::Return(UNKNOWN_ARCHITECTURE.return_value());
    if abi == Architecture::X32 {
        ranges.push(X32_SYSCALL_BIT, unknown);
        ranges.push(CANCELLED, Answer::Return(defaults.answer));
    } else {
        ranges.push(0, unknown);
    }
}

/// A rule of the profile with its names looked up.
struct Resolved<'rules> {
    entry: &'rules Entry<'rules>,
    syscalls: Vec<Syscall>,
}

fn resolve<'rules>(rules: &'rules Rules<'_>, warnings: &mut Vec<Warning>) -> Vec<Resolved<'rules>> {
    let mut resolved = Vec::with_capacity(rules.entries.len());
    for entry in &rules.entries {
        let mut syscalls = Vec::with_capacity(entry.names.len());
        for name in entry.names {
            match Syscall::from_name(name) {
                Some(syscall) => syscalls.push(syscall),
                None if rules.is_redundant(entry) => {}
                None => warnings.push(Warning::UnknownSyscall(name.clone())),
            }
        }
        resolved.push(Resolved { entry, syscalls });
    }
    resolved
}

/// The answers for the numbers of one ABI.
fn collect(
    rules: &Rules<'_>,
    entries: &[Resolved<'_>],
    arch: Architecture,
    warnings: &mut Vec<Warning>,
) -> Numbers {
    let mut numbers = Numbers::new(arch);
    for Resolved { entry, syscalls } in entries {
        let redundant = rules.is_redundant(entry);
        let answer = entry.action.return_value();
        for syscall in syscalls {
            let multiplexed = if arch == Architecture::X86 {
                multiplex::x86(syscall.name())
            } else {
                None
            };
            let nr = syscall.number(arch);
            if let Some(nr) = nr
                // libseccomp's number for these is a pseudo number, which does not count for the threshold.
                && multiplexed.is_none()
            {
                numbers.mention(nr);
            }
            if redundant {
                continue;
            }
            if let Some(nr) = nr {
                if entry.alternatives.is_empty() {
                    numbers.add_always(nr, answer);
                }
                for conditions in &entry.alternatives {
                    numbers.add_clause(nr, conditions.clone(), answer);
                }
            }
            if let Some(multiplexed) = multiplexed {
                add_multiplexed(&mut numbers, multiplexed, &entry.alternatives, answer);
            }
        }
    }
    if rules.answers_enosys() && !numbers.mentions_any() {
        warnings.push(Warning::ArchitectureWithoutSyscalls(arch));
    }
    numbers
}

fn add_multiplexed(
    numbers: &mut Numbers,
    multiplexed: multiplex::Multiplexed,
    alternatives: &[Vec<Condition>],
    answer: u32,
) {
    let selected = Condition {
        index: 0,
        operator: Operator::Equal,
        value: multiplexed.selector,
        value_two: 0,
    };
    if alternatives.is_empty() {
        numbers.add_clause(multiplexed.number, vec![selected], answer);
    }
    for conditions in alternatives {
        let others = conditions
            .iter()
            .copied()
            .filter(|condition| condition.index != 0);
        let conditions = std::iter::once(selected).chain(others).collect();
        numbers.add_clause(multiplexed.number, conditions, answer);
    }
}
