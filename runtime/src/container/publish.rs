//! Putting on record that a container is there.

use std::time::SystemTime;

use configs::config::{Namespace, NamespaceType};
use nsenter::namespaces::Kind;

use crate::error::{Error, Result};
use crate::launch::host_mounts;
use crate::launch::supervisor::Ready;
use crate::state::directory::StateDirectory;
use crate::state::record::State;
use crate::system::System;
use crate::timestamp::rfc3339;

/// Records the container as created once its init process is ready.
pub(super) struct Publish<'a> {
    pub(super) directory: &'a StateDirectory,
    pub(super) state: &'a mut State,
    pub(super) system: &'a System,
}

impl Ready for Publish<'_> {
    fn ready(&mut self, pid: u32) -> Result<()> {
        let procfs = self.system.procfs()?;
        let stat = procfs
            .stat(pid)
            .map_err(|error| Error::system("read the start time of the init process", error))?;
        self.state.init_process_pid = i32::try_from(pid)
            .map_err(|error| Error::system("record the pid of the init process", error))?;
        self.state.init_process_start = stat.start_time();
        self.state.created = rfc3339(SystemTime::now());
        self.state.creator = None;
        host_mounts::made(&self.state.config.rootfs, &mut self.state.host_mounts);
        self.state.namespace_paths = Kind::ALL
            .into_iter()
            .filter(|kind| {
                // One that was made or joined is there.
                let named = |ns: &Namespace| ns.kind.proc_file() == kind.file_name();
                self.state.config.namespaces.iter().any(named) || kind.is_supported(procfs)
            })
            .map(|kind| {
                (
                    namespace_key(kind).to_owned(),
                    format!("/proc/{pid}/ns/{}", kind.file_name()),
                )
            })
            .collect();
        self.directory.write_created(self.state)
    }
}

fn namespace_key(kind: Kind) -> &'static str {
    let same = NamespaceType::ALL
        .into_iter()
        .find(|other| other.proc_file() == kind.file_name());
    same.map_or("", NamespaceType::name)
}
