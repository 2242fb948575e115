//! One disturbance, and how it is written.

use std::fmt;
use std::str::FromStr;

use super::calls;

/// A process of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The one that the caller has started.
    Runtime,
    /// The n-th that comes of it, from 1: a stage of the init stub, until it executes the
    /// program of the container. Of `start` the init process is the first.
    Child(u32),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime => f.write_str("runtime"),
            Self::Child(number) => write!(f, "child-{number}"),
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "runtime" {
            return Ok(Self::Runtime);
        }
        text.strip_prefix("child-")
            .and_then(|number| number.parse().ok())
            .map(Self::Child)
            .ok_or_else(|| format!("not a process: {text} (runtime, child-1, child-2 …)"))
    }
}

/// What is done at a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL, before the kernel does what the call asks for.
    Kill,
    /// The process does not go on before `delete --force` has ended.
    Hold,
    /// The kernel does nothing and answers with this error.
    Error(i32),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill"),
            Self::Hold => f.write_str("hold"),
            Self::Error(number) => f.write_str(&calls::error_name(*number)),
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "kill" => Ok(Self::Kill),
            "hold" => Ok(Self::Hold),
            name => calls::error_number(name)
                .map(Self::Error)
                .ok_or_else(|| format!("not an action: {name} (kill, hold, or an error's name)")),
        }
    }
}

/// The kinds of actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Action::Kill`].
    Kill,
    /// [`Action::Hold`].
    Hold,
    /// [`Action::Error`], with each of the errors that are plausible for the call.
    Error,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kill, Self::Hold, Self::Error];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Hold => "hold",
            Self::Error => "error",
        }
    }
}

/// A disturbance: `runtime:17:kill`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The process.
    pub role: Role,
    /// Its system call, from 1.
    pub number: u32,
    /// What happens.
    pub action: Action,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.role, self.number, self.action)
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let [role, number, action] = text.split(':').collect::<Vec<_>>()[..] else {
            return Err(format!("not PROCESS:NUMBER:ACTION: {text}"));
        };
        Ok(Self {
            role: role.parse()?,
            number: number
                .parse()
                .map_err(|_| format!("not a number: {number}"))?,
            action: action.parse()?,
        })
    }
}
