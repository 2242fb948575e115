//! Starting a process in a container: what the caller does for the stub while the plan runs.

pub(crate) mod connections;
pub(crate) mod device_nodes;
pub(crate) mod error_messages;
pub(crate) mod hooks;
pub(crate) mod host_mounts;
pub(crate) mod id_mapped_mounts;
pub(crate) mod id_maps;
pub(crate) mod identity;
pub(crate) mod inputs;
pub(crate) mod isolation;
pub(crate) mod mount_messages;
pub(crate) mod mount_sources;
mod mount_table;
pub(crate) mod network;
pub(crate) mod notify_mount;
pub(crate) mod placement;
pub(crate) mod record;
pub(crate) mod rlimits;
pub(crate) mod seccomp;
pub(crate) mod send_descriptor;
pub(crate) mod step_texts;
pub(crate) mod streams;
pub(crate) mod supervisor;

use std::os::fd::AsFd;

use cgroups::Cgroup;
use nsenter::Spawn;

use crate::cgroup;
use crate::error::Result;
use crate::plan::BuiltPlan;
use crate::process::Process;
use inputs::Inputs;
use streams::Streams;

/// The stub with a plan and everything it starts with. Where the plan wants it, the host's clone
/// places it in the v2 cgroup of `group`.
pub(crate) fn spawn<'a>(
    built: &'a BuiltPlan,
    process: &'a Process,
    streams: &'a Streams,
    inputs: &'a Inputs<'_>,
    group: Option<&'a Cgroup>,
) -> Result<Spawn<'a>> {
    let group = group.filter(|_| built.spawn_into_cgroup);
    Ok(Spawn {
        plan: &built.plan,
        stdio: streams.theirs(),
        passed: process.passed.iter().map(AsFd::as_fd).collect(),
        inputs: inputs.borrow(),
        cgroup: group.map(cgroup::open_unified).transpose()?,
    })
}
