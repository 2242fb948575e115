use std::ffi::CString;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;
use crate::wire::Code;

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
        plan.push(format!("{:?}", encode::code(&op)), op);
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

fn any_string() -> impl Strategy<Value = CString> {
    vec(1..=255_u8, 0..20).prop_map(|bytes| CString::new(bytes).unwrap())
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn any_slot() -> impl Strategy<Value = Slot> {
    (0..8_u16).prop_map(Slot)
}

fn any_strings() -> impl Strategy<Value = Vec<CString>> {
    vec(any_string(), 0..5)
}

fn any_hook() -> impl Strategy<Value = HookCommand> {
    let env = proptest::option::of(any_strings());
    (
        any_string(),
        any_strings(),
        env,
        any_bytes(),
        any_bytes(),
        any::<u32>(),
    )
        .prop_map(|(path, args, env, before, after, timeout_ms)| HookCommand {
            path,
            args,
            env,
            stdin: (before, after),
            timeout_ms,
        })
}

/// Any operation, every code with the same weight.
#[allow(clippy::too_many_lines, reason = "one arm an operation")]
fn any_op() -> impl Strategy<Value = Op> {
    let numbers = (
        any::<u32>(),
        any::<u32>(),
        any::<u32>(),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        any::<bool>(),
    );
    let slots = (any_slot(), any_slot(), any_slot());
    let texts = (
        any_string(),
        any_string(),
        any_bytes(),
        any_strings(),
        any_strings(),
    );
    let more = (
        any_hook(),
        vec(any::<u32>(), 0..9),
        vec(any::<u64>(), 0..4),
        proptest::option::of(any_slot()),
        proptest::option::of(any_string()),
    );
    (
        proptest::sample::select(Code::ALL),
        numbers,
        slots,
        texts,
        more,
    )
        .prop_map(|(code, n, s, t, m)| {
            let (a, b, d, x, y, z, flag) = n;
            let (one, two, three) = s;
            let (text, other, bytes, list, list_2) = t;
            let (hook, words, longs, maybe, maybe_text) = m;
            let dir = maybe.map_or(Dir::Cwd, Dir::Slot);
            match code {
                Code::Open => Op::Open {
                    dir,
                    path: text,
                    flags: a,
                    mode: b,
                    resolve: x,
                    into: one,
                },
                Code::Write => Op::Write { fd: one, bytes },
                Code::Verify => {
                    let (file_type, device) = (flag.then_some(a), (x & 1 == 1).then_some((b, d)));
                    let (inode, magic) = ((x & 2 == 2).then_some(y), (x & 4 == 4).then_some(z));
                    Op::Verify {
                        fd: one,
                        expect: Expect {
                            file_type,
                            device,
                            inode,
                            magic,
                        },
                    }
                }
                Code::Close => Op::Close(one),
                // Labels are the builder's; another test is about them.
                Code::Jump => Op::Umask(a),
                Code::Dumpable => Op::Dumpable(flag),
                Code::Name => Op::Name(text),
                Code::DeathSignal => Op::DeathSignal(a),
                Code::NoNewPrivileges => Op::NoNewPrivileges,
                Code::KeepCapabilities => Op::KeepCapabilities(flag),
                Code::NewSession => Op::NewSession,
                Code::ControllingTerminal => Op::ControllingTerminal(one),
                Code::Umask => Op::Umask(a),
                Code::Affinity => Op::Affinity(flag.then_some(bytes)),
                Code::Scheduler => Op::Scheduler(bytes),
                Code::IoPriority => Op::IoPriority(a),
                Code::Personality => Op::Personality(x),
                Code::ResourceLimit => Op::ResourceLimit {
                    resource: a,
                    soft: x,
                    hard: y,
                },
                Code::MemoryPolicy => Op::MemoryPolicy {
                    mode: a,
                    nodes: longs,
                },
                Code::SetGroups => Op::SetGroups(words),
                Code::SetGid => Op::SetGid(a),
                Code::SetUid => Op::SetUid(a),
                Code::BoundingSet => Op::BoundingSet { keep: x, last: a },
                Code::Capabilities => Op::Capabilities {
                    effective: x,
                    permitted: y,
                    inheritable: z,
                },
                Code::AmbientSet => Op::AmbientSet(x),
                Code::Keyring => Op::Keyring {
                    name: text,
                    add_permissions: a,
                },
                Code::Unshare => Op::Unshare(a),
                Code::Join => Op::Join(words.into_iter().map(|kind| (one, kind)).collect()),
                Code::JoinProcess => Op::JoinProcess {
                    pidfd: one,
                    flags: a,
                },
                Code::SecondStage => Op::SecondStage,
                Code::MakePath => {
                    let leaf = match x % 3 {
                        0 => Leaf::Directory,
                        1 => Leaf::File,
                        _ => Leaf::Like(three),
                    };
                    Op::MakePath {
                        root: one,
                        path: text,
                        leaf,
                        into: two,
                    }
                }
                Code::MakePlainDirectory => Op::MakePlainDirectory {
                    root: one,
                    path: text,
                    into: two,
                },
                Code::NewMount => {
                    let strings = list
                        .into_iter()
                        .zip(list_2)
                        .map(|(key, value)| FsOption::String(key, value));
                    let options = strings
                        .chain([
                            FsOption::Flag(other.clone()),
                            FsOption::Descriptor(other, two),
                        ])
                        .collect();
                    Op::NewMount {
                        fstype: text,
                        source: maybe_text,
                        options,
                        mode_of: maybe,
                        attributes: x,
                        into: one,
                    }
                }
                Code::CloneTree => Op::CloneTree {
                    dir,
                    path: text,
                    recursive: flag,
                    into: one,
                },
                Code::MountAttributes => Op::MountAttributes {
                    mount: one,
                    set: x,
                    clear: y,
                    propagation: z,
                    recursive: flag,
                    keep_locked: a & 1 == 1,
                },
                Code::Attach => Op::Attach {
                    mount: one,
                    target: two,
                },
                Code::Propagation => Op::Propagation {
                    path: text,
                    flags: x,
                },
                Code::HolderPropagation => Op::HolderPropagation {
                    directory: one,
                    kind: x,
                },
                Code::PivotRoot => Op::PivotRoot(one),
                Code::MoveRoot => Op::MoveRoot(one),
                Code::Chroot => Op::Chroot(one),
                Code::Unmount => Op::Unmount {
                    path: text,
                    flags: a,
                },
                Code::MakeNode => Op::MakeNode {
                    dir: one,
                    name: text,
                    mode: a,
                    device: (b, d),
                    uid: a ^ b,
                    gid: a ^ d,
                },
                Code::Symlink => Op::Symlink {
                    dir: one,
                    name: text,
                    target: other,
                },
                Code::Remove => Op::Remove {
                    dir: one,
                    name: text,
                },
                Code::Mask => Op::Mask {
                    paths: list.into_iter().map(|path| (one, path)).collect(),
                    null: two,
                    context: maybe_text,
                },
                Code::ReadonlyPaths => Op::ReadonlyPaths(vec![(one, text), (two, other)]),
                Code::CopyTree => Op::CopyTree { from: one, to: two },
                Code::SetXattr => Op::SetXattr {
                    fd: one,
                    name: text,
                    value: bytes,
                },
                Code::ChangeDirectoryTo => Op::ChangeDirectoryTo(one),
                Code::Pty => Op::Pty {
                    devpts: one,
                    master: two,
                    slave: three,
                },
                Code::Stdio => Op::Stdio(one),
                Code::ReopenNull => Op::ReopenNull,
                Code::StdioOwner => Op::StdioOwner(a),
                Code::Netlink => Op::Netlink(bytes),
                Code::Socket => Op::Socket {
                    family: a,
                    kind: b,
                    protocol: d,
                    into: one,
                },
                Code::HostName => Op::HostName(bytes),
                Code::DomainName => Op::DomainName(bytes),
                Code::Sysctl => Op::Sysctl {
                    procfs: one,
                    path: text,
                    value: bytes,
                },
                Code::ChangeDirectory => Op::ChangeDirectory {
                    path: text,
                    retry_later: flag,
                },
                Code::RetryDirectory => Op::RetryDirectory(text),
                Code::VerifyDirectory => Op::VerifyDirectory,
                Code::AskGate => Op::AskGate(a),
                Code::AskIdMaps => Op::AskIdMaps,
                Code::SendDescriptor => Op::SendDescriptor { tag: a, fd: one },
                Code::AskDescriptor => Op::AskDescriptor { tag: a, into: one },
                Code::LendDescriptor => Op::LendDescriptor { tag: a, fd: one },
                Code::AskConsole => Op::AskConsole(one),
                Code::AskHome => Op::AskHome(text),
                Code::AskReady => Op::AskReady,
                Code::Hook => Op::Hook(hook),
                Code::Seccomp => Op::Seccomp {
                    flags: a,
                    program: bytes,
                    listener: flag,
                },
                Code::Lookup => Op::Lookup(list),
                Code::CloseControl => Op::CloseControl,
                Code::WaitStart => Op::WaitStart(one),
                Code::LateHooks => Op::LateHooks(vec![hook.clone(), hook]),
                Code::Exec => Op::Exec {
                    args: list,
                    env: list_2,
                },
            }
        })
}

/// Steps in any order: what the builder would refuse, encoded nevertheless.
fn any_plan() -> impl Strategy<Value = PlanBuilder> {
    (
        vec((any_op(), ".{0,20}", vec(1..4096_i32, 0..=6)), 0..12),
        0..20_u32,
        any::<u32>(),
        0..4_usize,
    )
        .prop_map(|(steps, passed, flags, inputs)| {
            let mut plan = PlanBuilder::new();
            for index in 0..8 {
                if index < inputs {
                    plan.input(format!("input {index}"));
                } else {
                    plan.slot();
                }
            }
            plan.passed_descriptors(passed);
            plan.clone_namespaces(flags);
            for (op, context, errnos) in steps {
                plan.push_tolerating(context, op, &errnos);
            }
            plan
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_unchanged(builder in any_plan()) {
        let bytes = builder.encode().unwrap();
        let plan = Plan::from_bytes(&bytes).unwrap();
        prop_assert_eq!(plan.steps(), &builder.steps[..]);
        prop_assert_eq!(plan.inputs(), &builder.inputs[..]);
        prop_assert_eq!((plan.clone_flags(), plan.passed()), (builder.clone_flags, builder.passed));
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
    fn damaged_plans_are_read_or_refused(builder in any_plan(), damage in vec((any::<usize>(), any::<u8>()), 1..8), cut in any::<usize>()) {
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

const USER: u32 = 0x1000_0000;
const PID: u32 = 0x2000_0000;
const UTS: u32 = 0x0400_0000;

#[test]
fn the_clone_of_the_host_makes_only_harmless_namespaces() {
    for (flags, steps, fine) in [
        (PID | UTS, vec![], true),
        (USER, vec![], false),
        (0x80, vec![], false),
        (0x0200_0000, vec![], false),
        (0x100, vec![], false),
        (UTS, vec![Op::SecondStage], false),
        (UTS, vec![Op::Unshare(USER)], false),
        (UTS, vec![Op::Join(vec![(Slot(0), USER)])], false),
        (UTS, vec![Op::Join(vec![(Slot(0), UTS)])], true),
    ] {
        let mut plan = with(steps);
        plan.clone_namespaces(flags);
        assert_eq!(plan.build().is_ok(), fine, "{flags:#x}");
    }
}

#[test]
fn a_user_namespace_is_made_alone_and_mapped_while_dumpable() {
    assert!(
        refused(with(vec![Op::Unshare(USER | UTS)])).contains("together with a user namespace")
    );
    assert!(
        refused(with(vec![Op::Unshare(USER), Op::AskIdMaps]))
            .contains("while the process is dumpable")
    );
    let mapped = vec![
        Op::Unshare(USER),
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
        Op::Unshare(PID),
        Op::Unshare(0x80),
        Op::Join(vec![(Slot(0), PID)]),
        Op::JoinProcess {
            pidfd: Slot(0),
            flags: PID | UTS,
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
fn protections_may_not_fail() {
    for op in [
        Op::NoNewPrivileges,
        Op::SetUid(1),
        Op::PivotRoot(Slot(0)),
        Op::VerifyDirectory,
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
fn a_line_says_everything_about_a_step() {
    let mut plan = PlanBuilder::new();
    let fd = plan.input("root \"dir\"\n");
    plan.clone_namespaces(PID | UTS);
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
