//! Intel RDT settings.

use crate::{Config, Error, HostInfo, Result};

pub(super) fn check(config: &Config, host: &HostInfo) -> Result<()> {
    let Some(rdt) = &config.intel_rdt else {
        return Ok(());
    };
    if !host.intel_rdt.enabled {
        return Err(Error::invalid(
            "intelRdt is specified in config, but Intel RDT is not enabled",
        ));
    }
    // The class is a directory name, or "/" alone for the root class.
    let class = rdt.clos_id.as_str();
    if class != "/" && (matches!(class, "." | "..") || class.contains('/')) {
        return Err(Error::invalid(format!("invalid intelRdt.ClosID {class:?}")));
    }
    if !rdt.l3_cache_schema.is_empty() && !host.intel_rdt.cat {
        return Err(Error::invalid(
            "intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled",
        ));
    }
    if !rdt.mem_bw_schema.is_empty() && !host.intel_rdt.mba {
        return Err(Error::invalid(
            "intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled",
        ));
    }
    Ok(())
}
