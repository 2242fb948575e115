//! Docker: the daemon's default runtime is the program under test.

use cofferdam_integration::engine::{Docker, IMAGE};
use cofferdam_integration::need;

#[test]
fn run_returns_output_and_exit_code() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let output = docker.run(&[
        "--rm",
        IMAGE,
        "/bin/sh",
        "-c",
        "id -u; hostname; echo err >&2; exit 5",
    ]);
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (5, "err\n"),
        "{output}"
    );
    assert_eq!(output.lines()[0], "0");
    assert_eq!(output.lines()[1].len(), 12, "the host name is the short id");
}

#[test]
fn the_version_of_the_runtime_is_understood() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let info = docker.call(&["info", "--format", "{{json .}}"]).ok().json();
    assert_eq!(info["DefaultRuntime"], "tested");
    let warnings = info["Warnings"].to_string();
    assert!(!warnings.contains("runtime"), "{warnings}");
}

#[test]
fn programs_that_cannot_run_give_the_codes_of_a_shell() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    assert_eq!(docker.run(&["--rm", IMAGE, "/no/such/program"]).code, 127);
    assert_eq!(docker.run(&["--rm", IMAGE, "no-such-program"]).code, 127);
    assert_eq!(docker.run(&["--rm", IMAGE, "/etc/passwd"]).code, 126);
}

#[test]
fn a_running_container_takes_exec_pause_top_and_kill() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let _ = docker
        .run(&["--detach", "--name", "one", IMAGE, "/bin/sleep", "1000"])
        .ok();
    assert_eq!(
        docker
            .call(&["exec", "one", "/bin/echo", "hello"])
            .ok()
            .stdout,
        "hello\n"
    );
    assert_eq!(
        docker
            .call(&["exec", "one", "/bin/sh", "-c", "exit 9"])
            .code,
        9
    );
    assert_eq!(
        docker
            .call(&["exec", "--user", "1000:1000", "one", "/bin/id", "-u"])
            .ok()
            .stdout,
        "1000\n"
    );
    assert_eq!(
        docker
            .call(&[
                "exec",
                "--env",
                "A=b",
                "--workdir",
                "/etc",
                "one",
                "/bin/sh",
                "-c",
                "echo $A $PWD"
            ])
            .ok()
            .stdout,
        "b /etc\n"
    );
    let _ = docker.call(&["pause", "one"]).ok();
    assert_eq!(docker.inspect("one", "{{.State.Status}}"), "paused");
    let _ = docker.call(&["unpause", "one"]).ok();
    assert_eq!(docker.inspect("one", "{{.State.Status}}"), "running");
    assert!(
        docker
            .call(&["top", "one"])
            .ok()
            .stdout
            .contains("sleep 1000")
    );
    let _ = docker.call(&["kill", "one"]).ok();
    assert_eq!(docker.call(&["wait", "one"]).ok().stdout, "137\n");
    let _ = docker.call(&["rm", "one"]).ok();
}

#[test]
fn logs_and_restart_keep_the_container() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let _ = docker
        .run(&["--name", "one", IMAGE, "/bin/echo", "line"])
        .ok();
    let _ = docker.call(&["start", "--attach", "one"]).ok();
    assert_eq!(docker.call(&["logs", "one"]).ok().stdout, "line\nline\n");
    let _ = docker.call(&["rm", "one"]).ok();
}

#[test]
fn a_terminal_is_one_inside() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let _ = docker
        .run(&[
            "--tty",
            "--detach",
            "--name",
            "one",
            IMAGE,
            "/bin/sh",
            "-c",
            "tty; ls -l /dev/console | cut -c1",
        ])
        .ok();
    assert_eq!(docker.call(&["wait", "one"]).ok().stdout, "0\n");
    assert_eq!(
        docker.call(&["logs", "one"]).ok().stdout,
        "/dev/pts/0\r\nc\r\n"
    );
    let _ = docker.call(&["rm", "one"]).ok();
}

