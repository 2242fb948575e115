//! Namespaces: made by the clone, by the stub, by the second stage; joined by descriptor and by
//! process.

use std::os::fd::AsFd;

use cofferdam_nsenter::plan::{Dir, Op, PlanBuilder, Slot};
use cofferdam_nsenter::{NamespaceSet, NamespaceType, namespaces};
use cofferdam_nsenter::{Procfs, pidfd};

use crate::support::{Outcome, Recorder, c, resident, root, run, run_with, shell};

const READ_ALL: &str =
    "cd /proc/self/ns; for n in user ipc uts net pid mnt cgroup; do readlink $n; done";

fn own(kind: NamespaceType) -> String {
    std::fs::read_link(format!("/proc/self/ns/{kind}"))
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn the_clone_makes_namespaces() {
    if !root() {
        return;
    }
    let kinds = [
        NamespaceType::Pid,
        NamespaceType::Mount,
        NamespaceType::Network,
        NamespaceType::Ipc,
        NamespaceType::Uts,
    ];
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(NamespaceSet::from_iter(kinds));
    plan.push("host name", Op::HostName(b"stub".to_vec()));
    plan.push("domain name", Op::DomainName(b"example.org".to_vec()));
    // The shell that runs in the new pid namespace still sees the old procfs: its names there are
    // right.
    shell(
        &mut plan,
        &format!("echo $$; cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname; {READ_ALL}"),
    );
    let out = run(plan).output();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..3], ["1", "stub", "example.org"]);
    assert_eq!(lines[3..].len(), 7, "{out}");
    for (line, kind) in lines[3..].iter().zip([
        NamespaceType::User,
        NamespaceType::Ipc,
        NamespaceType::Uts,
        NamespaceType::Network,
        NamespaceType::Pid,
        NamespaceType::Mount,
        NamespaceType::Cgroup,
    ]) {
        assert_eq!(*line == own(kind), !kinds.contains(&kind), "{kind}: {line}");
    }
}

#[test]
fn loopback_is_brought_up_by_a_netlink_message() {
    if !root() {
        return;
    }
    // RTM_NEWLINK (16), NLM_F_REQUEST | NLM_F_ACK; struct ifinfomsg of index 1 with IFF_UP.
    let message = |index: u8| {
        let mut message = vec![0; 32];
        message[0] = 32;
        message[4] = 16;
        message[6] = 5;
        message[20] = index;
        message[24] = 1;
        message[28] = 1;
        message
    };
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(NamespaceType::Network);
    plan.push("loopback up", Op::Netlink(message(1)));
    shell(
        &mut plan,
        "cat /sys/class/net/lo/flags 2>/dev/null; cat /proc/self/net/if_inet6 /proc/self/net/fib_trie",
    );
    let out = run(plan).output();
    assert!(out.contains("127.0.0.1"), "{out}");

    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(NamespaceType::Network);
    plan.push("no such device", Op::Netlink(message(77)));
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().raw_os_error(), Some(libc::ENODEV));
}

/// The steps of a container with a user namespace of its own.
fn user_namespace(plan: &mut PlanBuilder, others: NamespaceSet) {
    plan.push(
        "new user namespace",
        Op::Unshare(NamespaceType::User.into()),
    );
    plan.push("dumpable", Op::Dumpable(true));
    plan.push("id maps", Op::AskIdMaps);
    plan.push("not dumpable", Op::Dumpable(false));
    plan.push("gid", Op::SetGid(0));
    plan.push("uid", Op::SetUid(0));
    plan.push("new namespaces", Op::Unshare(others));
}

#[test]
fn a_user_namespace_takes_two_stages() {
    if !root() {
        return;
    }
    let mut plan = PlanBuilder::new();
    user_namespace(
        &mut plan,
        NamespaceType::Pid
            | NamespaceType::Mount
            | NamespaceType::Uts
            | NamespaceType::Ipc
            | NamespaceType::Cgroup,
    );
    plan.push("second stage", Op::SecondStage);
    plan.push("session", Op::NewSession);
    plan.push("groups", Op::SetGroups(vec![5]));
    plan.push("ready", Op::AskReady);
    shell(
        &mut plan,
        &format!(
            "echo $$; id -u; id -G; grep CapEff /proc/self/status; cat /proc/self/uid_map; {READ_ALL}"
        ),
    );
    let mut recorder = Recorder::default();
    let out = run_with(plan, Vec::new(), &mut recorder).output();
    assert_eq!(recorder.log, ["id maps", "second stage", "ready"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..3], ["1", "0", "0 5"]);
    assert!(lines[3].ends_with("1ffffffffff"), "{}", lines[3]);
    assert_eq!(
        lines[4].split_whitespace().collect::<Vec<_>>(),
        ["0", "100000", "1000"]
    );
    for kind in [
        NamespaceType::User,
        NamespaceType::Pid,
        NamespaceType::Mount,
        NamespaceType::Uts,
        NamespaceType::Ipc,
        NamespaceType::Cgroup,
    ] {
        assert!(!lines.contains(&own(kind).as_str()), "{kind}");
    }
}

