//! Recording that a container is created.

use std::time::SystemTime;

use configs::Config;
use configs::config::NamespaceType;

use super::host_mounts;
use crate::error::{Error, Result};
use crate::state::directory::StateDirectory;
use crate::state::encoded::Encoded;
use crate::state::record::State;
use crate::system::System;
use crate::timestamp::rfc3339;

/// Records the container as created once its init process is ready.
pub(crate) struct RecordCreated<'a> {
    pub(crate) directory: &'a StateDirectory,
    pub(crate) state: &'a mut State<Encoded<Config>>,
}

impl RecordCreated<'_> {
    /// `pid` is the init process as this process sees it.
    pub(crate) fn write(&mut self, system: &System, pid: u32) -> Result<()> {
        let procfs = system.procfs()?;
        let stat = procfs
            .stat(pid)
            .map_err(|error| Error::system("read the start time of the init process", error))?;
        self.state.init_process_pid = i32::try_from(pid)
            .map_err(|error| Error::system("record the pid of the init process", error))?;
        self.state.init_process_start = stat.start_time();
        self.state.created = rfc3339(SystemTime::now());
        self.state.creator = None;
        host_mounts::made(&self.state.config.rootfs, &mut self.state.host_mounts);
        self.state.namespace_paths = NamespaceType::ALL
            .into_iter()
            .filter(|kind| {
                // One that was made or joined is there.
                self.state.config.namespaces.contains(*kind) || kind.is_supported(procfs)
            })
            .map(|kind| {
                (
                    kind.flag_name().to_owned(),
                    format!("/proc/{pid}/ns/{}", kind.file_name()),
                )
            })
            .collect();
        self.directory.write_created(self.state)
    }
}
