//! podman: conmon calls the program under test.

use cofferdam_integration::engine::{DockerCommandLine, IMAGE, Podman};
use cofferdam_integration::need;

use crate::promises;

#[test]
fn run_returns_output_and_exit_code() {
    need!(Root, Busybox, Podman);
    promises::output_and_exit_code(&Podman::new());
}

#[test]
fn programs_that_cannot_run_give_the_codes_of_a_shell() {
    need!(Root, Busybox, Podman, Runc);
    promises::codes_of_a_shell(&Podman::new());
}

#[test]
fn a_running_container_takes_exec_pause_top_and_kill() {
    need!(Root, Busybox, Podman);
    promises::exec_pause_and_kill(&Podman::new());
}

#[test]
fn logs_keep_what_was_written() {
    need!(Root, Busybox, Podman);
    promises::logs(&Podman::new());
}

#[test]
fn a_terminal_is_one_inside() {
    need!(Root, Busybox, Podman);
    promises::a_terminal(&Podman::new());
}

#[test]
fn limits_reach_the_kernel_and_are_shown() {
    need!(Root, Busybox, Controllers, Podman, Runc);
    promises::limits(&Podman::new());
}

#[test]
fn the_root_may_be_read_only_beside_a_writable_volume() {
    need!(Root, Busybox, Podman);
    promises::a_volume_in_a_read_only_root(&Podman::new());
}

#[test]
fn ten_containers_at_once() {
    need!(Root, Busybox, Podman);
    promises::many_at_once(&Podman::new(), 10);
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
