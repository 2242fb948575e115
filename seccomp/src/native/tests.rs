//! The native compiler against the meaning of a profile, written down without ranges, trees and
//! halves.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::profile::{Arg, Profile, Rule};
use crate::{ActionName, Backend, evaluate};

/// What a filter must answer.
fn expected(rules: &Rules<'_>, arch: Architecture, nr: u32, args: [u64; 6]) -> u32 {
    let abi = match arch {
        Architecture::X86_64 if nr & X32_SYSCALL_BIT != 0 => Architecture::X32,
        arch => arch,
    };
    if !rules.architectures.contains(&abi) {
        return Action::KillThread.return_value();
    }
    let all = || {
        rules
            .entries
            .iter()
            .flat_map(|entry| entry.names.iter().map(move |name| (name, entry)))
    };
    let number = |name: &str| Syscall::from_name(name).and_then(|syscall| syscall.number(abi));
    let multiplexed = |name: &str| multiplex::x86(name).filter(|_| abi == Architecture::X86);
    let largest = all()
        .filter(|(name, _)| multiplexed(name).is_none())
        .filter_map(|(name, _)| number(name))
        .max();
    if rules.answers_enosys() && largest.is_some_and(|largest| nr > largest) {
        return Action::Errno(38).return_value();
    }

    let wide = !matches!(
        abi,
        Architecture::X86 | Architecture::X32 | Architecture::Arm
    );
    let seen = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let holds = |condition: &Condition| {
        let arg = seen(args[usize::from(condition.index)]);
        let value = seen(condition.value);
        match condition.operator {
            Operator::NotEqual => arg != value,
            Operator::Less => arg < value,
            Operator::LessOrEqual => arg <= value,
            Operator::Equal => arg == value,
            Operator::GreaterOrEqual => arg >= value,
            Operator::Greater => arg > value,
            Operator::MaskedEqual => arg & value == seen(condition.value_two) & value,
        }
    };
    let mut unconditional = None;
    let mut strictest: Option<u32> = None;
    for (name, entry) in all().filter(|(_, entry)| !rules.is_redundant(entry)) {
        let answer = entry.action.return_value();
        let mut matches = false;
        if number(name) == Some(nr) {
            // A mask without bits compares nothing.
            let always = |conditions: &Vec<Condition>| {
                conditions
                    .iter()
                    .all(|one| one.operator == Operator::MaskedEqual && seen(one.value) == 0)
            };
            if entry.alternatives.is_empty() || entry.alternatives.iter().any(always) {
                unconditional.get_or_insert(answer);
            }
            matches = entry
                .alternatives
                .iter()
                .any(|conditions| conditions.iter().all(holds));
        }
        if let Some(old_way) = multiplexed(name).filter(|old_way| old_way.number == nr)
            && seen(args[0]) == old_way.selector
        {
            let others = |conditions: &Vec<Condition>| {
                conditions.iter().all(|one| one.index == 0 || holds(one))
            };
            matches |= entry.alternatives.is_empty() || entry.alternatives.iter().any(others);
        }
        if matches
            && strictest.is_none_or(|other| Action::strictness(answer) < Action::strictness(other))
        {
            strictest = Some(answer);
        }
    }
    unconditional
        .or(strictest)
        .unwrap_or(rules.default_action.return_value())
}

/// Argument values around which comparisons change their result.
const VALUES: [u64; 10] = [
    0,
    1,
    2,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    (1 << 32) | 1,
    u64::MAX - 1,
    u64::MAX,
];

/// Few names, so that rules overlap: plain ones, multiplexed ones, a private one of ARM, an unknown
/// one.
const NAMES: [&str; 14] = [
    "read",
    "write",
    "clone",
    "clone3",
    "socket",
    "accept",
    "accept4",
    "socketcall",
    "semop",
    "shmget",
    "ipc",
    "set_tls",
    "futex_wait",
    "no_such_call",
];

const ARCHITECTURES: [Architecture; 7] = [
    Architecture::X86_64,
    Architecture::X32,
    Architecture::X86,
    Architecture::Arm,
    Architecture::Aarch64,
    Architecture::Riscv64,
    Architecture::Loongarch64,
];

