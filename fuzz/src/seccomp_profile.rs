//! Seccomp profiles: the native compiler and libseccomp make filters that answer the same, or both
//! refuse.

#[path = "../../seccomp/tests/differential/overlap.rs"]
mod overlap;

use crate::cursor::Cursor;
use seccomp::{
    Action, ActionName, Architecture, Arg, Backend, Operator, Profile, Program, Rule, compile,
    evaluate,
};

/// Calls that both backends number the same on every architecture here, and that 32-bit x86 does
/// not enter through another call.
const NAMES: [&str; 16] = [
    "read",
    "write",
    "openat",
    "close",
    "clone",
    "clone3",
    "mount",
    "umount2",
    "personality",
    "ioctl",
    "ptrace",
    "bpf",
    "execve",
    "execveat",
    "setns",
    "pivot_root",
];
const ACTIONS: [ActionName; 6] = [
    ActionName::Allow,
    ActionName::Errno,
    ActionName::KillProcess,
    ActionName::Log,
    ActionName::Trap,
    ActionName::Trace,
];
const ARCHITECTURES: [Architecture; 4] = [
    Architecture::X86_64,
    Architecture::X86,
    Architecture::Aarch64,
    Architecture::Riscv64,
];

/// 4096 and more are none.
fn errno(input: &mut Cursor<'_>) -> Option<u32> {
    Some(u32::from(input.u16() % 8192)).filter(|errno| *errno < 4096)
}

fn rule(input: &mut Cursor<'_>) -> Rule {
    let counts = input.byte();
    Rule {
        names: (0..counts % 5)
            .map(|_| input.pick(&NAMES).to_owned())
            .collect(),
        action: input.pick(&ACTIONS),
        errno_ret: errno(input),
        args: (0..(counts >> 4) % 5)
            .map(|_| Arg {
                index: u32::from(input.byte() % 6),
                op: input.pick(Operator::ALL),
                value: input.u64(),
                value_two: input.u64(),
            })
            .collect(),
    }
}

fn profile(input: &mut Cursor<'_>) -> Profile {
    let (default_action, default_errno_ret) = (input.pick(&ACTIONS), errno(input));
    let architectures = input.byte();
    let count = input.byte() % 13;
    let mut rules: Vec<Rule> = (0..count).map(|_| rule(input)).collect();
    overlap::remove(&mut rules);
    Profile {
        default_action,
        default_errno_ret,
        architectures: ARCHITECTURES
            .iter()
            .enumerate()
            .filter(|(bit, _)| architectures >> bit & 1 == 1)
            .map(|(_, architecture)| *architecture)
            .collect(),
        flags: Some(Vec::new()),
        syscalls: rules,
        ..Profile::new(Action::Allow)
    }
}

/// What decides: values around those the conditions compare with.
fn arguments(profile: &Profile, any: [u64; 6]) -> Vec<[u64; 6]> {
    let mut all = vec![any, [0; 6], [u64::MAX; 6]];
    for arg in profile.syscalls.iter().flat_map(|rule| &rule.args).take(8) {
        for value in [
            arg.value,
            arg.value_two,
            arg.value.wrapping_add(1),
            arg.value.wrapping_sub(1),
        ] {
            let mut one = any;
            if let Some(slot) = one.get_mut(arg.index as usize) {
                *slot = value;
            }
            all.push(one);
            all.push([value; 6]);
        }
    }
    all
}

fn assert_same(profile: &Profile, native: &Program, libseccomp: &Program, any: [u64; 6]) {
    let arguments = arguments(profile, any);
    let conditional: Vec<&str> = profile
        .syscalls
        .iter()
        .filter(|rule| !rule.args.is_empty())
        .flat_map(|rule| rule.names.iter().map(String::as_str))
        .collect();
    for architecture in ARCHITECTURES {
        for number in (0..470).chain([0x4000_0000, 0x7fff_ffff, 0xffff_ffff]) {
            // Only the calls with conditions are asked with every set of arguments.
            let conditional = architecture
                .syscall_name(number)
                .is_some_and(|name| conditional.contains(&name));
            let sets = if conditional { arguments.len() } else { 1 };
            for arguments in &arguments[..sets] {
                let one = evaluate(native, architecture, number, *arguments).expect("it ends");
                let other =
                    evaluate(libseccomp, architecture, number, *arguments).expect("it ends");
                assert_eq!(
                    one, other,
                    "{architecture:?} {number} {arguments:x?} {profile:?}"
                );
            }
        }
    }
}

pub(crate) fn run(input: &[u8]) {
    let mut input = Cursor::new(input);
    let profile = profile(&mut input);
    let arguments = [(); 6].map(|()| input.u64());
    match (
        compile(&profile, Backend::Native),
        compile(&profile, Backend::Libseccomp),
    ) {
        (Ok(native), Ok(libseccomp)) => {
            assert_same(
                &profile,
                &native.program,
                &libseccomp.program,
                arguments,
            );
        }
        // libseccomp refuses more: rules that are the default action, or that contradict each
        // other.
        (Ok(_), Err(_)) => {}
        (Err(error), Ok(_)) => panic!("only the native compiler refuses: {error}: {profile:?}"),
        (Err(_), Err(_)) => {}
    }
}
