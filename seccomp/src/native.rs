//! The native compiler: one binary search per architecture over ranges of system call numbers.
//!
//! libseccomp's filters test one number after the other, or search a tree with a leaf per number.
//! But neighbours mostly have the same answer: 350 allowed calls are some 50 ranges. So the rules
//! become a map from number to answer, the map becomes ranges, and the ranges a balanced tree of
//! comparisons. The ENOSYS rule is the range above the largest number. Checks of arguments hang
//! behind the tree.
//!
//! [`numbers`] collects the answers per number, [`ranges`] merges them, [`conditions`], [`search`]
//! and [`tree`] turn them into instructions with [`assembler`]; [`multiplex`] knows what the socket
//! calls and System V IPC are on 32-bit x86.

mod assembler;
mod conditions;
mod multiplex;
mod numbers;
mod ranges;
mod search;
mod tree;

use crate::action::Action;
use crate::architecture::{Architecture, X32_SYSCALL_BIT};
use crate::bpf;
use crate::enosys;
use crate::error::Result;
use crate::operator::Operator;
use crate::program::Program;
use crate::rules::{Condition, Entry, Rules};
use crate::syscalls::Syscall;
use crate::warning::Warning;

use assembler::{Assembler, Destination};
use conditions::Checks;
use numbers::{Defaults, Numbers};
use ranges::{Answer, Ranges};

/// The answer for calls of an architecture that is not part of the filter.
const UNKNOWN_ARCHITECTURE: Action = Action::KillThread;

/// The number of a call that a tracer cancelled (seccomp(2), `SECCOMP_RET_TRACE`). It looks like a
/// call of x32, but gets the default action.
const CANCELLED: u32 = u32::MAX;

/// The highest bit of a system call number.
const BIT_31: u32 = 0x8000_0000;

/// Compiles checked rules; all architectures must be known to [`crate::syscalls`].
pub(crate) fn compile(rules: &Rules<'_>, warnings: &mut Vec<Warning>) -> Result<Program> {
    let entries = resolve(rules, warnings);
    let defaults = Defaults {
        answer: rules.default_action.return_value(),
        enosys: rules.answers_enosys(),
    };
    let mut checks = Checks::default();
    let mut assembler = Assembler::default();
    let mut sections: Vec<Architecture> = Vec::new();
    for arch in &rules.architectures {
        if !sections
            .iter()
            .any(|other| other.audit_arch() == arch.audit_arch())
        {
            sections.push(*arch);
        }
    }
    // Written from the end of the program to its start, so that the native architecture, the first
    // of the list, comes first.
    let mut dispatch: Vec<(u32, Destination)> = Vec::with_capacity(sections.len());
    for arch in sections.into_iter().rev() {
        let mut ranges = Ranges::default();
        if matches!(arch, Architecture::X86_64 | Architecture::X32) {
            let x86_64 = collect(rules, &entries, Architecture::X86_64, warnings);
            let x32 = collect(rules, &entries, Architecture::X32, warnings);
            append_x86_64_and_x32(x86_64, x32, defaults, &mut checks, &mut ranges);
        } else if let Some(numbers) = collect(rules, &entries, arch, warnings) {
            numbers.append_to(defaults, &mut checks, &mut ranges);
        }
        let search = tree::write(&ranges.pieces(), &mut checks, &mut assembler);
        assembler.enter(search);
        let start = assembler.push(bpf::LD_W_ABS, bpf::OFFSET_NR);
        dispatch.push((arch.audit_arch(), Destination::Code(start)));
    }
    let mut next = Destination::Return(UNKNOWN_ARCHITECTURE.return_value());
    for (audit_arch, start) in dispatch {
        next = Destination::Code(assembler.jump(bpf::JMP_JEQ_K, audit_arch, start, next));
    }
    assembler.enter(next);
    assembler.push(bpf::LD_W_ABS, bpf::OFFSET_ARCH);
    Program::new(&assembler.finish(), rules.flags)
}

/// The numbers of the two ABIs that share an `AUDIT_ARCH_*` value: those with bit 30 are x32's.
///
/// The calls of the one that is not part of the filter are calls of an unknown architecture.
fn append_x86_64_and_x32(
    x86_64: Option<Numbers>,
    x32: Option<Numbers>,
    defaults: Defaults,
    checks: &mut Checks,
    ranges: &mut Ranges,
) {
    let unknown = Answer::Return(UNKNOWN_ARCHITECTURE.return_value());
    let default = Answer::Return(defaults.answer);
    let enosys = Answer::Return(enosys::ACTION.return_value());
    let has_threshold = |numbers: &Numbers| defaults.enosys && numbers.mentions_any();
    // No call has bit 31. The number is above the threshold of the ABI that bit 30 says, or only
    // wrong.
    let beyond_x86_64 = match &x86_64 {
        Some(numbers) if has_threshold(numbers) => enosys,
        Some(_) if x32.is_none() => unknown,
        _ => default,
    };
    let beyond_x32 = match &x32 {
        Some(numbers) if has_threshold(numbers) => enosys,
        Some(_) => default,
        None => unknown,
    };
    match x86_64 {
        Some(numbers) => numbers.append_to(defaults, checks, ranges),
        None => ranges.push(0, unknown),
    }
    let cancelled = if x32.is_some() { beyond_x32 } else { default };
    match x32 {
        Some(numbers) => numbers.append_to(defaults, checks, ranges),
        None => ranges.push(X32_SYSCALL_BIT, unknown),
    }
    ranges.push(BIT_31, beyond_x86_64);
    ranges.push(BIT_31 | X32_SYSCALL_BIT, beyond_x32);
    ranges.push(CANCELLED, cancelled);
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

/// The ways into a system call on an architecture: its number, and on 32-bit x86 the number of
/// socketcall(2) or ipc(2) with the argument that selects it.
#[cfg(feature = "libseccomp")]
pub(crate) fn entries_of(name: &str, arch: Architecture) -> Vec<(u32, [u64; 6])> {
    let own = Syscall::from_name(name).and_then(|syscall| syscall.number(arch));
    let mut entries: Vec<_> = own.map(|number| (number, [0; 6])).into_iter().collect();
    if arch == Architecture::X86
        && let Some(multiplex::Multiplexed { number, selector }) = multiplex::x86(name)
    {
        entries.push((number, [selector, 0, 0, 0, 0, 0]));
    }
    entries
}

/// The answers for the numbers of one ABI; `None` if it is not part of the filter.
fn collect(
    rules: &Rules<'_>,
    entries: &[Resolved<'_>],
    arch: Architecture,
    warnings: &mut Vec<Warning>,
) -> Option<Numbers> {
    if !rules.architectures.contains(&arch) {
        return None;
    }
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
                // libseccomp's number for these is a pseudo number, which does not count for the
                // threshold.
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
    Some(numbers)
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

#[cfg(test)]
mod tests;
