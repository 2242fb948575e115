//! Seccomp profiles: the native compiler and libseccomp make filters that answer the same, or both
//! refuse.
#![no_main]

#[path = "../../seccomp/tests/differential/overlap.rs"]
mod overlap;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
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

#[derive(Arbitrary, Debug)]
struct AnyArg {
    index: u8,
    operator: u8,
    value: u64,
    second: u64,
}

#[derive(Arbitrary, Debug)]
struct AnyRule {
    names: Vec<u8>,
    action: u8,
    errno: Option<u16>,
    args: Vec<AnyArg>,
}

#[derive(Arbitrary, Debug)]
struct AnyProfile {
    default: u8,
    default_errno: Option<u16>,
    architectures: u8,
    rules: Vec<AnyRule>,
    arguments: [u64; 6],
}

fn pick<T: Copy>(values: &[T], number: u8) -> T {
    values[usize::from(number) % values.len()]
}

fn profile(any: &AnyProfile) -> Profile {
    let arg = |any: &AnyArg| Arg {
        index: u32::from(any.index % 6),
        value: any.value,
        value_two: any.second,
        op: pick(Operator::ALL, any.operator),
    };
    let rule = |any: &AnyRule| Rule {
        names: any
            .names
            .iter()
            .take(4)
            .map(|name| pick(&NAMES, *name).to_owned())
            .collect(),
        action: pick(&ACTIONS, any.action),
        errno_ret: any.errno.map(|errno| u32::from(errno % 4096)),
        args: any.args.iter().take(4).map(arg).collect(),
    };
    let mut rules: Vec<Rule> = any.rules.iter().take(12).map(rule).collect();
    overlap::remove(&mut rules);
    Profile {
        default_action: pick(&ACTIONS, any.default),
        default_errno_ret: any.default_errno.map(|errno| u32::from(errno % 4096)),
        architectures: ARCHITECTURES
            .iter()
            .enumerate()
            .filter(|(bit, _)| any.architectures >> bit & 1 == 1)
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
    for architecture in ARCHITECTURES {
        for number in (0..470).chain([0x4000_0000, 0x7fff_ffff, 0xffff_ffff]) {
            for arguments in &arguments {
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

fuzz_target!(|any: AnyProfile| {
    let profile = profile(&any);
    match (
        compile(&profile, Backend::Native),
        compile(&profile, Backend::Libseccomp),
    ) {
        (Ok(native), Ok(libseccomp)) => {
            assert_same(
                &profile,
                &native.program,
                &libseccomp.program,
                any.arguments,
            );
        }
        // libseccomp refuses more: rules that are the default action, or that contradict each
        // other.
        (Ok(_), Err(_)) => {}
        (Err(error), Ok(_)) => panic!("only the native compiler refuses: {error}: {profile:?}"),
        (Err(_), Err(_)) => {}
    }
});
