//! `exec`: runs a program in a container, which is made if it does not exist.

use std::ffi::OsString;
use std::path::Path;

use configs::{Config, legacy};

use crate::Status;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Flag, Order, Parsed};
use crate::id::ContainerId;
use crate::nsinit::attend::{self, Attended};
use crate::nsinit::containers;
use crate::nsinit::create_flags::{self, GROUPS, PARENT_DEATH_SIGNAL, with_create_flags};
use crate::nsinit::creation_flags::CreationFlags;
use crate::nsinit::definition::{self, Definition};
use crate::process::Process;
use crate::runtime::Runtime;

const TTY: Flag = Flag::switch("tty", "give the process a terminal").letter("t");
const SYSTEMD: Flag = Flag::switch("systemd", "make the cgroup a unit of systemd, if that runs");
const CONFIG: Flag = Flag::text(
    "config",
    "read the container from this file; flags that describe one are then ignored",
)
.file();
const USER: Flag = Flag::text(
    "user",
    "user of the process, and group after a colon, by name or number",
)
.letter("u")
.default("root");
const CWD: Flag = Flag::text("cwd", "working directory in the container");
const ENV: Flag = Flag::texts("env", "add NAME=value to the environment; may be repeated");

pub(crate) static COMMAND: Command = Command {
    name: "exec",
    about: "run a program in a container",
    arguments: "<command> [argument...]",
    completions: &[],
    description: "A container that does not exist is made, and ends with this program. The exit code is that of the\n\
                  program, or 128 + N if signal N ended it.",
    flags: with_create_flags![TTY, SYSTEMD, containers::ID, CONFIG, USER, CWD, ENV],
    count: Count::AtLeast(1),
    order: Order::FlagsFirst,
    run,
};

/// The environment that every process has.
pub(crate) const ENVIRONMENT: [&str; 3] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=nsinit",
    "TERM=xterm",
];

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let runtime = containers::runtime(invocation)?;
    let id = containers::id(invocation)?;
    let process = attend::begin(&runtime, &id, || attempt(invocation, &runtime, &id))?;
    Ok(process.wait(invocation, || Ok(()))?.code())
}

/// Joins the container, or makes it. `None` if another program makes or removes it at the same
/// time.
fn attempt(
    invocation: &Invocation<'_>,
    runtime: &Runtime,
    id: &ContainerId,
) -> Result<Option<Attended>, Failure> {
    let parsed = invocation.parsed;
    let mut definition = match containers::find(runtime, id)? {
        Some(found) if found.status != Status::Stopped => {
            let config = &found.config;
            let counted = [&GROUPS, &PARENT_DEATH_SIGNAL];
            let others = others(parsed, &counted, config);
            warn_of_ignored(invocation, others, "the container runs already");
            let mut process = process(parsed, &legacy::Process::default());
            process.parent_death_signal = create_flags::parent_death_signal(parsed)?;
            process.group_names(match parsed.given(GROUPS.name) {
                true => create_flags::groups(parsed),
                false => definition::groups_of(config.clone()),
            });
            let terminal = parsed.switch(TTY.name);
            return attend::join(invocation, &found, process, terminal);
        }
        // Its processes have ended without being waited for: it is made anew.
        Some(found) => {
            let others = others(parsed, &[], &found.config);
            warn_of_ignored(
                invocation,
                others,
                "the container is made as it is on record",
            );
            attend::remove(&found.container)?;
            Definition::of(found.config)
        }
        None => define(invocation)?,
    };
    let terminal = parsed.switch(TTY.name) || definition.process.terminal;
    if terminal {
        definition.need_terminals();
    }
    let mut process = process(parsed, &definition.process);
    let (config, terms) = definition.prepare(invocation, &mut process)?;
    let made = (config, terms, process);
    attend::create(invocation, runtime, id, made, terminal)
}

/// The given flags that describe a container; `taken` are those that describe something else, too.
fn describing<'a>(parsed: &'a Parsed, taken: &'a [&Flag]) -> impl Iterator<Item = &'static Flag> {
    let of_process = [&TTY, &containers::ID, &USER, &CWD, &ENV];
    let counts = move |flag: &Flag| {
        of_process
            .iter()
            .chain(taken)
            .any(|own| own.name == flag.name)
    };
    COMMAND
        .flags
        .iter()
        .filter(move |flag| parsed.given(flag.name) && !counts(flag))
}

/// Those that describe another container than the one with this configuration.
fn others<'a>(
    parsed: &'a Parsed,
    taken: &'a [&Flag],
    config: &'a Config,
) -> impl Iterator<Item = &'static Flag> {
    let typed = typed(parsed);
    describing(parsed, taken).filter(move |flag| !typed.is_recorded(flag, config))
}

fn typed(parsed: &Parsed) -> CreationFlags<'_> {
    CreationFlags {
        parsed,
        file: &CONFIG,
    }
}

/// Warns of flags that describe a container where something else describes it.
fn warn_of_ignored(
    invocation: &Invocation<'_>,
    flags: impl Iterator<Item = &'static Flag>,
    reason: &str,
) {
    let ignored: Vec<String> = flags.map(|flag| format!("--{}", flag.name)).collect();
    if !ignored.is_empty() {
        let message = format!("{reason}: {} ignored", ignored.join(", "));
        invocation.log.warn(&message);
    }
}

/// The container that the flags describe.
fn define(invocation: &Invocation<'_>) -> Result<Definition, Failure> {
    let parsed = invocation.parsed;
    let mut definition = match parsed.text(CONFIG.name) {
        Some(path) => {
            let beside = describing(parsed, &[&CONFIG, &SYSTEMD]);
            warn_of_ignored(invocation, beside, "the file describes it");
            let mut definition = Definition::read(Path::new(path))?;
            let flags = [&CONFIG, &SYSTEMD].into_iter();
            typed(parsed).record(flags, &mut definition.config);
            definition
        }
        None => {
            let mut definition = Definition::from_flags(parsed)?;
            typed(parsed).record(describing(parsed, &[]), &mut definition.config);
            // Containers of one directory do not share a cgroup.
            if let Some(id) = parsed.string(containers::ID.name)
                && id != containers::DEFAULT_ID
            {
                let name = &mut definition.config.cgroups.name;
                name.push('-');
                name.push_str(&id);
            }
            definition
        }
    };
    if parsed.switch(SYSTEMD.name) {
        definition.use_systemd(invocation.log);
    }
    Ok(definition)
}

/// The process that the flags describe, and where they say nothing the file.
fn process(parsed: &Parsed, file: &legacy::Process) -> Process {
    let text = |argument: &OsString| argument.to_string_lossy().into_owned();
    let typed = |flag: &Flag, file: &str, otherwise: &str| {
        let file = if file.is_empty() { otherwise } else { file };
        parsed.string(flag.name).unwrap_or_else(|| file.to_owned())
    };
    let own = ENVIRONMENT.iter().map(ToString::to_string);
    let env = own.chain(file.env.iter().cloned());
    let mut process = Process::new(parsed.positional.iter().map(text));
    process
        .env(env.chain(parsed.texts(ENV.name).map(text)))
        .cwd(typed(&CWD, &file.cwd, "/"))
        .user_name(typed(&USER, &file.user, "root"));
    process
}
