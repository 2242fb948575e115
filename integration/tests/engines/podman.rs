//! podman: conmon calls the program under test.

use cofferdam_integration::engine::{IMAGE, Podman};
use cofferdam_integration::need;

#[test]
fn run_returns_output_and_exit_code() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    let output = podman.run(&[
        "--rm",
        IMAGE,
        "/bin/sh",
        "-c",
        "id -u; echo err >&2; exit 5",
    ]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (5, "0\n"),
        "{output}"
    );
    assert!(output.stderr.contains("err\n"), "{output}");
}

#[test]
fn programs_that_cannot_run_give_the_codes_of_a_shell() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    assert_eq!(podman.run(&["--rm", IMAGE, "/no/such/program"]).code, 127);
    assert_eq!(podman.run(&["--rm", IMAGE, "no-such-program"]).code, 127);
    assert_eq!(podman.run(&["--rm", IMAGE, "/etc/passwd"]).code, 126);
}

#[test]
fn a_running_container_takes_exec_pause_kill_and_rm() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    let _ = podman
        .run(&["--detach", "--name", "one", IMAGE, "/bin/sleep", "1000"])
        .ok();
    assert_eq!(
        podman
            .call(&["exec", "one", "/bin/echo", "hello"])
            .ok()
            .stdout,
        "hello\n"
    );
    assert_eq!(
        podman
            .call(&["exec", "one", "/bin/sh", "-c", "exit 9"])
            .code,
        9
    );
    assert_eq!(
        podman
            .call(&["exec", "--user", "1000:1000", "one", "/bin/id", "-u"])
            .ok()
            .stdout,
        "1000\n"
    );
    let status = || {
        podman
            .call(&["inspect", "--format", "{{.State.Status}}", "one"])
            .ok()
            .stdout
    };
    let _ = podman.call(&["pause", "one"]).ok();
    assert_eq!(status(), "paused\n");
    let _ = podman.call(&["unpause", "one"]).ok();
    assert_eq!(status(), "running\n");
    let _ = podman.call(&["kill", "one"]).ok();
    assert_eq!(podman.call(&["wait", "one"]).ok().stdout, "137\n");
    let _ = podman.call(&["rm", "one"]).ok();
}

#[test]
fn logs_keep_what_was_written() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    let _ = podman
        .run(&[
            "--name",
            "one",
            "--log-driver=k8s-file",
            IMAGE,
            "/bin/sh",
            "-c",
            "echo line; exit 0",
        ])
        .ok();
    assert_eq!(podman.call(&["logs", "one"]).ok().stdout, "line\n");
}

#[test]
fn a_terminal_is_one_inside() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    let _ = podman
        .run(&[
            "--tty",
            "--detach",
            "--log-driver=k8s-file",
            "--name",
            "one",
            IMAGE,
            "/bin/tty",
        ])
        .ok();
    assert_eq!(podman.call(&["wait", "one"]).ok().stdout, "0\n");
    assert_eq!(
        podman.call(&["logs", "one"]).ok().stdout.trim_end(),
        "/dev/pts/0"
    );
}

#[test]
fn limits_reach_the_kernel_and_are_shown() {
    need!(Root, Busybox, CgroupV1, Podman);
    let podman = Podman::new();
    let _ = podman
        .run(&[
            "--detach",
            "--name",
            "one",
            "--memory",
            "64m",
            "--pids-limit",
            "20",
            IMAGE,
            "/bin/sleep",
            "1000",
        ])
        .ok();
    let read = |file: &str| podman.call(&["exec", "one", "/bin/cat", file]).ok().stdout;
    assert_eq!(
        read("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        format!("{}\n", 64 << 20)
    );
    assert_eq!(read("/sys/fs/cgroup/pids/pids.max"), "20\n");
    let stats = podman
        .call(&["stats", "--no-stream", "--format", "{{.MemUsage}}", "one"])
        .ok();
    assert!(stats.stdout.contains("67.11MB"), "{stats}");
    let _ = podman.call(&["rm", "--force", "--time", "0", "one"]).ok();
}

#[test]
fn the_root_may_be_read_only_beside_a_writable_volume() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    let volume = podman.directory().join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::set_permissions(&volume, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let bind = format!("{}:/data", volume.display());
    let script =
        "touch /x 2>/dev/null && echo root is writable; echo kept > /data/file; id -u; id -g";
    let output = podman
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
        std::fs::read_to_string(volume.join("file")).unwrap(),
        "kept\n"
    );
}

#[test]
fn a_user_namespace_maps_root_to_somebody_else() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    let output = podman
        .run(&[
            "--rm",
            "--uidmap=0:100000:65536",
            "--gidmap=0:100000:65536",
            IMAGE,
            "/bin/cat",
            "/proc/self/uid_map",
        ])
        .ok();
    assert_eq!(
        output.stdout.split_whitespace().collect::<Vec<_>>(),
        ["0", "100000", "65536"]
    );
}

#[test]
fn ten_containers_at_once() {
    need!(Root, Busybox, Podman);
    let podman = Podman::new();
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..10)
            .map(|number: i32| {
                let podman = &podman;
                scope.spawn(move || {
                    podman.run(&[
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
