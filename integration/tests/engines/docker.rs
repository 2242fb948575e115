//! Docker: the daemon's default runtime is the program under test.

use cofferdam_integration::engine::{Docker, DockerCommandLine, IMAGE, RunBy};
use cofferdam_integration::limited::Limited;
use cofferdam_integration::{need, program};

use crate::promises;

#[test]
fn run_returns_output_and_exit_code() {
    need!(Root, Busybox, Docker, Containerd);
    promises::output_and_exit_code(&Docker::start());
}

#[test]
fn programs_that_cannot_run_give_the_codes_of_a_shell() {
    need!(Root, Busybox, Docker, Containerd, Runc);
    promises::codes_of_a_shell(&Docker::start());
}

#[test]
fn a_running_container_takes_exec_pause_top_and_kill() {
    need!(Root, Busybox, Docker, Containerd);
    promises::exec_pause_and_kill(&Docker::start());
}

#[test]
fn logs_keep_what_was_written() {
    need!(Root, Busybox, Docker, Containerd);
    promises::logs(&Docker::start());
}

#[test]
fn a_terminal_is_one_inside() {
    need!(Root, Busybox, Docker, Containerd);
    promises::a_terminal(&Docker::start());
}

#[test]
fn limits_reach_the_kernel_and_are_shown() {
    need!(Root, Busybox, Controllers, Docker, Containerd, Runc);
    promises::limits(&Docker::start());
}

#[test]
fn the_root_may_be_read_only_beside_a_writable_volume() {
    need!(Root, Busybox, Docker, Containerd);
    promises::a_volume_in_a_read_only_root(&Docker::start());
}

#[test]
fn twenty_containers_at_once() {
    need!(Root, Busybox, Docker, Containerd);
    promises::many_at_once(&Docker::start(), 20);
}

#[test]
fn limits_are_changed() {
    need!(Root, Busybox, CgroupV1, Docker, Containerd);
    let docker = Docker::start();
    let limits = ["--memory", "64m", "--pids-limit", "20"];
    let command = [IMAGE, "/bin/sleep", "1000"];
    let _ = docker
        .run(&[&["--detach", "--name", "one"], &limits[..], &command].concat())
        .ok();
    let _ = docker
        .call(&["update", "--memory", "128m", "--memory-swap", "128m", "one"])
        .ok();
    let file = "/sys/fs/cgroup/memory/memory.limit_in_bytes";
    let limit = docker.call(&["exec", "one", "/bin/cat", file]).ok();
    assert_eq!(limit.stdout, format!("{}\n", 128 << 20));
    let _ = docker.call(&["rm", "--force", "one"]).ok();
}

#[test]
fn the_version_of_the_runtime_is_understood() {
    need!(Root, Busybox, Docker, Containerd);
    let docker = Docker::start();
    let info = docker.call(&["info", "--format", "{{json .}}"]).ok().json();
    assert_eq!(info["DefaultRuntime"], "tested");
    // The commit is what it finds in what `--version` prints, "N/A" if it finds nothing there.
    let version = Limited::new(program::under_test())
        .args(["--version"])
        .output()
        .ok();
    let commit = version
        .lines()
        .into_iter()
        .find_map(|line| line.strip_prefix("commit: "))
        .unwrap();
    assert_eq!(info["RuncCommit"]["ID"], commit, "{info}");
}

#[test]
fn a_container_out_of_memory_is_killed_and_said_so() {
    need!(Root, Busybox, Docker, Containerd, Runc);
    promises::death_by_memory(&Docker::start());
}

#[test]
fn the_default_protections_are_on() {
    need!(Root, Busybox, Docker, Containerd, Runc);
    let docker = Docker::start();
    let fields = "^(Seccomp|NoNewPrivs|Cap[A-Z][a-z]*|Groups):";
    let line = [
        "--rm",
        IMAGE,
        "/bin/grep",
        "-E",
        fields,
        "/proc/self/status",
    ];
    let output = docker.run(&line).ok();
    assert!(output.stdout.contains("Seccomp:\t2\n"), "{output}");
    // Which capabilities these are is a decision of Docker's.
    assert_eq!(output.stdout, docker.run_by(RunBy::Runc, &line).ok().stdout);
}
