//! Where the containers of a soak live, and what marks them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use configs::oci::Spec;
use configs::{Config, HostInfo, specconv};
use nix::sched::{CloneFlags, unshare};
use runtime::{ContainerId, Runtime};
use rustix::mount::{MountPropagationFlags, mount_change};
use serde_json::{Value, json};

use crate::leftovers::programs::Device;
use crate::needs::Need;
use crate::scratch::{self, Scratch};
use crate::{cgroup, networks, tiny_program};

/// What the folders of soaks are called; ids and cgroups begin with the name of the folder.
const PREFIX: &str = "cofferdam-soak-";

/// How cgroups are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchies {
    /// As they are on the machine.
    Own,
    /// Cgroup v2 alone, in a mount namespace of the soak.
    Unified,
}

/// Namespaces, a state root, a root file system, and numbers that nothing else has.
#[derive(Debug)]
pub(super) struct Place {
    scratch: Scratch,
    mark: String,
    pub(super) runtime: Runtime,
    /// Whether there is a bridge to which containers can be connected.
    pub(super) has_bridge: bool,
    /// Whether the number of processes can be limited.
    pub(super) has_pids: bool,
    /// The network devices before the first container.
    pub(super) devices: BTreeSet<String>,
}

impl Place {
    /// Gives the calling thread a mount namespace and a network of its own, makes this process the
    /// parent of orphans, and makes the rest.
    pub(super) fn enter(hierarchies: Hierarchies) -> Result<Self, String> {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
            .map_err(|error| format!("unshare: {error}"))?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(|error| format!("make all mounts private: {error}"))?;
        if hierarchies == Hierarchies::Unified {
            cgroup::mount_unified();
        }
        // The kernel keeps what is of a process until its parent waits for it, and not every
        // machine has an init that does so soon. What a command leaves unwaited for counts here as
        // well.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|error| format!("become the parent of orphans: {error}"))?;
        let has_bridge = Need::VirtualNetworks.missing().is_none();
        if has_bridge {
            networks::enter();
        }
        let said = |error: std::io::Error| error.to_string();
        let scratch = Scratch::create(PREFIX).map_err(said)?;
        let mark = scratch::mark(scratch.path()).ok_or("a folder without a name")?;
        let mark = mark.to_owned();
        let rootfs = scratch.path().join("rootfs");
        for name in ["bin", "proc", "dev", "sys"] {
            fs::create_dir_all(rootfs.join(name)).map_err(said)?;
        }
        // The root of a user namespace has no rights in a folder that is for root alone.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(scratch.path(), everybody).map_err(said)?;
        tiny_program::write(&rootfs.join("bin/true"), tiny_program::TRUE).map_err(said)?;
        tiny_program::write(&rootfs.join("bin/pause"), tiny_program::PAUSE).map_err(said)?;
        let runtime = Runtime::new(scratch.path().join("root")).map_err(|error| error.chain())?;
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers");
        let has_pids = match controllers {
            Ok(names) => names.split_whitespace().any(|name| name == "pids"),
            Err(_) => cgroup::has_v1(),
        };
        let place = Self {
            scratch,
            mark,
            runtime,
            has_bridge,
            has_pids,
            devices: crate::leftovers::network_devices().map_err(said)?,
        };
        for program in ["true", "pause"] {
            place.write_bundle(program).map_err(said)?;
        }
        Ok(place)
    }

    /// What ids and cgroups begin with.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// The folder that only mounts and processes of these containers know.
    pub(super) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// The state root.
    pub(super) fn root(&self) -> PathBuf {
        self.folder().join("root")
    }

    /// The id of a life.
    pub(super) fn id(&self, number: usize) -> String {
        format!("{}-{number}", self.mark)
    }

    /// The device whose rule marks the BPF programs of these containers.
    pub(super) fn device(&self) -> Device {
        // That of a number that no case of a test reaches.
        Device::of_this_process(0x1ff)
    }

    /// The first id of the user namespaces: no other process has it, so that the kernel's count of
    /// its keys is of these containers.
    pub(super) fn first_id(&self) -> u32 {
        0x1000_0000 + (std::process::id() & 0x3fff) * 65_536
    }

    /// The bundle that runs this program, for the command line.
    pub(super) fn bundle(&self, program: &str) -> PathBuf {
        self.folder().join(format!("bundle-{program}"))
    }

    /// Where the command line writes the number of a process.
    pub(super) fn pid_file(&self, id: &ContainerId, name: &str) -> PathBuf {
        self.folder().join(format!("{id}-{name}.pid"))
    }

    fn write_bundle(&self, program: &str) -> std::io::Result<()> {
        let bundle = self.bundle(program);
        fs::create_dir_all(&bundle)?;
        let mut spec = self.spec();
        spec["process"]["args"] = json!([format!("/bin/{program}")]);
        fs::write(bundle.join("config.json"), spec.to_string())
    }

    /// What `cofferdam spec` writes, without a terminal and with the mark of devices. Its cgroup is
    /// called as the container.
    fn spec(&self) -> Value {
        let mut spec = serde_json::to_value(Spec::example()).expect("a spec is JSON");
        spec["process"]["terminal"] = json!(false);
        spec["root"]["path"] = json!(self.folder().join("rootfs"));
        let rules = spec["linux"]["resources"]["devices"].as_array_mut();
        rules.expect("device rules").push(self.device().rule());
        spec
    }

    /// The configuration of a container, changed by `change` before it is converted.
    pub(super) fn configuration(
        &self,
        id: &ContainerId,
        change: impl FnOnce(&mut Value),
    ) -> Result<Config, String> {
        let mut value = self.spec();
        value["linux"]["cgroupsPath"] = json!(format!("/{id}"));
        change(&mut value);
        let spec =
            Spec::from_slice(value.to_string().as_bytes()).map_err(|error| error.to_string())?;
        let options = specconv::Options {
            id: id.to_string(),
            bundle: self.folder().to_string_lossy().into_owned(),
            ..specconv::Options::default()
        };
        let converted = specconv::convert(&spec, &HostInfo::default(), &options);
        Ok(converted.map_err(|error| error.to_string())?.0)
    }

    /// Removes everything that has the mark.
    pub(super) fn remove(self) -> Result<(), String> {
        remove(self.folder()).map_err(|error| error.to_string())
    }
}

/// Removes a folder and its cgroups, with the processes in them.
fn remove(folder: &Path) -> std::io::Result<()> {
    let mark = scratch::mark(folder).ok_or(std::io::ErrorKind::InvalidFilename)?;
    let deadline = Instant::now() + Duration::from_secs(30);
    cgroup::remove(&cgroup::marked(mark), deadline)?;
    fs::remove_dir_all(folder)
}

/// Removes what soaks have left whose process was killed.
///
/// # Errors
/// Something cannot be removed.
pub fn remove_abandoned() -> std::io::Result<()> {
    for abandoned in Scratch::abandoned(PREFIX)? {
        remove(abandoned.path())?;
    }
    Ok(())
}
