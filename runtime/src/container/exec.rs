//! Running another process in a container.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;

use cgroups::{Cgroup, Mode};
use configs::Config;
use configs::oci::ContainerStatus as Status;
use nsenter::{Deadline, Spawn};

use super::Container;
use super::create::{placement, root_user};
use crate::error::{Error, ErrorKind, Result};
use crate::launch::inputs::{Inputs, Sources};
use crate::launch::seccomp;
use crate::launch::seccomp::Agent;
use crate::launch::streams::{Receivers, Streams};
use crate::launch::supervisor::{Ready, SETNS, Stages, Supervisor};
use crate::launch::{error_messages, supervisor};
use crate::plan;
use crate::plan::{HostFacts, ProcessRequest};
use crate::process::Process;
use crate::process::child::Child;
use crate::validation;
use crate::{cgroup, rdt};

/// How long a process that joins a paused container may take: it stands still until somebody
/// resumes that.
const WHILE_PAUSED: Duration = Duration::from_secs(24 * 60 * 60);

impl Container {
    /// Runs another process in the container: in its namespaces and its cgroup, with its filter
    /// and, where `process` does not say otherwise, its attributes.
    ///
    /// # Errors
    /// [`ErrorKind::NotRunning`] if the container is stopped, [`ErrorKind::Paused`] unless
    /// [`Process::ignore_paused`] is set, [`ErrorKind::InvalidConfig`], [`ErrorKind::Init`] for a
    /// step inside the container.
    pub fn exec(&self, mut process: Process) -> Result<Child> {
        let mut warnings = std::mem::take(&mut process.warnings);
        match self.join(&mut process, &mut warnings) {
            Ok(child) => Ok(child.with_warnings(warnings)),
            Err(error) => Err(error.with_warnings(warnings)),
        }
    }

