//! Programs in sandboxes, with a root file system and in the quick sandbox.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use cofferdam::command::{Filter, Network};
use cofferdam::{Command, ErrorKind, ExitStatus, Runtime, Signal, Stdio};
use rustix::event::{PollFd, PollFlags, poll};

use crate::bundle::Bundle;

/// A shell below the root file system of a test, whose state directory is that of the test.
pub(crate) fn shell(bundle: &Bundle, script: &str) -> Command {
    let mut command = quick(bundle, "sh", &["-c", script]);
    command.rootfs(bundle.rootfs());
    command
}

/// A program of the host.
fn quick(bundle: &Bundle, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(args.iter().copied())
        .state_directory(state(bundle));
    command
}

fn state(bundle: &Bundle) -> std::path::PathBuf {
    bundle.outside().join("commands")
}

/// What a command writes, which ends well.
#[track_caller]
fn written(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Nothing is on record, in a cgroup or mounted.
#[track_caller]
pub(crate) fn assert_nothing_left(bundle: &Bundle) {
    let runtime = Runtime::new(state(bundle).join("containers")).unwrap();
    assert_eq!(runtime.list().unwrap().count(), 0);
    bundle.assert_nothing_left();
}

#[test]
fn a_program_runs_and_its_output_is_returned() {
    let Some(bundle) = Bundle::new() else { return };
    let mut command = shell(&bundle, "echo out; echo $1 >&2; exit 3");
    let output = command.args(["sh", "argument"]).output().unwrap();
    assert_eq!(output.status, ExitStatus::Exited(3));
    assert_eq!(output.stdout, b"out\n");
    assert_eq!(output.stderr, b"argument\n");
    assert!(!output.truncated && !output.timed_out);
    // It can be used again.
    assert_eq!(command.status().unwrap(), ExitStatus::Exited(3));
    assert_nothing_left(&bundle);
}

#[test]
fn what_is_not_given_is_kept_from_it() {
    let Some(bundle) = Bundle::new() else { return };
    let script = "id -u; id -g; hostname; env; ls /sys/class/net /proc/sys/net/ipv4/conf; \
                  cat /proc/self/status; echo x >/new || echo read-only; ls /tmp";
    let text = written(&mut quick(&bundle, "sh", &["-c", script]));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..3], ["65534", "65534", "sandbox"]);
    let environment: Vec<_> = lines
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    // PWD is the shell's.
    assert!(
        environment
            .iter()
            .all(|name| ["PATH", "HOME", "PWD"].contains(name)),
        "{environment:?}"
    );
    for line in [
        "NoNewPrivs:\t1",
        "Seccomp:\t2",
        "CapBnd:\t0000000000000000",
        "CapEff:\t0000000000000000",
        "lo",
        "read-only",
    ] {
        assert!(lines.contains(&line), "{line}: {text}");
    }
    assert!(!text.contains("eth0"), "{text}");
    assert_nothing_left(&bundle);
}

#[test]
fn the_quick_sandbox_shows_the_host_read_only_without_homes() {
    let Some(bundle) = Bundle::new() else { return };
    let script = "ls /home /root; touch /etc/x /usr/x 2>&1; echo x >/tmp/x && cat /tmp/x; \
                  test -e /sys; echo $?; ls /";
    let text = written(quick(&bundle, "sh", &["-c", script]).user(0, 0));
    assert!(text.contains("Read-only file system"), "{text}");
    assert!(text.contains("\nx\n1\n"), "{text}");
    assert!(!Path::new("/etc/x").exists() && !Path::new("/usr/x").exists());
    for name in ["etc", "usr", "bin", "proc", "dev", "tmp", "run"] {
        assert!(text.lines().any(|line| line == name), "{name}: {text}");
    }
    assert!(text.starts_with("/home:\n\n/root:\n"), "{text}");
}

