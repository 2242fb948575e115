//! podman, which has no daemon.

use std::path::Path;

use super::{CgroupParent, IMAGE};
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

    /// The directory of this podman; volumes may be in it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Calls podman.
    pub fn call(&self, arguments: &[&str]) -> Output {
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

    /// `podman run` or `podman create` without network, and with limits that need no privilege to set.
    pub fn container(&self, verb: &str, arguments: &[&str]) -> Output {
        let parent = format!("--cgroup-parent={}", self.cgroups.0);
        let limits = [
            verb,
            "--network=none",
            "--ulimit=nofile=1024:1024",
            "--ulimit=nproc=1024:1024",
            &parent,
        ];
        self.call(&[&limits, arguments].concat())
    }

    /// `podman run`.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.container("run", arguments)
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
