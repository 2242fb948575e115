//! What is asked for one process, container and process together: the values in force.

use configs::config::{
    Capabilities, Config, CpuAffinity, CpuSet, NamespaceType, Rlimit, RlimitType,
};
use configs::oci;

use super::host::HostFacts;
use super::request::{CgroupPlacement, Filter, InitRequest, ProcessRequest};
use crate::Process;

/// The file mode creation mask of processes for which none is configured.
pub(super) const DEFAULT_UMASK: u32 = 0o022;

/// What is asked for one process, of either kind. The process' own value wins over the container's.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProcessParams<'a> {
    pub(super) id: &'a str,
    pub(super) config: &'a Config,
    pub(super) process: &'a Process,
    pub(super) host: &'a HostFacts,
    pub(super) cgroup: &'a CgroupPlacement,
    pub(super) filter: Option<&'a Filter>,
    /// The process is added to a running container.
    pub(super) exec: bool,
    /// The process waits for `start` before it runs the user's program.
    pub(super) waits_for_start: bool,
}

impl<'a> ProcessParams<'a> {
    /// For the init process of a new container.
    pub(super) fn of_init(init: &'a InitRequest<'a>) -> Self {
        Self {
            exec: false,
            waits_for_start: init.waits_for_start,
            ..Self::of_exec(&init.request)
        }
    }

    /// For a process that is added to a running container.
    pub(super) fn of_exec(request: &'a ProcessRequest<'a>) -> Self {
        Self {
            id: request.container_id,
            config: request.config,
            process: request.process,
            host: request.host,
            cgroup: &request.cgroup,
            filter: request.seccomp.as_ref(),
            exec: true,
            waits_for_start: false,
        }
    }

    /// Whether the container has a namespace of this type that is not the host's.
    pub(super) fn has(&self, kind: NamespaceType) -> bool {
        self.config.namespaces.contains(kind)
    }

    /// Whether the container's processes live in a user namespace, its own or the one of the
    /// runtime.
    pub(super) fn in_user_namespace(&self) -> bool {
        self.has(NamespaceType::User) || self.host.in_user_namespace
    }

    pub(super) fn no_new_privileges(&self) -> bool {
        self.process
            .no_new_privileges
            .unwrap_or(self.config.no_new_privileges)
    }

    /// The capability sets; none at all where neither process nor container has any listed.
    pub(super) fn capabilities(&self) -> &'a Capabilities {
        static NONE: Capabilities = Capabilities::none();
        self.process
            .capabilities
            .as_ref()
            .or(self.config.capabilities.as_ref())
            .unwrap_or(&NONE)
    }

    pub(super) fn apparmor_profile(&self) -> Option<&'a str> {
        let profile = self
            .process
            .apparmor_profile
            .as_deref()
            .unwrap_or(&self.config.apparmor_profile);
        (!profile.is_empty()).then_some(profile)
    }

    pub(super) fn selinux_label(&self) -> Option<&'a str> {
        let label = self
            .process
            .selinux_label
            .as_deref()
            .unwrap_or(&self.config.process_label);
        (!label.is_empty()).then_some(label)
    }

    pub(super) fn scheduler(&self) -> Option<&'a oci::Scheduler> {
        self.process
            .scheduler
            .as_ref()
            .or(self.config.scheduler.as_ref())
    }

    pub(super) fn io_priority(&self) -> Option<&'a oci::IoPriority> {
        self.process
            .io_priority
            .as_ref()
            .or(self.config.io_priority.as_ref())
    }

    /// The resource limits.
    pub(super) fn resource_limits(&self) -> &'a [Rlimit] {
        let own = &self.process.rlimits;
        if own.is_empty() {
            &self.config.rlimits
        } else {
            own
        }
    }

    /// The limit on the number of processes.
    pub(super) fn process_limit(&self) -> Option<Rlimit> {
        self.resource_limits()
            .iter()
            .rfind(|limit| limit.kind == RlimitType::Nproc)
            .copied()
    }

    /// The CPUs of a process added by exec before it is in its cgroup; the init has none.
    pub(super) fn initial_cpus(&self) -> Option<&'a CpuSet> {
        self.cpu_affinity()
            .and_then(|affinity| affinity.initial.as_ref())
    }

    /// The CPUs of a process added by exec from then on.
    pub(super) fn final_cpus(&self) -> Option<&'a CpuSet> {
        self.cpu_affinity()
            .and_then(|affinity| affinity.final_cpus.as_ref())
    }

    fn cpu_affinity(&self) -> Option<&'a CpuAffinity> {
        let configured = self
            .process
            .cpu_affinity
            .as_ref()
            .or(self.config.exec_cpu_affinity.as_ref());
        configured.filter(|_| self.exec)
    }

    /// The file mode creation mask; an added process gets the caller's unless one is configured.
    pub(super) fn umask(&self) -> u32 {
        let inherited = self.host.umask.filter(|_| self.exec);
        self.process
            .umask
            .or(self.config.umask)
            .or(inherited)
            .unwrap_or(DEFAULT_UMASK)
    }
}
