//! `plan`: shows what would be done for a bundle, without doing it.

mod diff;
mod json;
mod text;

use std::fmt;

use configs::Config;

use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Flag, Order};
use crate::cli::process_flags as flags;
use crate::cli::{bundle, output};
use crate::id::ContainerId;
use crate::plan::BuiltPlan;
use crate::plan::explain::Explained;

/// The name of a container that has none yet.
const NAMELESS: &str = "CONTAINER-ID";

const FORMATS: &str =
    "one of: text, json, or raw, which is a step a line without names and reasons";
/// How a plan is written.
const FORMAT: Flag = Flag::text("format", FORMATS)
    .one_of(&["text", "json", "raw"])
    .letter("f")
    .default("text");
/// The same for `exec --plan`.
pub(super) const FORMAT_OF_EXEC: Flag = Flag::text(
    "format",
    "with --plan one of: text, json, raw; see the command plan",
)
.one_of(&["text", "json", "raw"]);

pub(crate) static COMMAND: Command = Command {
    name: "plan",
    about: "show the steps of a container's init process, and why each is there, without running them",
    arguments: "[container-id] | --diff <bundle>|<container-id> <bundle>|<container-id>",
    completions: &[
        Completion::ContainerOrDirectory,
        Completion::ContainerOrDirectory,
    ],
    description: "The init process of a container does nothing but follow a plan that is made beforehand. This command\n\
                  makes the plan for a bundle and prints it. Without a container id it is that of a container\n\
                  called CONTAINER-ID.\n\n\
                  In JSON the object has \"version\" (1), \"process\" (init or exec), \"container\", \"clone\", \"intoCgroup\", \"inputs\",\n\
                  \"passed\", \"phases\", \"steps\" and \"warnings\". A step has \"index\", \"phase\", \"does\", \"operation\", \"arguments\" by name,\n\
                  \"fields\" (of config.json, which ask for it), \"alternative\" (true if it is taken only after a tolerated failure),\n\
                  \"why\", and where failures are tolerated \"tolerates\" with \"errnos\",\n\
                  \"continuesWith\" and \"why\". Keys may be added; any other change of the form gives it another version.\n\n\
                  With --diff two plans are compared, of bundles or of running containers: an argument with a slash\n\
                  in it, and . and .., is the directory of a bundle. A line is a difference: - is a step of the first only, + of the\n\
                  second only, ~ a step that differs, = a field of the configuration that no step shows. The exit code is 0 if\n\
                  they are the same, 1 if they differ, 2 if that cannot be found out.",
    flags: &[
        flags::BUNDLE,
        flags::NO_PIVOT,
        flags::NO_NEW_KEYRING,
        FORMAT,
        Flag::switch("diff", "compare the plans of two bundles or containers"),
    ],
    count: Count::Between(0, 2),
    order: Order::Any,
    run,
};

/// What a plan is of.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    /// The container.
    id: &'a str,
    /// Its bundle, or for an exec nothing.
    bundle: String,
    /// A process that is added to it.
    exec: bool,
    /// The clone places it in its cgroup.
    into_cgroup: bool,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.exec {
            write!(f, "Plan of a process in container {}", self.id)
        } else {
            write!(
                f,
                "Plan of the init process of container {}, bundle {}",
                self.id, self.bundle
            )
        }
    }
}

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    if invocation.parsed.switch("diff") {
        return diff::run(invocation).map_err(|failure| failure.code(diff::TROUBLE));
    }
    if invocation.parsed.positional.len() > 1 {
        return Err(Failure::new("only plan --diff takes two arguments"));
    }
    let format = Format::of(invocation)?;
    let id = match invocation.argument(0) {
        None => ContainerId::new(NAMELESS)?,
        Some(_) => invocation.id()?,
    };
    bundle::enter(invocation)?;
    let loaded = bundle::load(invocation)?;
    let directory = loaded.directory().to_owned();
    let (built, config, warnings) = super::runtime(invocation)?.preview_bundle(&id, loaded)?;
    let subject = Subject {
        id: id.as_str(),
        bundle: directory,
        exec: false,
        into_cgroup: built.spawn_into_cgroup,
    };
    show(invocation, format, &subject, &built, &config, &warnings)
}

/// Prints the plan of an exec.
pub(super) fn of_exec(
    invocation: &Invocation<'_>,
    id: &ContainerId,
    built: &BuiltPlan,
    config: &Config,
    warnings: &[String],
) -> Result<u8, Failure> {
    let subject = Subject {
        id: id.as_str(),
        bundle: String::new(),
        exec: true,
        into_cgroup: built.spawn_into_cgroup,
    };
    let format = Format::of(invocation)?;
    show(invocation, format, &subject, built, config, warnings)
}

/// The form of a plan.
#[derive(Clone, Copy, Debug)]
enum Format {
    Text,
    Json,
    Raw,
}

impl Format {
    fn of(invocation: &Invocation<'_>) -> Result<Self, Failure> {
        match invocation.parsed.string("format").as_deref() {
            None | Some("text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some("raw") => Ok(Self::Raw),
            Some(other) => Err(Failure::new(format!(
                "invalid --format value: {other:?} is none of text, json, raw"
            ))),
        }
    }
}

fn show(
    invocation: &Invocation<'_>,
    format: Format,
    subject: &Subject<'_>,
    built: &BuiltPlan,
    config: &Config,
    warnings: &[String],
) -> Result<u8, Failure> {
    for warning in warnings {
        invocation.log.warn(warning);
    }
    let text = match format {
        Format::Raw => built.plan.to_string(),
        Format::Text => text::plan(subject, &explain(built, config)?),
        Format::Json => json::plan(subject, &explain(built, config)?, warnings),
    };
    output::write(&text)?;
    Ok(0)
}

fn explain(built: &BuiltPlan, config: &Config) -> Result<Explained, Failure> {
    Explained::of(&built.plan, config).ok_or_else(|| Failure::new("the plan cannot be read back"))
}
