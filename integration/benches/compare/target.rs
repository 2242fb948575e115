//! What is to be reached.

use crate::layout::Layout;

/// The greatest ratio of wall times that counts as reached, or `None` where nothing was promised:
/// Cofferdam to `peer`.
pub(crate) fn ratio(scenario: &str, layout: Layout, peer: &str) -> Option<f64> {
    // A ratio to runc is promised only where crun does not run, but for plain runs.
    let alone = layout == Layout::Unified;
    match (scenario, peer) {
        ("run-sparse", "crun") => Some(0.4),
        ("run-seccomp", "crun") => Some(0.5),
        ("run" | "run-cgroupns" | "mounts" | "parallel" | "create", "crun") => Some(0.45),
        (
            "run" | "run-sparse" | "run-seccomp" | "run-cgroupns" | "mounts" | "parallel"
            | "create",
            "runc",
        ) => Some(0.2),
        ("start" | "state" | "kill" | "delete", "crun") => Some(0.35),
        ("exec" | "list", "crun") => Some(0.4),
        ("start" | "state" | "kill" | "delete", "runc") if alone => Some(0.35),
        ("exec" | "list", "runc") if alone => Some(0.4),
        _ => None,
    }
}

/// The greatest ratio of peak resident sets.
pub(crate) const RESIDENT: f64 = 0.6;
/// The greatest resident set of the init of a created container, in KiB.
pub(crate) const WAITING_KIB: f64 = 200.0;
/// The greatest number of system calls of a run.
pub(crate) const SYSTEM_CALLS: f64 = 350.0;
/// The greatest size of the binary, in KiB.
pub(crate) const BINARY_KIB: f64 = 3.0 * 1024.0;
