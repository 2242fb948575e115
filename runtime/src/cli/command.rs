//! The commands as data: what they are called, what they take, what they do.

use std::ffi::OsString;
use std::path::PathBuf;

use super::failure::{Failure, describe};
use super::flag::{Completion, Flag, Order, Parsed};
use super::logging::Log;
use super::topic::Topic;
use crate::error::Error;
use crate::id::ContainerId;
use crate::process::inherited_descriptors::InheritedDescriptors;

/// How many positional arguments a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// This many, no more and no less.
    Exactly(usize),
    /// This many or more.
    AtLeast(usize),
    /// The first number or more, and no more than the second.
    Between(usize, usize),
}

impl Count {
    /// The complaint about `given` arguments, if there is one.
    fn complaint(self, given: usize) -> Option<String> {
        match self {
            Self::Exactly(count) if given != count => Some(format!("exactly {count} argument(s)")),
            Self::AtLeast(least) | Self::Between(least, _) if given < least => {
                Some(format!("a minimum of {least} argument(s)"))
            }
            Self::Between(_, most) if given > most => {
                Some(format!("a maximum of {most} argument(s)"))
            }
            _ => None,
        }
    }
}

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    /// What is typed.
    pub(crate) name: &'static str,
    /// One line for the list of commands.
    pub(crate) about: &'static str,
    /// The positional arguments, as the usage line shows them.
    pub(crate) arguments: &'static str,
    /// What a shell can complete each of them with, by position.
    pub(crate) completions: &'static [Completion],
    /// More about the command: paragraphs of help.
    pub(crate) description: &'static str,
    /// The flags it knows.
    pub(crate) flags: &'static [Flag],
    /// How many positional arguments it takes.
    pub(crate) count: Count,
    /// Where flags may be.
    pub(crate) order: Order,
    /// What it does; the number is the exit code.
    pub(crate) run: fn(&Invocation<'_>) -> Result<u8, Failure>,
}

impl Command {
    /// The complaint about the number of positional arguments, worded for the user, if there is
    /// one.
    pub(crate) fn miscounted(&self, argv0: &str, given: usize) -> Option<String> {
        self.count
            .complaint(given)
            .map(|wanted| format!("{argv0}: \"{}\" requires {wanted}", self.name))
    }
}

/// The words of a program: what it can be told, and what can be asked about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vocabulary {
    /// The name of the program.
    pub(crate) program: &'static str,
    /// The flags before the command.
    pub(crate) flags: &'static [Flag],
    /// Its commands.
    pub(crate) commands: &'static [&'static Command],
    /// What `help` has more about.
    pub(crate) topics: &'static [Topic],
    /// The default state root.
    pub(crate) state_root: &'static str,
    /// Whether an ordinary user has a state root below `$XDG_RUNTIME_DIR`, of the program's name.
    pub(crate) has_user_root: bool,
}

/// Everything that stood before the command, understood.
#[derive(Debug)]
pub(crate) struct Globals {
    /// The state root, absolute.
    pub(crate) root: PathBuf,
    /// Whether the root was named by the user, or is the default one.
    pub(crate) root_given: bool,
    /// Use systemd to manage cgroups.
    pub(crate) systemd_cgroup: bool,
    /// What `--rootless` says; `None` decides by looking at the process.
    pub(crate) rootless: Option<bool>,
    /// Who compiles system call filters.
    pub(crate) seccomp: seccomp::Backend,
}

/// One command as it was called.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    /// The name of the program: the base name of `argv[0]`.
    pub(crate) program: &'a str,
    /// The flags before the command, as they were typed.
    pub(crate) global: &'a Parsed,
    /// What they mean.
    pub(crate) globals: &'a Globals,
    /// The words of the program, for the commands that tell them.
    pub(crate) vocabulary: &'a Vocabulary,
    /// What stood after it.
    pub(crate) parsed: &'a Parsed,
    /// Where warnings go.
    pub(crate) log: &'a Log,
    /// The descriptors this process was started with; looked at only when some are to be passed
    /// on.
    pub(crate) inherited: Option<&'a InheritedDescriptors>,
}

impl Invocation<'_> {
    /// The container id: always the first positional argument.
    pub(crate) fn id(&self) -> Result<ContainerId, Failure> {
        let id = self
            .parsed
            .positional
            .first()
            .map(|id| id.to_string_lossy().into_owned())
            .unwrap_or_default();
        if id.is_empty() {
            return Err(Failure::new("container id cannot be empty"));
        }
        Ok(ContainerId::new(id)?)
    }

    /// The positional argument at `index`, as text.
    pub(crate) fn argument(&self, index: usize) -> Option<String> {
        self.parsed
            .positional
            .get(index)
            .map(|argument| argument.to_string_lossy().into_owned())
    }

    /// The positional arguments after the container id.
    pub(crate) fn after_id(&self) -> &[OsString] {
        self.parsed.positional.get(1..).unwrap_or_default()
    }

    /// Logs errors that do not change how the command ends.
    pub(crate) fn warn_of(&self, errors: &[Error]) {
        for error in errors {
            self.log.warn(&describe(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn miscounted_arguments_are_named() {
        for (count, given, text) in [
            (Count::Exactly(1), 0, Some("exactly 1 argument(s)")),
            (Count::Exactly(1), 2, Some("exactly 1 argument(s)")),
            (Count::Exactly(1), 1, None),
            (Count::AtLeast(1), 0, Some("a minimum of 1 argument(s)")),
            (Count::AtLeast(1), 9, None),
            (Count::Between(1, 2), 3, Some("a maximum of 2 argument(s)")),
            (Count::Between(1, 2), 0, Some("a minimum of 1 argument(s)")),
            (Count::Between(1, 2), 2, None),
        ] {
            assert_eq!(count.complaint(given).as_deref(), text, "{count:?} {given}");
        }
    }
}
