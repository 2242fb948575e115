//! What a command may answer while others work on the same container.

/// The container is not there (any more), or is there already.
const ABSENT: &str = "container does not exist";
const TAKEN: &str = "container with given ID already exists";
/// `delete --force` ends what is being made; then the one that makes it says which step it was at.
const KILLED: &str = "the init process ended early: signal: killed";

/// What each command may say when it fails; anything else is a race that its author has not
/// thought of.
const FAILURES: &[(&str, &[&str])] = &[
    ("create", &[TAKEN, KILLED, "was deleted while it was made"]),
    ("run", &[TAKEN, KILLED, "was deleted while it was made"]),
    (
        "start",
        &[
            "cannot start a container that has stopped",
            "cannot start a container in the creating state",
            "cannot start a container in the paused state",
            "cannot start an already running container",
            "container process is already dead",
        ],
    ),
    (
        "exec",
        &[
            "cannot exec in a stopped container",
            "cannot exec in a container that is being created",
            "cannot exec in a paused container",
            "cannot exec in a container below a frozen cgroup",
            "start the init process in its cgroup: the cgroup is frozen",
            // `kill` and `delete --force` end the processes of a container one after the other.
            KILLED,
            // Its end could not be seen in time.
            "join the namespaces of the container: no such process",
            "join the namespaces of the container: No such process",
            "start the second stage: cannot allocate memory",
            "start the second stage: Cannot allocate memory",
            // Its cgroups are removed one after the other.
            "clone the init process: no such file or directory",
            "clone the init process: No such file or directory",
            "error adding pid of the new process to cgroups",
        ],
    ),
    ("kill", &["container not running"]),
    (
        "delete",
        &[
            "container is being created",
            "container still running",
            "that is not stopped: running",
            "that is not stopped: paused",
            "container paused",
        ],
    ),
    (
        "pause",
        &[
            "container not running",
            "unable to freeze: another process has thawed the cgroup",
        ],
    ),
    ("resume", &["container not paused"]),
    (
        "update",
        &["container not running", "cannot set pids limit: controller"],
    ),
];

/// Whether a command may fail in this way. A removal by force has no reason to fail.
pub(super) fn may_fail(line: &[&str], code: i32, said: &str) -> bool {
    // Its program was killed.
    if line[0] == "exec" && code == 137 && said.is_empty() {
        return true;
    }
    let forced = line.contains(&"--force");
    let expected = if line[0] == "exec" { 255 } else { 1 };
    let texts = FAILURES.iter().find(|(command, _)| *command == line[0]);
    let may_say = |text: &&str| said.contains(text);
    code == expected
        && said.trim_end().lines().count() == 1
        && !forced
        && texts.is_some_and(|(_, texts)| texts.iter().chain([&ABSENT]).any(may_say))
}
