//! The cgroup's name and its limits.

use crate::{Config, Error, HostInfo, Result};

pub(super) fn check(config: &Config, host: &HostInfo) -> Result<()> {
    let cgroup = &config.cgroups;
    let is_named = !cgroup.name.is_empty() || !cgroup.parent.is_empty();
    if is_named && !cgroup.path.is_empty() {
        return Err(Error::invalid(format!(
            "cgroup: either Path or Name and Parent should be used, got path {:?}, name {:?} and parent {:?}",
            cgroup.path, cgroup.name, cgroup.parent
        )));
    }
    if host.cgroup_v2 {
        return swap_limit(cgroup.resources.memory_swap, cgroup.resources.memory);
    }
    if !cgroup.resources.unified.is_empty() {
        return Err(Error::invalid(
            "invalid configuration: cannot use unified on cgroup v1",
        ));
    }
    Ok(())
}

/// Whether a limit of memory and swap together can be turned into cgroup v2's limit of swap alone.
fn swap_limit(memory_and_swap: i64, memory: i64) -> Result<()> {
    // 0 is unset, -1 no limit; a limit of swap alone is always possible without one of
    // memory.
    if matches!(memory_and_swap, 0 | -1) || memory == -1 {
        return Ok(());
    }
    if memory == 0 {
        return Err(Error::invalid(
            "unable to set swap limit without memory limit",
        ));
    }
    if memory < 0 {
        return Err(Error::invalid(format!("invalid memory value: {memory}")));
    }
    if memory_and_swap < memory {
        return Err(Error::invalid(
            "memory+swap limit should be >= memory limit",
        ));
    }
    Ok(())
}
