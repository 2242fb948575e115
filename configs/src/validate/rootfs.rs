//! The path of the root file system.

use crate::{Config, Error, HostInfo, Result, RootfsFact, lexical};

/// It must exist and be its own real path: a user who may change a symlink on the way could change
/// what is mounted.
pub(crate) fn check(config: &Config, host: &HostInfo) -> Result<()> {
    let cleaned = lexical::clean(&config.rootfs);
    let real = match &host.rootfs {
        RootfsFact::Failed(reason) => return Err(Error::invalid("invalid rootfs").because(reason)),
        RootfsFact::Resolved(real) => real.as_str(),
        RootfsFact::NotExamined => cleaned.as_str(),
    };
    if !config.rootfs.starts_with('/') || cleaned != real {
        return Err(Error::invalid(
            "invalid rootfs: not an absolute path, or a symlink",
        ));
    }
    Ok(())
}