#[test]
fn directories_of_the_host_are_shown_where_it_is_said() {
    let Some(bundle) = Bundle::new() else { return };
    let (one, two) = (bundle.outside().join("one"), bundle.outside().join("two"));
    for path in [&one, &two] {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    fs::write(one.join("file"), "from the host\n").unwrap();
    let script = "cat /one/file; echo x 2>/dev/null >/one/new || echo read-only; echo y >/two/new; \
                  echo z >/three/new && cat /three/new";
    let mut command = shell(&bundle, script);
    command
        .read_only(false)
        .bind_ro(&one, "/one")
        .bind(&two, "/two");
    command.tmpfs_of_size("/three", 1 << 20);
    assert_eq!(written(&mut command), "from the host\nread-only\nz\n");
    assert_eq!(fs::read_to_string(two.join("new")).unwrap(), "y\n");
}

#[test]
fn mount_points_that_the_host_lacks_end_with_the_sandbox() {
    let Some(bundle) = Bundle::new() else { return };
    quick(&bundle, "true", &[]).status().unwrap();
    let entries = |name: &str| {
        let directory = fs::read_dir(state(&bundle).join(name)).unwrap();
        let mut names: Vec<_> = directory.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let shared = entries("host-root");

    fs::write(bundle.outside().join("file"), "of the host\n").unwrap();
    let script = "pwd; cat /no-such/deep/file; ls /home";
    let mut command = quick(&bundle, "sh", &["-c", script]);
    command
        .bind_ro(bundle.outside().join("file"), "/no-such/deep/file")
        .tmpfs("/home/somebody")
        .current_dir("/home/somebody");
    let text = "/home/somebody\nof the host\nsomebody\n";
    assert_eq!(written(&mut command), text);
    let mut missing = quick(&bundle, "no-such-program", &[]);
    missing.tmpfs("/no-such").status().unwrap_err();
    drop(
        quick(&bundle, "sleep", &["100"])
            .tmpfs("/no-such")
            .spawn()
            .unwrap(),
    );

    assert_eq!(entries("host-root"), shared);
    assert!(entries("host-roots").is_empty());
    assert_nothing_left(&bundle);
}

#[test]
fn limits_are_kept_and_what_was_used_is_told() {
    let Some(bundle) = Bundle::new() else { return };
    // A string that doubles.
    let script = "x=0123456789abcdef; while :; do x=$x$x; done";
    let output = shell(&bundle, script).memory(16 << 20).output().unwrap();
    assert!(!output.status.success(), "{}", output.status);
    assert_ne!(output.usage.oom_kills, Some(0));
    let peak = output.usage.peak_memory.unwrap();
    assert!((1 << 20..=16 << 20).contains(&peak), "{peak}");
    assert!(output.usage.cpu_time.is_some());

    let script = "sleep 10 & sleep 10 & sleep 10 & sleep 10 & echo not reached";
    let output = shell(&bundle, script).pids(3).output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    assert!(!output.status.success());
    assert_nothing_left(&bundle);
}

#[test]
fn when_the_time_is_over_everything_is_killed() {
    let Some(bundle) = Bundle::new() else { return };
    let mut command = shell(&bundle, "sleep 1000 & sleep 1000");
    let output = command.timeout(Duration::from_millis(50)).output().unwrap();
    assert_eq!(output.status, ExitStatus::Signaled(Signal::KILL));
    assert!(output.timed_out);
    // One that ends in time does not.
    let mut command = shell(&bundle, "exit 0");
    let output = command.timeout(Duration::MAX).output().unwrap();
    assert!(output.status.success() && !output.timed_out);
    assert_nothing_left(&bundle);
}

#[test]
fn pipes_and_the_pidfd_are_those_of_the_program() {
    let Some(bundle) = Bundle::new() else { return };
    let mut command = shell(&bundle, "cat; exit 5");
    let mut child = command
        .stdin(Stdio::Pipe)
        .stdout(Stdio::Pipe)
        .spawn()
        .unwrap();
    assert!(child.id() > 1);
    assert_eq!(child.try_wait().unwrap(), None);
    child.stdin.take().unwrap().write_all(b"text").unwrap();
    let mut text = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut text).unwrap();
    assert_eq!(text, "text");
    let mut ended = [PollFd::from_borrowed_fd(child.as_fd(), PollFlags::IN)];
    poll(&mut ended, None).unwrap();
    assert_eq!(child.try_wait().unwrap(), Some(ExitStatus::Exited(5)));
    assert_eq!(child.wait().unwrap(), ExitStatus::Exited(5));
    assert!(child.usage().is_some());
    assert_nothing_left(&bundle);
}

#[test]
fn a_dropped_child_is_killed_unless_it_shall_live() {
    let Some(bundle) = Bundle::new() else { return };
    let mut command = shell(&bundle, "sleep 1000");
    drop(command.spawn().unwrap());
    assert_nothing_left(&bundle);

    drop(command.kill_on_drop(false).spawn().unwrap());
    let runtime = Runtime::new(state(&bundle).join("containers")).unwrap();
    let left: Vec<_> = runtime.list().unwrap().map(Result::unwrap).collect();
    assert_eq!(left.len(), 1);
    assert!(runtime.force_delete(left[0].id()).unwrap());
    assert_nothing_left(&bundle);
}

#[test]
fn killed_and_waited_for_twice_is_no_error() {
    let Some(bundle) = Bundle::new() else { return };
    let mut child = shell(&bundle, "sleep 1000").spawn().unwrap();
    child.kill().unwrap();
    let killed = ExitStatus::Signaled(Signal::KILL);
    assert_eq!(child.wait().unwrap(), killed);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap(), killed);
    assert!(!child.timed_out());
}

