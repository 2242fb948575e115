//! The program `nsinit` of libcontainer's first years, over the library of this crate.
//!
//! Two command lines in one. That of June 2015 keeps containers by their id below a state root;
//! with `--compat 2014`, or `NSINIT_COMPAT=2014` in the environment, that of April 2014, whose
//! container is what the `container.json` of a directory describes, with the current directory as
//! root file system. Parser and help are those of [`cli`](crate::cli).

mod attend;
mod cgroup_parents;
mod checkpoint_mark;
mod commands;
mod containers;
mod create_flags;
mod creation_flags;
mod definition;
mod era_stats;
mod id_lock;
mod interface_names;
mod mount_commands;
mod security;
mod template;
mod terms;
mod year_2014;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::command::{Command, Globals};
use crate::cli::failure::{FAILED, Failure};
use crate::cli::flag::{Flag, Parsed};
use crate::cli::logging::{Format, Log};
use crate::cli::program::Program;
use crate::cli::{command_line, state_root, version};

/// Where that tool kept its containers.
const STATE_ROOT: &str = "/var/run/nsinit";

const COMPAT: Flag = Flag::text(
    "compat",
    "behave as the tool of that year: 2015, or 2014 for container.json in a directory",
)
.one_of(&["2014", "2015"])
.default("2015");
const ROOT: Flag = Flag::text(
    "root",
    "directory that keeps the state of containers; with --compat 2014 the one with container.json",
)
.directory()
.default(STATE_ROOT);
const LOG_FILE: Flag =
    Flag::text("log-file", "write log lines to this file, emptied before").file();
const LOG: Flag = Flag::text(
    "log",
    "with --compat 2014: none, stderr, or a file to append log lines to",
)
.file();
const CRIU: Flag = Flag::text("criu", "the CRIU program")
    .file()
    .default("criu");
const STRICT_LEGACY: Flag = Flag::switch(
    "strict-legacy",
    "make the capabilities of processes inheritable, too, as that tool did",
);

/// The flags before the command.
static GLOBAL_FLAGS: &[Flag] = &[
    Flag::switch("debug", "enable debug logging"),
    ROOT,
    LOG_FILE,
    CRIU,
    COMPAT,
    LOG,
    STRICT_LEGACY,
    // The help names it together with --help.
    Flag::switch("version", "print the version")
        .letter("v")
        .hidden(),
];

/// The commands of June 2015, and the conversion to bundles.
static COMMANDS: &[&Command] = &[
    &commands::config::COMMAND,
    &commands::convert::COMMAND,
    &commands::exec::COMMAND,
    &commands::init::COMMAND,
    &commands::oom::COMMAND,
    &commands::pause::PAUSE,
    &commands::pause::UNPAUSE,
    &commands::stats::COMMAND,
    &commands::state::COMMAND,
    &commands::checkpoint::COMMAND,
    &commands::restore::COMMAND,
];

/// The program `nsinit`.
pub(crate) static NSINIT: Program = Program {
    name: "nsinit",
    about: "containers by the command line of libcontainer's first years",
    introduction: "Makes containers and runs further processes in them. In a directory with a root file system,\n\n    \
                   # {program} exec --tty /bin/sh\n\n\
                   runs a shell in a container; the same line once more, on another terminal, adds another\n\
                   shell to it. The container ends with its first process. With NSINIT_COMPAT=2014 in the\n\
                   environment it is --compat 2014.",
    flags: GLOBAL_FLAGS,
    commands,
    topics: &[],
    state_root: STATE_ROOT,
    has_user_root: false,
    version: version_lines,
    explains_mistakes: false,
    no_such_command: FAILED,
    needs_command: is_2014,
    log: open_log,
    globals,
};

/// Runs one command line, `argv[0]` first, and ends the process with its exit code; see
/// [`cli::enter`](crate::cli::enter).
pub fn enter(arguments: impl IntoIterator<Item = OsString>) -> ! {
    command_line::enter(&NSINIT, arguments)
}

fn commands(global: &Parsed) -> Result<&'static [&'static Command], Failure> {
    let year = compat(global);
    let year = year.as_deref().unwrap_or("2015");
    match commands_of(year) {
        [] => Err(Failure::new(format!(
            "invalid --compat value: {year:?} is neither 2014 nor 2015"
        ))),
        commands => Ok(commands),
    }
}

/// The commands of a year; none for one of which nothing is known.
pub(crate) fn commands_of(year: &str) -> &'static [&'static Command] {
    match year {
        "2015" => COMMANDS,
        "2014" => year_2014::COMMANDS,
        _ => &[],
    }
}

/// The year that is asked for, by the flag or by the environment.
fn compat(global: &Parsed) -> Option<String> {
    global.string(COMPAT.name).or_else(|| {
        let year = std::env::var("NSINIT_COMPAT").ok();
        year.filter(|year| !year.is_empty())
    })
}

fn is_2014(global: &Parsed) -> bool {
    compat(global).as_deref() == Some("2014")
}

/// The version of that tool, and ours.
fn version_lines() -> String {
    format!("2\ncofferdam: {}", version::lines())
}

fn open_log(global: &Parsed) -> Result<Log, Failure> {
    if is_2014(global) {
        if global.given(LOG_FILE.name) {
            return Err(Failure::new(
                "--log-file needs --compat 2015; else it is --log",
            ));
        }
        return year_2014::open_log(global);
    }
    if global.given(LOG.name) {
        return Err(Failure::new(
            "--log needs --compat 2014; else it is --log-file",
        ));
    }
    let path = global.text(LOG_FILE.name).map(Path::new);
    if let Some(path) = path {
        std::fs::File::create(path)
            .map_err(|error| Failure::io(format!("open {}", path.display()), error))?;
    }
    Log::open(path, Format::Text, global.switch("debug"))
}

fn globals(_: &str, global: &Parsed) -> Result<Globals, Failure> {
    let root = match global.text(ROOT.name) {
        // There it is something else.
        Some(_) if is_2014(global) => None,
        typed => typed.map(PathBuf::from),
    };
    let root_given = root.is_some();
    Ok(Globals {
        root: state_root::explicit(&root.unwrap_or_else(|| STATE_ROOT.into()))?,
        root_given,
        systemd_cgroup: false,
        rootless: None,
        seccomp: seccomp::Backend::Auto,
    })
}
