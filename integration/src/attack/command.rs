//! The commands that are disturbed, and what each of them has to reach.

use std::path::Path;

use super::layout::Layout;
use super::report;

/// What there is before the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    Created,
    Running,
    Paused,
    Ended,
    /// Complete images, and no container.
    Images,
}

/// What a command that succeeds has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The container waits; after `start` its program reports.
    Created,
    /// The program that it has started reports.
    Reports,
    /// The container has this status, sooner or later.
    Status(&'static str),
    /// The cgroup has the limit of processes, where it has one.
    Limit,
    /// Nothing is left.
    Gone,
    /// The images are complete. Whether it succeeds or not, the container runs on or they are.
    Dumped,
    /// Standard output names the container.
    Names,
    /// Standard output names a process of the container.
    Process,
}

/// A command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// What it is called on the command line and in tables.
    pub name: &'static str,
    /// Its arguments. `ID` is the container, `REPORT` the report as a script, `IMAGES` a directory.
    arguments: &'static [&'static str],
    pub(super) before: Before,
    pub(super) effect: Effect,
}

/// The limit that `update` sets.
pub(super) const PIDS_LIMIT: &str = "100";

const fn command(
    name: &'static str,
    arguments: &'static [&'static str],
    before: Before,
    effect: Effect,
) -> Command {
    Command {
        name,
        arguments,
        before,
        effect,
    }
}

/// All of them.
pub const COMMANDS: &[Command] = &[
    command(
        "create",
        &["create", "ID"],
        Before::Nothing,
        Effect::Created,
    ),
    command("run", &["run", "ID"], Before::Nothing, Effect::Reports),
    command(
        "run-detached",
        &["run", "--detach", "ID"],
        Before::Nothing,
        Effect::Reports,
    ),
    command("start", &["start", "ID"], Before::Created, Effect::Reports),
    command(
        "exec",
        &["exec", "ID", "/bin/sh", "-c", "REPORT"],
        Before::Running,
        Effect::Reports,
    ),
    command(
        "exec-detached",
        &["exec", "--detach", "ID", "/bin/sh", "-c", "REPORT"],
        Before::Running,
        Effect::Reports,
    ),
    command(
        "kill",
        &["kill", "ID", "KILL"],
        Before::Running,
        Effect::Status("stopped"),
    ),
    command(
        "pause",
        &["pause", "ID"],
        Before::Running,
        Effect::Status("paused"),
    ),
    command(
        "resume",
        &["resume", "ID"],
        Before::Paused,
        Effect::Status("running"),
    ),
    command(
        "update",
        &["update", "--pids-limit", PIDS_LIMIT, "ID"],
        Before::Running,
        Effect::Limit,
    ),
    command("delete", &["delete", "ID"], Before::Ended, Effect::Gone),
    command(
        "delete-force",
        &["delete", "--force", "ID"],
        Before::Running,
        Effect::Gone,
    ),
    command("ps", &["ps", "ID"], Before::Running, Effect::Process),
    command("list", &["list"], Before::Running, Effect::Names),
    command("state", &["state", "ID"], Before::Running, Effect::Names),
    command(
        "events",
        &["events", "--stats", "ID"],
        Before::Running,
        Effect::Names,
    ),
    command(
        "checkpoint",
        &["checkpoint", "--image-path", "IMAGES", "ID"],
        Before::Running,
        Effect::Dumped,
    ),
    command(
        "restore",
        &["restore", "--detach", "--image-path", "IMAGES", "ID"],
        Before::Images,
        Effect::Status("running"),
    ),
];

impl Command {
    /// The command of this name.
    pub fn named(name: &str) -> Option<Self> {
        COMMANDS
            .iter()
            .find(|command| command.name == name)
            .copied()
    }

    /// Why it can do nothing in a layout; `None`: it can.
    pub fn is_impossible(&self, layout: Layout) -> Option<&'static str> {
        let asks_a_cgroup = matches!(self.effect, Effect::Limit | Effect::Process)
            || matches!(self.effect, Effect::Status("paused" | "running"))
            || self.name == "events";
        if layout == Layout::Rootless && asks_a_cgroup {
            return Some("the container has no cgroup");
        }
        if matches!(layout, Layout::Rootless | Layout::UserNamespace) && self.uses_images() {
            return Some("the program in the place of CRIU knows no user namespace");
        }
        // The calling thread sees the hierarchies of the layout.
        let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
        let has_limits = layout != Layout::Unified
            || controllers.is_ok_and(|names| names.split_whitespace().any(|name| name == "pids"));
        (self.effect == Effect::Limit && !has_limits)
            .then_some("cgroup v2 has no pids controller beside v1")
    }

    /// The arguments for the container `id` and its images.
    pub(super) fn arguments(&self, id: &str, images: &Path) -> Vec<String> {
        self.arguments
            .iter()
            .map(|argument| match *argument {
                "ID" => id.to_owned(),
                "REPORT" => report::script(),
                "IMAGES" => images.to_string_lossy().into_owned(),
                other => other.to_owned(),
            })
            .collect()
    }

    /// Whether it writes or reads the images of a checkpoint.
    pub(super) fn uses_images(&self) -> bool {
        self.effect == Effect::Dumped || self.before == Before::Images
    }

    /// Whether the program of the container runs when the command has succeeded, or a moment
    /// later, and so all processes that it has made end or execute a program.
    pub(super) fn runs_a_program(&self) -> bool {
        self.effect == Effect::Reports
    }

    /// Whether it is the program of the container that reports.
    pub(super) fn reports_in_init(&self) -> bool {
        matches!(self.before, Before::Nothing | Before::Created)
    }

    /// Whether the container waits for the command, so that its init process belongs to what is
    /// disturbed.
    pub(super) fn continues_init(&self) -> bool {
        self.before == Before::Created
    }
}
