//! podman with `--cgroup-manager=systemd`: every container is a scope of systemd, of root's or, for
//! an ordinary user, of the user's own.

use cofferdam_integration::engine::{DockerCommandLine, Podman};
use cofferdam_integration::unit::property;
use cofferdam_integration::{eventually, need};

use crate::promises::{self, NAME};

#[test]
fn run_returns_output_and_exit_code() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup);
    promises::output_and_exit_code(&Podman::under_systemd());
}

#[test]
fn programs_that_cannot_run_give_the_codes_of_a_shell() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup, Runc);
    promises::codes_of_a_shell(&Podman::under_systemd());
}

#[test]
fn a_running_container_takes_exec_pause_top_and_kill() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup);
    promises::exec_pause_and_kill(&Podman::under_systemd());
}

#[test]
fn a_container_is_started_again() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup);
    promises::logs(&Podman::under_systemd());
}

#[test]
fn limits_reach_the_kernel_and_are_shown() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup, Runc);
    promises::limits(&Podman::under_systemd());
}

#[test]
fn a_container_out_of_memory_is_killed_and_said_so() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup, Runc);
    promises::death_by_memory(&Podman::under_systemd());
}

#[test]
fn a_container_is_a_scope_until_it_ends() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup);
    let podman = Podman::under_systemd();
    let limits = ["--memory", "64m", "--pids-limit", "20"];
    promises::start(&podman, &limits, &["/bin/sleep", "1000"]);
    let unit = podman.unit(NAME);
    for (name, value) in [
        ("ActiveState", "active"),
        ("MemoryMax", "67108864"),
        ("TasksMax", "20"),
    ] {
        assert_eq!(property(&unit, name), value, "{name} of {unit}");
    }
    let _ = podman.call(&["update", "--memory", "96m", NAME]).ok();
    assert_eq!(property(&unit, "MemoryMax"), "100663296");
    let file = "/sys/fs/cgroup/memory.max";
    let read = podman.call(&["exec", NAME, "/bin/cat", file]).ok();
    assert_eq!(read.stdout, "100663296\n");
    promises::end(&podman);
    eventually("the scope is gone", || {
        property(&unit, "LoadState") == "not-found"
    });
}
