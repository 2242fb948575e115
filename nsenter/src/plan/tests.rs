mod any_plan;

use std::ffi::CString;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::namespace_types::NamespaceType::{Cgroup, Pid, Time, User, Uts};
use any_plan::any_plan;

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// A plan of these steps and no others.
fn only(steps: Vec<Op>) -> PlanBuilder {
    let mut plan = PlanBuilder::new();
    push_all(&mut plan, steps);
    plan
}

fn push_all(plan: &mut PlanBuilder, steps: Vec<Op>) {
    for op in steps {
        plan.push(op.name(), op);
    }
}

/// The last step.
fn exec() -> Op {
    Op::Exec {
        args: Vec::new(),
        env: Vec::new(),
    }
}

/// The steps that end every plan.
fn end(plan: &mut PlanBuilder) {
    plan.push("look up", Op::Lookup(vec![c("/bin/true")]));
    plan.push("close the control channel", Op::CloseControl);
    plan.push(
        "run",
        Op::Exec {
            args: vec![c("true")],
            env: Vec::new(),
        },
    );
}

fn refused(plan: PlanBuilder) -> String {
    let error = plan.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plan);
    error.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_unchanged(builder in any_plan()) {
        let bytes = builder.encode().unwrap();
        let plan = Plan::from_bytes(&bytes).unwrap();
        prop_assert_eq!(plan.steps(), &builder.steps[..]);
        prop_assert_eq!(plan.inputs(), &builder.inputs[..]);
        prop_assert_eq!((plan.clone_namespaces(), plan.passed()), (builder.clone, builder.passed));
        prop_assert_eq!(plan.as_bytes(), &bytes[..]);
    }

    #[test]
    fn a_plan_is_printed_one_line_a_step(builder in any_plan()) {
        let plan = Plan::from_bytes(&builder.encode().unwrap()).unwrap();
        let text = plan.to_string();
        prop_assert_eq!(text.lines().count(), plan.steps().len() + plan.inputs().len() + 1);
        prop_assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{:?}", text);
    }

    #[test]
    fn damaged_plans_are_read_or_refused(
        builder in any_plan(),
        damage in vec((any::<usize>(), any::<u8>()), 1..8),
        cut in any::<usize>(),
    ) {
        let mut bytes = builder.encode().unwrap();
        for (at, byte) in damage {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        // Neither panics nor reads beyond the end; what it makes of it does not matter.
        let _ = Plan::from_bytes(&bytes).map(|plan| plan.to_string());
        let _ = Plan::from_bytes(&bytes[..cut % bytes.len()]);
    }

    #[test]
    fn noise_is_no_plan(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(Plan::from_bytes(&bytes).is_err());
    }
}