    /// What [`exec`](Self::exec) does. What is told on the way is in `warnings`, however it ends.
    fn join(&self, process: &mut Process, warnings: &mut Vec<String>) -> Result<Child> {
        let mut paused = self.require_joinable(process)?;
        let config = self.config()?;
        check(&config, process)?;
        let filter = seccomp::compile(&config, warnings)?;
        let receivers = Receivers::connect(process)?;
        let agent = Agent::connect(&config, filter.as_ref())?;
        let mut streams = Streams::open(process, root_user(&config)?)?;
        let Some(init) = self.init_pidfd()? else {
            return Err(stopped());
        };

        let group = self
            .group_to_join(process)
            .map_err(error_messages::not_started)?;
        if !paused && is_frozen(&group)? {
            if !process.ignore_paused {
                return Err(Error::new(ErrorKind::Paused, FROZEN_FROM_ABOVE));
            }
            paused = true;
        }
        // Between two units only the user's systemd can move a process of an ordinary user.
        let gate = config.cgroups.systemd && config.rootless_cgroups;
        let mut tasks = match group.self_join_files() {
            _ if gate => Vec::new(),
            // Without permission there may be no cgroup to join.
            Err(error)
                if config.rootless_cgroups && error.kind() == cgroups::ErrorKind::NotFound =>
            {
                Vec::new()
            }
            other => other
                .map_err(cgroup::failed(cannot_join(&group)))
                .map_err(error_messages::not_started)?,
        };
        let needed = !config.rootless_cgroups || !process.sub_cgroups.is_empty();
        let mut placement =
            placement(&group, &tasks, !needed || gate).map_err(error_messages::not_started)?;
        if gate {
            placement.unified = false;
            placement.gate = true;
        }
        placement.outside = paused;
        if !config.rootless_cgroups && !gate {
            // They are there, and of cgroupfs. The process opens them by name, which takes fewer
            // descriptors.
            tasks.clear();
            placement.tasks.clear();
            placement.task_paths = group.self_join_paths();
        }
        let mut host = HostFacts::read_at(self.system().procfs()?.as_fd())?;
        host.read_umask()?;
        let request = ProcessRequest {
            container_id: self.id.as_str(),
            config: &config,
            process,
            host: &host,
            cgroup: placement,
            seccomp: filter,
        };
        let built = plan::exec(&request).map_err(error_messages::not_started)?;
        warnings.extend_from_slice(&built.warnings);
        let sources = Sources {
            fifo: None,
            tasks: &tasks,
            cgroup_root: Some(group.hierarchy().dir()),
            init: Some(init.as_fd()),
        };
        let inputs = Inputs::open(&built.inputs, &sources)?;
        let spawn = |group: Option<&Cgroup>| {
            let directory = match group.filter(|_| built.spawn_into_cgroup) {
                Some(group) => Some(cgroup::open_unified(group)?),
                None => None,
            };
            let spawn = Spawn {
                plan: &built.plan,
                stdio: streams.theirs(),
                passed: process.passed.iter().map(AsFd::as_fd).collect(),
                inputs: inputs.borrow(),
                cgroup: directory,
            };
            Ok::<_, Error>(spawn.start())
        };
        let rdt = config.intel_rdt.as_ref().map(rdt::settings);
        if log::log_enabled!(log::Level::Debug) {
            log::debug!(
                "nsexec container setup: affinity: {:#x}",
                initial_cpus(&config, process)
            );
        }
        let ooms = cgroup::oom_kills(&group);
        // A cgroup that hands controllers to children of its own takes no processes. Then the init
        // process, too, has gone to one of these.
        let init_pid = u32::try_from(self.current()?.init_process_pid).ok();
        let init_group = init_pid.filter(|_| process.sub_cgroups.is_empty());
        let started = spawn(Some(&group))?;
        let refused = started
            .as_ref()
            .err()
            .filter(|_| built.spawn_into_cgroup)
            .and_then(nsenter::Error::raw_os_error);
        let entered = started.is_ok() && built.spawn_into_cgroup;
        let mut outside = false;
        let started = match (started, refused) {
            (Err(error), Some(libc::EBUSY)) => {
                let Some(pid) = init_group else {
                    return Err(error_messages::not_started(Error::system(NO_ROOM, error)));
                };
                spawn(Some(&supervisor::group_of(group.hierarchy(), pid)?))?
            }
            // Its processes or its memory are used up. What starts outside is moved in, which no
            // limit refuses.
            (Err(_), Some(libc::EAGAIN | libc::ENOMEM)) => {
                outside = true;
                spawn(None)?
            }
            // A container without a cgroup of its own is in that of whoever made it.
            (Err(_), Some(libc::EACCES)) if !needed => spawn(None)?,
            (started, _) => started,
        };
        let mut stub =
            started.map_err(|error| Error::system("unable to start container process", error))?;
        drop(inputs);
        log::debug!(
            "nsexec container setup: stub started as process {}",
            stub.pid()
        );
        let mut nothing = NothingMore;
        let mut parent = Supervisor {
            id: &self.id,
            config: &config,
            system: self.system(),
            cgroup: &group,
            init: init_pid,
            init_group,
            late_limits: None,
            rdt: rdt.as_ref(),
            uid: process.uid,
            rlimits: if process.rlimits.is_empty() {
                &config.rlimits
            } else {
                &process.rlimits
            },
            console_size: process.console_size,
            receivers: &receivers,
            agent: agent.as_ref(),
            status: Status::Running,
            pidfd_name: SETNS,
            ready: &mut nothing,
            console: None,
            root: None,
            mapped: crate::launch::id_mapped_mounts::Made::default(),
            warnings: Vec::new(),
            stages: Stages {
                second_to_come: true,
                movable: (needed || entered) && !gate,
                outside,
            },
        };
        let deadline = if paused {
            Deadline::without_progress(WHILE_PAUSED)
        } else {
            supervisor::start_deadline()
        };
        let served = stub.serve(&mut parent, deadline);
        let Supervisor {
            console,
            warnings: told,
            ..
        } = parent;
        warnings.extend(told);
        let served = match served {
            Ok(served) => served,
            Err(error) => {
                let error = error_messages::init_error(error, &process.args, &config);
                let error = cgroup::explain_standstill(error, &group);
                let killed = cgroup::oom_kills(&group) > ooms;
                let what = if killed {
                    "unable to start container process (possibly OOM-killed)"
                } else {
                    "unable to start container process"
                };
                return Err(error.context(what));
            }
        };
        warnings.extend(supervisor::warning_texts(served.warnings()));
        log::debug!("setns_init: about to exec");
        let pid = i32::try_from(stub.pid()).unwrap_or_default();
        let child = Child::new(pid, stub.detach(), &self.id, self.system().children());
        Ok(child.with_streams(console, std::mem::take(&mut streams.ours)))
    }

