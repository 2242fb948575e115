//! Docker: the daemon's default runtime is the program under test.

use cofferdam_integration::engine::{Docker, DockerCommandLine, IMAGE};
use cofferdam_integration::need;

use crate::promises;

#[test]
fn run_returns_output_and_exit_code() {
    need!(Root, Busybox, Docker, Containerd);
    promises::output_and_exit_code(&Docker::start());
}

#[test]
fn programs_that_cannot_run_give_the_codes_of_a_shell() {
    need!(Root, Busybox, Docker, Containerd);
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
    need!(Root, Busybox, Controllers, Docker, Containerd);
    promises::limits(&Docker::start(), "/ 64MiB");
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
    let warnings = info["Warnings"].to_string();
    assert!(!warnings.contains("runtime"), "{warnings}");
}

#[test]
fn a_container_out_of_memory_is_killed_and_said_so() {
    need!(Root, Busybox, Docker, Containerd);
    promises::death_by_memory(&Docker::start());
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
