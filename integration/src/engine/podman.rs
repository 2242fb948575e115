//! podman, which has no daemon.

use std::path::{Path, PathBuf};

use super::{CgroupParent, DockerCommandLine, IMAGE, RunBy};
use crate::limited::{ENGINE_TIMEOUT, Limited, Output};

/// A podman with its storage in a temporary directory, of the user who runs the test.
#[derive(Debug)]
pub struct Podman {
    directory: tempfile::TempDir,
    /// Where podman makes the cgroups itself; with systemd each container is a scope.
    cgroups: Option<CgroupParent>,
}

impl Podman {
    /// Makes the storage and an image in it. Containers get cgroups by cgroupfs.
    pub fn new() -> Self {
        Self::with(Some(CgroupParent::new("podman")))
    }

    /// The same, with containers that are units of systemd: of the machine's or, for an ordinary
    /// user, of the user's.
    pub fn under_systemd() -> Self {
        Self::with(None)
    }

    fn with(cgroups: Option<CgroupParent>) -> Self {
        let (directory, rootfs) = super::directory();
        let podman = Self { directory, cgroups };
        // The built-in defaults, whatever this machine's own podman is configured with, but locks
        // that no other program else uses: those in shared memory belong to all podmans of a user,
        // and two that make them at once are in each other's way.
        std::fs::write(podman.configuration(), "[engine]\nlock_type = \"file\"\n")
            .expect("write a file");
        let archive = super::archive(&rootfs);
        let _ = podman
            .call(&[
                "import",
                "--quiet",
                archive.to_str().expect("a path of this test"),
                IMAGE,
            ])
            .ok();
        podman
    }

    fn configuration(&self) -> PathBuf {
        self.directory.path().join("containers.conf")
    }

    /// The scope of a container.
    #[track_caller]
    pub fn unit(&self, container: &str) -> String {
        format!("libpod-{}.scope", self.inspect(container, "{{.Id}}"))
    }
}

impl Podman {
    /// The path of a runtime that a test may put there and replace.
    pub fn installed_runtime(&self) -> PathBuf {
        self.directory.path().join("runc")
    }

    /// `run` or `create`, as of [`DockerCommandLine::run_by`], with the runtime at a path.
    pub fn make(&self, verb: &str, runtime: &Path, arguments: &[&str]) -> Output {
        let parent = self.cgroups.as_ref();
        let parent = parent.map(|parent| format!("--cgroup-parent={}", parent.0));
        let mut flags = vec![
            verb,
            "--network=none",
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1024:1024",
            "--log-driver=k8s-file",
        ];
        flags.extend(parent.as_deref());
        self.call_by(runtime, &[&flags, arguments].concat())
    }

    /// Calls podman with a runtime for the containers that it makes. Those it has keep theirs.
    fn call_by(&self, runtime: &Path, arguments: &[&str]) -> Output {
        let path = |name: &str| self.directory.path().join(name).into_os_string();
        let manager = if self.cgroups.is_some() {
            "cgroupfs"
        } else {
            "systemd"
        };
        Limited::new("podman")
            .timeout(ENGINE_TIMEOUT)
            .args(["--storage-driver=vfs", "--events-backend=file"])
            .args([format!("--cgroup-manager={manager}")])
            .args([
                "--root".into(),
                path("root"),
                "--runroot".into(),
                path("runroot"),
                "--tmpdir".into(),
                path("tmp"),
            ])
            .args([Path::new("--runtime"), runtime])
            .args(arguments)
            .env("CONTAINERS_CONF", self.configuration())
            .output()
    }
}

impl DockerCommandLine for Podman {
    fn call(&self, arguments: &[&str]) -> Output {
        self.call_by(&RunBy::UnderTest.program(), arguments)
    }

    /// With limits that need no privilege to set, and logs that need no journal.
    fn run_by(&self, runtime: RunBy, arguments: &[&str]) -> Output {
        self.make("run", &runtime.program(), arguments)
    }
}

impl Default for Podman {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // A panic here, after that of a failed test, would end the other tests of the program, too.
        let remove = || self.call(&["rm", "--all", "--force", "--time", "0"]);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(remove));
    }
}