#[test]
fn capabilities_and_the_calls_that_they_are_for_come_together() {
    let Some(bundle) = Bundle::new() else { return };
    let script = "cat /proc/self/status | head -60; mount -t tmpfs none /tmp && echo mounted";
    let mut command = quick(&bundle, "sh", &["-c", script]);
    let text = written(command.user(0, 0).capabilities(["sys_admin"]));
    assert!(text.contains("CapEff:\t0000000000200000"), "{text}");
    assert!(text.contains("mounted"), "{text}");
    // Another user than root has them, too.
    let text = written(
        quick(&bundle, "cat", &["/proc/self/status"])
            .user(1000, 1000)
            .capabilities(["CAP_NET_RAW"]),
    );
    assert!(text.contains("CapEff:\t0000000000002000"), "{text}");
}

#[test]
fn filter_and_network_can_be_chosen() {
    let Some(bundle) = Bundle::new() else { return };
    let mut command = quick(&bundle, "cat", &["/proc/self/status"]);
    let text = written(command.seccomp(Filter::Unconfined));
    assert!(text.contains("Seccomp:\t0\n"), "{text}");
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let own = format!("{}\n", own.display());
    let namespace =
        |network| written(quick(&bundle, "readlink", &["/proc/self/ns/net"]).network(network));
    assert_ne!(namespace(Network::None), own);
    assert_eq!(namespace(Network::Host), own);
    let path = format!("/proc/{}/ns/net", std::process::id());
    assert_eq!(namespace(Network::Namespace(path.into())), own);
}

#[test]
fn output_beyond_the_limit_is_left_out_and_does_not_stop_the_program() {
    let Some(bundle) = Bundle::new() else { return };
    let script = "head -c 300000 /dev/zero; echo end >&2";
    let output = shell(&bundle, script).output_limit(1000).output().unwrap();
    assert!(output.status.success() && output.truncated);
    assert_eq!(output.stdout.len(), 1000);
    assert_eq!(output.stderr, b"end\n");
}

#[test]
fn an_error_names_the_method() {
    let Some(bundle) = Bundle::new() else { return };
    let refused = |change: fn(&mut Command) -> &mut Command, method: &str| {
        let Err(error) = change(&mut shell(&bundle, "true")).status() else {
            panic!("{method} is taken");
        };
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        let text = error.chain();
        assert!(text.starts_with(&format!("Command::{method}(")), "{text}");
    };
    refused(|command| command.memory(0), "memory");
    refused(|command| command.memory(u64::MAX), "memory");
    refused(|command| command.pids(0), "pids");
    refused(|command| command.cpus(0.0), "cpus");
    refused(|command| command.cpus(-1.0), "cpus");
    refused(|command| command.cpus(f64::NAN), "cpus");
    refused(|command| command.cpus(f64::INFINITY), "cpus");
    refused(|command| command.io_weight(9), "io_weight");
    refused(|command| command.current_dir("relative"), "current_dir");
    refused(|command| command.rootfs("/no/such"), "rootfs");
    refused(|command| command.rootfs("/"), "rootfs");
    refused(|command| command.rootfs("/etc/passwd"), "rootfs");
    refused(|command| command.bind("/no/such", "/x"), "bind");
    refused(|command| command.bind_ro("/etc", "x"), "bind_ro");
    refused(|command| command.tmpfs("x"), "tmpfs");
    refused(|command| command.env("A=B", ""), "env");
    refused(|command| command.env("", ""), "env");
    refused(|command| command.capabilities(["NO_SUCH"]), "capabilities");
    refused(|command| command.arg("a\0b"), "arg");
    refused(|command| command.user(u32::MAX, 0), "user");
    refused(|command| command.user(0, u32::MAX), "user");
    refused(|command| command.current_dir("/a\0b"), "current_dir");
    refused(|command| command.env("A", "\0"), "env");
    refused(|command| command.hostname("a\0b"), "hostname");
    refused(
        |command| command.network(Network::Namespace("/no/such".into())),
        "network",
    );
    assert_nothing_left(&bundle);
}

