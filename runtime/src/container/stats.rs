//! Reading statistics.

use super::{Container, cgroup};
use crate::error::Result;
use crate::stats::Stats;

impl Container {
    /// Statistics of the cgroup.
    ///
    /// # Errors
    /// [`ErrorKind::CgroupNotFound`](crate::ErrorKind::CgroupNotFound), [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn stats(&self) -> Result<Stats> {
        let cgroup = self.cgroup()?.stats().map_err(cgroup::failed("read the statistics of the container's cgroup"))?;
        Ok(Stats { cgroup, ..Stats::default() })
    }
}
