//! What is to be reached.

use crate::layout::Layout;

/// The peer of this name is a crun that was built statically from its source (`--peer`).
pub(crate) const STATIC: &str = "crun-static";

/// The greatest ratio of wall times that counts as reached, or `None` where nothing was promised:
/// Cofferdam to `peer`.
pub(crate) fn wall(scenario: &str, layout: Layout, peer: &str) -> Option<f64> {
    match peer {
        "crun" => against_debians(scenario),
        "runc" => against_runc(scenario, layout),
        _ => cpu(scenario, peer),
    }
}

/// The same for the time of processors: promised where a peer loses nothing in a dynamic linker.
pub(crate) fn cpu(scenario: &str, peer: &str) -> Option<f64> {
    match (peer, scenario) {
        ("floor", "run") => Some(2.0),
        ("floor", "exec") => Some(2.5),
        (STATIC, "run" | "exec" | "create") => Some(0.55),
        (STATIC, "start" | "state" | "kill" | "delete") => Some(0.4),
        _ => None,
    }
}

/// The same for page faults.
pub(crate) fn faults(scenario: &str, peer: &str) -> Option<f64> {
    (scenario == "run" && peer == STATIC).then_some(0.6)
}

fn against_debians(scenario: &str) -> Option<f64> {
    match scenario {
        "run" => Some(0.34),
        "run-sparse" => Some(0.2),
        "run-seccomp" => Some(0.18),
        "run-cgroupns" => Some(0.45),
        "mounts" => Some(0.36),
        "parallel" | "list" => Some(0.4),
        "create" => Some(0.32),
        "start" | "state" | "kill" | "delete" => Some(0.16),
        "exec" => Some(0.28),
        _ => None,
    }
}

fn against_runc(scenario: &str, layout: Layout) -> Option<f64> {
    // Other ratios to runc are promised only where Debian's crun does not run.
    let alone = layout == Layout::Unified;
    match scenario {
        "run" => Some(0.15),
        "run-sparse" | "run-seccomp" | "run-cgroupns" | "mounts" | "parallel" | "create" => {
            Some(0.2)
        }
        "start" | "state" | "kill" | "delete" if alone => Some(0.35),
        "exec" | "list" if alone => Some(0.4),
        _ => None,
    }
}

/// The greatest ratio of peak resident sets to that of a static crun.
pub(crate) const RESIDENT: f64 = 1.05;
/// The greatest resident set of a run, in KiB: 1.8 MiB.
pub(crate) const RESIDENT_KIB: f64 = 1.8 * 1024.0;
/// The greatest resident set of the init of a created container, in KiB.
pub(crate) const WAITING_KIB: f64 = 200.0;
/// The greatest size of the binary, in KiB.
pub(crate) const BINARY_KIB: f64 = 3.0 * 1024.0;

/// What is counted of one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    SystemCalls,
    Faults,
    Instructions,
}

/// The greatest number of a command of ours.
pub(crate) fn count(counted: Counted, command: &str, layout: Layout) -> Option<f64> {
    match (counted, command, layout) {
        (Counted::SystemCalls, "run", Layout::Unified) => Some(350.0),
        (Counted::SystemCalls, "run", Layout::V1) => Some(480.0),
        (Counted::Faults, "run", _) => Some(70.0),
        (Counted::Faults, "state", _) => Some(45.0),
        (Counted::Instructions, "run", Layout::V1) => Some(0.6e6),
        (Counted::Instructions, "state", _) => Some(0.1e6),
        _ => None,
    }
}
