//! Undoing what was made for a container that will not be.
//!
//! Everything is found by name, and names are given anew. So it is done only with the lock of the
//! directory that this container was made with, and only as long as that is the one of its name.

use std::sync::OnceLock;

use cgroups::Cgroup;
use configs::config::HookPoint;
use configs::oci::ContainerStatus as Status;

use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::{hooks, host_mounts, network};
use crate::runtime::Runtime;
use crate::state::directory::StateDirectory;
use crate::state::lock::Lock;
use crate::state::record::HostMount;
use crate::{cgroup, rdt};

/// Why something could not be undone, for the error of the creation that failed.
pub(super) type Left = OnceLock<Error>;

/// Removes what was made for a container that will not be, once its init process is gone. If that
/// fails, the record stays, so that it can be destroyed.
pub(super) struct Rollback<'a> {
    runtime: &'a Runtime,
    id: &'a ContainerId,
    armed: bool,
    lock: Lock,
    left: &'a Left,
    pub(super) cgroup: Option<Cgroup>,
    pub(super) rdt: Option<intelrdt::Settings>,
    /// The root file system, which the destinations of `host_mounts` are below.
    pub(super) rootfs: String,
    pub(super) host_mounts: Vec<HostMount>,
    /// Interfaces and routes that may have been made by now.
    pub(super) network: network::Removal,
    /// The hooks to run, as soon as another hook may have run.
    pub(super) hooks: Option<PoststopHooks>,
}

/// Hooks of a container that is removed, and what they are given of it.
pub(super) struct PoststopHooks {
    pub(super) hooks: configs::config::Hooks,
    /// The annotations of the container, as `key=value`.
    pub(super) labels: Vec<String>,
}

impl<'a> Rollback<'a> {
    /// `lock` is that of the container's directory, which nothing but the record has been made in
    /// yet. `left` gets what cannot be undone.
    pub(super) fn new(
        runtime: &'a Runtime,
        id: &'a ContainerId,
        lock: Lock,
        left: &'a Left,
    ) -> Self {
        Self {
            runtime,
            id,
            armed: true,
            lock,
            left,
            cgroup: None,
            rdt: None,
            rootfs: String::new(),
            host_mounts: Vec::new(),
            network: network::Removal::default(),
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

    fn undo(&mut self) -> Result<()> {
        let root = self.runtime.root()?;
        // Gone, or replaced: the process that took it away has removed the rest, or it is not ours
        // to remove.
        match self.lock.take(&root, self.id) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            locked => locked?,
        }
        self.remove_cgroup().inspect_err(|_| self.abandon())?;
        if let Some(settings) = &self.rdt {
            rdt::delete(self.runtime.system(), settings, self.id)
                .inspect_err(|_| self.abandon())?;
        }
        let network = self.network.remove(self.id);
        network.inspect_err(|_| self.abandon())?;
        host_mounts::unmount(&self.rootfs, &self.host_mounts).inspect_err(|_| self.abandon())?;
        self.lock.remove(&root, self.id)?;
        if let Some(PoststopHooks { hooks, labels }) = &self.hooks {
            let state = hooks::oci_state(self.id, labels, Status::Stopped, 0);
            if let Err(error) = hooks::run(hooks, HookPoint::Poststop, &state, None) {
                log::debug!("{}", error.chain());
            }
        }
        Ok(())
    }

    fn remove_cgroup(&mut self) -> Result<()> {
        // A unit that this process has not started is another's of the same name, or does not
        // exist.
        let made = |group: &&mut Cgroup| !group.needs_first_process();
        let Some(group) = self.cgroup.as_mut().filter(made) else {
            return Ok(());
        };
        // What failed may have been for want of descriptors; some are needed now.
        group.close_directories();
        if let Err(error) = group.kill() {
            log::debug!("kill what is left of container {}: {error}", self.id);
        }
        match group.delete(cgroup::EMPTY_TIMEOUT) {
            Err(error) if error.kind() != cgroups::ErrorKind::NotFound => {
                Err(cgroup::failed("unable to remove container's cgroup")(error))
            }
            _ => Ok(()),
        }
    }

    /// This process may live on, but it no longer makes the container.
    fn abandon(&self) {
        let abandoned = self
            .runtime
            .root()
            .and_then(|root| StateDirectory::open(root, self.runtime.path(), self.id))
            .and_then(|directory| directory.write_abandoned());
        if let Err(error) = abandoned {
            log::debug!("{}", error.chain());
        }
    }
}

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        if let Err(error) = self.undo() {
            log::debug!("undo container {}: {}", self.id, error.chain());
            let _ = self.left.set(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::directory::StateDirectory;

    #[test]
    fn only_the_directory_that_was_made_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = Runtime::new(dir.path()).unwrap();
        let id: ContainerId = "x".parse().unwrap();
        let root = || runtime.root().unwrap();
        let make = || StateDirectory::make(root(), runtime.path(), &id).unwrap();

        let (own, lock) = make();
        drop(Rollback::new(&runtime, &id, lock, &Left::new()));
        assert!(!own.path().exists());

        // The container is deleted, and another one gets its id.
        let (old, lock) = make();
        let left = Left::new();
        let rollback = Rollback::new(&runtime, &id, lock, &left);
        std::fs::remove_dir(old.path()).unwrap();
        let (new, lock) = make();
        std::fs::write(new.path().join("state.json"), "{}").unwrap();
        drop(lock);
        drop(rollback);
        assert!(new.path().join("state.json").exists());
        assert_eq!(new.lock(root(), &id).err().map(|error| error.kind()), None);
    }
}