#[test]
fn limits_reach_the_kernel_and_are_shown_and_changed() {
    need!(Root, Busybox, CgroupV1, Docker, Containerd);
    let docker = Docker::start();
    let script =
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max; sleep 1000";
    let _ = docker
        .run(&[
            "--detach",
            "--name",
            "one",
            "--memory",
            "64m",
            "--pids-limit",
            "20",
            IMAGE,
            "/bin/sh",
            "-c",
            script,
        ])
        .ok();
    let stats = docker
        .call(&[
            "stats",
            "--no-stream",
            "--format",
            "{{.MemUsage}} {{.PIDs}}",
            "one",
        ])
        .ok();
    assert!(stats.stdout.contains("/ 64MiB"), "{stats}");
    let _ = docker
        .call(&["update", "--memory", "128m", "--memory-swap", "128m", "one"])
        .ok();
    let limit = docker
        .call(&[
            "exec",
            "one",
            "/bin/cat",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        ])
        .ok();
    assert_eq!(limit.stdout, format!("{}\n", 128 << 20));
    assert_eq!(
        docker.call(&["logs", "one"]).ok().stdout,
        format!("{}\n20\n", 64 << 20)
    );
    let _ = docker.call(&["rm", "--force", "one"]).ok();
}

#[test]
fn a_container_out_of_memory_is_killed_and_said_so() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let output = docker.run(&[
        "--name",
        "one",
        "--memory",
        "16m",
        "--memory-swap",
        "16m",
        IMAGE,
        "/bin/dd",
        "if=/dev/zero",
        "of=/dev/null",
        "bs=100M",
        "count=1",
    ]);
    assert_eq!(output.code, 137, "{output}");
    assert_eq!(docker.inspect("one", "{{.State.OOMKilled}}"), "true");
    let _ = docker.call(&["rm", "one"]).ok();
}

#[test]
fn the_root_may_be_read_only_beside_a_writable_volume() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let volume = tempfile::tempdir().unwrap();
    let bind = format!("{}:/data", volume.path().display());
    let script =
        "touch /x 2>/dev/null && echo root is writable; echo kept > /data/file; id -u; id -g";
    std::fs::set_permissions(
        volume.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .unwrap();
    let output = docker
        .run(&[
            "--rm",
            "--read-only",
            "--volume",
            &bind,
            "--user",
            "1000:1000",
            IMAGE,
            "/bin/sh",
            "-c",
            script,
        ])
        .ok();
    assert_eq!(output.stdout, "1000\n1000\n");
    assert_eq!(
        std::fs::read_to_string(volume.path().join("file")).unwrap(),
        "kept\n"
    );
}

#[test]
fn the_default_protections_are_on() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let output = docker
        .run(&[
            "--rm",
            IMAGE,
            "/bin/grep",
            "-E",
            "^(Seccomp|CapEff|CapBnd):",
            "/proc/self/status",
        ])
        .ok();
    let fields: Vec<&str> = output.stdout.split_whitespace().collect();
    assert_eq!(
        fields,
        [
            "CapEff:",
            "00000000a80425fb",
            "CapBnd:",
            "00000000a80425fb",
            "Seccomp:",
            "2"
        ]
    );
}

#[test]
fn twenty_containers_at_once() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..20)
            .map(|number: i32| {
                let docker = &docker;
                scope.spawn(move || {
                    docker.run(&[
                        "--rm",
                        IMAGE,
                        "/bin/sh",
                        "-c",
                        &format!("echo {number}; exit {number}"),
                    ])
                })
            })
            .collect();
        for (number, run) in runs.into_iter().enumerate() {
            let output = run.join().unwrap();
            assert_eq!(
                (output.code, output.stdout.clone()),
                (i32::try_from(number).unwrap(), format!("{number}\n")),
                "{output}"
            );
        }
    });
}