fn action() -> impl Strategy<Value = ActionName> {
    select(ActionName::ALL).prop_filter("not as default", |name| *name != ActionName::Notify)
}

fn arg() -> impl Strategy<Value = Arg> {
    let op = select(Operator::ALL);
    (0..3_u32, select(&VALUES[..]), select(&VALUES[..]), op).prop_map(
        |(index, value, value_two, op)| Arg {
            index,
            value,
            value_two,
            op,
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let names = subsequence(NAMES.to_vec(), 1..4);
    (
        names,
        action(),
        0..3_u32,
        prop::collection::vec(arg(), 0..4),
    )
        .prop_map(|(names, action, errno, args)| Rule {
            names: names.into_iter().map(str::to_owned).collect(),
            action,
            errno_ret: Some(errno),
            args,
        })
}

fn profile() -> impl Strategy<Value = Profile> {
    let architectures = subsequence(ARCHITECTURES.to_vec(), 0..=7);
    (
        action(),
        architectures,
        prop::collection::vec(rule(), 0..12),
    )
        .prop_map(|(default_action, architectures, syscalls)| Profile {
            default_action,
            architectures,
            syscalls,
            ..Profile::new(Action::Allow)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn filters_mean_what_the_profile_says(
        profile in profile(),
        args in prop::collection::vec(
            prop::array::uniform6(prop_oneof![select(&VALUES[..]), 0..24_u64, any::<u64>()]), 8),
    ) {
        let program = crate::compile(&profile, Backend::Native).unwrap().program;
        let rules = Rules::new(&profile, &mut Vec::new()).unwrap();
        for arch in ARCHITECTURES {
            let base = crate::syscalls::base(arch);
            let mut numbers: Vec<u32> =
                NAMES.iter().filter_map(|name| Syscall::from_name(name)?.number(arch)).collect();
            numbers.extend(numbers.clone().iter().flat_map(|nr| [nr.saturating_sub(1), nr + 1]));
            numbers.extend([102, 117, base, base + 600, 0x000f_0004, 0x000f_0006]);
            numbers.extend([0x3fff_ffff, 0x7fff_ffff]);
            for nr in numbers {
                for args in &args {
                    let answer = evaluate(&program, arch, nr, *args).unwrap();
                    let arch_of_rules = match arch {
                        Architecture::X32 => Architecture::X86_64,
                        other => other,
                    };
                    let expected = expected(&rules, arch_of_rules, nr, *args);
                    prop_assert_eq!(answer, expected, "{} {:#x} {:x?}", arch.name(), nr, args);
                }
            }
        }
    }
}

/// Every call has another answer: nothing merges, and jumps get long.
#[test]
fn every_call_of_the_table_is_answered_by_its_rule() {
    let names: Vec<&str> = Syscall::all().map(Syscall::name).collect();
    let number = |name: &str, arch| Syscall::from_name(name).unwrap().number(arch);
    let rules = names.iter().zip(2..).map(|(name, errno)| Rule {
        names: vec![(*name).to_owned()],
        action: ActionName::Errno,
        errno_ret: Some(errno),
        args: Vec::new(),
    });
    let mut profile = Profile {
        default_action: ActionName::Errno,
        syscalls: rules.collect(),
        ..Profile::new(Action::Allow)
    };
    for arch in ARCHITECTURES {
        profile.architectures = vec![arch];
        let program = crate::compile(&profile, Backend::Native).unwrap().program;
        for nr in names.iter().filter_map(|name| number(name, arch)) {
            // Two names may have one number; the first rule counts.
            let first = names
                .iter()
                .position(|name| number(name, arch) == Some(nr))
                .unwrap();
            let expected = Action::Errno(2 + u16::try_from(first).unwrap());
            // No multiplexed call has the selector 77.
            let answer = evaluate(&program, arch, nr, [77; 6]).unwrap();
            assert_eq!(
                Action::from_return_value(answer),
                expected,
                "{} {nr}",
                arch.name()
            );
        }
    }
    // All of them together are more than the kernel takes.
    profile.architectures = ARCHITECTURES.to_vec();
    let error = crate::compile(&profile, Backend::Native).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::TooLarge);
}
