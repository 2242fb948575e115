//! The lives of containers.

use std::fs;
use std::process::{Command, Stdio as Streams};
use std::thread;
use std::time::Duration;

use configs::config::Network;
use runtime::devices::{Access, Kind, Rule};
use runtime::{Container, ContainerId, ExitStatus, Process, Signal, Terminal};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::{Value, json};

use super::place::Place;
use crate::library::quiet;
use crate::networks::BRIDGE;
use crate::program;

/// One way to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// `run` of a program that ends at once.
    Brief,
    /// `create`, `start`, the end of the program.
    Started,
    /// Programs are executed in it.
    Executed,
    /// Paused and resumed, twice.
    Paused,
    /// It gets other limits and device rules.
    Updated,
    /// It is asked for statistics and processes.
    Asked,
    /// It has a terminal.
    WithTerminal,
    /// It has a veth pair.
    WithNetwork,
    /// It has a user namespace.
    WithUsers,
    /// It is created and deleted.
    NeverStarted,
    /// Its program does not exist.
    Failed,
    /// Its namespaces and limits are those of `run`, by the command line.
    CommandRun,
    /// All verbs of the command line.
    CommandVerbs,
}

/// Those by the library, one after the other.
const BY_LIBRARY: [Life; 20] = [
    Life::Brief,
    Life::Started,
    Life::Executed,
    Life::Brief,
    Life::Paused,
    Life::Brief,
    Life::Updated,
    Life::WithUsers,
    Life::Failed,
    Life::WithTerminal,
    Life::Brief,
    Life::Started,
    Life::Executed,
    Life::Brief,
    Life::Asked,
    Life::WithNetwork,
    Life::Updated,
    Life::Executed,
    Life::NeverStarted,
    Life::Brief,
];

/// Those by the command line.
const BY_COMMANDS: [Life; 4] = [
    Life::CommandRun,
    Life::CommandVerbs,
    Life::CommandRun,
    Life::CommandRun,
];

type Result<T> = std::result::Result<T, String>;

trait Said<T> {
    fn said(self) -> Result<T>;
}

impl<T> Said<T> for runtime::Result<T> {
    fn said(self) -> Result<T> {
        self.map_err(|error| error.chain())
    }
}

fn unchanged(_: &mut Value) {}

impl Life {
    /// The life with this number, where there are so many by the library and so many by the command
    /// line, which come in turn.
    pub(super) fn of(number: usize, library: usize, commands: usize) -> Self {
        let commands_before = |number: usize| number * commands / (library + commands);
        let before = commands_before(number);
        if commands_before(number + 1) > before {
            BY_COMMANDS[before % BY_COMMANDS.len()]
        } else {
            BY_LIBRARY[(number - before) % BY_LIBRARY.len()]
        }
    }

    /// Lives it, up to the removal of the container.
    pub(super) fn live(self, place: &Place, number: usize) -> Result<()> {
        let id: ContainerId = place
            .id(number)
            .parse()
            .map_err(|error| format!("{error}"))?;
        match self {
            Self::Brief => {
                let config = place.configuration(&id, unchanged)?;
                let container = place.runtime.run(&id, config, quiet("/bin/true")).said()?;
                ends_well(&container)
            }
            Self::Started => {
                let config = place.configuration(&id, unchanged)?;
                let container = place
                    .runtime
                    .create(&id, config, quiet("/bin/true"))
                    .said()?;
                container.start().said()?;
                ends_well(&container)
            }
            Self::WithUsers => with_users(place, &id),
            Self::WithTerminal => {
                let mut process = Process::new(["/bin/true"]);
                process.terminal(Some(Terminal::Keep));
                let config = place.configuration(&id, unchanged)?;
                ends_well(&place.runtime.run(&id, config, process).said()?)
            }
            Self::NeverStarted => {
                let config = place.configuration(&id, unchanged)?;
                let container = place
                    .runtime
                    .create(&id, config, quiet("/bin/true"))
                    .said()?;
                force_delete(place, &container)
            }
            Self::Failed => {
                let config = place.configuration(&id, unchanged)?;
                match place.runtime.run(&id, config, quiet("/bin/absent")) {
                    Ok(_) => Err("a program that does not exist is run".to_owned()),
                    Err(_) => Ok(()),
                }
            }
            Self::CommandRun => command(place, &["run", "--bundle", "BUNDLE/true", "ID"], &id),
            Self::CommandVerbs => verbs(place, &id),
            Self::Executed | Self::Paused | Self::Updated | Self::Asked | Self::WithNetwork => {
                let container = resident(place, &id, self == Self::WithNetwork, number)?;
                match self {
                    Self::Executed => executed(&container)?,
                    Self::Paused => paused(&container)?,
                    Self::Updated => updated(place, &container)?,
                    Self::Asked => asked(&container)?,
                    _ => {}
                }
                // SIGTERM is nothing to the init process of a pid namespace.
                container.signal(Signal::TERM).said()?;
                container.signal(Signal::KILL).said()?;
                let status = container.wait().said()?;
                if status != ExitStatus::Signaled(Signal::KILL) {
                    return Err(format!("ended by {status:?}"));
                }
                container.destroy().said()
            }
        }
    }
}

/// A container that is there until it is killed, on the bridge if it is to be and there is one.
pub(super) fn resident(
    place: &Place,
    id: &ContainerId,
    on_bridge: bool,
    number: usize,
) -> Result<Container> {
    let mut config = place.configuration(id, unchanged)?;
    if on_bridge && place.has_bridge {
        config.networks.push(Network {
            kind: "veth".to_owned(),
            name: "eth0".to_owned(),
            bridge: BRIDGE.to_owned(),
            // Names of interfaces have up to 15 characters.
            host_interface_name: format!("cfd{number}"),
            ..Network::default()
        });
    }
    place.runtime.run(id, config, quiet("/bin/pause")).said()
}

