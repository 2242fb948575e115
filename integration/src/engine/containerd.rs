//! containerd, used through `ctr`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CgroupParent, Daemon, RunBy};
use crate::limited::{ENGINE_TIMEOUT, Limited, Output};
use crate::program;

/// A containerd with its state in a temporary directory.
#[derive(Debug)]
pub struct Containerd {
    socket: PathBuf,
    rootfs: PathBuf,
    // Dropped in this order.
    _daemon: Daemon,
    _cgroups: CgroupParent,
    directory: tempfile::TempDir,
}

impl Containerd {
    /// Starts the daemon.
    pub fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    /// The same with lines of a configuration, which are made for its directory.
    pub fn start_with(lines: impl FnOnce(&Path) -> String) -> Self {
        let (directory, rootfs) = super::directory();
        let path = |name: &str| directory.path().join(name);
        let socket = path("containerd.sock");
        // The built-in defaults, whatever this machine's own containerd is configured with.
        let configuration = format!("version = 2\n{}", lines(directory.path()));
        std::fs::write(path("containerd.toml"), configuration).expect("write a file");
        let mut command = Command::new(program::find("containerd").expect("containerd"));
        command
            .arg("--config")
            .arg(path("containerd.toml"))
            .arg("--root")
            .arg(path("containerd-root"));
        command
            .arg("--state")
            .arg(path("containerd-state"))
            .arg("--address")
            .arg(&socket);
        let daemon = Daemon::start(&mut command, &path("containerd.log"), || {
            socket.exists() && client(&socket).args(["version"]).output().code == 0
        });
        Self {
            // Containers without another place get one in a cgroup with the name of the namespace.
            _cgroups: CgroupParent(format!("/{}", namespace(&socket))),
            socket,
            rootfs,
            _daemon: daemon,
            directory,
        }
    }

    /// Its directory; other daemons may keep their things there.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of a runtime that a test may put there and replace. Docker calls it `installed`.
    pub fn installed_runtime(&self) -> PathBuf {
        Self::installed_runtime_in(self.directory())
    }

    pub(super) fn installed_runtime_in(directory: &Path) -> PathBuf {
        directory.join("runc")
    }

    /// The path of its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A root file system for containers.
    pub fn rootfs(&self) -> PathBuf {
        self.rootfs.clone()
    }

    /// Calls `ctr` in the namespace of Kubernetes.
    pub fn call_in_kubernetes(&self, arguments: &[&str]) -> Output {
        let namespace = ["--namespace", "k8s.io"];
        client(&self.socket)
            .args(namespace)
            .args(arguments)
            .output()
    }

    /// Calls `ctr`.
    pub fn call(&self, arguments: &[&str]) -> Output {
        client(&self.socket).args(arguments).output()
    }

    /// `ctr run --rootfs` with the program under test: flags, the id, the command.
    pub fn run(&self, flags: &[&str], id: &str, command: &[&str]) -> Output {
        self.run_by(RunBy::UnderTest, flags, id, command)
    }

    /// The same with a runtime.
    pub fn run_by(&self, runtime: RunBy, flags: &[&str], id: &str, command: &[&str]) -> Output {
        let program = runtime.program();
        let program = program.to_str().expect("a path");
        let rootfs = self.rootfs.to_str().expect("a path of this test");
        let parts: [&[&str]; 4] = [
            &["run", "--rootfs", "--runc-binary", program],
            flags,
            &[rootfs, id],
            command,
        ];
        self.call(&parts.concat())
    }
}

/// The shim keeps the runtime's state under the name of the namespace, in one place for all daemons
/// of a machine: that is called like the folder of the daemon.
fn namespace(socket: &Path) -> String {
    let folder = socket.parent().and_then(Path::file_name);
    folder.unwrap_or_default().to_string_lossy().into_owned()
}

fn client(socket: &Path) -> Limited {
    let namespace = format!("--namespace={}", namespace(socket));
    Limited::new("ctr").timeout(ENGINE_TIMEOUT).args([
        Path::new("--address"),
        socket,
        Path::new(&namespace),
    ])
}
