//! A container while it is made: the steps that leave something behind, each on record.

use std::collections::BTreeMap;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::SystemTime;

use cgroups::{Cgroup, CgroupSpec, Resources};
use configs::Config;
use configs::config::NamespaceType;

use super::rollback::{Left, PoststopHooks, Rollback};
use super::start;
use crate::error::{Error, Result};
use crate::id::ContainerId;
use crate::launch::network::Removal;
use crate::launch::streams::Streams;
use crate::launch::{error_messages, host_mounts};
use crate::plan::BuiltPlan;
use crate::runtime::Runtime;
use crate::state::directory::StateDirectory;
use crate::state::encoded::Encoded;
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
    pub(super) state: State<Encoded<Config>>,
    pub(super) rollback: Rollback<'a>,
    pub(super) warnings: &'a mut Vec<String>,
    pub(super) timings: Option<Timings>,
}

impl<'a> CreateTransaction<'a> {
    /// Claims the id, and records what will be made before anything else exists. What rolling back
    /// cannot remove goes to `left`.
    pub(super) fn begin(
        runtime: &'a Runtime,
        id: &'a ContainerId,
        state: State<Encoded<Config>>,
        left: &'a Left,
        warnings: &'a mut Vec<String>,
        timings: Option<Timings>,
    ) -> Result<Self> {
        runtime.make_root()?;
        let root = runtime.root()?;
        let (directory, lock) = StateDirectory::make(&root, runtime.path(), id)?;
        directory.claim(&lock, &root, id, &state)?;
        Ok(Self {
            id,
            system: runtime.system(),
            directory,
            state,
            rollback: Rollback::new(runtime, id, lock, left),
            warnings,
            timings,
        })
    }

    /// A phase ends, for those who want to know how long it took.
    pub(super) fn mark(&mut self, what: &str) {
        if let Some(timings) = &mut self.timings {
            timings.mark(what);
        }
    }

    /// Records everything that is known by now.
    fn record(&self) -> Result<()> {
        self.directory.write_state(&self.state)
    }

    /// Makes the cgroup and the groups of Intel RDT, and sets the limits that need no process.
    pub(super) fn make_groups(&mut self, limits: &Limits) -> Result<()> {
        self.make_cgroup(&limits.cgroup, &limits.resources)?;
        self.mark("make the cgroup");
        // A scope of systemd is made with its first process: at the gate.
        if !limits.late && !self.rollback.group()?.needs_first_process() {
            self.set_limits(&limits.resources)?;
        }
        if let Some(settings) = &limits.rdt {
            self.make_rdt_groups(settings)?;
        }
        self.mark("set limits");
        Ok(())
    }

    /// Makes the cgroup, and records it only then: one that another container uses is not ours to
    /// remove, not even after a crash. What was made beside it, in other hierarchies of cgroup
    /// v1, is.
    fn make_cgroup(&mut self, spec: &CgroupSpec, resources: &Resources) -> Result<()> {
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
    fn make_rdt_groups(&mut self, settings: &intelrdt::Settings) -> Result<()> {
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

    /// Records what the plan leaves on the host, and makes the fifo at which the init process waits
    /// for `start`, if it does.
    pub(super) fn prepare_start(
        &mut self,
        built: &BuiltPlan,
        waits_for_start: bool,
        owner: (u32, u32),
    ) -> Result<Option<OwnedFd>> {
        self.warnings.extend_from_slice(&built.warnings);
        self.record_host_mounts(built)?;
        if waits_for_start {
            self.directory.make_fifo(owner).map(Some)
        } else {
            Ok(None)
        }
    }

    /// From here on hooks and networks have to be rolled back, too.
    pub(super) fn expect_hooks_and_networks(&mut self) {
        let config = &self.state.config;
        self.rollback.hooks = Some(PoststopHooks {
            hooks: config.hooks.clone(),
            labels: config.labels.clone(),
        });
        self.rollback.network = Removal::new(&config.networks, &config.routes, &config.namespaces);
    }

    /// Takes note of mounts that would stay on the host, before the first one is made.
    fn record_host_mounts(&mut self, built: &BuiltPlan) -> Result<()> {
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

/// The limits of a new container, as the crates that set them want them.
pub(super) struct Limits {
    pub(super) cgroup: CgroupSpec,
    pub(super) resources: Resources,
    pub(super) rdt: Option<intelrdt::Settings>,
    /// They are set when the mounts are made: a second stage is one process more, and a limit of
    /// one process would forbid it.
    pub(super) late: bool,
}

impl Limits {
    pub(super) fn of(config: &Config) -> Result<Self> {
        Ok(Self {
            cgroup: cgroup::spec(&config.cgroups, config.rootless_cgroups),
            resources: cgroup::resources(&config.cgroups.resources)?,
            rdt: config.intel_rdt.as_ref().map(rdt::settings),
            late: are_late(config),
        })
    }
}

/// Whether limits have to be set when the mounts are made.
pub(super) fn are_late(config: &Config) -> bool {
    let namespaces = &config.namespaces;
    let two_stages = namespaces.contains(NamespaceType::User)
        || namespaces.contains(NamespaceType::Time)
        || namespaces.path_of(NamespaceType::Pid).is_some();
    two_stages || !config.hooks.create_container.is_empty()
}

/// What is on record before anything exists.
pub(super) fn intent(
    id: &ContainerId,
    config: Config,
    streams: &Streams,
    runtime: &Runtime,
) -> Result<State<Encoded<Config>>> {
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
        config: Encoded::new(config),
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