fn ends_well(container: &Container) -> Result<()> {
    let status = container.wait().said()?;
    if status != ExitStatus::Exited(0) {
        return Err(format!("ended with {status:?}"));
    }
    container.destroy().said()
}

pub(super) fn force_delete(place: &Place, container: &Container) -> Result<()> {
    place.runtime.force_delete(container.id()).said().map(drop)
}

fn with_users(place: &Place, id: &ContainerId) -> Result<()> {
    let config = place.configuration(id, |spec| {
        let map = json!([{ "containerID": 0, "hostID": place.first_id(), "size": 65_536 }]);
        spec["linux"]["uidMappings"] = map.clone();
        spec["linux"]["gidMappings"] = map;
        let namespaces = spec["linux"]["namespaces"].as_array_mut();
        namespaces
            .expect("namespaces")
            .push(json!({ "type": "user" }));
    })?;
    ends_well(&place.runtime.run(id, config, quiet("/bin/true")).said()?)
}

fn executed(container: &Container) -> Result<()> {
    for _ in 0..2 {
        let status = container.exec(quiet("/bin/true")).said()?.wait().said()?;
        if status != ExitStatus::Exited(0) {
            return Err(format!("an executed program ended with {status:?}"));
        }
    }
    // One that ends with the container.
    container.exec(quiet("/bin/pause")).said().map(drop)
}

fn paused(container: &Container) -> Result<()> {
    for _ in 0..2 {
        container.pause().said()?;
        container.resume().said()?;
    }
    Ok(())
}

fn updated(place: &Place, container: &Container) -> Result<()> {
    for minor in 1..=2 {
        let mut config = container.config().said()?;
        let resources = &mut config.cgroups.resources;
        if place.has_pids {
            resources.pids_limit = Some(100 + i64::from(minor));
        }
        resources.devices.push(Rule::allow(
            Kind::Char,
            Some(place.device().major),
            Some(minor),
            Access::READ,
        ));
        container.set(&config).said()?;
    }
    Ok(())
}

fn asked(container: &Container) -> Result<()> {
    container.stats().said()?;
    if container.processes().said()?.is_empty() {
        return Err("no processes".to_owned());
    }
    // Only where the kernel tells them: the memory controller has to be there.
    drop(container.events(None));
    container.state().said().map(drop)
}

/// A command line; `ID`, `BUNDLE/NAME` and `PID-OF/NAME` are words of it.
fn command_line(place: &Place, words: &[&str], id: &ContainerId) -> Command {
    let mut command = Command::new(program::under_test());
    command.arg("--root").arg(place.root());
    for word in words {
        if let Some(name) = word.strip_prefix("BUNDLE/") {
            command.arg(place.bundle(name));
        } else if let Some(name) = word.strip_prefix("PID-OF/") {
            command.arg(place.pid_file(id, name));
        } else if *word == "ID" {
            command.arg(id.as_str());
        } else {
            command.arg(word);
        }
    }
    command.stdin(Streams::null()).stdout(Streams::null());
    command
}

fn command(place: &Place, words: &[&str], id: &ContainerId) -> Result<()> {
    let status = command_line(place, words, id).status();
    success(words, status.map_err(|error| error.to_string())?)
}

fn success(words: &[&str], status: std::process::ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(format!("{words:?}: {status}"))
}

fn verbs(place: &Place, id: &ContainerId) -> Result<()> {
    let update = ["update", "--pids-limit", "100", "ID"];
    let lines: [&[&str]; 9] = [
        &[
            "create",
            "--bundle",
            "BUNDLE/pause",
            "--pid-file",
            "PID-OF/init",
            "ID",
        ],
        &["start", "ID"],
        &["exec", "ID", "/bin/true"],
        &["pause", "ID"],
        &["resume", "ID"],
        &update,
        &["state", "ID"],
        &["list"],
        &[
            "exec",
            "--detach",
            "--pid-file",
            "PID-OF/exec",
            "ID",
            "/bin/pause",
        ],
    ];
    for line in lines {
        if line != update || place.has_pids {
            command(place, line, id)?;
        }
    }
    delete(place, id)
}

/// Deletes a container whose processes are orphans, children of this process: a process id
/// namespace ends when those that were executed in it are waited for.
fn delete(place: &Place, id: &ContainerId) -> Result<()> {
    let words = ["delete", "--force", "ID"];
    let mut orphans = Vec::new();
    for name in ["init", "exec"] {
        let file = place.pid_file(id, name);
        let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let pid = text.trim().parse().ok().and_then(Pid::from_raw);
        orphans.push(pid.ok_or_else(|| format!("{}: {text:?}", file.display()))?);
        fs::remove_file(file).map_err(|error| error.to_string())?;
    }
    let mut deletion = command_line(place, &words, id)
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut ended = None;
    while ended.is_none() || !orphans.is_empty() {
        let mut waiting = Vec::new();
        for pid in orphans {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let status = waitid(WaitId::Pid(pid), options);
            if status
                .map_err(|error| format!("wait for {pid:?}: {error}"))?
                .is_none()
            {
                waiting.push(pid);
            }
        }
        orphans = waiting;
        if ended.is_none() {
            ended = deletion.try_wait().map_err(|error| error.to_string())?;
            if let Some(status) = ended {
                success(&words, status)?;
            }
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
