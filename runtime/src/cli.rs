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
mod command;
mod commands;
mod criu_flags;
mod dump_progress;
mod duration;
mod failure;
mod flag;
mod help;
mod logging;
mod output;
mod process_flags;
mod resource_update;
mod restore_progress;
mod size;
mod state_root;
mod sub_cgroup;
mod table;
mod terminal_line;
mod version;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use command::{Command, Globals, Invocation};
use failure::{Failure, NO_SUCH_COMMAND};
use flag::{Flag, Order, Parsed};
use logging::{Format, Log};
use seccomp::Backend;

/// The flags before the command.
static GLOBAL_FLAGS: &[Flag] = &[
    Flag::switch("debug", "enable debug logging"),
    Flag::text("log", "append log lines to this file").default("/dev/stderr"),
    Flag::text("log-format", "format of log lines: text or json").default("text"),
    Flag::text(
        "root",
        "directory that keeps the state of containers; should be on a tmpfs",
    )
    .default(state_root::SHOWN),
    Flag::switch(
        "systemd-cgroup",
        "manage cgroups through systemd; cgroupsPath is then slice:prefix:name",
    ),
    Flag::text(
        "rootless",
        "ignore cgroup permission errors: true, false or auto",
    )
    .default("auto"),
    Flag::text(
        "seccomp-backend",
        "who compiles seccomp filters: native, libseccomp, or auto, which is native if it can",
    )
    .default("auto"),
    // The help names it together with --help.
    Flag::switch("version", "print the version")
        .letter("v")
        .hidden(),
];

/// The commands, in the order of the help.
static COMMANDS: &[&Command] = &[
    &commands::checkpoint::COMMAND,
    &commands::create::COMMAND,
    &commands::delete::COMMAND,
    &commands::events::COMMAND,
    &commands::exec::COMMAND,
    &commands::features::COMMAND,
    &commands::kill::COMMAND,
    &commands::list::COMMAND,
    &commands::pause::COMMAND,
    &commands::plan::COMMAND,
    &commands::ps::COMMAND,
    &commands::restore::COMMAND,
    &commands::resume::COMMAND,
    &commands::run::COMMAND,
    &commands::spec::COMMAND,
    &commands::start::COMMAND,
    &commands::state::COMMAND,
    &commands::update::COMMAND,
];

/// Runs one command line, `argv[0]` first, and returns the exit code of the process.
///
/// The base name of `argv[0]` is how the program calls itself in help, version and messages, so a
/// link with another name behaves as a program of that name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    run_to_code(arguments).into()
}

fn run_to_code(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let mut arguments = arguments.into_iter();
    let argv0 = arguments.next().unwrap_or_else(|| "cofferdam".into());
    let program = Path::new(&argv0)
        .file_name()
        .unwrap_or(OsStr::new("cofferdam"))
        .to_string_lossy()
        .into_owned();
    let line = CommandLine {
        argv0: argv0.to_string_lossy().into_owned(),
        program,
    };
    line.run(arguments)
}

/// As [`run`], for a program without a `main` of the Rust standard library, which would have done
/// two things before: a standard stream that is closed is opened as `/dev/null`, so that no file
/// that is opened later takes its place, and `SIGPIPE` is ignored, so that a reader that goes away
/// is an error and not the end. So is `SIGXFSZ`: a file beyond `RLIMIT_FSIZE` is an error of the
/// write. `SIGXCPU`, which ends the program, says so first. If the caller ignores `SIGCHLD`,
/// that ends here: hooks and helpers would leave no exit status. Does not return.
#[allow(
    clippy::exit,
    reason = "it does what the standard library does after main"
)]
pub fn enter(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let code = match crate::sys::prepare_process() {
        Ok(()) => run_to_code(arguments),
        // Standard error may be there, even so.
        Err(error) => fail(
            &Log::stderr(),
            &Failure::io("prepare the standard streams", error),
        ),
    };
    std::process::exit(i32::from(code))
}

/// The names under which this process was called.
struct CommandLine {
    argv0: String,
    program: String,
}

impl CommandLine {
    fn run(&self, arguments: impl Iterator<Item = OsString>) -> u8 {
        let global = match Parsed::read(GLOBAL_FLAGS, Order::FlagsFirst, arguments) {
            Ok(global) => global,
            Err(message) => {
                self.print(&format!("Incorrect Usage. {message}\n\n{}", self.help()));
                return fail(&Log::stderr(), &Failure::new(message));
            }
        };
        if global.switch("version") {
            self.print(&format!("{} version {}", self.program, version::lines()));
            return 0;
        }
        let Some((name, rest)) = global.positional.split_first() else {
            self.print(&self.help());
            return 0;
        };
        if global.help {
            self.print(&self.help());
            return 0;
        }
        let name = name.to_string_lossy();
        if name == "help" || name == "h" {
            return self.explain(rest.first());
        }
        let Some(command) = find(&name) else {
            return self.no_such_command(&name);
        };
        self.dispatch(command, &global, rest)
    }

    fn dispatch(&self, command: &'static Command, global: &Parsed, rest: &[OsString]) -> u8 {
        let parsed = match Parsed::read(command.flags, command.order, rest.iter().cloned()) {
            Ok(parsed) => parsed,
            Err(message) => {
                self.print(&format!(
                    "Incorrect Usage: {message}\n\n{}",
                    help::command(&self.program, command)
                ));
                return fail(&Log::stderr(), &Failure::new(message));
            }
        };
        if parsed.help {
            self.print(&help::command(&self.program, command));
            return 0;
        }
        // Before anything is opened: what this process opens itself must not be taken for something
        // passed on purpose.
        let inherited = match process_flags::inherited(&parsed) {
            Ok(inherited) => inherited,
            Err(failure) => return fail(&Log::stderr(), &failure),
        };
        let log = match open_log(global) {
            Ok(log) => log.install(),
            Err(failure) => return fail(&Log::stderr(), &failure),
        };
        if let Some(complaint) = command.miscounted(&self.argv0, parsed.positional.len()) {
            self.print(&format!(
                "Incorrect Usage.\n\n{}",
                help::command(&self.program, command)
            ));
            return fail(log, &Failure::new(complaint));
        }
        let globals = match globals(&self.program, global) {
            Ok(globals) => globals,
            Err(failure) => return fail(log, &failure),
        };
        let invocation = Invocation {
            program: &self.program,
            globals: &globals,
            parsed: &parsed,
            log,
            inherited: inherited.as_ref(),
        };
        (command.run)(&invocation).unwrap_or_else(|failure| fail(log, &failure))
    }

    fn explain(&self, name: Option<&OsString>) -> u8 {
        let Some(name) = name else {
            self.print(&self.help());
            return 0;
        };
        let name = name.to_string_lossy();
        match find(&name) {
            Some(command) => {
                self.print(&help::command(&self.program, command));
                0
            }
            None => self.no_such_command(&name),
        }
    }

    fn no_such_command(&self, name: &str) -> u8 {
        fail(
            &Log::stderr(),
            &Failure::new(format!("No help topic for '{name}'")).code(NO_SUCH_COMMAND),
        )
    }

    fn help(&self) -> String {
        help::program(&self.program, COMMANDS, GLOBAL_FLAGS)
    }

    /// Help and version texts: that the reader has gone is not a failure.
    fn print(&self, text: &str) {
        let _ = io::stdout().write_all(text.as_bytes());
    }
}

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS
        .iter()
        .copied()
        .find(|command| command.name == name)
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

fn fail(log: &Log, failure: &Failure) -> u8 {
    for warning in &failure.warnings {
        log.warn(warning);
    }
    log.fatal(&failure.message);
    failure.code
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
