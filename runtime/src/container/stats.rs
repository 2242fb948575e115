//! Reading statistics.

use cgroups::Cgroup;
use configs::config::Network;

use super::{Container, cgroup, network};
use crate::error::Result;
use crate::stats::Stats;

impl Container {
    /// Statistics of the cgroup and of the network interfaces that the runtime made.
    ///
    /// # Errors
    /// [`ErrorKind::CgroupNotFound`](crate::ErrorKind::CgroupNotFound), [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn stats(&self) -> Result<Stats> {
        read_stats(&self.cgroup()?, &self.record.config.networks)
    }
}

pub(crate) fn read_stats(group: &Cgroup, networks: &[Network]) -> Result<Stats> {
    let cgroup = group.stats().map_err(cgroup::failed(
        "read the statistics of the container's cgroup",
    ))?;
    Ok(Stats {
        cgroup,
        network_interfaces: network::statistics(networks)?,
        ..Stats::default()
    })
}
