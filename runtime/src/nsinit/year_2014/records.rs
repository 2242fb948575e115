//! What tells others that a container runs: `pid`, `start` and `state.json`.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde::Serialize;

use super::Directory;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::container::Container;
use crate::error::ErrorKind;
use crate::runtime::Runtime;

const PID: &str = "pid";
const START: &str = "start";
const STATE: &str = "state.json";

/// The file of June to December 2014.
#[derive(Debug, Serialize)]
struct State<'a> {
    init_pid: i32,
    init_start_time: String,
    network_state: NetworkState<'a>,
    cgroup_paths: &'a BTreeMap<String, PathBuf>,
}

#[derive(Debug, Serialize)]
struct NetworkState<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    veth_host: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    veth_child: &'a str,
}

impl Directory {
    /// Writes the files of a container that runs.
    pub(super) fn record(&self, container: &Container) -> Result<(), Failure> {
        let state = container.state()?;
        let networks = &state.config.networks;
        let veth = networks.iter().find(|network| network.kind == "veth");
        let old = State {
            init_pid: state.init_process_pid,
            init_start_time: state.init_process_start.to_string(),
            network_state: NetworkState {
                veth_host: veth.map_or("", |veth| &veth.host_interface_name),
                veth_child: veth.map_or("", |veth| &veth.name),
            },
            cgroup_paths: &state.cgroup_paths,
        };
        self.write(PID, &old.init_pid.to_string())?;
        self.write(START, &old.init_start_time)?;
        self.write(STATE, &output::compact(&old)?)
    }

    /// Removes them, unless the container is on record.
    pub(super) fn forget_ended(&self, runtime: &Runtime) -> Result<(), Failure> {
        match runtime.load(&self.id) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.forget(),
            _ => Ok(()),
        }
    }

    fn forget(&self) -> Result<(), Failure> {
        for name in [PID, START, STATE] {
            let path = self.path.join(name);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::io(format!("remove {}", path.display()), error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a file that readers see whole or not at all. What has the name is replaced, whatever
    /// it is, and nothing followed.
    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        let new = self.path.join(format!(".{name}.new"));
        let failed = |error| Failure::io(format!("write {}", path.display()), error);
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o655)
            .open(&new);
        made.and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| std::fs::rename(&new, &path))
            .map_err(failed)
    }
}
