//! What Docker and podman promise alike.

use std::fs::{Permissions, read_to_string, set_permissions};
use std::os::unix::fs::PermissionsExt;

use cofferdam_integration::engine::{DockerCommandLine, IMAGE, RunBy};
use cofferdam_integration::{cgroup, eventually};

/// The name of the container that a test keeps.
pub(crate) const NAME: &str = "one";

/// `run` in the background.
pub(crate) fn start(engine: &impl DockerCommandLine, flags: &[&str], command: &[&str]) {
    start_by(RunBy::UnderTest, engine, flags, command);
}

fn start_by(runtime: RunBy, engine: &impl DockerCommandLine, flags: &[&str], command: &[&str]) {
    let line = [&["--detach", "--name", NAME], flags, &[IMAGE], command].concat();
    let _ = engine.run_by(runtime, &line).ok();
}

/// Kills the container, and removes it.
pub(crate) fn end(engine: &impl DockerCommandLine) {
    kill(engine);
    let _ = engine.call(&["rm", NAME]).ok();
}

/// Kills the container, and waits for its end.
fn kill(engine: &impl DockerCommandLine) {
    let _ = engine.call(&["kill", NAME]).ok();
    assert_eq!(engine.call(&["wait", NAME]).ok().stdout, "137\n");
}

/// The engine writes logs, and learns of a container's status, beside what it answers.
#[track_caller]
fn eventually_logged(engine: &impl DockerCommandLine, logged: &str) {
    eventually(&format!("the logs are {logged:?}"), || {
        let said = engine.call(&["logs", NAME]).ok().stdout;
        said.replace("\r\n", "\n") == logged
    });
}

pub(crate) fn output_and_exit_code(engine: &impl DockerCommandLine) {
    let script = "id -u; echo err >&2; exit 5";
    let output = engine.run(&["--rm", IMAGE, "/bin/sh", "-c", script]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (5, "0\n"),
        "{output}"
    );
    assert!(output.stderr.contains("err\n"), "{output}");
}

/// The engine makes the exit code of what the runtime says: the same of the same text as with
/// runc.
pub(crate) fn codes_of_a_shell(engine: &impl DockerCommandLine) {
    for program in ["/no/such/program", "no-such-program", "/etc/passwd"] {
        let line = ["--rm", IMAGE, program];
        let expected = engine.run_by(RunBy::Runc, &line);
        let output = engine.run(&line);
        assert_eq!(output.code, expected.code, "{output}\n{expected}");
        assert_ne!(output.code, 0, "{output}");
    }
}

pub(crate) fn exec_pause_and_kill(engine: &impl DockerCommandLine) {
    start(engine, &[], &["/bin/sleep", "1000"]);
    for (flags, script, code, said) in [
        (&[][..], "echo hello", 0, "hello\n"),
        (&[], "exit 9", 9, ""),
        (&["--user", "1000:1000"], "id -u", 0, "1000\n"),
        (
            &["--env", "A=b", "--workdir", "/etc"],
            "echo $A $PWD",
            0,
            "b /etc\n",
        ),
    ] {
        let line = [&["exec"], flags, &[NAME, "/bin/sh", "-c", script]].concat();
        let output = engine.call(&line);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (code, said),
            "{output}"
        );
    }
    for (verb, status) in [("pause", "paused"), ("unpause", "running")] {
        let _ = engine.call(&[verb, NAME]).ok();
        eventually(&format!("the container is {status}"), || {
            engine.inspect(NAME, "{{.State.Status}}") == status
        });
    }
    let top = engine.call(&["top", NAME]).ok();
    assert!(top.stdout.contains("sleep 1000"), "{top}");
    end(engine);
}

pub(crate) fn logs(engine: &impl DockerCommandLine) {
    let _ = engine
        .run(&["--name", NAME, IMAGE, "/bin/echo", "line"])
        .ok();
    eventually_logged(engine, "line\n");
    let _ = engine.call(&["start", "--attach", NAME]).ok();
    eventually_logged(engine, "line\nline\n");
    let _ = engine.call(&["rm", NAME]).ok();
}

pub(crate) fn a_terminal(engine: &impl DockerCommandLine) {
    let script = "tty; ls -l /dev/console | cut -c1";
    start(engine, &["--tty"], &["/bin/sh", "-c", script]);
    assert_eq!(engine.call(&["wait", NAME]).ok().stdout, "0\n");
    eventually_logged(engine, "/dev/pts/0\nc\n");
    let _ = engine.call(&["rm", NAME]).ok();
}

