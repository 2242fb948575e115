//! From the typed line to a command of a program.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;

use super::command::{Command, Invocation, Vocabulary};
use super::failure::Failure;
use super::flag::{Order, Parsed};
use super::logging::Log;
use super::program::Program;
use super::{help, output, process_flags, suggestion};

/// Runs one command line of a program, `argv[0]` first, and returns the exit code.
pub(crate) fn run(program: &'static Program, arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let mut arguments = arguments.into_iter();
    let argv0 = arguments.next().unwrap_or_else(|| program.name.into());
    let name = Path::new(&argv0)
        .file_name()
        .unwrap_or(OsStr::new(program.name))
        .to_string_lossy()
        .into_owned();
    let line = CommandLine {
        argv0: argv0.to_string_lossy().into_owned(),
        name,
        program,
    };
    line.run(arguments)
}

/// As [`run`], for a program without a `main` of the Rust standard library: what that does before
/// comes first (see [`crate::cli::enter`]). Does not return.
#[allow(
    clippy::exit,
    reason = "it does what the standard library does after main"
)]
pub(crate) fn enter(program: &'static Program, arguments: impl IntoIterator<Item = OsString>) -> ! {
    let code = match crate::sys::prepare_process() {
        Ok(()) => run(program, arguments),
        // Standard error may be there, even so.
        Err(error) => fail(
            &Log::stderr(),
            &Failure::io("prepare the standard streams", error),
        ),
    };
    std::process::exit(i32::from(code))
}

/// A program and the names under which this process was called.
struct CommandLine {
    argv0: String,
    name: String,
    program: &'static Program,
}

impl CommandLine {
    fn run(&self, arguments: impl Iterator<Item = OsString>) -> u8 {
        let global = match Parsed::read(self.program.flags, Order::FlagsFirst, arguments) {
            Ok(global) => global,
            Err(message) => {
                let title = format!("Incorrect Usage. {message}");
                return self.mistake(&Log::stderr(), None, &title, message);
            }
        };
        if global.switch("version") {
            let version = (self.program.version)();
            return print(&format!("{} version {version}", self.name));
        }
        let commands = match (self.program.commands)(&global) {
            Ok(commands) => commands,
            Err(failure) => return fail(&Log::stderr(), &failure),
        };
        let Some((name, rest)) = global.positional.split_first() else {
            if !global.help && (self.program.needs_command)(&global) {
                let message = "no command is given".to_owned();
                return self.mistake(&Log::stderr(), None, "Incorrect Usage.", message);
            }
            return print(&self.help(&global));
        };
        if global.help {
            return print(&self.help(&global));
        }
        let name = name.to_string_lossy();
        if name == "help" || name == "h" {
            return self.explain(&global, commands, rest);
        }
        let Some(command) = find(commands, &name) else {
            let names = commands.iter().map(|command| command.name);
            return self.no_such_command(&name, names.chain(["help"]));
        };
        let vocabulary = self.program.vocabulary(commands);
        self.dispatch(command, &vocabulary, &global, rest)
    }

    fn dispatch(
        &self,
        command: &'static Command,
        vocabulary: &Vocabulary,
        global: &Parsed,
        rest: &[OsString],
    ) -> u8 {
        let parsed = match Parsed::read(command.flags, command.order, rest.iter().cloned()) {
            Ok(parsed) => parsed,
            Err(message) => {
                let title = format!("Incorrect Usage: {message}");
                return self.mistake(&Log::stderr(), Some(command), &title, message);
            }
        };
        if parsed.help {
            return print(&help::command(&self.name, command));
        }
        // Before anything is opened: what this process opens itself must not be taken for something
        // passed on purpose.
        let inherited = match process_flags::inherited(&parsed) {
            Ok(inherited) => inherited,
            Err(failure) => return fail(&Log::stderr(), &failure),
        };
        let log = match (self.program.log)(global) {
            Ok(log) => log.install(),
            Err(failure) => return fail(&Log::stderr(), &failure),
        };
        if let Some(complaint) = command.miscounted(&self.argv0, parsed.positional.len()) {
            return self.mistake(log, Some(command), "Incorrect Usage.", complaint);
        }
        let globals = match (self.program.globals)(&self.name, global) {
            Ok(globals) => globals,
            Err(failure) => return fail(log, &failure),
        };
        let invocation = Invocation {
            program: &self.name,
            global,
            globals: &globals,
            vocabulary,
            parsed: &parsed,
            log,
            inherited: inherited.as_ref(),
        };
        (command.run)(&invocation).unwrap_or_else(|failure| fail(log, &failure))
    }

