//! What its processes are.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use configs::config::Command;

use super::{Bundle, chain_of, chown, need_root};
use crate::plan::tests::{allowing, refusing};
use crate::{Process, Terminal};

#[test]
fn another_user_has_the_groups_and_the_directory_asked_for() {
    need_root!();
    let mut bundle =
        Bundle::standard("id; pwd; grep CapEff /proc/self/status; touch f && echo made");
    fs::create_dir_all(bundle.rootfs().join("home/u")).unwrap();
    chown(&bundle.rootfs().join("home/u"), 1000);
    bundle.case.config.readonlyfs = false;
    bundle
        .case
        .process
        .user(1000, 1000)
        .additional_gids([7, 8])
        .cwd("/home/u");
    let output = bundle.run();
    assert!(
        output.starts_with("uid=1000(u) gid=1000 groups=7,8\n/home/u\n"),
        "{output}"
    );
    assert!(
        output.contains("CapEff:\t0000000000000000") && output.ends_with("made\n"),
        "{output}"
    );
}

#[test]
fn a_process_is_added_to_a_running_container() {
    need_root!();
    // The shell itself stays process 1: once it says so, its name is its own.
    let bundle = Bundle::standard("echo running; sleep 100; true");
    let mut first = bundle.create().unwrap();
    first.start();
    assert_eq!(first.line(), "running\n");
    let mut added = bundle;
    added.script("echo hello from $(id -u):$(id -g) in $(pwd); readlink /proc/self/ns/pid; cat /proc/1/comm; hostname; ls /proc/self/fd | wc -l; grep Umask /proc/self/status");
    added.case.process.user(1000, 100).cwd("/tmp");
    let mut running = added
        .spawn(added.case.exec().unwrap(), Some(&first.init))
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    assert_eq!(running.supervisor.asked, ["ready", "second stage"]);
    running.fifo.flush().unwrap();
    let pidns = fs::read_link(format!("/proc/{}/ns/pid", first.init.pid())).unwrap();
    let output = running.output();
    assert!(
        output.starts_with("hello from 1000:100 in /tmp\n"),
        "{output}"
    );
    for line in [
        pidns.to_str().unwrap(),
        "sh",
        "cofferdam",
        "4",
        "Umask:\t0022",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "no {line:?} in\n{output}"
        );
    }
    rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL).unwrap();
    first.output();
}

#[test]
fn a_terminal_is_the_console_of_an_init_and_the_terminal_of_an_added_process() {
    need_root!();
    let mut bundle = Bundle::standard(
        "tty; stat -c %t /dev/console; echo $(tty < /dev/console); exec sleep 100",
    );
    bundle.case.process.terminal(Some(Terminal::Keep));
    let mut first = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    assert_eq!(first.supervisor.asked, ["console", "ready"]);
    first.start();
    let lines = |master: OwnedFd, wanted: usize| {
        let mut master = File::from(master);
        let mut text = Vec::new();
        let mut buffer = [0; 256];
        while text.iter().filter(|byte| **byte == b'\n').count() < wanted {
            let count = master.read(&mut buffer).unwrap();
            text.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(text).unwrap().replace('\r', "")
    };
    assert_eq!(
        lines(first.supervisor.master.take().unwrap(), 3),
        "/dev/pts/0\n88\n/dev/console\n"
    );

    bundle.script("tty; sh -c 'echo via tty > /dev/tty'; exec sleep 100");
    bundle
        .case
        .process
        .terminal(Some(Terminal::Keep))
        .user(1000, 1000);
    let mut second = bundle
        .spawn(bundle.case.exec().unwrap(), Some(&first.init))
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    assert_eq!(
        lines(second.supervisor.master.take().unwrap(), 2),
        "/dev/pts/1\nvia tty\n"
    );
    for running in [second, first] {
        rustix::process::pidfd_send_signal(running.init.pidfd(), rustix::process::Signal::KILL)
            .unwrap();
        running.output();
    }
}

#[test]
fn hooks_run_in_the_root_and_the_late_ones_as_the_user() {
    need_root!();
    let mut bundle = Bundle::standard("echo main");
    bundle.case.config.readonlyfs = false;
    let hook = |script: &str| Command {
        path: "/bin/sh".to_owned(),
        args: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        ..Command::default()
    };
    bundle.case.config.hooks.prestart = vec![hook("true")];
    bundle.case.config.hooks.create_container = vec![hook("cat > state; pwd > where")];
    bundle.case.config.hooks.start_container =
        vec![hook("cat > /tmp/late; echo $PATH $HOME > /tmp/env")];
    let running = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    assert_eq!(running.supervisor.asked, ["gate", "ready"]);
    let read = |name: &str| fs::read_to_string(bundle.rootfs().join(name)).unwrap_or_default();
    let state: configs::oci::State = serde_json::from_str(&read("state")).unwrap();
    assert_eq!(
        (state.pid, state.status),
        (1, configs::oci::ContainerStatus::Creating)
    );
    assert_eq!(read("where").trim_end(), bundle.case.config.rootfs);
    assert_eq!(running.finish(), "main\n");
    let state: configs::oci::State = serde_json::from_str(&read("tmp/late")).unwrap();
    assert_eq!(
        (state.pid, state.status),
        (1, configs::oci::ContainerStatus::Created)
    );
    assert_eq!(read("tmp/env"), "/bin /asked/home\n");
}

#[test]
fn a_missing_program_is_told_before_anything_runs() {
    need_root!();
    let mut bundle = Bundle::new("");
    bundle.case.process = Process::new(["missing"]);
    bundle.case.process.env(["PATH=/bin"]);
    let refusal = bundle.refusal();
    assert!(
        refusal.contains("exec: \"missing\"")
            && refusal.contains(&format!("errno {}", libc::ENOENT)),
        "{refusal}"
    );
    bundle.case.process = Process::new(["/etc/passwd"]);
    let refusal = bundle.refusal();
    assert!(
        refusal.contains(&format!("errno {}", libc::EACCES)),
        "{refusal}"
    );
}

#[test]
fn scheduling_personality_and_memory_policy_reach_the_program() {
    need_root!();
    let mut bundle = Bundle::new(
        "grep -E '^(policy|prio)' /proc/self/sched || true; cat /proc/self/oom_score_adj; cat /proc/self/personality; sed -n 1p /proc/self/numa_maps",
    );
    bundle.case.config.oom_score_adj = Some(500);
    bundle.case.config.personality = Some(configs::config::Personality {
        domain: configs::config::PersonalityDomain::Linux32,
    });
    bundle.case.process.scheduler(configs::oci::Scheduler {
        policy: "SCHED_BATCH".to_owned(),
        nice: 5,
        ..configs::oci::Scheduler::default()
    });
    let output = bundle.run();
    assert!(output.contains("500\n00000008\n"), "{output}");
}

#[test]
fn filters_are_on_and_the_capability_to_load_them_is_gone() {
    need_root!();
    let script = "grep -E '^(Seccomp|CapEff|CapPrm|NoNewPrivs):' /proc/self/status; [ -z $LAST ] || exec sleep 100";
    let status = |nnp: u32| {
        format!(
            "CapPrm:\t0000000020000420\nCapEff:\t0000000020000420\nNoNewPrivs:\t{nnp}\nSeccomp:\t2\n"
        )
    };
    for restricted in [false, true] {
        let mut bundle = Bundle::standard(script);
        bundle.case.config.no_new_privileges = restricted;
        bundle.case.filter = Some(allowing());
        assert_eq!(bundle.run(), status(restricted.into()));

        bundle.script("exec sleep 100");
        let mut first = bundle
            .create()
            .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
        first.start();
        bundle.script(script);
        let strict = refusing(&[
            (libc::SYS_clone3, libc::EPERM),
            (libc::SYS_clone, libc::EPERM),
            (libc::SYS_fork, libc::EPERM),
        ]);
        for (filter, program) in [(allowing(), "sh"), (strict, "/bin/grep")] {
            if program == "/bin/grep" {
                // Nothing can be forked under this filter: the program itself must do.
                bundle.case.process = Process::new([
                    program,
                    "-E",
                    "^(Seccomp|CapEff|CapPrm|NoNewPrivs):",
                    "/proc/self/status",
                ]);
            }
            bundle.case.filter = Some(filter);
            let added = bundle
                .spawn(bundle.case.exec().unwrap(), Some(&first.init))
                .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
            assert_eq!(
                added.output(),
                status(restricted.into()),
                "{program}, restricted: {restricted}"
            );
        }
        rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL)
            .unwrap();
        first.output();
    }
}

