//! Steps that change the process itself, seen from the program.

use cofferdam_nsenter::plan::{Op, PlanBuilder};

use crate::support::{Recorder, c, filter, resident, root, run, run_with, shell, status_field};

/// `/proc/self/status` of a program that was run after these steps.
fn status_after(steps: Vec<(&'static str, Op)>) -> String {
    let mut plan = PlanBuilder::new();
    for (context, op) in steps {
        plan.push(context, op);
    }
    shell(&mut plan, "cat /proc/$$/status");
    run(plan).output()
}

#[test]
fn signals_are_neither_ignored_nor_blocked() {
    // The Rust runtime ignores SIGPIPE in this very process.
    let own = std::fs::read_to_string("/proc/self/status").unwrap();
    assert_ne!(
        u64::from_str_radix(status_field(&own, "SigIgn"), 16).unwrap() & (1 << 12),
        0
    );
    let mut plan = PlanBuilder::new();
    plan.push("look up", Op::Lookup(vec![c("/bin/cat")]));
    plan.push("close", Op::CloseControl);
    plan.push(
        "run",
        Op::Exec {
            args: vec![c("cat"), c("/proc/self/status")],
            env: Vec::new(),
        },
    );
    let status = run(plan).output();
    for field in ["SigIgn", "SigBlk", "SigCgt", "SigPnd", "ShdPnd"] {
        assert_eq!(status_field(&status, field), "0000000000000000", "{field}");
    }
}

#[test]
fn the_mask_is_empty_until_it_is_set() {
    assert_eq!(status_field(&status_after(vec![]), "Umask"), "0000");
    assert_eq!(
        status_field(&status_after(vec![("mask", Op::Umask(0o27))]), "Umask"),
        "0027"
    );
}

#[test]
fn no_new_privs_is_kept() {
    assert_eq!(status_field(&status_after(vec![]), "NoNewPrivs"), "0");
    assert_eq!(
        status_field(
            &status_after(vec![("restrict", Op::NoNewPrivileges)]),
            "NoNewPrivs"
        ),
        "1"
    );
}

#[test]
fn a_limit_is_lowered() {
    let mut plan = PlanBuilder::new();
    let (resource, soft, hard) = (libc::RLIMIT_CORE, 17, 23);
    let limit = Op::ResourceLimit {
        resource,
        soft,
        hard,
    };
    plan.push("limit", limit);
    shell(&mut plan, "cat /proc/$$/limits");
    let out = run(plan).output();
    let line = out.lines().find(|line| line.starts_with("Max core file"));
    let fields: Vec<&str> = line.unwrap().split_whitespace().collect();
    assert_eq!(fields[4..6], ["17", "23"]);
}

#[test]
fn a_session_is_made() {
    let mut plan = PlanBuilder::new();
    plan.push("session", Op::NewSession);
    shell(&mut plan, "cut -d' ' -f1,5,6 /proc/$$/stat");
    let out = run(plan).output();
    let numbers: Vec<&str> = out.split_whitespace().collect();
    assert!(
        matches!(numbers[..], [pid, group, session] if pid == group && pid == session),
        "{out}"
    );
}

#[test]
fn the_stub_has_its_name_and_is_not_dumpable() {
    let mut plan = PlanBuilder::new();
    plan.push("name", Op::Name(c("runc:[2:INIT]")));
    plan.push("look", Op::AskGate(1));
    shell(&mut plan, "exit 0");
    struct Look(String, bool);
    impl cofferdam_nsenter::RequestHandler for Look {
        fn gate(
            &mut self,
            _: u32,
            p: &cofferdam_nsenter::ProcessRef<'_>,
        ) -> Result<(), cofferdam_nsenter::Refusal> {
            self.0 = std::fs::read_to_string(format!("/proc/{}/comm", p.pid()))?;
            // The owner of a non-dumpable process' files is the root of the machine; its
            // capabilities stay unreachable for others of the same user. Visible here:
            // `auxv` is only for tracers.
            self.1 = std::fs::metadata(format!("/proc/{}/environ", p.pid())).is_ok();
            Ok(())
        }
    }
    let mut look = Look(String::new(), false);
    run_with(plan, Vec::new(), &mut look).output();
    assert_eq!(look.0, "runc:[2:INIT]\n");
}

#[test]
fn identity_and_groups_are_changed() {
    if !root() {
        return;
    }
    let status = status_after(vec![
        ("groups", Op::SetGroups(vec![7, 4000])),
        ("gid", Op::SetGid(123)),
        ("uid", Op::SetUid(456)),
    ]);
    assert_eq!(
        status_field(&status, "Uid")
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["456"; 4]
    );
    assert_eq!(
        status_field(&status, "Gid")
            .split_whitespace()
            .collect::<Vec<_>>(),
        ["123"; 4]
    );
    assert_eq!(status_field(&status, "Groups"), "7 4000");
    // Without KeepCapabilities all of them are gone with the uid.
    assert_eq!(status_field(&status, "CapPrm"), "0000000000000000");
    let status = status_after(vec![("groups", Op::SetGroups(Vec::new()))]);
    assert_eq!(status_field(&status, "Groups"), "");
}

/// CAP_CHOWN 0, CAP_KILL 5, CAP_NET_BIND_SERVICE 10.
#[test]
fn capabilities_are_exactly_those_asked_for() {
    if !root() {
        return;
    }
    let set = 1 | 1 << 5 | 1 << 10;
    let last: u32 = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut plan = PlanBuilder::new();
    plan.push("ready", Op::AskReady);
    plan.push("bounding set", Op::BoundingSet { keep: set, last });
    plan.push("keep", Op::KeepCapabilities(true));
    plan.push("uid", Op::SetUid(1000));
    plan.push("keep no more", Op::KeepCapabilities(false));
    plan.push(
        "sets",
        Op::Capabilities {
            effective: set,
            permitted: set,
            inheritable: set & !1,
        },
    );
    plan.push("ambient", Op::AmbientSet(set));
    shell(&mut plan, "cat /proc/$$/status");
    let outcome = run(plan);
    // CAP_CHOWN is not inheritable and cannot be raised: a warning, no failure.
    assert_eq!(outcome.served.as_ref().unwrap().warnings().ambient(), 1);
    let status = outcome.output();
    for (field, expected) in [
        ("CapBnd", set),
        ("CapPrm", set & !1),
        ("CapEff", set & !1),
        ("CapInh", set & !1),
        ("CapAmb", set & !1),
    ] {
        assert_eq!(
            u64::from_str_radix(status_field(&status, field), 16),
            Ok(expected),
            "{field}"
        );
    }
}

/// `EINVAL` is the kernel's answer for a capability that it does not know. Of a filter it says
/// nothing about the capability, which must not stay in the set.
#[test]
fn a_refused_drop_from_the_bounding_set_is_an_error() {
    if !root() {
        return;
    }
    let prctl = u32::try_from(libc::SYS_prctl).unwrap();
    let drop = u32::try_from(libc::PR_CAPBSET_DROP).unwrap();
    let refuse = 0x5_0000 | u32::try_from(libc::EINVAL).unwrap();
    let mut plan = PlanBuilder::new();
    plan.push(
        "filter",
        Op::Seccomp {
            flags: 0,
            // The number of the call, then the lower half of its first argument.
            program: filter([
                (0x20, 0, 0, 0),
                (0x15, 0, 3, prctl),
                (0x20, 0, 0, 16),
                (0x15, 0, 1, drop),
                (0x06, 0, 0, refuse),
                (0x06, 0, 0, 0x7fff_0000),
            ]),
            listener: false,
        },
    );
    plan.push("bounding set", Op::BoundingSet { keep: 0, last: 5 });
    shell(&mut plan, "true");
    let error = run(plan).error();
    assert_eq!(
        error.failure().map(|f| (f.context(), f.errno())),
        Some(("bounding set", libc::EINVAL))
    );
}

#[test]
fn cpus_are_set_and_reset() {
    let all = status_field(
        &std::fs::read_to_string("/proc/self/status").unwrap(),
        "Cpus_allowed_list",
    )
    .to_owned();
    let first: usize = all.split([',', '-']).next().unwrap().parse().unwrap();
    let mut mask = vec![0; first / 8 + 1];
    mask[first / 8] = 1 << (first % 8);
    let one = ("one CPU", Op::Affinity(Some(mask)));
    let status = status_after(vec![one.clone()]);
    assert_eq!(
        status_field(&status, "Cpus_allowed_list"),
        first.to_string()
    );
    // Back to everything that the cpuset allows, which is what a process without a mask of its own
    // has.
    let status = status_after(vec![one, ("all CPUs", Op::Affinity(None))]);
    assert_eq!(status_field(&status, "Cpus_allowed_list"), all);
}

#[test]
fn scheduler_priority_personality_and_memory_policy_are_inherited_by_the_program() {
    // struct sched_attr: size 48, SCHED_BATCH (3), no flags, nice 7.
    let mut attributes = vec![0; 48];
    attributes[0] = 48;
    attributes[4] = 3;
    attributes[16] = 7;
    let mut plan = PlanBuilder::new();
    plan.push("scheduler", Op::Scheduler(attributes));
    // IOPRIO_CLASS_BE (2), level 6.
    plan.push("io priority", Op::IoPriority(2 << 13 | 6));
    // ADDR_NO_RANDOMIZE.
    plan.push("personality", Op::Personality(0x004_0000));
    // MPOL_INTERLEAVE (3) over node 0.
    let policy = Op::MemoryPolicy {
        mode: 3,
        nodes: vec![1],
    };
    plan.push_tolerating("memory policy", policy, &[libc::ENOSYS]);
    plan.push("look up", Op::Lookup(vec![c("/bin/cat")]));
    plan.push("close", Op::CloseControl);
    let args = [
        "cat",
        "/proc/self/personality",
        "/proc/self/stat",
        "/proc/self/numa_maps",
    ]
    .map(c)
    .to_vec();
    plan.push(
        "run",
        Op::Exec {
            args,
            env: Vec::new(),
        },
    );
    let outcome = run(plan);
    assert!(outcome.served.is_ok());
    let mut lines = outcome.out.lines();
    assert_eq!(lines.next(), Some("00040000"));
    let stat: Vec<&str> = lines
        .next()
        .unwrap()
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    // Fields 19 and 41 of proc_pid_stat(5), counted from the third.
    assert_eq!((stat[16], stat[38]), ("7", "3"));
    match lines.next() {
        Some(policy) => assert!(policy.contains("interleave:0"), "{policy}"),
        None => println!("skipped: the kernel has no NUMA policies"),
    }
}

#[test]
fn a_keyring_is_joined() {
    let mut plan = PlanBuilder::new();
    let name = format!("_ses.nsenter-test-{}", std::process::id());
    plan.push_tolerating(
        "keyring",
        Op::Keyring {
            name: c(&name),
            add_permissions: 0x8_0000,
        },
        &[libc::ENOSYS],
    );
    shell(&mut plan, "cat /proc/keys");
    let outcome = run(plan);
    if !outcome.served.as_ref().unwrap().warnings().is_empty()
        || !std::path::Path::new("/proc/keys").exists()
    {
        println!("skipped: the kernel has no keyrings, or does not list them");
        return;
    }
    let keys = outcome.output();
    let line = keys
        .lines()
        .find(|line| line.contains(&name))
        .unwrap_or_else(|| panic!("no {name} in {keys}"));
    // Possessor all, user view and read before; now the user may search.
    assert_eq!(line.split_whitespace().nth(4), Some("3f1b0000"), "{line}");
}

#[test]
fn a_directory_is_entered() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    plan.push(
        "enter",
        Op::ChangeDirectory {
            path: crate::support::path(directory.path()),
            retry_later: false,
        },
    );
    plan.push("retry", Op::RetryDirectory(c("/nonexistent")));
    plan.push("check", Op::VerifyDirectory);
    shell(&mut plan, "pwd");
    assert_eq!(
        run(plan).output().trim_end(),
        directory.path().to_str().unwrap()
    );
}

