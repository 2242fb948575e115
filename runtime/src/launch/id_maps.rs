//! The id maps of a container's new user namespace.

use configs::Config;
use nsenter::Procfs;
use nsenter::id_maps::{self, Request, Tools};
use user::{IdMap, IdMaps};

use crate::error::{Error, Result};

/// Writes the maps for the process `pid`, which waits for them.
pub(crate) fn write(config: &Config, procfs: &Procfs, pid: u32) -> Result<()> {
    let own_gid = rustix::process::getegid().as_raw();
    let request = Request {
        uid: IdMaps::new(config.uid_mappings.as_slice()),
        gid: IdMaps::new(config.gid_mappings.as_slice()),
        deny_setgroups: config.rootless_euid && is_own_group(&config.gid_mappings, own_gid),
        tools: if config.rootless_euid {
            Tools::find(&std::env::var_os("PATH").unwrap_or_default())
        } else {
            Tools::default()
        },
    };
    id_maps::write(procfs, pid, &request)
        .map_err(|error| Error::system("write the id maps of the user namespace", error))
}

/// Writes maps that have nothing to do with the container's, as root.
pub(crate) fn write_maps(uid: &[IdMap], gid: &[IdMap], procfs: &Procfs, pid: u32) -> Result<()> {
    let request = Request {
        uid: IdMaps::new(uid),
        gid: IdMaps::new(gid),
        deny_setgroups: false,
        tools: Tools::default(),
    };
    id_maps::write(procfs, pid, &request)
        .map_err(|error| Error::system("write the id maps of a mount", error))
}

/// The one map that the kernel takes without any privilege, at the price of `setgroups(2)`.
fn is_own_group(maps: &[IdMap], own_gid: u32) -> bool {
    matches!(maps, [IdMap { container_id: 0, host_id, size: 1 }] if *host_id == own_gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_single_map_of_the_own_group_gives_up_setgroups() {
        let map = |container_id, host_id, size| IdMap {
            container_id,
            host_id,
            size,
        };
        assert!(is_own_group(&[map(0, 1000, 1)], 1000));
        assert!(!is_own_group(&[map(0, 1000, 1)], 1001));
        assert!(!is_own_group(&[map(1, 1000, 1)], 1000));
        assert!(!is_own_group(&[map(0, 1000, 2)], 1000));
        assert!(!is_own_group(
            &[map(0, 1000, 1), map(1, 100_000, 65536)],
            1000
        ));
        assert!(!is_own_group(&[], 1000));
    }
}