/// Offsets can be written until the first process is made in the namespace.
#[test]
fn time_offsets_are_written_between_namespace_and_second_stage() {
    if !root() {
        return;
    }
    if !NamespaceType::Time.is_supported(&Procfs::system().unwrap()) {
        println!("skipped: the kernel has no time namespaces");
        return;
    }
    let mut plan = PlanBuilder::new();
    let offsets = plan.slot();
    plan.push(
        "new time namespace",
        Op::Unshare(NamespaceType::Time.into()),
    );
    let flags = libc::O_WRONLY as u32;
    let open = Op::Open {
        dir: Dir::Cwd,
        path: c("/proc/self/timens_offsets"),
        flags,
        mode: 0,
        resolve: 0,
        into: offsets,
    };
    plan.push("open offsets", open);
    plan.push(
        "write offsets",
        Op::Write {
            fd: offsets,
            bytes: b"boottime 1000000 0\n".to_vec(),
        },
    );
    plan.push("close offsets", Op::Close(offsets));
    plan.push("second stage", Op::SecondStage);
    shell(&mut plan, "cat /proc/uptime");
    let uptime: f64 = run(plan)
        .output()
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(uptime > 1_000_000.0, "{uptime}");
}

/// A process in a user namespace and others, which stays until its input is closed.
fn resident_with_user_namespace() -> (cofferdam_nsenter::StubProcess, std::io::PipeWriter) {
    let mut plan = PlanBuilder::new();
    user_namespace(
        &mut plan,
        NamespaceType::Pid | NamespaceType::Mount | NamespaceType::Uts | NamespaceType::Ipc,
    );
    plan.push("second stage", Op::SecondStage);
    plan.push("host name", Op::HostName(b"joined".to_vec()));
    shell(&mut plan, "read line");
    resident(plan, &mut Recorder::default())
}

const JOINED: [NamespaceType; 5] = [
    NamespaceType::User,
    NamespaceType::Ipc,
    NamespaceType::Uts,
    NamespaceType::Pid,
    NamespaceType::Mount,
];

fn check_joined(outcome: Outcome, pid: u32) {
    let out = outcome.output();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..2], ["0", "joined"]);
    for kind in JOINED {
        let link = std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
        assert!(lines.contains(&link.to_str().unwrap()), "{kind}: {out}");
    }
    // Another process than the first of its pid namespace, and a member of it.
    assert!(lines.contains(&"init sees it"), "{out}");
}

fn joined_script(plan: &mut PlanBuilder) {
    plan.push("second stage", Op::SecondStage);
    shell(
        plan,
        &format!("id -u; uname -n; {READ_ALL}; kill -0 1 && test $$ -gt 1 && echo init sees it"),
    );
}

#[test]
fn the_namespaces_of_a_process_are_joined_at_once() {
    if !root() {
        return;
    }
    let (init, _write) = resident_with_user_namespace();
    let mut plan = PlanBuilder::new();
    let pidfd = plan.input("init");
    plan.push(
        "join",
        Op::JoinProcess {
            pidfd,
            namespaces: JOINED.into_iter().collect(),
        },
    );
    plan.push("close", Op::Close(pidfd));
    joined_script(&mut plan);
    let mut recorder = Recorder::default();
    let outcome = run_with(plan, vec![(pidfd, init.pidfd())], &mut recorder);
    check_joined(outcome, init.pid());
    assert_eq!(recorder.log, ["second stage"]);
}