/// Only the user of the container may enter: the first attempt, with other rights, is refused.
#[test]
fn a_refused_directory_is_tried_again_with_the_users_rights() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(directory.path(), Some(1234), Some(1234)).unwrap();
    // CAP_SETUID 7 and CAP_SETGID 6 remain: no DAC override.
    let set = 1 << 7 | 1 << 6;
    let path = crate::support::path(directory.path());
    let mut plan = PlanBuilder::new();
    plan.push(
        "sets",
        Op::Capabilities {
            effective: set,
            permitted: set,
            inheritable: 0,
        },
    );
    plan.push(
        "enter",
        Op::ChangeDirectory {
            path: path.clone(),
            retry_later: true,
        },
    );
    plan.push("gid", Op::SetGid(1234));
    plan.push("uid", Op::SetUid(1234));
    plan.push("enter again", Op::RetryDirectory(path));
    shell(&mut plan, "pwd");
    assert_eq!(
        run(plan).output().trim_end(),
        directory.path().to_str().unwrap()
    );
}

#[test]
fn a_directory_outside_the_root_is_noticed() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    plan.clone_namespaces(cofferdam_nsenter::NamespaceType::Mount);
    let outside = crate::support::open_directory(&mut plan, std::path::Path::new("/proc"));
    let root = crate::support::open_directory(&mut plan, directory.path());
    plan.push("new root", Op::Chroot(root));
    plan.push("go out", Op::ChangeDirectoryTo(outside));
    plan.push("check", Op::VerifyDirectory);
    shell(&mut plan, "exit 0");
    let error = run(plan).error();
    assert_eq!(
        error.failure().map(|f| (f.context(), f.errno())),
        Some(("check", libc::ENOENT))
    );
}