pub(crate) fn limits(engine: &impl DockerCommandLine) {
    let flags = ["--memory", "64m", "--pids-limit", "20"];
    start(engine, &flags, &["/bin/sleep", "1000"]);
    let files = if cgroup::is_unified() {
        ["memory.max", "pids.max"]
    } else {
        ["memory/memory.limit_in_bytes", "pids/pids.max"]
    };
    for (file, limit) in files.into_iter().zip([64 << 20, 20]) {
        let path = format!("/sys/fs/cgroup/{file}");
        let read = engine.call(&["exec", NAME, "/bin/cat", &path]).ok();
        assert_eq!(read.stdout, format!("{limit}\n"));
    }
    let shown = shown_limit_of_memory(engine);
    end(engine);
    // In which unit, and with how many digits, is the engine's.
    start_by(RunBy::Runc, engine, &flags, &["/bin/sleep", "1000"]);
    assert_eq!(shown, shown_limit_of_memory(engine));
    end(engine);
}

/// What `stats` shows behind the usage of memory.
fn shown_limit_of_memory(engine: &impl DockerCommandLine) -> String {
    let flags = ["stats", "--no-stream", "--format", "{{.MemUsage}}", NAME];
    let stats = engine.call(&flags).ok();
    let (_, limit) = stats
        .stdout
        .trim()
        .split_once(" / ")
        .expect("USAGE / LIMIT");
    limit.to_owned()
}

/// Too little memory for [`HOG`].
const LITTLE_MEMORY: [&str; 4] = ["--memory", "16m", "--memory-swap", "16m"];
/// A program that takes 100 MiB.
const HOG: &str = "/bin/dd if=/dev/zero of=/dev/null bs=100M count=1";

pub(crate) fn death_by_memory(engine: &impl DockerCommandLine) {
    let hog: Vec<&str> = HOG.split(' ').collect();
    let name = ["--name", NAME];
    let output = engine.run(&[&name, &LITTLE_MEMORY[..], &[IMAGE], &hog].concat());
    assert_eq!(output.code, 137, "{output}");
    let _ = engine.call(&["rm", NAME]).ok();

    // The same among the container's own processes is counted by the cgroup, and reported by the
    // engine after the container's end.
    start(engine, &LITTLE_MEMORY, &["/bin/sleep", "1000"]);
    let file = if cgroup::is_unified() {
        "memory.events"
    } else {
        "memory/memory.oom_control"
    };
    let script = format!("{HOG} 2>/dev/null; echo $?; cat /sys/fs/cgroup/{file}");
    let output = engine.call(&["exec", NAME, "/bin/sh", "-c", &script]).ok();
    assert_eq!(output.lines().first(), Some(&"137"), "{output}");
    assert!(output.lines().contains(&"oom_kill 1"), "{output}");
    end(engine);
    assert!(
        is_said_to_be_killed_for_memory(RunBy::UnderTest, engine)
            || !is_said_to_be_killed_for_memory(RunBy::Runc, engine),
        "the engine says so of runc's containers only"
    );
}

/// Whether the engine says of a container, in ten tries, that the kernel killed for memory. It
/// reads that from files of the cgroup, on its own time: it may be late with any runtime, because
/// the cgroup goes with the container.
fn is_said_to_be_killed_for_memory(runtime: RunBy, engine: &impl DockerCommandLine) -> bool {
    (0..10).any(|_| {
        start_by(runtime, engine, &LITTLE_MEMORY, &["/bin/sleep", "1000"]);
        let line: Vec<&str> = ["exec", NAME].into_iter().chain(HOG.split(' ')).collect();
        assert_eq!(engine.call(&line).code, 137);
        kill(engine);
        let said = engine.inspect(NAME, "{{.State.OOMKilled}}");
        let _ = engine.call(&["rm", NAME]).ok();
        said == "true"
    })
}

pub(crate) fn a_volume_in_a_read_only_root(engine: &impl DockerCommandLine) {
    let volume = tempfile::tempdir().unwrap();
    set_permissions(volume.path(), Permissions::from_mode(0o777)).unwrap();
    let bind = format!("{}:/data", volume.path().display());
    let script =
        "touch /x 2>/dev/null && echo root is writable; echo kept > /data/file; id -u; id -g";
    let flags = [
        "--rm",
        "--read-only",
        "--volume",
        &bind,
        "--user",
        "1000:1000",
    ];
    let output = engine
        .run(&[&flags[..], &[IMAGE, "/bin/sh", "-c", script]].concat())
        .ok();
    assert_eq!(output.stdout, "1000\n1000\n");
    assert_eq!(
        read_to_string(volume.path().join("file")).unwrap(),
        "kept\n"
    );
}

pub(crate) fn many_at_once(engine: &impl DockerCommandLine, count: i32) {
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn(move || {
                    let script = format!("echo {number}; exit {number}");
                    (
                        number,
                        engine.run(&["--rm", IMAGE, "/bin/sh", "-c", &script]),
                    )
                })
            })
            .collect();
        for run in runs {
            let (number, output) = run.join().unwrap();
            let expected = (number, format!("{number}\n"));
            assert_eq!((output.code, output.stdout.clone()), expected, "{output}");
        }
    });
}
