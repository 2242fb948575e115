//! The command line: the commands, flags, outputs and exit codes of runc 1.5, over the library of
//! this crate.
//!
//! [`run`] is all that a `main` needs:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     cofferdam::cli::run(std::env::args_os())
//! }
//! ```
//!
//! Flags and commands are tables ([`flag`], [`command`]) from which both the parser and the help
//! are made. Two passes turn what was typed into what is meant: [`flag::Parsed`] checks syntax,
//! [`command::Invocation`] and the commands themselves give it a meaning. Nothing is set up that
//! the command at hand does not need: no thread, no terminal, no library initialisation before the
//! arguments are known.

mod bundle;
mod c_main;
pub(crate) mod command;
pub(crate) mod command_line;
pub(crate) mod commands;
pub(crate) mod completion;
pub(crate) mod criu_flags;
mod dump_progress;
pub(crate) mod duration;
pub(crate) mod failure;
pub(crate) mod flag;
pub(crate) mod help;
#[cfg(any(feature = "audit", feature = "explain"))]
mod json_writer;
pub(crate) mod logging;
pub(crate) mod output;
#[cfg(any(feature = "audit", feature = "explain"))]
mod paragraph;
pub(crate) mod process_flags;
pub(crate) mod program;
mod resource_update;
mod restore_progress;
mod size;
pub(crate) mod state_root;
mod sub_cgroup;
pub(crate) mod suggestion;
mod table;
mod terminal_line;
pub(crate) mod topic;
#[cfg(feature = "top")]
mod usage;
pub(crate) mod version;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use command::{Command, Globals};
use failure::{Failure, NO_SUCH_COMMAND};
use flag::{Flag, Parsed};
use logging::{Format, Log};
use program::Program;
use seccomp::Backend;

/// The flags before the command.
static GLOBAL_FLAGS: &[Flag] = &[
    Flag::switch("debug", "enable debug logging"),
    Flag::text("log", "append log lines to this file")
        .file()
        .default("/dev/stderr"),
    Flag::text("log-format", "format of log lines: text or json")
        .one_of(&["text", "json"])
        .default("text"),
    Flag::text(
        "root",
        "directory that keeps the state of containers; should be on a tmpfs",
    )
    .directory()
    .default(state_root::SHOWN),
    Flag::switch(
        "systemd-cgroup",
        "manage cgroups through systemd; cgroupsPath is then slice:prefix:name",
    ),
    Flag::text(
        "rootless",
        "ignore cgroup permission errors: true, false or auto",
    )
    .one_of(&["true", "false", "auto"])
    .default("auto"),
    Flag::text(
        "seccomp-backend",
        "who compiles seccomp filters: native, libseccomp, or auto, which is native if it can",
    )
    .one_of(&["native", "libseccomp", "auto"])
    .default("auto"),
    // The help names it together with --help.
    Flag::switch("version", "print the version")
        .letter("v")
        .hidden(),
];

/// The commands, in the order of the help.
static COMMANDS: &[&Command] = &[
    #[cfg(feature = "audit")]
    &commands::audit::COMMAND,
    &commands::checkpoint::COMMAND,
    &commands::completion::COMMAND,
    &commands::create::COMMAND,
    &commands::delete::COMMAND,
    &commands::events::COMMAND,
    &commands::exec::COMMAND,
    &commands::features::COMMAND,
    &commands::kill::COMMAND,
    &commands::list::COMMAND,
    &commands::pause::COMMAND,
    #[cfg(feature = "explain")]
    &commands::plan::COMMAND,
    &commands::ps::COMMAND,
    &commands::restore::COMMAND,
    &commands::resume::COMMAND,
    &commands::run::COMMAND,
    &commands::spec::COMMAND,
    &commands::start::COMMAND,
    &commands::state::COMMAND,
    #[cfg(feature = "top")]
    &commands::stats::COMMAND,
    #[cfg(feature = "top")]
    &commands::top::COMMAND,
    &commands::update::COMMAND,
];

