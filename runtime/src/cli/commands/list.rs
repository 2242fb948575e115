//! `list`: the containers of a state root.

use super::state::Shown;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::{Flag, Order};
use crate::cli::{output, table};
use crate::container::Container;
use crate::error::{ErrorKind, Result};

pub(crate) static COMMAND: Command = Command {
    name: "list",
    about: "list the containers of a state root",
    arguments: "",
    completions: &[],
    description: "The state root is the one that the global flag --root names.",
    flags: &[
        Flag::text("format", "one of: table or json")
            .one_of(&["table", "json"])
            .letter("f")
            .default("table"),
        Flag::switch("quiet", "only the ids").letter("q"),
    ],
    count: Count::Exactly(0),
    order: Order::Any,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let listed = match super::runtime(invocation)?.list() {
        Ok(listed) => Some(listed),
        // No container was made yet; only a root that was named has to exist.
        Err(error) if error.kind() == ErrorKind::NotFound && !invocation.globals.root_given => None,
        Err(error) => return Err(error.into()),
    };
    let containers = listed.into_iter().flatten();
    // What cannot be loaded is mentioned, and the rest shown.
    let containers = containers.filter_map(|container| {
        container
            .inspect_err(|error| invocation.log.error(&describe(error)))
            .ok()
    });
    if invocation.parsed.switch("quiet") {
        let ids: String = containers
            .map(|container| format!("{}\n", container.id()))
            .collect();
        output::write(&ids)?;
        return Ok(0);
    }
    let mut owners = Owners::default();
    let shown = containers.filter_map(|container| {
        match show(&container, &mut owners) {
            Ok(shown) => Some(shown),
            // One that disappeared between being found and being looked at was not there.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                invocation.log.error(&describe(&error));
                None
            }
        }
    });
    let shown: Vec<Shown> = shown.collect();
    match invocation
        .parsed
        .string("format")
        .as_deref()
        .unwrap_or("table")
    {
        "table" => output::write(&as_table(&shown))?,
        "json" => output::write(&format!("{}\n", output::array_or_null(&shown)?))?,
        _ => return Err(Failure::new("invalid format option")),
    }
    Ok(0)
}

fn show(container: &Container, owners: &mut Owners) -> Result<Shown> {
    let mut shown = Shown::of(container)?;
    shown.owner = owners.name(container.owner()?);
    Ok(shown)
}

fn as_table(shown: &[Shown]) -> String {
    let head = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(String::from);
    let rows = shown.iter().map(|one| {
        [
            one.id.clone(),
            one.pid.to_string(),
            one.status.clone(),
            one.bundle.clone(),
            one.created.clone(),
            one.owner.clone(),
        ]
    });
    table::layout(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Names of users. The user database is read only when a container belongs to another user than
/// root.
#[derive(Debug, Default)]
struct Owners(Option<user::UserDb>);

impl Owners {
    fn name(&mut self, uid: u32) -> String {
        if uid == 0 {
            return "root".to_owned();
        }
        let Ok(id) = user::Uid::try_from(uid) else {
            return format!("#{uid}");
        };
        if self.0.is_none() {
            self.0 = user::UserDb::system().ok();
        }
        self.0
            .as_ref()
            .map_or_else(|| format!("#{uid}"), |users| users.owner_name(id))
    }
}
