//! podman, which has no daemon.

use super::{CgroupParent, DockerCommandLine, IMAGE};
use crate::limited::{Limited, Output};
use crate::program;

/// A podman with its storage in a temporary directory.
#[derive(Debug)]
pub struct Podman {
    directory: tempfile::TempDir,
    cgroups: CgroupParent,
}

impl Podman {
    /// Makes the storage and an image in it.
    pub fn new() -> Self {
        let (directory, rootfs) = super::directory();
        let podman = Self {
            directory,
            cgroups: CgroupParent::new("podman"),
        };
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
}

impl DockerCommandLine for Podman {
    fn call(&self, arguments: &[&str]) -> Output {
        let path = |name: &str| self.directory.path().join(name).into_os_string();
        Limited::new("podman")
            .args([
                "--storage-driver=vfs",
                "--cgroup-manager=cgroupfs",
                "--events-backend=file",
            ])
            .args([
                "--root".into(),
                path("root"),
                "--runroot".into(),
                path("runroot"),
                "--tmpdir".into(),
                path("tmp"),
            ])
            .args(["--runtime".into(), program::under_test().into_os_string()])
            .args(arguments)
            .output()
    }

    /// With limits that need no privilege to set, and logs where there is no journal.
    fn run(&self, arguments: &[&str]) -> Output {
        let parent = format!("--cgroup-parent={}", self.cgroups.0);
        let flags = [
            "run",
            "--network=none",
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1024:1024",
            "--log-driver=k8s-file",
            &parent,
        ];
        self.call(&[&flags, arguments].concat())
    }
}

impl Default for Podman {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.call(&["rm", "--all", "--force", "--time", "0"]);
    }
}