/// The program `cofferdam`.
pub(crate) static COFFERDAM: Program = Program {
    name: "cofferdam",
    about: "Open Container Initiative runtime",
    introduction: "A container is made from a bundle: a directory with a config.json, as the OCI runtime\n\
                   specification defines it, and a root file system. In such a directory,\n\n    \
                   # {program} run <container-id>\n\n\
                   runs a container under a name of your choice, unique below the state root.",
    flags: GLOBAL_FLAGS,
    commands: |_| Ok(COMMANDS),
    topics: topic::TOPICS,
    state_root: state_root::SHOWN,
    has_user_root: true,
    version: version::lines,
    explains_mistakes: true,
    no_such_command: NO_SUCH_COMMAND,
    needs_command: |_| false,
    log: open_log,
    globals,
};

/// Runs one command line, `argv[0]` first, and returns the exit code of the process.
///
/// The base name of `argv[0]` is how the program calls itself in help, version and messages, so a
/// link with another name behaves as a program of that name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    command_line::run(&COFFERDAM, arguments).into()
}

/// As [`run`], for a program without a `main` of the Rust standard library, which would have done
/// two things before: a standard stream that is closed is opened as `/dev/null`, so that no file
/// that is opened later takes its place, and `SIGPIPE` is ignored, so that a reader that goes away
/// is an error and not the end. So is `SIGXFSZ`: a file beyond `RLIMIT_FSIZE` is an error of the
/// write. `SIGXCPU`, which ends the program, says so first. If the caller ignores `SIGCHLD`,
/// that ends here: hooks and helpers would leave no exit status. Does not return.
pub fn enter(arguments: impl IntoIterator<Item = OsString>) -> ! {
    command_line::enter(&COFFERDAM, arguments)
}

fn open_log(global: &Parsed) -> Result<Log, Failure> {
    let format = Format::parse(global.string("log-format").as_deref().unwrap_or("text"))?;
    Log::open(
        global.text("log").map(Path::new),
        format,
        global.switch("debug"),
    )
}

fn globals(program: &str, global: &Parsed) -> Result<Globals, Failure> {
    let (root, root_given) = state_root::choose(program, global)?;
    let rootless = match global.string("rootless").as_deref() {
        None | Some("") => None,
        Some(text) if text.eq_ignore_ascii_case("auto") => None,
        Some(text) => {
            let value = flag::parse_bool(text).ok_or_else(|| {
                Failure::new(format!(
                    "invalid --rootless value: {text:?} is neither auto nor a boolean"
                ))
            })?;
            Some(value)
        }
    };
    Ok(Globals {
        root,
        root_given,
        systemd_cgroup: global.switch("systemd-cgroup"),
        rootless,
        seccomp: seccomp_backend(global.string("seccomp-backend").as_deref())?,
    })
}

fn seccomp_backend(typed: Option<&str>) -> Result<Backend, Failure> {
    let backend = match typed.unwrap_or("auto") {
        "auto" => Backend::Auto,
        "native" => Backend::Native,
        "libseccomp" => Backend::Libseccomp,
        other => {
            return Err(Failure::new(format!(
                "invalid --seccomp-backend value: {other:?} is none of auto, native, libseccomp"
            )));
        }
    };
    if !backend.is_available() {
        return Err(Failure::new(
            "invalid --seccomp-backend value: this program is built without libseccomp",
        ));
    }
    Ok(backend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_compilers_of_filters_that_this_build_has_can_be_chosen() {
        assert_eq!(seccomp_backend(None).unwrap(), Backend::Auto);
        assert_eq!(seccomp_backend(Some("native")).unwrap(), Backend::Native);
        for wrong in ["", "Native", "bpf"] {
            let message = seccomp_backend(Some(wrong)).unwrap_err().message;
            assert!(message.contains("none of auto, native, libseccomp"));
        }
        match seccomp_backend(Some("libseccomp")) {
            Ok(backend) => assert_eq!(backend, Backend::Libseccomp),
            Err(failure) => assert!(failure.message.contains("without libseccomp")),
        }
        let available = seccomp_backend(Some("libseccomp")).is_ok();
        assert_eq!(available, cfg!(feature = "libseccomp"));
    }
}
