//! The native compiler against libseccomp: for every architecture and system call number both
//! filters must answer the same.
//!
//! The random tests run few cases by default; `PROPTEST_CASES=500` makes them thorough.
//!
//! Numbers above those that both know are compared too: that is where the ENOSYS rule lies.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod overlap;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use cofferdam_seccomp::{
    Action, ActionName, Architecture, Arg, Backend, Operator, Profile, Program, Rule, compile,
    evaluate,
};

/// The architectures that the native compiler and libseccomp 2.5 both know.
const ARCHITECTURES: [Architecture; 6] = [
    Architecture::X86_64,
    Architecture::X32,
    Architecture::X86,
    Architecture::Aarch64,
    Architecture::Arm,
    Architecture::Riscv64,
];

/// Numbers to compare: every plain and x32 number in use and beyond, ARM's private ones, and the
/// edges.
fn numbers() -> impl Iterator<Item = u32> {
    (0..700)
        .chain(0x4000_0000..0x4000_02c0)
        .chain(0x000e_fffe..0x000f_0010)
        .chain([
            0x3fff_ffff,
            0x7fff_ffff,
            0x8000_0000,
            0xbfff_ffff,
            0xc000_0000,
            0xffff_fffe,
            0xffff_ffff,
        ])
}

/// Calls that the kernel's headers give to more ABIs than libseccomp 2.5 does.
const NUMBERED_DIFFERENTLY: [&str; 2] = ["map_shadow_stack", "sync_file_range2"];

/// Calls that 32-bit x86 only enters through socketcall(2) or ipc(2). A rule for one of them
/// that is the first of the architecture never holds with libseccomp 2.5.
const ONLY_MULTIPLEXED: [&str; 5] = ["accept", "send", "recv", "semop", "semtimedop"];

/// A profile without the names that are too new for the installed libseccomp: they raise the ENOSYS
/// threshold of the native filter alone.
fn without_unknown(mut profile: Profile) -> Profile {
    for rule in &mut profile.syscalls {
        rule.names.retain(|name| {
            libseccomp::ScmpSyscall::from_name(name).is_ok()
                && !NUMBERED_DIFFERENTLY.contains(&name.as_str())
        });
    }
    profile
}

fn both(profile: &Profile) -> (Program, Program) {
    let native = compile(profile, Backend::Native).expect("native");
    let libseccomp = compile(profile, Backend::Libseccomp).expect("libseccomp");
    (native.program, libseccomp.program)
}

/// Compares the filters' answers for all architectures and numbers with each of `args`.
fn assert_same(native: &Program, libseccomp: &Program, args: &[[u64; 6]]) -> Result<(), String> {
    for arch in ARCHITECTURES
        .into_iter()
        .chain([Architecture::Mips, Architecture::Loongarch64])
    {
        for nr in numbers() {
            for args in args {
                let ours = evaluate(native, arch, nr, *args).expect("valid program");
                let theirs = evaluate(libseccomp, arch, nr, *args).expect("valid program");
                if ours != theirs {
                    return Err(format!(
                        "{} {nr:#x} {args:x?}: native {ours:#x}, libseccomp {theirs:#x}",
                        arch.name()
                    ));
                }
            }
        }
    }
    Ok(())
}

fn docker_like() -> Profile {
    serde_json::from_str(include_str!("../data/docker-like.json")).expect("profile")
}

#[test]
fn docker_like_profile() {
    let (native, libseccomp) = both(&without_unknown(docker_like()));
    let mut args = vec![
        [0; 6],
        [u64::MAX; 6],
        [40; 6],
        [40 | 1 << 32; 6],
        [8; 6],
        [0x20008; 6],
        [16; 6],
    ];
    args.extend((0..64).map(|bit| [1 << bit; 6]));
    args.extend((0..21).map(|selector| [selector, 0, 0, 0, 0, 0]));
    assert_same(&native, &libseccomp, &args).unwrap();
}

/// Names for random profiles: those of the Docker-like profile, some that it leaves out, some of
/// single architectures, and one that does not exist.
fn names() -> Vec<String> {
    let more = "mount bpf setns kexec_load open_by_handle_at acct init_module quotactl uselib ustat vm86 set_tls \
                cacheflush breakpoint arm_fadvise64_64 sync_file_range2 riscv_flush_icache riscv_hwprobe pivot_root \
                swapcontext s390_pci_mmio_read sysmips no_such_call";
    let mut names: Vec<String> = docker_like()
        .syscalls
        .into_iter()
        .flat_map(|rule| rule.names)
        .collect();
    names.extend(more.split_whitespace().map(str::to_owned));
    names.retain(|name| !NUMBERED_DIFFERENTLY.contains(&name.as_str()));
    names
}