#[test]
fn an_error_names_the_program_or_what_the_host_lacks() {
    let Some(bundle) = Bundle::new() else { return };
    let refused = |program: &str, change: fn(&mut Command) -> &mut Command| {
        change(&mut quick(&bundle, program, &[]))
            .status()
            .unwrap_err()
    };
    let error = refused("", |command| command);
    assert_eq!(error.to_string(), "Command::new(\"\"): no program");
    let error = refused("no-such-program", |command| command);
    let text = "Command::new(\"no-such-program\"): exec: \"no-such-program\": executable file not found in $PATH";
    assert_eq!(error.to_string(), text);
    for program in ["/etc/passwd", "/etc", "/etc/no-such"] {
        let error = refused(program, |command| command);
        assert!(
            error
                .to_string()
                .starts_with(&format!("Command::new({program:?})")),
            "{error}"
        );
        assert!(error.raw_os_error().is_some(), "{error:#}");
    }
    let error = refused("true", |command| command.current_dir("/etc/passwd"));
    assert!(
        error
            .to_string()
            .starts_with("Command::current_dir(\"/etc/passwd\")"),
        "{error}"
    );
    assert_eq!(error.raw_os_error(), Some(libc::ENOTDIR));
    let error = refused("true", |command| command.current_dir("/no/such"));
    let text = "Command::current_dir(/no/such): the sandbox has no such directory";
    assert_eq!(error.to_string(), text);
    let error = refused("true", |command| command.tmpfs("/etc/no/such"));
    let text = "Command::tmpfs(/etc/no/such): the host has nothing there, and its directories are read-only";
    assert_eq!(error.to_string(), text);
    assert_nothing_left(&bundle);
}

/// Set in the process of an ordinary user, to the directory that it may write.
const INSIDE: &str = "COFFERDAM_COMMAND_STATE";

#[test]
fn a_caller_that_is_not_root_is_root_in_a_user_namespace() {
    if let Some(directory) = std::env::var_os(INSIDE) {
        return as_ordinary_user(Path::new(&directory));
    }
    let Some(bundle) = Bundle::new() else { return };
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(bundle.outside(), open).unwrap();
    let state = bundle.outside().join("of-user");
    fs::create_dir(&state).unwrap();
    std::os::unix::fs::chown(&state, Some(1000), Some(1000)).unwrap();
    // The folder that it is in need not be open to everybody.
    let program = bundle.outside().join("test");
    // By another process: nothing of this one may have it open for writing when it is executed.
    let copied = std::process::Command::new("cp")
        .arg(std::env::current_exe().unwrap())
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let output = std::process::Command::new("setpriv")
        .args(["--reuid=1000", "--regid=1000", "--clear-groups"])
        .arg(program)
        .args([
            "--exact",
            "command::a_caller_that_is_not_root_is_root_in_a_user_namespace",
        ])
        .env(INSIDE, &state)
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

fn as_ordinary_user(state: &Path) {
    let mut command = Command::new("cat");
    command.args(["/proc/self/uid_map", "/proc/self/status"]);
    let text = written(command.state_directory(state));
    let map: Vec<&str> = text.split_whitespace().take(3).collect();
    assert_eq!(map, ["0", "1000", "1"]);
    for line in ["CapEff:\t0000000000000000", "Seccomp:\t2", "NoNewPrivs:\t1"] {
        assert!(text.contains(line), "{text}");
    }
    let output = command.output().unwrap();
    assert_eq!(output.usage.peak_memory, None);
    // Nothing that was asked for is left out.
    let error = command.memory(64 << 20).output().unwrap_err();
    assert!(error.chain().contains("limit"), "{}", error.chain());
    let left = fs::read_dir(state.join("containers")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn many_from_several_threads_leave_nothing() {
    let Some(bundle) = Bundle::new() else { return };
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let bundle = &bundle;
            scope.spawn(move || {
                for number in 0..125 {
                    let expected = format!("{thread} {number}\n");
                    let mut command = shell(bundle, "echo $0 $1; exit $2");
                    command.args([thread, number, thread].map(|number: u32| number.to_string()));
                    let output = command.output().unwrap();
                    assert_eq!(output.stdout, expected.as_bytes(), "{output:?}");
                    assert_eq!(u32::from(output.status.code()), thread);
                }
            });
        }
    });
    assert_nothing_left(&bundle);
}
