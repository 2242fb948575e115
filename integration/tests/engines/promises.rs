//! What Docker and podman promise alike.

use std::fs::{Permissions, read_to_string, set_permissions};
use std::os::unix::fs::PermissionsExt;

use cofferdam_integration::cgroup;
use cofferdam_integration::engine::{DockerCommandLine, IMAGE};

/// The name of the container that a test keeps.
pub(crate) const NAME: &str = "one";

/// `run` in the background.
pub(crate) fn start(engine: &impl DockerCommandLine, flags: &[&str], command: &[&str]) {
    let line = [&["--detach", "--name", NAME], flags, &[IMAGE], command].concat();
    let _ = engine.run(&line).ok();
}

/// Kills the container, and removes it.
pub(crate) fn end(engine: &impl DockerCommandLine) {
    let _ = engine.call(&["kill", NAME]).ok();
    assert_eq!(engine.call(&["wait", NAME]).ok().stdout, "137\n");
    let _ = engine.call(&["rm", NAME]).ok();
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

pub(crate) fn codes_of_a_shell(engine: &impl DockerCommandLine) {
    for (program, code) in [
        ("/no/such/program", 127),
        ("no-such-program", 127),
        ("/etc/passwd", 126),
    ] {
        let output = engine.run(&["--rm", IMAGE, program]);
        assert_eq!(output.code, code, "{output}");
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
        assert_eq!(engine.inspect(NAME, "{{.State.Status}}"), status);
    }
    let top = engine.call(&["top", NAME]).ok();
    assert!(top.stdout.contains("sleep 1000"), "{top}");
    end(engine);
}

pub(crate) fn logs(engine: &impl DockerCommandLine) {
    let _ = engine
        .run(&["--name", NAME, IMAGE, "/bin/echo", "line"])
        .ok();
    assert_eq!(engine.call(&["logs", NAME]).ok().stdout, "line\n");
    let _ = engine.call(&["start", "--attach", NAME]).ok();
    assert_eq!(engine.call(&["logs", NAME]).ok().stdout, "line\nline\n");
    let _ = engine.call(&["rm", NAME]).ok();
}

pub(crate) fn a_terminal(engine: &impl DockerCommandLine) {
    let script = "tty; ls -l /dev/console | cut -c1";
    start(engine, &["--tty"], &["/bin/sh", "-c", script]);
    assert_eq!(engine.call(&["wait", NAME]).ok().stdout, "0\n");
    let logs = engine.call(&["logs", NAME]).ok();
    let words: Vec<&str> = logs.stdout.split_whitespace().collect();
    assert_eq!(words, ["/dev/pts/0", "c"], "{logs}");
    let _ = engine.call(&["rm", NAME]).ok();
}

/// The limit of 64 MiB is `shown` by `stats` in the engine's own way.
pub(crate) fn limits(engine: &impl DockerCommandLine, shown: &str) {
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
    let flags = ["stats", "--no-stream", "--format", "{{.MemUsage}}", NAME];
    let stats = engine.call(&flags).ok();
    assert!(stats.stdout.contains(shown), "{stats}");
    end(engine);
}

pub(crate) fn death_by_memory(engine: &impl DockerCommandLine) {
    let flags = ["--name", NAME, "--memory", "16m", "--memory-swap", "16m"];
    let hog = [
        "/bin/dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=100M",
        "count=1",
    ];
    let output = engine.run(&[&flags[..], &[IMAGE], &hog].concat());
    assert_eq!(output.code, 137, "{output}");
    assert_eq!(engine.inspect(NAME, "{{.State.OOMKilled}}"), "true");
    let _ = engine.call(&["rm", NAME]).ok();
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
