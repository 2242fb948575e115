//! `list`: the containers of a state root.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};

use super::state::Shown;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::{Flag, Order};
use crate::cli::{output, table};
use crate::container::Container;
use crate::error::{ErrorKind, Result};
use crate::runtime::Containers;

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

/// How many containers a thread looks at before it takes more: fewer are looked at faster than a
/// thread is made.
const PART: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// The most threads: beyond, they wait for the same locks of the kernel.
const THREADS: usize = 8;

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let listed = match super::runtime(invocation)?.list() {
        Ok(listed) => Some(listed),
        // No container was made yet; only a root that was named has to exist.
        Err(error) if error.kind() == ErrorKind::NotFound && !invocation.globals.root_given => None,
        Err(error) => return Err(error.into()),
    };
    if invocation.parsed.switch("quiet") {
        let listed = rows(listed, |container, _| {
            Ok(Some(format!("{}\n", container.id())))
        });
        output::write(&readable(invocation, listed).collect::<String>())?;
        return Ok(0);
    }
    let listed = rows(listed, |container, owners| {
        match show(container, owners) {
            // One that disappeared between being found and being looked at was not there.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            shown => shown.map(Some),
        }
    });
    let shown: Vec<Shown> = readable(invocation, listed).collect();
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

/// What cannot be looked at is mentioned, and the rest shown.
fn readable<T>(
    invocation: &Invocation<'_>,
    rows: Vec<Result<Option<T>>>,
) -> impl Iterator<Item = T> {
    rows.into_iter().filter_map(|row| {
        row.inspect_err(|error| invocation.log.error(&describe(error)))
            .ok()
            .flatten()
    })
}

/// Looks at each container, in the order of the ids: at many from several threads, as most of the
/// time is the kernel's.
fn rows<T: Send>(
    listed: Option<Containers>,
    look: impl Fn(&Container, &mut Owners) -> Result<Option<T>> + Sync,
) -> Vec<Result<Option<T>>> {
    let Some(listed) = listed else {
        return Vec::new();
    };
    let threads = listed.remaining().div_ceil(PART.get());
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let parts = Mutex::new(listed.parts(PART).into_iter().enumerate());
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut owners = Owners::default();
        let mut done = Vec::new();
        while let Some((index, part)) = next() {
            let rows = part.map(|container| look(&container?, &mut owners));
            done.push((index, rows.collect::<Vec<_>>()));
        }
        done
    };
    let mut done = std::thread::scope(|scope| {
        // A thread that cannot be had is not needed.
        let others: Vec<_> = (1..threads.min(processors).min(THREADS))
            .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut done = work();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().flat_map(|(_, rows)| rows).collect()
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
