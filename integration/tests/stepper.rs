//! The runtime disturbed at some of its system calls, and some of those of the init stub: killed,
//! held while the container is deleted, or answered with an error. `./x attack` does it at each.
//!
//! `COFFERDAM_ATTACK_SEED` is what the choice of system calls begins with (1 by default, so that a
//! change is what makes a difference; it is printed).

#![cfg(all(target_arch = "x86_64", target_env = "gnu"))]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says how to repeat it"
)]

use cofferdam_integration::attack::{
    Action, Bench, COMMANDS, Choice, Command, Kind, Layout, Role, Step, steps,
};
use cofferdam_integration::need;

/// How many system calls are disturbed in each way, of each command.
const STEPS: [(Kind, usize); 2] = [(Kind::Kill, 2), (Kind::Error, 3)];

/// One command of so many is held once: where it has the lock, `delete` waits for ten seconds.
const HELD: usize = 6;

fn seed() -> u64 {
    let given = std::env::var("COFFERDAM_ATTACK_SEED").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The commands that ask systemd for something, one step of each kind: this layout is tested where
/// the processor is emulated.
const OF_SYSTEMD: [&str; 6] = ["create", "run", "exec", "update", "delete", "delete-force"];

fn disturb(layout: Layout) {
    disturb_some(layout, COMMANDS, STEPS);
}

fn disturb_some(layout: Layout, commands: &[Command], numbers: [(Kind, usize); 2]) {
    if !layout.is_possible() {
        return;
    }
    layout.enter();
    let seed = seed();
    println!("COFFERDAM_ATTACK_SEED={seed}");
    let mut choice = Choice::new(seed);
    let mut faults = Vec::new();
    for &command in commands {
        if command.is_impossible(layout).is_some() {
            continue;
        }
        let mut bench = Bench::new(layout, command).unwrap_or_else(|error| panic!("{error}"));
        let held = (Kind::Hold, usize::from(choice.below(HELD) == 0));
        for (kind, number) in numbers.into_iter().chain([held]) {
            let all = steps(bench.calls(), kind);
            for _ in 0..number {
                let Some(&step) = all.get(choice.below(all.len())) else {
                    continue;
                };
                let outcome = bench.take(step);
                if !outcome.faults.is_empty() {
                    let (layout, command) = (layout.name(), command.name);
                    faults.push(format!(
                        "./x attack --layout {layout} --step {step} {command}: {outcome:?}"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "seed {seed}: {faults:#?}");
}

#[test]
fn nothing_is_left_or_unprotected() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    disturb(Layout::Own);
}

#[test]
fn nothing_is_left_or_unprotected_on_cgroup_v2() {
    need!(Root, Busybox, Cofferdam, CgroupV2, Ptrace);
    disturb(Layout::Unified);
}

#[test]
fn nothing_is_left_or_unprotected_in_a_user_namespace() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    disturb(Layout::UserNamespace);
}

#[test]
fn nothing_is_left_or_unprotected_of_an_ordinary_user() {
    need!(Root, Busybox, Cofferdam, UserNamespaces, Ptrace);
    disturb(Layout::Rootless);
}

#[test]
fn nothing_is_left_or_unprotected_where_systemd_makes_the_cgroup() {
    need!(Root, Busybox, Cofferdam, Ptrace, Systemd);
    let commands = OF_SYSTEMD.map(|name| Command::named(name).expect("a command"));
    let numbers = STEPS.map(|(kind, _)| (kind, 1));
    disturb_some(Layout::Systemd, &commands, numbers);
}

/// What the runtime cannot read is no smaller machine: the container has everything that was asked
/// for, or is not made.
#[test]
fn a_file_that_cannot_be_read_is_not_an_empty_one() {
    need!(Root, Busybox, Cofferdam, UserNamespaces, Ptrace);
    let command = Command::named("run").expect("a command");
    let mut bench = Bench::new(Layout::Rootless, command).unwrap_or_else(|error| panic!("{error}"));
    let reads = bench.calls().get(&Role::Runtime).expect("system calls");
    let steps: Vec<Step> = (1..)
        .zip(reads)
        .filter(|(_, call)| i64::try_from(**call) == Ok(libc::SYS_read))
        .map(|(number, _)| Step {
            role: Role::Runtime,
            number,
            action: Action::Error(libc::EIO),
        })
        .collect();
    assert!(steps.len() > 5, "{steps:?}");
    for step in steps {
        let outcome = bench.take(step);
        assert!(outcome.faults.is_empty(), "{step}: {outcome:?}");
    }
}

/// A process that keeps the processors of its caller, because the kernel refuses others, runs with
/// less than was asked for: that is said.
#[test]
fn processors_that_cannot_be_had_are_a_warning() {
    need!(Root, Busybox, Cofferdam, Ptrace);
    for name in ["run", "exec"] {
        let command = Command::named(name).expect("a command");
        let mut bench = Bench::new(Layout::Own, command).unwrap_or_else(|error| panic!("{error}"));
        let steps: Vec<Step> = bench
            .calls()
            .iter()
            .flat_map(|(&role, calls)| {
                (1..)
                    .zip(calls)
                    .map(move |(number, call)| (role, number, *call))
            })
            .filter(|(_, _, call)| i64::try_from(*call) == Ok(libc::SYS_sched_setaffinity))
            .map(|(role, number, _)| Step {
                role,
                number,
                action: Action::Error(libc::EPERM),
            })
            .collect();
        assert_eq!(steps.len(), 1, "{steps:?}");
        for step in steps {
            let outcome = bench.take(step);
            let text = "can't reset the CPU affinity: operation not permitted";
            assert!(
                outcome.message.contains(text),
                "{name}, {step}: {outcome:?}"
            );
        }
    }
}