#[test]
fn every_cut_of_a_plan_is_refused() {
    let mut builder = PlanBuilder::new();
    builder.input("exec fifo");
    end(&mut builder);
    let bytes = builder.build().unwrap().as_bytes().to_vec();
    assert!(Plan::from_bytes(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(Plan::from_bytes(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    let build = || {
        let mut plan = PlanBuilder::new();
        let fifo = plan.input("exec fifo");
        plan.push("close", Op::Close(fifo));
        end(&mut plan);
        plan.build().unwrap()
    };
    assert_eq!(build(), build());
    assert_eq!(build().as_bytes(), build().as_bytes());
}

#[test]
fn labels_become_steps_and_lie_ahead() {
    let mut plan = PlanBuilder::new();
    let (skip, after) = (plan.label(), plan.label());
    plan.push_or("one", Op::Umask(1), &[1], after);
    plan.push("two", Op::Jump(skip));
    plan.bind(after);
    plan.push("three", Op::Umask(3));
    plan.bind(skip);
    end(&mut plan);
    let plan = plan.build().unwrap();
    assert_eq!(plan.steps()[0].otherwise(), Some(2));
    assert_eq!(plan.steps()[1].op(), &Op::Jump(Label(3)));
    assert_eq!(Plan::from_bytes(plan.as_bytes()).unwrap(), plan);

    let mut backward = PlanBuilder::new();
    let label = backward.label();
    backward.bind(label);
    backward.push("loop", Op::Jump(label));
    end(&mut backward);
    assert_eq!(refused(backward), "a jump does not go forward to a step");
    let mut unbound = PlanBuilder::new();
    let label = unbound.label();
    unbound.push_or("step", Op::Umask(0), &[1], label);
    end(&mut unbound);
    assert_eq!(refused(unbound), "a label is not bound");
    let mut twice = PlanBuilder::new();
    let label = twice.label();
    twice.bind(label);
    twice.push("step", Op::Umask(0));
    twice.bind(label);
    end(&mut twice);
    assert_eq!(refused(twice), "a label is bound twice");
}

/// Builds a plan of these steps and the usual end.
fn with(steps: Vec<Op>) -> PlanBuilder {
    let mut plan = PlanBuilder::new();
    for _ in 0..3 {
        plan.input("input");
    }
    push_all(&mut plan, steps);
    end(&mut plan);
    plan
}

#[test]
fn limits_are_kept() {
    let mut plan = PlanBuilder::new();
    for _ in 0..513 {
        plan.slot();
    }
    end(&mut plan);
    assert_eq!(refused(plan), "513 descriptor slots, the stub has 512");
    let steps = 1 << 16;
    assert_eq!(
        refused(with(vec![Op::Umask(0); steps])),
        "65539 steps, the limit is 65536"
    );
    let large = refused(with(vec![Op::Netlink(vec![0; 17 << 20])]));
    assert!(large.ends_with("the limit is 16777216"), "{large}");
    let mut plan = PlanBuilder::new();
    plan.push_tolerating("step", Op::Umask(0), &[1, 2, 3, 4, 5, 6, 7]);
    end(&mut plan);
    assert_eq!(
        refused(plan),
        "step \"step\" lists an impossible set of errnos"
    );
}

#[test]
fn slots_are_filled_before_they_are_read() {
    let mut plan = PlanBuilder::new();
    let slot = plan.slot();
    plan.push(
        "write",
        Op::Write {
            fd: slot,
            bytes: Vec::new(),
        },
    );
    end(&mut plan);
    assert_eq!(refused(plan), "step \"write\" reads slot 0, which is empty");
    assert_eq!(
        refused(with(vec![Op::Close(Slot(1)), Op::Chroot(Slot(1))])),
        "step \"Chroot\" reads slot 1, which is empty"
    );
    assert!(
        with(vec![
            Op::Chroot(Slot(1)),
            Op::Close(Slot(1)),
            Op::Close(Slot(1))
        ])
        .build()
        .is_ok()
    );
    let into = Slot(0);
    let fills = Op::Socket {
        family: 1,
        kind: 1,
        protocol: 0,
        into,
    };
    assert_eq!(
        refused(with(vec![fills])),
        "step \"Socket\" fills slot 0, which is an input"
    );
}

/// A slot that is filled on one of two ways may be read after them.
#[test]
fn both_ways_to_a_step_count() {
    let mut plan = PlanBuilder::new();
    let into = plan.slot();
    let (other, done) = (plan.label(), plan.label());
    let open = |path: &str| Op::Open {
        dir: Dir::Cwd,
        path: c(path),
        flags: 0,
        mode: 0,
        resolve: 0,
        into,
    };
    plan.push_or("one", open("/a"), &[2], other);
    plan.push("over", Op::Jump(done));
    plan.bind(other);
    plan.push("two", open("/b"));
    plan.bind(done);
    plan.push("read", Op::ChangeDirectoryTo(into));
    end(&mut plan);
    assert!(plan.build().is_ok());

    let mut dead = PlanBuilder::new();
    let done = dead.label();
    dead.push("over", Op::Jump(done));
    dead.push("never", Op::Umask(0));
    dead.bind(done);
    end(&mut dead);
    assert_eq!(refused(dead), "step \"never\" is never reached");
}

#[test]
fn nothing_but_the_fifo_is_open_while_the_stub_waits() {
    let waiting = |closes: Vec<Op>| {
        let mut plan = PlanBuilder::new();
        let (fifo, root) = (plan.input("exec fifo"), plan.input("root directory"));
        for op in closes {
            plan.push("close", op);
        }
        let _ = root;
        plan.push("look up", Op::Lookup(vec![c("/bin/true")]));
        plan.push("close the control channel", Op::CloseControl);
        plan.push("wait", Op::WaitStart(fifo));
        plan.push("run", exec());
        plan
    };
    assert_eq!(
        refused(waiting(Vec::new())),
        "step \"wait\" waits while slot 1 (root directory) is still open"
    );
    assert!(waiting(vec![Op::Close(Slot(1))]).build().is_ok());
}

const NONE: NamespaceSet = NamespaceSet::EMPTY;

#[test]
fn the_clone_of_the_host_makes_only_harmless_namespaces() {
    for (clone, steps, fine) in [
        (Pid | Uts, vec![], true),
        (NONE | User, vec![], false),
        (NONE | Time, vec![], false),
        (NONE | Cgroup, vec![], false),
        (NONE | Uts, vec![Op::SecondStage], false),
        (NONE | Uts, vec![Op::Unshare(User.into())], false),
        (NONE | Uts, vec![Op::Join(vec![(Slot(0), User)])], false),
        (NONE | Uts, vec![Op::Join(vec![(Slot(0), Uts)])], true),
    ] {
        let mut plan = with(steps);
        plan.clone_namespaces(clone);
        assert_eq!(plan.build().is_ok(), fine, "{clone}");
    }
}

#[test]
fn a_user_namespace_is_made_alone_and_mapped_while_dumpable() {
    assert!(
        refused(with(vec![Op::Unshare(User | Uts)])).contains("together with a user namespace")
    );
    assert!(
        refused(with(vec![Op::Unshare(User.into()), Op::AskIdMaps]))
            .contains("while the process is dumpable")
    );
    let mapped = vec![
        Op::Unshare(User.into()),
        Op::Dumpable(true),
        Op::AskIdMaps,
        Op::Dumpable(false),
    ];
    assert!(with(mapped.clone()).build().is_ok());
    let mut exposed = mapped;
    exposed.pop();
    exposed.push(Op::PivotRoot(Slot(0)));
    assert!(refused(with(exposed)).contains("must not come while the process is dumpable"));
}

#[test]
fn namespaces_for_children_need_a_child() {
    for op in [
        Op::Unshare(Pid.into()),
        Op::Unshare(Time.into()),
        Op::Join(vec![(Slot(0), Pid)]),
        Op::JoinProcess {
            pidfd: Slot(0),
            namespaces: Pid | Uts,
        },
    ] {
        assert!(
            refused(with(vec![op.clone()])).contains("no second stage follows"),
            "{op:?}"
        );
        assert!(with(vec![op, Op::SecondStage]).build().is_ok());
    }
}

#[test]
fn there_is_one_second_stage() {
    let twice = with(vec![Op::SecondStage, Op::SecondStage]);
    assert!(refused(twice).contains("makes a second stage once more"));
}

#[test]
fn protections_may_not_fail() {
    for op in [
        Op::NoNewPrivileges,
        Op::SetUid(1),
        Op::SetGroups(vec![1]),
        Op::Dumpable(false),
        Op::PivotRoot(Slot(0)),
        Op::JoinProcess {
            pidfd: Slot(0),
            namespaces: Uts.into(),
        },
        Op::VerifyDirectory,
        Op::NewSession,
        Op::ReopenNull,
        Op::MountAttributes {
            mount: Slot(0),
            set: 1,
            clear: 0,
            propagation: 0,
            recursive: false,
            keep_locked: false,
        },
        Op::Attach {
            mount: Slot(0),
            target: Slot(0),
        },
        Op::Reconfigure {
            mount: Slot(0),
            options: Vec::new(),
        },
        Op::HolderPropagation {
            directory: Slot(0),
            kind: 1 << 18,
        },
        Op::ResourceLimit {
            resource: 7,
            soft: 1,
            hard: 1,
        },
    ] {
        let mut plan = PlanBuilder::new();
        plan.input("input");
        plan.push_tolerating("protect", op, &[libc::EPERM]);
        end(&mut plan);
        assert_eq!(
            refused(plan),
            "step \"protect\" is a protection and may not tolerate a failure"
        );
    }
}

#[test]
fn protections_are_not_jumped_over() {
    let jumping = |by_failure: bool, over: Op| {
        let mut plan = PlanBuilder::new();
        plan.input("input");
        let after = plan.label();
        if by_failure {
            plan.push_or("try", Op::Umask(0), &[libc::EPERM], after);
        } else {
            let other = plan.label();
            plan.push_or("try", Op::Umask(0), &[libc::EPERM], other);
            plan.push("over", Op::Jump(after));
            plan.bind(other);
        }
        plan.push("protect", over);
        plan.bind(after);
        end(&mut plan);
        plan
    };
    let root = Slot(0);
    for (by_failure, step) in [(true, "try"), (false, "over")] {
        for op in [
            Op::ReadonlyPaths(vec![(root, c("/proc/sys"))]),
            Op::NoNewPrivileges,
            Op::SetGroups(vec![1]),
            Op::PivotRoot(root),
            Op::Unshare(Uts.into()),
        ] {
            assert_eq!(
                refused(jumping(by_failure, op)),
                format!("step \"{step}\" jumps over \"protect\", which is a protection")
            );
        }
        assert!(jumping(by_failure, Op::Umask(0o22)).build().is_ok());
    }
}

/// The stub would go beyond the last step.
#[test]
fn a_plan_whose_jump_leads_to_no_step_is_none() {
    let mut plan = PlanBuilder::new();
    let label = plan.label();
    plan.push_or("try", Op::Umask(0), &[libc::EPERM], label);
    plan.bind(label);
    end(&mut plan);
    plan.resolve_labels().unwrap();
    for (target, fine) in [(1, true), (3, true), (4, false), (5, false)] {
        plan.steps[0].otherwise = Some(target);
        assert_eq!(
            Plan::from_bytes(&plan.encode().unwrap()).is_ok(),
            fine,
            "{target}"
        );
    }
}

#[test]
fn a_filter_is_loaded_in_its_place() {
    let filter = || Op::Seccomp {
        flags: 0,
        program: vec![0; 8],
        listener: false,
    };
    let lookup = || Op::Lookup(vec![c("/bin/true")]);
    let drop = || Op::Capabilities {
        effective: 1,
        permitted: 1,
        inheritable: 0,
    };
    for (steps, fine) in [
        (
            vec![Op::AskReady, filter(), drop(), lookup(), Op::CloseControl],
            true,
        ),
        (
            vec![Op::AskReady, drop(), filter(), lookup(), Op::CloseControl],
            false,
        ),
        (
            vec![
                Op::NoNewPrivileges,
                Op::AskReady,
                drop(),
                lookup(),
                filter(),
                Op::CloseControl,
            ],
            true,
        ),
        (
            vec![
                Op::NoNewPrivileges,
                Op::AskReady,
                filter(),
                lookup(),
                Op::CloseControl,
            ],
            false,
        ),
        (
            vec![filter(), Op::AskReady, lookup(), Op::CloseControl],
            false,
        ),
        (vec![lookup(), Op::CloseControl, filter()], false),
        // Not only the first of two.
        (
            vec![
                Op::AskReady,
                filter(),
                drop(),
                filter(),
                lookup(),
                Op::CloseControl,
            ],
            false,
        ),
    ] {
        let all = steps.iter().cloned().chain([exec()]).collect();
        assert_eq!(only(all).build().is_ok(), fine, "{steps:?}");
    }
}

#[test]
fn a_plan_ends_with_the_program_and_only_there() {
    let lookup = || Op::Lookup(Vec::new());
    for (steps, complaint) in [
        (vec![lookup()], "the last step"),
        (
            vec![lookup(), Op::CloseControl, exec(), Op::Umask(0)],
            "the last step",
        ),
        (vec![exec()], "the program must be looked up"),
        (
            vec![Op::CloseControl, lookup(), exec()],
            "the program must be looked up",
        ),
        (
            vec![lookup(), Op::CloseControl, Op::AskGate(1), exec()],
            "step \"AskGate\" needs the control channel and comes after it is closed",
        ),
    ] {
        let refusal = refused(only(steps));
        assert!(refusal.starts_with(complaint), "{refusal}");
    }
}

#[test]
fn a_helper_exits_with_its_channel_open_and_without_a_program() {
    assert!(only(vec![Op::AskGate(1), Op::Exit]).build().is_ok());
    for (steps, complaint) in [
        (vec![Op::Exit, Op::AskGate(1)], "the last step"),
        (
            vec![Op::Exit, Op::Lookup(Vec::new()), Op::CloseControl, exec()],
            "the last step",
        ),
        (
            vec![Op::Lookup(Vec::new()), Op::CloseControl, Op::Exit],
            "step \"Exit\" needs the control channel and comes after it is closed",
        ),
        (
            vec![Op::WaitStart(Slot(0)), Op::Exit],
            "step \"WaitStart\" must come after the control channel is closed",
        ),
    ] {
        let refusal = refused(only(steps));
        assert!(refusal.starts_with(complaint), "{refusal}");
    }
}

#[test]
fn a_line_says_everything_about_a_step() {
    let mut plan = PlanBuilder::new();
    let fd = plan.input("root \"dir\"\n");
    plan.clone_namespaces(Pid | Uts);
    let skip = plan.label();
    plan.push_or(
        "write\tit",
        Op::Write {
            fd,
            bytes: b"a\"b\n\xff".to_vec(),
        },
        &[libc::ENOENT, libc::EPERM],
        skip,
    );
    plan.bind(skip);
    end(&mut plan);
    let text = plan.build().unwrap().to_string();
    assert_eq!(
        text,
        "plan: clone uts,pid; 0 passed descriptors\n\
         input $0: root \\\"dir\\\"\\n\n\
         0: Write fd=$0 bytes=\"a\\\"b\\n\\xff\" # write\\tit; on errno 2,1 go to 1\n\
         1: Lookup [\"/bin/true\"] # look up\n\
         2: CloseControl # close the control channel\n\
         3: Exec args=[\"true\"] env=[] # run\n"
    );
}