#[test]
fn namespaces_are_joined_by_descriptor_whoever_owns_them() {
    if !root() {
        return;
    }
    let (init, _write) = resident_with_user_namespace();
    let procfs = Procfs::system().unwrap();
    // One more, owned by the host: it can only be joined before the user namespace.
    let mut host_owned = PlanBuilder::new();
    host_owned.clone_namespaces(NamespaceType::Network);
    shell(&mut host_owned, "read line");
    let (other, _other_write) = resident(host_owned, &mut ());
    let mut plan = PlanBuilder::new();
    let mut files = Vec::new();
    let mut pairs: Vec<(Slot, NamespaceType)> = Vec::new();
    for kind in JOINED {
        let slot = plan.input(format!("namespace {kind}"));
        files.push((
            slot,
            namespaces::of_process(&procfs, init.pid(), kind).unwrap(),
        ));
        pairs.push((slot, kind));
    }
    let slot = plan.input("namespace net");
    files.push((
        slot,
        namespaces::of_process(&procfs, other.pid(), NamespaceType::Network).unwrap(),
    ));
    pairs.push((slot, NamespaceType::Network));
    plan.push("join", Op::Join(pairs));
    joined_script(&mut plan);
    let inputs = files
        .iter()
        .map(|(slot, file)| (*slot, file.as_fd()))
        .collect();
    let outcome = run_with(plan, inputs, &mut Recorder::default());
    let network = std::fs::read_link(format!("/proc/{}/ns/net", other.pid())).unwrap();
    assert!(
        outcome.out.contains(network.to_str().unwrap()),
        "{}",
        outcome.out
    );
    check_joined(outcome, init.pid());
}

#[test]
fn a_namespace_of_another_kind_is_refused_and_named() {
    if !root() {
        return;
    }
    let procfs = Procfs::system().unwrap();
    let file = namespaces::of_process(&procfs, std::process::id(), NamespaceType::Uts).unwrap();
    let mut plan = PlanBuilder::new();
    let slot = plan.input("namespace");
    plan.push("join", Op::Join(vec![(slot, NamespaceType::Ipc)]));
    shell(&mut plan, "exit 0");
    let error = run_with(plan, vec![(slot, file.as_fd())], &mut ()).error();
    let failure = error.failure().unwrap();
    assert_eq!(failure.errno(), libc::EINVAL);
    assert_eq!(
        failure.detail(),
        NamespaceType::Ipc.flag().to_string().as_bytes()
    );
}

#[test]
fn a_descriptor_of_a_namespace_knows_its_kind() {
    let procfs = Procfs::system().unwrap();
    for kind in NamespaceType::ALL {
        if kind.is_supported(&procfs) {
            let file = namespaces::of_process(&procfs, std::process::id(), kind).unwrap();
            assert_eq!(namespaces::kind_of(&file).unwrap(), kind);
        }
        let path = format!("/proc/self/ns/{kind}");
        assert_eq!(
            namespaces::open(path.as_ref(), kind).is_ok(),
            kind.is_supported(&procfs)
        );
    }
    let error = namespaces::open("/proc/self/ns/uts".as_ref(), NamespaceType::Network).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/proc/self/ns/uts is a uts namespace, not a net namespace"
    );
    assert!(namespaces::open("/dev/null".as_ref(), NamespaceType::Network).is_err());
    assert!(namespaces::kind_of(crate::support::null()).is_err());
}

#[test]
fn the_id_maps_of_a_namespace_are_read_by_path_and_by_descriptor() {
    if !root() {
        return;
    }
    let (init, _write) = resident_with_user_namespace();
    let path = format!("/proc/{}/ns/user", init.pid());
    let maps = namespaces::id_maps_of(path.as_ref()).unwrap();
    assert_eq!(maps.uids.kernel_text(), "0 100000 1000\n");
    assert_eq!(maps.gids.kernel_text(), "0 100000 1000\n");
    // A name that says nothing about a process: a process has to join it.
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("namespace");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(namespaces::id_maps_of(&link).unwrap(), maps);
}

#[test]
fn the_second_stage_is_the_process_that_is_waited_for() {
    let mut plan = PlanBuilder::new();
    plan.push("where", Op::AskGate(1));
    plan.push("second stage", Op::SecondStage);
    plan.push("where", Op::AskGate(2));
    shell(&mut plan, "exit 42");
    let mut recorder = Recorder::default();
    let outcome = run_with(plan, Vec::new(), &mut recorder);
    assert_eq!(outcome.exit, Some(pidfd::Exit::Code(42)));
    assert_eq!(recorder.log, ["gate 1", "second stage", "gate 2"]);
    assert!(
        recorder.pids[0] != recorder.pids[1] && recorder.pids[1] == recorder.pids[2],
        "{:?}",
        recorder.pids
    );
    // Reaped, not only ended.
    assert!(!std::path::Path::new(&format!("/proc/{}", recorder.pids[0])).exists());
}

#[test]
fn a_failed_unshare_is_reported() {
    let mut plan = PlanBuilder::new();
    if root() {
        plan.push("give up every privilege", Op::SetUid(65_534));
    }
    plan.push("host name", Op::Unshare(NamespaceType::Uts.into()));
    shell(&mut plan, "exit 0");
    let error = run(plan).error();
    assert_eq!(
        error.failure().map(|f| (f.context(), f.errno())),
        Some(("host name", libc::EPERM))
    );
}
