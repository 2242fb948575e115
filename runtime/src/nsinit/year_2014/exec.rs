//! `exec` and `nsenter`: a program in a new container, or in one that runs.

use std::ffi::OsString;

use configs::legacy;

use super::Directory;
use crate::Status;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::{FAILED, Failure};
use crate::cli::flag::{Flag, Order};
use crate::nsinit::attend::{self, Attended};
use crate::nsinit::commands::exec::ENVIRONMENT;
use crate::nsinit::containers::{self, Found};
use crate::nsinit::definition;
use crate::process::Process;
use crate::process::exit_status::ExitStatus;
use crate::runtime::Runtime;

pub(super) static COMMAND: Command = Command {
    name: "exec",
    about: "run a program in the container of the directory",
    arguments: "<command> [argument...]",
    completions: &[],
    description: "Makes the container of the directory's container.json, or joins it if it runs. The exit code is that\n\
                  of the program, or 255 if a signal ended it.",
    flags: &[],
    count: Count::AtLeast(1),
    order: Order::FlagsFirst,
    run,
};

const NSPID: Flag = Flag::integer("nspid", "pid of the first process of the container");
const CONTAINER_JSON: Flag = Flag::text(
    "containerjson",
    "the container as JSON, of which environment, user and directory of the program count",
);
/// What runs if nothing is named.
const SHELL: &str = "/bin/bash";

pub(super) static NSENTER: Command = Command {
    name: "nsenter",
    about: "run a program in the container whose first process has this pid",
    arguments: "[command] [argument...]",
    completions: &[],
    description: "Only containers of this program can be joined. Without a command it is /bin/bash.",
    flags: &[NSPID, CONTAINER_JSON],
    count: Count::AtLeast(0),
    order: Order::FlagsFirst,
    run: enter,
};

/// The exit code of a program that a signal ended.
const SIGNALED: u8 = 255;

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let directory = Directory::of(invocation)?;
    let runtime = containers::runtime(invocation)?;
    let attempt = || attempt(invocation, &directory, &runtime);
    let process = attend::begin(&runtime, &directory.id, attempt)?;
    let ended = || directory.forget_ended(&runtime);
    process.wait(invocation, ended).map(code)
}

/// Joins the container, or makes it. `None` if another program makes or removes it at the same
/// time.
fn attempt(
    invocation: &Invocation<'_>,
    directory: &Directory,
    runtime: &Runtime,
) -> Result<Option<Attended>, Failure> {
    let mut definition = directory.definition()?;
    let terminal = definition.process.terminal;
    let mut process = process(&invocation.parsed.positional, &definition.process);
    match directory.container(runtime)? {
        Some(found) if found.status != Status::Stopped => {
            return attend::join(invocation, &found, process, terminal);
        }
        // Its process is not there any more, whatever the file `pid` says.
        Some(found) => attend::remove(&found.container)?,
        None => {}
    }
    if definition.config.parent_death_signal == 0 {
        definition.config.parent_death_signal = libc::SIGKILL;
    }
    let (config, terms) = definition.prepare(invocation, &mut process)?;
    let made = (config, terms, process);
    let made = attend::create(invocation, runtime, &directory.id, made, terminal);
    let recorded = made.and_then(|made| {
        if let Some(container) = made.as_ref().and_then(Attended::container) {
            directory
                .record(container)
                .inspect_err(|_| attend::end(container))?;
        }
        Ok(made)
    });
    recorded.inspect_err(|_| {
        // Of one that was killed, or in part.
        let _ = directory.forget_ended(runtime);
    })
}

fn enter(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let pid = invocation
        .parsed
        .integer(NSPID.name)
        .ok_or_else(|| Failure::new("the --nspid option isn't specified"))?;
    let runtime = containers::runtime(invocation)?;
    let not_first = || Failure::new(format!("process {pid} is not the first of a container"));
    let container = runtime
        .list()?
        .filter_map(Result::ok)
        .find(|container| container.pid().map(i64::from) == Some(pid))
        .ok_or_else(not_first)?;
    let mut args = invocation.parsed.positional.clone();
    if args.is_empty() {
        args.push(SHELL.into());
    }
    let described = match invocation.parsed.string(CONTAINER_JSON.name) {
        Some(text) => definition::load_text(text.as_bytes(), "--containerjson")?.process,
        None => legacy::Process {
            env: ENVIRONMENT.map(str::to_owned).to_vec(),
            ..legacy::Process::default()
        },
    };
    let process = process(&args, &described);
    let joined = attend::join(invocation, &Found::of(container)?, process, false)?;
    let joined = joined.ok_or_else(not_first)?;
    joined.wait(invocation, || Ok(())).map(code)
}

/// The program with what the file says of every process.
fn process(args: &[OsString], file: &legacy::Process) -> Process {
    let text = |argument: &OsString| argument.to_string_lossy().into_owned();
    let mut process = Process::new(args.iter().map(text));
    process.env(file.env.iter().cloned());
    if !file.cwd.is_empty() {
        process.cwd(file.cwd.clone());
    }
    if !file.user.is_empty() {
        process.user_name(file.user.clone());
    }
    process
}

fn code(status: ExitStatus) -> u8 {
    match status {
        ExitStatus::Signaled(_) => SIGNALED,
        ExitStatus::Unknown => FAILED,
        status => status.code(),
    }
}