#[test]
fn the_death_signal_is_that_of_the_plan() {
    let mut plan = PlanBuilder::new();
    plan.push("ready", Op::AskReady);
    plan.push("death signal", Op::DeathSignal(10));
    // Credentials that change take the signal away; the stub asks for it again.
    if root() {
        plan.push("uid", Op::SetUid(4321));
    }
    shell(&mut plan, "read line");
    // The signal is sent when the thread that made the process ends.
    let thread = std::thread::spawn(|| resident(plan, &mut Recorder::default()));
    let (mut init, _input) = thread.join().unwrap();
    let exit = init.wait().unwrap();
    assert_eq!(
        exit,
        cofferdam_nsenter::pidfd::Exit::Signal {
            signal: 10,
            core_dumped: false
        }
    );
}

#[test]
fn without_a_configured_signal_the_program_outlives_its_creator() {
    let mut plan = PlanBuilder::new();
    plan.push("ready", Op::AskReady);
    shell(&mut plan, "read line; exit 5");
    let thread = std::thread::spawn(|| resident(plan, &mut Recorder::default()));
    let (mut init, input) = thread.join().unwrap();
    drop(input);
    assert_eq!(
        init.wait().unwrap(),
        cofferdam_nsenter::pidfd::Exit::Code(5)
    );
}
