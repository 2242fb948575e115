//! Containers made through the library, as a host program makes them.

use std::fs;
use std::path::{Path, PathBuf};

use configs::oci::Spec;
use configs::{Config, HostInfo, specconv};
use runtime::{Container, ContainerId, ExitStatus, Process, Runtime, Stdio};
use serde_json::json;

use crate::tiny_program;

/// A state root and a root file system that holds `/bin/true`, `/bin/pause` and nothing else.
#[derive(Debug)]
pub struct Host {
    runtime: Runtime,
    rootfs: PathBuf,
    scratch: tempfile::TempDir,
}

impl Host {
    /// In a temporary folder; on tmpfs where that allows devices, which systemd forbids.
    pub fn new() -> Self {
        let shared = Path::new("/dev/shm");
        let flags = rustix::fs::statvfs(shared).unwrap().f_flag;
        let parent = if flags.contains(rustix::fs::StatVfsMountFlags::NODEV) {
            std::env::temp_dir()
        } else {
            shared.to_owned()
        };
        let scratch = tempfile::Builder::new()
            .prefix("cofferdam-host-")
            .tempdir_in(parent)
            .unwrap();
        let rootfs = scratch.path().join("rootfs");
        fs::create_dir_all(rootfs.join("bin")).unwrap();
        tiny_program::write(&rootfs.join("bin/true"), tiny_program::TRUE).unwrap();
        tiny_program::write(&rootfs.join("bin/pause"), tiny_program::PAUSE).unwrap();
        let runtime = Runtime::new(scratch.path().join("root")).unwrap();
        Self {
            runtime,
            rootfs,
            scratch,
        }
    }

    /// The whole life of one container: created, started, waited for, destroyed.
    pub fn life(&self, id: &str) -> ExitStatus {
        let id: ContainerId = id.parse().unwrap();
        let container = self
            .runtime
            .run(&id, config(id.as_str(), &self.rootfs), quiet("/bin/true"))
            .unwrap_or_else(|error| panic!("{id}: {}", error.chain()));
        let status = container.wait().unwrap();
        container.destroy().unwrap();
        status
    }

    /// A container whose program runs until it is killed.
    pub fn resident(&self, id: &str) -> Container {
        let id: ContainerId = id.parse().unwrap();
        self.runtime
            .run(&id, config(id.as_str(), &self.rootfs), quiet("/bin/pause"))
            .unwrap_or_else(|error| panic!("{id}: {}", error.chain()))
    }

    /// A container whose program waits to be started.
    pub fn waiting(&self, id: &str) -> Container {
        let id: ContainerId = id.parse().unwrap();
        self.runtime
            .create(&id, config(id.as_str(), &self.rootfs), quiet("/bin/true"))
            .unwrap_or_else(|error| panic!("{id}: {}", error.chain()))
    }

    /// Ends a container and removes it.
    pub fn remove(&self, container: &Container) {
        self.runtime
            .force_delete(container.id())
            .unwrap_or_else(|error| panic!("{}: {}", container.id(), error.chain()));
    }

    /// A bundle that asks for what [`life`](Self::life) makes, for the command line.
    pub fn bundle(&self, name: &str) -> PathBuf {
        let bundle = self.scratch.path().join(name);
        fs::create_dir_all(&bundle).unwrap();
        let mut spec = spec(name, &self.rootfs);
        let process = json!({"user": {"uid": 0, "gid": 0}, "cwd": "/", "args": ["/bin/true"]});
        if let Some(keys) = spec.as_object_mut() {
            keys.insert("process".to_owned(), process);
        }
        fs::write(bundle.join("config.json"), spec.to_string()).unwrap();
        bundle
    }

    /// The state root.
    pub fn root(&self) -> PathBuf {
        self.scratch.path().join("root")
    }

    /// State directories that are left.
    pub fn remaining(&self) -> usize {
        match fs::read_dir(self.root()) {
            Ok(entries) => entries.count(),
            Err(_) => 0,
        }
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

/// A program without streams.
pub fn quiet(program: &str) -> Process {
    let mut process = Process::new([program]);
    process
        .stdin(Stdio::Null)
        .stdout(Stdio::Null)
        .stderr(Stdio::Null);
    process
}

/// Descriptors this process has open.
pub fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn spec(id: &str, rootfs: &Path) -> serde_json::Value {
    json!({
        "ociVersion": "1.3.0",
        "root": {"path": rootfs},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "cgroupsPath": format!("/cofferdam-host-{}-{id}", std::process::id()),
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
            ]
        }
    })
}

fn config(id: &str, rootfs: &Path) -> Config {
    let spec = Spec::from_slice(spec(id, rootfs).to_string().as_bytes()).unwrap();
    let options = specconv::Options {
        id: id.to_owned(),
        bundle: rootfs.parent().unwrap().to_string_lossy().into_owned(),
        ..specconv::Options::default()
    };
    specconv::convert(&spec, &HostInfo::default(), &options)
        .unwrap()
        .0
}