    /// Fails unless a process can join now; says whether the container is paused.
    fn require_joinable(&self, process: &Process) -> Result<bool> {
        match self.status()? {
            Status::Running | Status::Created => Ok(false),
            Status::Paused if process.ignore_paused => Ok(true),
            Status::Paused => Err(Error::new(
                ErrorKind::Paused,
                "cannot exec in a paused container (use --ignore-paused to override)",
            )),
            Status::Creating => Err(Error::new(
                ErrorKind::InvalidState,
                "cannot exec in a container that is being created",
            )),
            _ => Err(stopped()),
        }
    }

    /// The cgroup to join: the container's, one below, or the one its init process has moved to.
    fn group_to_join(&self, process: &Process) -> Result<Cgroup> {
        let own = self.cgroup()?;
        if !process.sub_cgroups.is_empty() {
            let paths: BTreeMap<String, PathBuf> = process
                .sub_cgroups
                .iter()
                .map(|(controller, path)| (controller.clone(), PathBuf::from(path)))
                .collect();
            return own
                .sub_cgroup(&paths)
                .map_err(cgroup::failed(cannot_join(&own)));
        }
        let failed = || cgroup::failed(cannot_join(&own));
        if own.exists().map_err(failed())? && own.dir().map_err(failed())?.is_some() {
            return Ok(own);
        }
        let pid = self
            .pid()
            .and_then(|pid| u32::try_from(pid).ok())
            .ok_or_else(stopped)?;
        if own.hierarchy().mode() == Mode::V2 {
            return supervisor::group_of(own.hierarchy(), pid);
        }
        Ok(own)
    }
}

/// Why a container that is not paused takes no process.
const FROZEN_FROM_ABOVE: &str =
    "cannot exec in a container below a frozen cgroup (use --ignore-paused to override)";

fn is_frozen(group: &Cgroup) -> Result<bool> {
    let failed = cgroup::failed("read the state of the container's freezer");
    group.is_frozen().map_err(failed)
}

/// The words that readers of messages look for.
const NO_ROOM: &str = "error adding pid of the new process to cgroups";

/// Likewise: with cgroup v1 the failure used to be one of writing the pid.
fn cannot_join(group: &Cgroup) -> &'static str {
    match group.hierarchy().mode() {
        Mode::V2 => "can't open cgroup",
        _ => NO_ROOM,
    }
}

/// The CPUs that the process starts on, the first 64 as a mask, for the log.
fn initial_cpus(config: &Config, process: &Process) -> u64 {
    let affinity = process
        .cpu_affinity
        .as_ref()
        .or(config.exec_cpu_affinity.as_ref());
    if let Some(initial) = affinity.and_then(|affinity| affinity.initial.as_ref()) {
        return initial.words().first().copied().unwrap_or(0);
    }
    // Inherited from this thread.
    let Ok(inherited) = rustix::thread::sched_getaffinity(None) else {
        return 0;
    };
    (0..64)
        .filter(|cpu| inherited.is_set(*cpu))
        .fold(0, |mask, cpu| mask | 1 << cpu)
}

fn check(config: &Config, process: &Process) -> Result<()> {
    if process.args.is_empty() {
        return Err(Error::config("exec args cannot be empty"));
    }
    if config.rootless_euid && !process.additional_gids.is_empty() {
        return Err(Error::config(
            "cannot set any additional groups in a rootless container",
        ));
    }
    validation::process(process)?;
    if process.notify_socket.is_some() {
        return Err(Error::config(
            "a notification socket belongs to the init process",
        ));
    }
    Ok(())
}

fn stopped() -> Error {
    Error::new(ErrorKind::NotRunning, "cannot exec in a stopped container")
}

/// A process that joins is not recorded anywhere.
struct NothingMore;

impl Ready for NothingMore {
    fn ready(&mut self, _pid: u32) -> Result<()> {
        Ok(())
    }
}
