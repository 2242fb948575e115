//! The names of what can be measured, in their order.

/// What can be asked for by name; `life` is create, start, state, exec, kill and delete,
/// `checkpoint` a restore, too.
pub(crate) const SCENARIOS: [&str; 13] = [
    "run",
    "run-sparse",
    "run-seccomp",
    "run-cgroupns",
    "life",
    "checkpoint",
    "parallel",
    "list",
    "mounts",
    "fixed",
    "counts",
    "scale",
    "profile",
];

/// Those that are measured when none is named: the others answer questions, and take their time.
pub(crate) const COMPARED: &[&str] = SCENARIOS.split_at(11).0;
