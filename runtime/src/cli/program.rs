//! A program with commands, as data.

use super::command::{Command, Globals, Vocabulary};
use super::failure::Failure;
use super::flag::{Flag, Parsed};
use super::logging::Log;
use super::topic::Topic;

/// A program as data.
#[derive(Debug)]
pub(crate) struct Program {
    /// How it calls itself if `argv[0]` is empty.
    pub(crate) name: &'static str,
    /// One line for the help.
    pub(crate) about: &'static str,
    /// A paragraph for the help, in which `{program}` is the name of the program.
    pub(crate) introduction: &'static str,
    /// The flags before the command.
    pub(crate) flags: &'static [Flag],
    /// Its commands, in the order of the help; the flags before the command may choose among
    /// several lists.
    pub(crate) commands: fn(&Parsed) -> Result<&'static [&'static Command], Failure>,
    /// What `help` has more about; they are sections of the manual page.
    pub(crate) topics: &'static [Topic],
    /// The default state root of root.
    pub(crate) state_root: &'static str,
    /// Whether an ordinary user has a state root below `$XDG_RUNTIME_DIR`, of the program's name.
    pub(crate) has_user_root: bool,
    /// The version, as it follows the words `NAME version `.
    pub(crate) version: fn() -> String,
    /// Whether the help is printed when a line cannot be understood, as runc does; otherwise the
    /// message says how to get it.
    pub(crate) explains_mistakes: bool,
    /// The exit code for a command that does not exist.
    pub(crate) no_such_command: u8,
    /// Whether a line without a command is an error, instead of a question for help.
    pub(crate) needs_command: fn(&Parsed) -> bool,
    /// Opens the log that the flags name.
    pub(crate) log: fn(&Parsed) -> Result<Log, Failure>,
    /// What the flags before the command mean; the text is the name of the program.
    pub(crate) globals: fn(&str, &Parsed) -> Result<Globals, Failure>,
}

impl Program {
    /// Its words, with the commands of one of its lists.
    pub(crate) const fn vocabulary(&self, commands: &'static [&'static Command]) -> Vocabulary {
        Vocabulary {
            program: self.name,
            flags: self.flags,
            commands,
            topics: self.topics,
            state_root: self.state_root,
            has_user_root: self.has_user_root,
        }
    }
}
