//! Random plans, of every operation.

use std::ffi::CString;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::plan::*;
use crate::wire::Code;

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
                Code::NewMount | Code::Reconfigure | Code::CheckOptions => {
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
                    match code {
                        Code::Reconfigure => Op::Reconfigure {
                            mount: one,
                            options,
                        },
                        Code::CheckOptions => Op::CheckOptions {
                            fstype: text,
                            options,
                        },
                        _ => Op::NewMount {
                            fstype: text,
                            source: maybe_text,
                            options,
                            mode_of: maybe,
                            attributes: x,
                            into: one,
                        },
                    }
                }
                Code::Detach => Op::Detach(one),
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
pub(super) fn any_plan() -> impl Strategy<Value = PlanBuilder> {
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
