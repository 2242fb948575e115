//! What is done while CRIU restores, at the stages that it reports.

use std::os::fd::{AsFd, OwnedFd};

use configs::config::{HookPoint, NamespaceType};
use configs::oci::ContainerStatus as Status;
use criu::{BoxError, Notification, Stage};
use nsenter::pidfd;

use crate::checkpoint::restore::namespaces::{inode, require_same};
use crate::checkpoint::stages::{RestoreObserver, RestoreStage};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::record::RecordCreated;
use crate::launch::send_descriptor::send_named;
use crate::launch::streams::Receivers;
use crate::launch::{hooks, network};
use crate::process::console::Console;
use crate::system::System;

/// A container while CRIU restores it.
pub(crate) struct Restoring<'a> {
    pub(crate) id: &'a ContainerId,
    pub(crate) system: &'a System,
    pub(crate) record: RecordCreated<'a>,
    pub(crate) receivers: &'a Receivers,
    /// The container has a terminal.
    pub(crate) terminal: bool,
    /// CRIU restores what is in the network namespace.
    pub(crate) with_network: bool,
    pub(crate) observer: Option<&'a RestoreObserver>,
    pub(crate) outcome: Outcome,
}

/// What a restore has brought.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The init process: its pid and its pidfd.
    pub(crate) init: Option<(u32, OwnedFd)>,
    /// The master of its terminal, if it is kept.
    pub(crate) console: Option<Console>,
    /// What is not an error but worth reporting.
    pub(crate) warnings: Vec<String>,
    /// Why the restore was given up, if that was here.
    pub(crate) failure: Option<Error>,
}

impl Restoring<'_> {
    /// Does what there is to do at a stage. The reason of a failure is kept; CRIU undoes the
    /// restore then.
    pub(crate) fn handle(&mut self, notification: Notification) -> Result<(), BoxError> {
        self.at(notification).map_err(|error| {
            let text = error.chain();
            self.outcome.failure = Some(error);
            text.into()
        })
    }

    fn at(&mut self, notification: Notification) -> Result<()> {
        log::debug!("notify: {:?}", notification.stage);
        match notification.stage {
            Stage::SetupNamespaces => {
                self.set_up(process(&notification)?)?;
                self.reached(RestoreStage::Namespaces);
                Ok(())
            }
            Stage::PostSetupNamespaces => {
                self.reached(RestoreStage::Contents);
                Ok(())
            }
            Stage::PostRestore => {
                self.restored(process(&notification)?)?;
                self.reached(RestoreStage::Processes);
                Ok(())
            }
            Stage::PreResume => self.require_label(),
            Stage::OrphanPtsMaster => match notification.descriptor {
                Some(master) => self.take_console(master),
                None => Err(unexpected("no terminal comes with orphan-pts-master")),
            },
            _ => Ok(()),
        }
    }

    /// Reports a stage, if that is asked for.
    pub(crate) fn reached(&self, stage: RestoreStage) {
        if let Some(observer) = self.observer {
            observer.reached(stage);
        }
    }

    /// The namespaces are there, and nothing runs in them yet. As for a new container the network
    /// is set up, then hooks run.
    fn set_up(&self, pid: u32) -> Result<()> {
        let config = &self.record.state.config;
        if !self.with_network && config.namespaces.contains(NamespaceType::Network) {
            network::configure_restored(self.id, config, pid)?;
        }
        if config.hooks.prestart.is_empty() && config.hooks.create_runtime.is_empty() {
            return Ok(());
        }
        let init = open(pid)?;
        let number = i32::try_from(pid).unwrap_or_default();
        let state = hooks::oci_state(self.id, &config.labels, Status::Creating, number);
        for point in [HookPoint::Prestart, HookPoint::CreateRuntime] {
            hooks::run(&config.hooks, point, &state, Some(init.as_fd()))?;
        }
        Ok(())
    }

    /// All processes are there, and stopped.
    fn restored(&mut self, pid: u32) -> Result<()> {
        let init = open(pid)?;
        require_same(&self.record.state.config.namespaces, pid)?;
        if self.with_network {
            network::reconnect(self.id, &self.record.state.config.networks)?;
        }
        if self.receivers.console.is_none()
            && let Some(console) = &self.outcome.console
        {
            // Its modes are restored by now.
            console.clear_onlcr()?;
        }
        if let Some(socket) = &self.receivers.pidfd {
            send_named(socket, "standard", &init)
                .map_err(|error| Error::system("send the pidfd", error))?;
        }
        if is_in_other_time_namespace(pid)? {
            // CRIU has made one for the clocks to go on from where they were: who joins the
            // container joins it, too.
            let namespaces = &mut self.record.state.config.namespaces;
            if !namespaces.contains(NamespaceType::Time) {
                namespaces.set(NamespaceType::Time, "");
            }
        }
        self.record.write(self.system, pid)?;
        self.outcome.init = Some((pid, init));
        Ok(())
    }

    /// Fails if a container with an SELinux label would go on with that of CRIU, as it does if CRIU
    /// is built without SELinux. CRIU lets the processes go on all the same, and waits for ever for
    /// one that is killed meanwhile: init is stopped here, until what was restored is removed.
    fn require_label(&self) -> Result<()> {
        let wanted = &self.record.state.config.process_label;
        let Some((pid, init)) = self.outcome.init.as_ref().filter(|_| !wanted.is_empty()) else {
            return Ok(());
        };
        let label = |path: &str| {
            std::fs::read_to_string(path)
                .map_err(|error| Error::system(format!("read the SELinux label in {path}"), error))
        };
        let checked = label("/proc/thread-self/attr/current").and_then(|own| {
            if label(&format!("/proc/{pid}/attr/current"))? != own {
                return Ok(());
            }
            let own = own.trim_end_matches(['\0', '\n']);
            let message = format!(
                "the restored process has the SELinux label of CRIU, {own}, and not one of a \
                 container (process.selinuxLabel): this CRIU is built without SELinux"
            );
            Err(Error::new(ErrorKind::Unsupported, message))
        });
        checked.inspect_err(|_| {
            // One that has ended does not go on either.
            let _ = pidfd::send_signal(init, libc::SIGSTOP);
        })
    }

    fn take_console(&mut self, master: OwnedFd) -> Result<()> {
        if !self.terminal {
            return Err(Error::config(
                "the images have a terminal that another process holds, and the configuration \
                 asks for none (process.terminal)",
            ));
        }
        let console = Console::of_master(master)?;
        match &self.receivers.console {
            Some(socket) => send_named(socket, console.name(), &console)
                .map_err(|error| Error::system("send the console", error)),
            // One of a process that was added by exec: the process that held it is not here.
            None if self.outcome.console.is_some() => {
                let name = console.name();
                let warning = format!("no process holds terminal {name} of the container");
                self.outcome.warnings.push(warning);
                Ok(())
            }
            None => {
                self.outcome.console = Some(console);
                Ok(())
            }
        }
    }
}

/// The first process of the tree.
fn process(notification: &Notification) -> Result<u32> {
    let pid = notification.pid.and_then(|pid| u32::try_from(pid).ok());
    pid.ok_or_else(|| unexpected("a notification does not name the restored process"))
}

fn open(pid: u32) -> Result<OwnedFd> {
    pidfd::open(pid).map_err(|error| Error::system("open the restored process", error))
}

fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::System, format!("restore: {what}"))
}

/// Whether a process is in another time namespace than this one. Without time namespaces it is not.
fn is_in_other_time_namespace(pid: u32) -> Result<bool> {
    Ok(inode("/proc/self/ns/time")? != inode(&format!("/proc/{pid}/ns/time"))?)
}
