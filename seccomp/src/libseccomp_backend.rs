//! The backend that lets libseccomp make the filter.

use std::fs::File;
use std::io::{Read, Seek};

use libseccomp::{
    ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall,
};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::action::Action;
use crate::architecture::Architecture;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::evaluate;
use crate::features::libseccomp_version;
use crate::native;
use crate::operator::Operator;
use crate::program::{Instruction, Program};
use crate::prologue::{Threshold, prologue};
use crate::rules::{Condition, Entry, Rules};
use crate::syscalls::{self, Syscall};
use crate::warning::Warning;

/// With more rules than this, the filter is a binary tree over system call numbers instead of a
/// list.
const MAX_RULES_OF_LIST: usize = 32;

/// `SCMP_FLTATR_CTL_OPTIMIZE`: binary tree.
const OPTIMIZE_TREE: u32 = 2;

/// Compiles checked rules.
pub(crate) fn compile(rules: &Rules<'_>, warnings: &mut Vec<Warning>) -> Result<Program> {
    let context = context(rules, warnings)?;
    let filter = export(&context)?;
    let mut instructions = if rules.answers_enosys() {
        prologue(&thresholds(rules, warnings))?
    } else {
        Vec::new()
    };
    let (chunks, rest) = filter.as_chunks::<{ Instruction::SIZE }>();
    if !rest.is_empty() {
        return Err(Error::new(
            ErrorKind::InvalidProgram,
            format!(
                "libseccomp exported {} bytes, which are not a BPF program",
                filter.len()
            ),
        ));
    }
    instructions.extend(chunks.iter().map(|chunk| Instruction::from_bytes(*chunk)));
    let program = Program::new(&instructions, rules.flags)?;
    check(&program, rules)?;
    Ok(program)
}

/// Refuses a filter that lets through what a rule without conditions restricts. With libseccomp
/// 2.5.4 that is one of 32-bit x86 whose first rule is for a call that has no number there, such as
/// accept(2): the filter compares the number of socketcall(2) with the architecture, which is
/// still loaded.
///
/// What the filter should answer is what the native compiler's does. Where that cannot compile
/// the profile there is nothing to compare with.
fn check(program: &Program, rules: &Rules<'_>) -> Result<()> {
    if !rules
        .architectures
        .iter()
        .all(|arch| syscalls::knows(*arch))
    {
        return Ok(());
    }
    let Ok(native) = native::compile(rules, &mut Vec::new()) else {
        return Ok(());
    };
    let restricts = |entry: &&Entry<'_>| {
        entry.alternatives.is_empty() && entry.action.is_stricter_than(rules.default_action)
    };
    for name in rules
        .entries
        .iter()
        .filter(restricts)
        .flat_map(|entry| entry.names)
    {
        for arch in rules.architectures.iter().copied() {
            for (number, args) in native::entries_of(name, arch) {
                let answer = |program| evaluate(program, arch, number, args);
                let wanted = Action::from_return_value(answer(&native)?);
                if wanted.is_stricter_than(Action::from_return_value(answer(program)?)) {
                    return Err(incomplete(name, arch));
                }
            }
        }
    }
    Ok(())
}

fn incomplete(name: &str, arch: Architecture) -> Error {
    let (arch, version) = (arch.name(), libseccomp_version().unwrap_or_default());
    Error::new(
        ErrorKind::Unsupported,
        format!("libseccomp {version} cannot restrict seccomp syscall {name:?} on {arch}"),
    )
}

fn context(rules: &Rules<'_>, warnings: &mut Vec<Warning>) -> Result<ScmpFilterContext> {
    let mut context = ScmpFilterContext::new(action(rules.default_action))
        .map_err(|error| Error::library("create libseccomp filter", error))?;
    // The native architecture, first of the list, is there from the start.
    for arch in rules.architectures.iter().skip(1) {
        context.add_arch(architecture(*arch)).map_err(|error| {
            Error::library(
                format!("add architecture {} to the filter", arch.name()),
                error,
            )
        })?;
    }
    // Whether the process may gain privileges is not for the filter to decide.
    context
        .set_ctl_nnp(false)
        .map_err(|error| Error::library("leave no_new_privs out of the filter", error))?;
    // libseccomp up to 2.5.4 fails to make a tree without rules, so few rules stay a list. Nothing
    // but time is lost where the attribute is unknown.
    let names: usize = rules.entries.iter().map(|entry| entry.names.len()).sum();
    if names > MAX_RULES_OF_LIST && context.set_ctl_optimize(OPTIMIZE_TREE).is_err() {
        warnings.push(Warning::NotOptimized);
    }
    add_rules(&mut context, rules, warnings)?;
    Ok(context)
}

