//! A container while it is made: the steps that leave something behind, each on record.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::SystemTime;

use cgroups::{Cgroup, CgroupSpec, Resources};
use configs::Config;
use configs::config::{Namespace, NamespaceType};
use nsenter::namespaces::Kind;

use super::rollback::Rollback;
use super::start;
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::launch::streams::Streams;
use crate::launch::supervisor::Ready;
use crate::launch::{error_messages, host_mounts};
use crate::plan::BuiltPlan;
use crate::runtime::Runtime;
use crate::state::directory::StateDirectory;
use crate::state::exec_fifo::OtherEnd;
use crate::state::record::{Creator, State};
use crate::system::System;
use crate::timestamp::rfc3339;
use crate::timings::Timings;
use crate::{cgroup, rdt};

/// What there is so far. Dropping its [`Rollback`] before it is finished removes that again.
pub(super) struct CreateTransaction<'a> {
    pub(super) id: &'a ContainerId,
    pub(super) system: &'a System,
    pub(super) directory: StateDirectory,
    pub(super) state: State,
    pub(super) rollback: Rollback<'a>,
    pub(super) warnings: &'a mut Vec<String>,
    pub(super) timings: Option<Timings>,
}

impl CreateTransaction<'_> {
    /// A phase ends, for those who want to know how long it took.
    pub(super) fn mark(&mut self, what: &str) {
        if let Some(timings) = &mut self.timings {
            timings.mark(what);
        }
    }

    /// Puts everything on record that is known by now.
    pub(super) fn record(&self) -> Result<()> {
        self.directory.write_state(&self.state)
    }

    /// Makes the cgroup, and records it only then: one that somebody else uses is not ours to
    /// remove, not even after a crash. What was made beside it, in other hierarchies of cgroup
    /// v1, is.
    pub(super) fn make_cgroup(&mut self, spec: &CgroupSpec, resources: &Resources) -> Result<()> {
        let group = Cgroup::prepare(self.system.hierarchy()?, spec, resources)
            .map_err(cgroup::failed(error_messages::APPLY_CGROUP))
            .map_err(error_messages::not_started)?;
        if let Err(error) = group.check_unused() {
            group.undo_create();
            return Err(cgroup::failed("check the container's cgroup")(error));
        }
        self.state.cgroup_paths = group.paths();
        self.rollback.cgroup = Some(group);
        self.record()
    }

    /// Puts the limits in force.
    pub(super) fn set_limits(&mut self, resources: &Resources) -> Result<()> {
        let applied = self
            .rollback
            .group()?
            .set(resources)
            .map_err(cgroup::failed(error_messages::SET_LIMITS))
            .map_err(error_messages::during_init)?;
        if !self.state.config.rootless_cgroups {
            self.warnings.extend(cgroup::warnings(applied));
        }
        Ok(())
    }

    /// Makes the groups of Intel RDT. They are called like the container, so that they are found
    /// again even unrecorded.
    pub(super) fn make_rdt_groups(&mut self, settings: &intelrdt::Settings) -> Result<()> {
        self.rollback.rdt = Some(settings.clone());
        let paths = rdt::create(self.system, settings, self.id).map_err(|error| {
            error_messages::not_started(error.context("unable to apply Intel RDT configuration"))
        })?;
        self.state.intel_rdt_path = paths.class;
        self.state.intel_rdt_mon_path = paths.monitoring;
        self.record()
    }

    /// Lets the init process, which waits at `fifo`, go on to the program, and runs the `poststart`
    /// hooks when that has begun.
    ///
    /// The lock is given back before all hooks: they may change the container, or destroy it, by
    /// commands that take the lock, and nothing is written here any more that could undo that.
    /// If this process is killed, it leaves a running container. If a hook fails, undoing takes
    /// the lock again, and does nothing if the container is not there any more.
    pub(super) fn start(&self, fifo: OwnedFd, init: BorrowedFd<'_>) -> Result<()> {
        let OtherEnd::Reads(begun) = self.directory.other_end()? else {
            return Err(start::already_dead());
        };
        start::release(&self.directory, &fifo)?;
        // A reading end as well, which would keep the other end from being the last.
        drop(fifo);
        self.rollback.unlock();
        start::wait_for_program(&begun, Some(init))?;
        let (config, pid) = (&self.state.config, self.state.init_process_pid);
        start::run_poststart_hooks(self.id, &config.hooks, &config.labels, pid)
    }

    /// Takes note of mounts that would stay on the host, before the first one is made.
    pub(super) fn record_host_mounts(&mut self, built: &BuiltPlan) -> Result<()> {
        if built.host_mounts.is_empty() {
            return Ok(());
        }
        let rootfs = &self.state.config.rootfs;
        self.state.host_mounts = host_mounts::intended(rootfs, &built.host_mounts)?;
        self.record()?;
        self.rollback.rootfs.clone_from(&self.state.config.rootfs);
        self.rollback
            .host_mounts
            .clone_from(&self.state.host_mounts);
        Ok(())
    }
}

/// What is on record before anything exists.
pub(super) fn intent(
    id: &ContainerId,
    config: Config,
    streams: &Streams,
    runtime: &Runtime,
) -> Result<State> {
    Ok(State {
        id: id.to_string(),
        init_process_pid: -1,
        init_process_start: 0,
        created: rfc3339(SystemTime::now()),
        rootless: config.rootless_euid && config.rootless_cgroups,
        cgroup_paths: BTreeMap::new(),
        namespace_paths: BTreeMap::new(),
        external_descriptors: streams.external_descriptors(),
        intel_rdt_path: String::new(),
        intel_rdt_mon_path: String::new(),
        creator: Some(creator(runtime)?),
        host_mounts: Vec::new(),
        config,
    })
}

fn creator(runtime: &Runtime) -> Result<Creator> {
    let pid = std::process::id();
    let stat = runtime
        .system()
        .procfs()?
        .stat(pid)
        .map_err(|error| Error::system("read the start time of this process", error))?;
    Ok(Creator {
        pid,
        start: stat.start_time(),
        command: runtime.is_command(),
    })
}

/// Records the container as created once its init process is ready.
pub(super) struct RecordCreated<'a> {
    pub(super) directory: &'a StateDirectory,
    pub(super) state: &'a mut State,
    pub(super) system: &'a System,
}

impl Ready for RecordCreated<'_> {
    fn ready(&mut self, pid: u32) -> Result<()> {
        let procfs = self.system.procfs()?;
        let stat = procfs
            .stat(pid)
            .map_err(|error| Error::system("read the start time of the init process", error))?;
        self.state.init_process_pid = i32::try_from(pid)
            .map_err(|error| Error::system("record the pid of the init process", error))?;
        self.state.init_process_start = stat.start_time();
        self.state.created = rfc3339(SystemTime::now());
        self.state.creator = None;
        host_mounts::made(&self.state.config.rootfs, &mut self.state.host_mounts);
        self.state.namespace_paths = Kind::ALL
            .into_iter()
            .filter(|kind| {
                // One that was made or joined is there.
                let named = |ns: &Namespace| ns.kind.proc_file() == kind.file_name();
                self.state.config.namespaces.iter().any(named) || kind.is_supported(procfs)
            })
            .map(|kind| {
                (
                    namespace_key(kind).to_owned(),
                    format!("/proc/{pid}/ns/{}", kind.file_name()),
                )
            })
            .collect();
        self.directory.write_created(self.state)
    }
}

fn namespace_key(kind: Kind) -> &'static str {
    let same = NamespaceType::ALL
        .into_iter()
        .find(|other| other.proc_file() == kind.file_name());
    same.map_or("", NamespaceType::name)
}
