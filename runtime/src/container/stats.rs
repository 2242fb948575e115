//! Reading statistics.

use cgroups::Cgroup;

use super::{Container, System, cgroup, network, rdt};
use crate::error::Result;
use crate::id::ContainerId;
use crate::state::ConfigRecord;
use crate::stats::Stats;

impl Container {
    /// Statistics of the cgroup, of the Intel RDT group, and of the network interfaces that the
    /// runtime made.
    ///
    /// # Errors
    /// [`ErrorKind::CgroupNotFound`](crate::ErrorKind::CgroupNotFound),
    /// [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn stats(&self) -> Result<Stats> {
        read_stats(
            self.system(),
            &self.cgroup()?,
            &self.record.config,
            &self.id,
        )
    }
}

pub(crate) fn read_stats(
    system: &System,
    group: &Cgroup,
    config: &ConfigRecord,
    id: &ContainerId,
) -> Result<Stats> {
    Ok(Stats {
        cgroup: group.stats().map_err(cgroup::failed(
            "read the statistics of the container's cgroup",
        ))?,
        intel_rdt: rdt::stats(system, config.intel_rdt.as_ref(), id)?,
        network_interfaces: network::statistics(&config.networks)?,
    })
}
