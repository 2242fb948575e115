//! Undoing what was made for a container that will not be.
//!
//! Everything is found by name, and names are given anew. So it is done only with the lock of the directory that this
//! container was made with, and only as long as that is the one of its name.

use cgroups::Cgroup;
use configs::config::HookPoint;
use configs::oci::ContainerStatus as Status;

use super::create::CGROUP_BUDGET;
use super::directory::{self, Lock};
use super::{hooks, host_mounts, rdt};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::root::Runtime;
use crate::state::HostMount;

/// Removes what was made for a container that will not be, once its init process is gone.
pub(super) struct Unwind<'a> {
    runtime: &'a Runtime,
    id: &'a ContainerId,
    armed: bool,
    lock: Lock,
    pub(super) cgroup: Option<Cgroup>,
    pub(super) rdt: Option<intelrdt::Settings>,
    /// The root file system, which the destinations of `host_mounts` are below.
    pub(super) rootfs: String,
    pub(super) host_mounts: Vec<HostMount>,
    /// Hooks and labels, as soon as a hook may have run.
    pub(super) hooks: Option<(configs::config::Hooks, Vec<String>)>,
}

impl<'a> Unwind<'a> {
    /// `lock` is that of the container's directory, which nothing has been made for yet.
    pub(super) fn new(runtime: &'a Runtime, id: &'a ContainerId, lock: Lock) -> Self {
        Self {
            runtime,
            id,
            armed: true,
            lock,
            cgroup: None,
            rdt: None,
            rootfs: String::new(),
            host_mounts: Vec::new(),
            hooks: None,
        }
    }

    /// The cgroup, which must have been made.
    pub(super) fn group(&self) -> Result<&Cgroup> {
        self.cgroup
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::System, "there is no cgroup yet"))
    }

    /// Others may work on the container from here on.
    pub(super) fn unlock(&self) {
        self.lock.release();
    }

    /// Everything went well.
    pub(super) fn finish(&mut self) {
        self.armed = false;
    }
}

impl Drop for Unwind<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // Gone, or replaced: whoever took it away has removed the rest, or it is not ours to remove.
        let locked = self
            .runtime
            .root()
            .and_then(|root| self.lock.take(root, self.id));
        if let Err(error) = locked {
            log::debug!("undo container {}: {}", self.id, error.chain());
            return;
        }
        // A unit that this process has not started is somebody else's of the same name, or nobody's.
        let made = |group: &&Cgroup| !group.needs_first_process();
        if let Some(group) = self.cgroup.as_ref().filter(made) {
            if let Err(error) = group.kill() {
                log::debug!("kill what is left of container {}: {error}", self.id);
            }
            if let Err(error) = group.delete(CGROUP_BUDGET) {
                log::debug!("remove the cgroup of container {}: {error}", self.id);
            }
        }
        if let Some(settings) = &self.rdt
            && let Err(error) = rdt::delete(self.runtime.system(), settings, self.id)
        {
            log::debug!("{}", error.chain());
        }
        host_mounts::unmount(&self.rootfs, &self.host_mounts);
        match self
            .runtime
            .root()
            .and_then(|root| directory::remove(root, self.runtime.path(), self.id))
        {
            Ok(_) => {}
            Err(error) => log::debug!("{}", error.chain()),
        }
        if let Some((hooks, labels)) = &self.hooks {
            let state = hooks::oci_state(self.id, labels, Status::Stopped, 0);
            if let Err(error) = hooks::run(hooks, HookPoint::Poststop, &state) {
                log::debug!("{}", error.chain());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::directory::StateDirectory;

    #[test]
    fn only_the_directory_that_was_made_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(dir.path()).unwrap();
        let id: ContainerId = "x".parse().unwrap();
        let root = || runtime.root().unwrap();
        let make = || StateDirectory::make(root(), runtime.path(), &id).unwrap();

        let (own, lock) = make();
        drop(Unwind::new(&runtime, &id, lock));
        assert!(!own.path().exists());

        // Somebody deletes the container, and another one gets its id.
        let (_old, lock) = make();
        let unwind = Unwind::new(&runtime, &id, lock);
        assert!(directory::remove(root(), runtime.path(), &id).unwrap());
        let (new, lock) = make();
        std::fs::write(new.path().join("state.json"), "{}").unwrap();
        drop(lock);
        drop(unwind);
        assert!(new.path().join("state.json").exists());
        assert_eq!(new.lock(root(), &id).err().map(|error| error.kind()), None);
    }
}
