//! A run on a host with many mounts: all of them are copied into the new mount namespace.

use std::fs;
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::bench::{Bench, Outcome};

const HOST_MOUNTS: usize = 1000;

impl Bench {
    pub(crate) fn mounts(&mut self) -> Outcome<()> {
        // This process' own mount namespace: no other process sees them, and they end with it.
        let folder = self.bundles.path("mounts");
        fs::create_dir_all(&folder)?;
        let tmpfs = |target: &std::path::Path| {
            mount("none", target, "tmpfs", MountFlags::empty(), None)
                .map_err(|error| format!("mounting tmpfs on {}: {error}", target.display()))
        };
        tmpfs(&folder)?;
        for number in 1..HOST_MOUNTS {
            let target = folder.join(number.to_string());
            fs::create_dir(&target)?;
            tmpfs(&target)?;
        }
        let title = format!("run with {HOST_MOUNTS} host mounts");
        let outcome = self.runs("mounts", &title, "true", Duration::ZERO);
        // Those below go with the first.
        unmount(&folder, UnmountFlags::DETACH)?;
        outcome
    }
}