/// Argument values around which comparisons change their result.
const VALUES: [u64; 12] = [
    0,
    1,
    2,
    40,
    0x7e02_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    (1 << 32) | 1,
    u64::MAX - 1,
    u64::MAX,
];

fn condition() -> impl Strategy<Value = Arg> {
    (
        0..6_u32,
        select(Operator::ALL),
        select(&VALUES),
        select(&VALUES),
    )
        .prop_map(|(index, op, value, value_two)| Arg {
            index,
            value,
            value_two,
            op,
        })
}

fn errno() -> impl Strategy<Value = Option<u32>> {
    proptest::option::of(0..4096_u32)
}

fn action() -> impl Strategy<Value = ActionName> {
    select(ActionName::ALL).prop_filter("needs a listener", |name| *name != ActionName::Notify)
}

/// A rule with up to three conditions (or none) for up to `max_names` calls.
fn rule(max_names: usize) -> impl Strategy<Value = Rule> {
    let args = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(condition(), 1..4)];
    (subsequence(names(), 1..=max_names), action(), errno(), args).prop_map(
        |(names, action, errno_ret, args)| Rule {
            names,
            action,
            errno_ret,
            args,
        },
    )
}

fn profile(rules: impl Strategy<Value = Vec<Rule>>) -> impl Strategy<Value = Profile> {
    let architectures = ARCHITECTURES.to_vec();
    (
        action(),
        errno(),
        subsequence(architectures, 0..=ARCHITECTURES.len()),
        rules,
    )
        .prop_map(
            |(default_action, default_errno_ret, architectures, syscalls)| Profile {
                default_action,
                default_errno_ret,
                architectures,
                syscalls,
                ..Profile::new(Action::Allow)
            },
        )
}

fn arguments() -> impl Strategy<Value = Vec<[u64; 6]>> {
    prop::collection::vec(
        prop::array::uniform6(prop_oneof![select(&VALUES), any::<u64>(), 0..24_u64]),
        6,
    )
}

/// Calls that 32-bit x86 also enters through socketcall(2) or ipc(2), and those two.
const MULTIPLEXED: [&str; 27] = [
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "ipc",
    "listen",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "semctl",
    "semget",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    "socket",
    "socketcall",
];

/// Leaves only rules for which libseccomp's answer is the documented one. On 32-bit x86 every rule
/// for a socket call is a condition on socketcall(2).
fn without_overlap(mut profile: Profile) -> Profile {
    if profile.architectures.contains(&Architecture::X86) {
        for rule in &mut profile.syscalls {
            let conditional = !rule.args.is_empty();
            rule.names.retain(|name| {
                let name = &name.as_str();
                !(ONLY_MULTIPLEXED.contains(name) || conditional && MULTIPLEXED.contains(name))
            });
        }
    }
    // libseccomp forgets x86_64's rules if x32 is in the filter and has none.
    let action = if profile.default_action == ActionName::Trap {
        Action::Log
    } else {
        Action::Trap
    };
    profile.syscalls.push(Rule::new(action, ["getpid"]));
    overlap::remove(&mut profile.syscalls);
    profile
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_profiles(
        profile in profile(prop::collection::vec(rule(60), 0..12)),
        args in arguments(),
    ) {
        let profile = without_overlap(without_unknown(profile));
        // libseccomp refuses two rules for one of i386's socket calls if their actions differ.
        prop_assume!(compile(&profile, Backend::Libseccomp).is_ok());
        let (native, libseccomp) = both(&profile);
        prop_assert_eq!(assert_same(&native, &libseccomp, &args), Ok(()));
    }

    /// The usual way to allow several values of an argument: a rule for each.
    #[test]
    fn one_rule_per_value(
        names in subsequence(names(), 1..20),
        values in prop::collection::vec(select(&VALUES), 1..6),
        index in 0..6_u32,
        architectures in subsequence(ARCHITECTURES.to_vec(), 0..=ARCHITECTURES.len()),
        args in arguments(),
    ) {
        let names: Vec<String> = names
            .into_iter()
            .filter(|name| !ONLY_MULTIPLEXED.contains(&name.as_str()))
            .chain(["getpid".into()])
            .collect();
        let rule = |value| Rule {
            names: names.clone(),
            action: ActionName::Allow,
            errno_ret: None,
            args: vec![Arg { index, value, value_two: 0, op: Operator::Equal }],
        };
        let profile = without_unknown(Profile {
            default_action: ActionName::Errno,
            architectures,
            syscalls: values.iter().copied().map(rule).collect(),
            ..Profile::new(Action::Allow)
        });
        let (native, libseccomp) = both(&profile);
        let mut args = args;
        args.extend(values.iter().map(|value| [*value; 6]));
        prop_assert_eq!(assert_same(&native, &libseccomp, &args), Ok(()));
    }
}
