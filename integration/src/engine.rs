//! Container engines of their own for one test, with the program under test as their runtime.
//!
//! Everything an engine keeps is in a temporary directory, no network is touched, and images are
//! made of the busybox root file system, so nothing is fetched.

mod containerd;
mod daemon;
mod docker;
mod image;
mod node;
mod podman;

pub use containerd::Containerd;
pub use daemon::Daemon;
pub use docker::Docker;
pub use node::{Container, Node, Pod, container_config};
pub use podman::Podman;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::bundle::root_file_system;
use crate::limited::{Limited, Output};
use crate::program;

/// The name of the image that every engine gets.
pub const IMAGE: &str = "localhost/busybox:test";

/// What an engine runs a container with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunBy {
    /// The program under test.
    UnderTest,
    /// Debian's runc. The messages and formats of an engine itself differ between its
    /// versions: a test compares what it says of both.
    Runc,
}

impl RunBy {
    /// The program.
    ///
    /// # Panics
    /// It is not installed.
    pub fn program(self) -> PathBuf {
        match self {
            Self::UnderTest => program::under_test(),
            Self::Runc => program::reference().expect("runc is installed"),
        }
    }
}

/// An engine that has Docker's command line.
pub trait DockerCommandLine: Sync {
    /// Calls the client.
    fn call(&self, arguments: &[&str]) -> Output;

    /// `run` without network; the image is put between flags and command by the caller.
    fn run_by(&self, runtime: RunBy, arguments: &[&str]) -> Output;

    /// The same with the program under test.
    fn run(&self, arguments: &[&str]) -> Output {
        self.run_by(RunBy::UnderTest, arguments)
    }

    /// One value of `inspect`.
    #[track_caller]
    fn inspect(&self, container: &str, format: &str) -> String {
        self.call(&["inspect", "--format", format, container])
            .ok()
            .stdout
            .trim_end()
            .to_owned()
    }
}

/// The directory of an engine, with a root file system in it.
fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::Builder::new()
        .prefix("cofferdam-engine-")
        .tempdir()
        .expect("make a temporary directory");
    let rootfs = directory.path().join("rootfs");
    root_file_system(&rootfs);
    (directory, rootfs)
}

/// An archive of a root file system, to be imported as an image. Its files are root's, whichever
/// user runs the test.
fn archive(rootfs: &Path) -> PathBuf {
    let path = rootfs.with_extension("tar");
    let _ = Limited::new("tar")
        .args([
            "-C".into(),
            rootfs.as_os_str().to_owned(),
            "-cf".into(),
            path.clone().into(),
            "--owner=0".into(),
            "--group=0".into(),
            ".".into(),
        ])
        .output()
        .ok();
    path
}

/// The parent of the cgroups of one engine's containers; removed when dropped.
#[derive(Debug)]
struct CgroupParent(String);

impl CgroupParent {
    /// One that no other engine has: the tests of a program may run side by side in one process.
    fn new(engine: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(format!(
            "/cofferdam-{engine}-{}-{number}",
            std::process::id()
        ))
    }
}

impl Drop for CgroupParent {
    fn drop(&mut self) {
        let name = self.0.trim_start_matches('/');
        for directory in crate::cgroup::directories(&self.0) {
            // podman leaves the cgroup of its monitors. Others are busy only after a failed test.
            let _ = std::fs::remove_dir(directory.join("conmon"));
            let _ = std::fs::remove_dir(directory);
        }
        // Engines make directories for controllers they know, also where none is mounted: plain
        // ones, of a tmpfs.
        for entry in std::fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten()
        {
            if !crate::cgroup::mounts().contains(&entry.path()) {
                let _ = std::fs::remove_dir_all(entry.path().join(name));
            }
        }
    }
}