fn add_rules(
    context: &mut ScmpFilterContext,
    rules: &Rules<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<()> {
    let mut newer = Vec::new();
    for entry in &rules.entries {
        if rules.is_redundant(entry) {
            continue;
        }
        let action = action(entry.action);
        let alternatives: Vec<Vec<ScmpArgCompare>> = entry
            .alternatives
            .iter()
            .map(|conditions| conditions.iter().map(comparison).collect())
            .collect();
        for name in entry.names {
            let Ok(syscall) = ScmpSyscall::from_name(name) else {
                if Syscall::from_name(name).is_none() {
                    warnings.push(Warning::UnknownSyscall(name.clone()));
                } else if entry.action.is_stricter_than(rules.default_action) {
                    return Err(newer_than_library(name));
                } else if !newer.contains(name) {
                    newer.push(name.clone());
                }
                continue;
            };
            let failed = |error| {
                Error::library(
                    format!("add rule for syscall {name:?} to the filter"),
                    error,
                )
            };
            if alternatives.is_empty() {
                context.add_rule(action, syscall).map_err(failed)?;
            }
            for comparisons in &alternatives {
                context
                    .add_rule_conditional(action, syscall, comparisons)
                    .map_err(failed)?;
            }
        }
    }
    if !newer.is_empty() {
        warnings.push(Warning::NewerThanLibseccomp(newer));
    }
    Ok(())
}

/// Without the rule the filter would let through what it is to restrict.
fn newer_than_library(name: &str) -> Error {
    let version = libseccomp_version().unwrap_or_default();
    Error::new(
        ErrorKind::Unsupported,
        format!("seccomp syscall {name:?} is newer than libseccomp {version}"),
    )
}

/// The filter as bytes. libseccomp can only write to a descriptor (before 2.6), and a file in
/// memory needs no reader at the other end.
fn export(context: &ScmpFilterContext) -> Result<Vec<u8>> {
    let memfd = memfd_create(c"seccomp-filter", MemfdFlags::CLOEXEC)
        .map_err(|errno| Error::io("create a file in memory for the filter", errno))?;
    context
        .export_bpf(&memfd)
        .map_err(|error| Error::library("export the filter", error))?;
    let mut file = File::from(memfd);
    let mut filter = Vec::new();
    file.rewind()
        .and_then(|()| file.read_to_end(&mut filter))
        .map_err(|error| Error::io("read the exported filter", error))?;
    Ok(filter)
}

/// Per architecture, the largest number among all names of the profile; conditional and redundant
/// rules count.
fn thresholds(rules: &Rules<'_>, warnings: &mut Vec<Warning>) -> Vec<Threshold> {
    let mut thresholds = Vec::with_capacity(rules.architectures.len());
    for arch in &rules.architectures {
        let token = architecture(*arch);
        let max_nr = rules
            .entries
            .iter()
            .flat_map(|entry| entry.names)
            // Unknown names are errors, calls the architecture lacks have negative pseudo numbers.
            .filter_map(|name| ScmpSyscall::from_name_by_arch(name, token).ok())
            .filter_map(|syscall| u32::try_from(syscall.as_raw_syscall()).ok())
            .max();
        match max_nr {
            Some(max_nr) => thresholds.push(Threshold {
                arch: *arch,
                max_nr,
            }),
            None => warnings.push(Warning::ArchitectureWithoutSyscalls(*arch)),
        }
    }
    thresholds
}

fn action(action: Action) -> ScmpAction {
    match action {
        Action::KillProcess => ScmpAction::KillProcess,
        Action::KillThread => ScmpAction::KillThread,
        Action::Trap => ScmpAction::Trap,
        Action::Errno(errno) => ScmpAction::Errno(i32::from(errno)),
        Action::Notify => ScmpAction::Notify,
        Action::Trace(message) => ScmpAction::Trace(message),
        Action::Log => ScmpAction::Log,
        Action::Allow => ScmpAction::Allow,
    }
}

fn comparison(condition: &Condition) -> ScmpArgCompare {
    let operator = match condition.operator {
        Operator::NotEqual => ScmpCompareOp::NotEqual,
        Operator::Less => ScmpCompareOp::Less,
        Operator::LessOrEqual => ScmpCompareOp::LessOrEqual,
        Operator::Equal => ScmpCompareOp::Equal,
        Operator::GreaterOrEqual => ScmpCompareOp::GreaterEqual,
        Operator::Greater => ScmpCompareOp::Greater,
        Operator::MaskedEqual => {
            return ScmpArgCompare::new(
                u32::from(condition.index),
                ScmpCompareOp::MaskedEqual(condition.value),
                condition.value_two,
            );
        }
    };
    ScmpArgCompare::new(u32::from(condition.index), operator, condition.value)
}

fn architecture(arch: Architecture) -> ScmpArch {
    match arch {
        Architecture::Aarch64 => ScmpArch::Aarch64,
        Architecture::Arm => ScmpArch::Arm,
        Architecture::Loongarch64 => ScmpArch::Loongarch64,
        Architecture::Mips => ScmpArch::Mips,
        Architecture::Mips64 => ScmpArch::Mips64,
        Architecture::Mips64N32 => ScmpArch::Mips64N32,
        Architecture::Mipsel => ScmpArch::Mipsel,
        Architecture::Mipsel64 => ScmpArch::Mipsel64,
        Architecture::Mipsel64N32 => ScmpArch::Mipsel64N32,
        Architecture::Ppc => ScmpArch::Ppc,
        Architecture::Ppc64 => ScmpArch::Ppc64,
        Architecture::Ppc64Le => ScmpArch::Ppc64Le,
        Architecture::Riscv64 => ScmpArch::Riscv64,
        Architecture::S390 => ScmpArch::S390,
        Architecture::S390x => ScmpArch::S390X,
        Architecture::X32 => ScmpArch::X32,
        Architecture::X86 => ScmpArch::X86,
        Architecture::X86_64 => ScmpArch::X8664,
    }
}