    #[cold]
    fn explain(
        &self,
        global: &Parsed,
        commands: &'static [&'static Command],
        names: &[OsString],
    ) -> u8 {
        let Some(name) = names.first() else {
            return print(&self.help(global));
        };
        let name = name.to_string_lossy();
        // `help exit status` is `help exit-status`.
        let words: Vec<_> = names.iter().map(|word| word.to_string_lossy()).collect();
        let phrase = words.join("-").to_lowercase();
        let topics = self.program.topics;
        let command = find(commands, &name);
        let topic = topics
            .iter()
            .find(|topic| topic.name == name || topic.name == phrase);
        let command_help = command.map(|command| help::command(&self.name, command));
        match (command_help, topic) {
            (None, None) => {
                let names = commands.iter().map(|command| command.name);
                self.no_such_command(&name, names.chain(topics.iter().map(|topic| topic.name)))
            }
            (Some(text), None) => print(&text),
            (None, Some(topic)) => print(&help::topic(topic)),
            (Some(text), Some(topic)) => print(&format!("{text}\n{}", help::topic(topic))),
        }
    }

    #[cold]
    fn no_such_command(&self, name: &str, known: impl Iterator<Item = &'static str>) -> u8 {
        let code = self.program.no_such_command;
        let mut message = format!("No help topic for '{name}'");
        if let Some(meant) = suggestion::nearest(name, known) {
            let _ = write!(message, "; did you mean {meant}?");
        }
        if !self.program.explains_mistakes {
            message.push_str(&self.hint(None));
        }
        fail(&Log::stderr(), &Failure::new(message).code(code))
    }

    /// Says what is wrong with a line.
    fn mistake(
        &self,
        log: &Log,
        command: Option<&'static Command>,
        title: &str,
        mut message: String,
    ) -> u8 {
        if self.program.explains_mistakes {
            let help = match command {
                Some(command) => help::command(&self.name, command),
                None => self.help(&Parsed::default()),
            };
            // The error follows on standard error, even if the reader of standard output is gone.
            let _ = output::write(&format!("{title}\n\n{help}"));
        } else {
            message.push_str(&self.hint(command));
        }
        fail(log, &Failure::new(message))
    }

    /// Where more is said.
    fn hint(&self, command: Option<&Command>) -> String {
        let name = &self.name;
        let command = command.map_or(String::new(), |command| format!(" {}", command.name));
        format!("; see {name}{command} --help")
    }

    fn help(&self, global: &Parsed) -> String {
        let commands = (self.program.commands)(global).unwrap_or_default();
        help::program(&self.name, self.program, commands)
    }
}

/// Prints help or a version; the exit code.
fn print(text: &str) -> u8 {
    match output::write(text) {
        Ok(()) => 0,
        Err(failure) => fail(&Log::stderr(), &failure),
    }
}

fn find(commands: &'static [&'static Command], name: &str) -> Option<&'static Command> {
    commands
        .iter()
        .copied()
        .find(|command| command.name == name)
}

fn fail(log: &Log, failure: &Failure) -> u8 {
    for warning in &failure.warnings {
        log.warn(warning);
    }
    if !failure.message.is_empty() {
        log.fatal(&failure.message);
    }
    failure.code
}