#[test]
fn a_filter_may_forbid_any_call_that_only_the_birth_of_an_added_process_takes() {
    need_root!();
    let mut bundle = Bundle::standard("exec sleep 100");
    let mut first = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    first.start();
    // With no_new_privs the filter is loaded after all of this. Sorting the capabilities takes
    // prctl(2) in any case.
    bundle.case.config.no_new_privileges = false;
    bundle.case.process = Process::new(["/bin/echo", "here"]);
    for calls in [
        &[libc::SYS_clone, libc::SYS_clone3][..],
        &[libc::SYS_sendmsg, libc::SYS_sendto, libc::SYS_sendmmsg],
        &[libc::SYS_read, libc::SYS_recvmsg, libc::SYS_recvfrom],
        &[libc::SYS_setsid],
        &[libc::SYS_exit_group],
        &[libc::SYS_kill, libc::SYS_ppoll, libc::SYS_fcntl],
        &[libc::SYS_close_range, libc::SYS_close],
    ] {
        for errno in [libc::EPERM, libc::ENOSYS, libc::EACCES] {
            let refused: Vec<_> = calls.iter().map(|call| (*call, errno)).collect();
            bundle.case.filter = Some(refusing(&refused));
            let added = bundle
                .spawn(bundle.case.exec().unwrap(), Some(&first.init))
                .unwrap_or_else(|error| panic!("{calls:?}: {}", chain_of(&error)));
            assert_eq!(added.output(), "here\n", "{calls:?}");
        }
    }
    rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL).unwrap();
    first.output();
}

#[test]
fn a_policy_that_is_lost_at_birth_reaches_the_added_program() {
    need_root!();
    let mut bundle = Bundle::standard("exec sleep 100");
    let mut first = bundle
        .create()
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    first.start();
    bundle.case.process = Process::new(["/bin/cut", "-d", " ", "-f41", "/proc/self/stat"]);
    bundle
        .case
        .process
        .user(1000, 1000)
        .scheduler(configs::oci::Scheduler {
            policy: "SCHED_BATCH".to_owned(),
            flags: vec!["SCHED_FLAG_RESET_ON_FORK".to_owned()],
            ..configs::oci::Scheduler::default()
        });
    let added = bundle
        .spawn(bundle.case.exec().unwrap(), Some(&first.init))
        .unwrap_or_else(|error| panic!("{}", chain_of(&error)));
    // SCHED_BATCH is 3.
    assert_eq!(added.output(), "3\n");
    rustix::process::pidfd_send_signal(first.init.pidfd(), rustix::process::Signal::KILL).unwrap();
    first.output();
}
