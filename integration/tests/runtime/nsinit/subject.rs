//! A directory in which `nsinit` is called.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cofferdam_integration::bundle::root_file_system;
use cofferdam_integration::limited::{Limited, Output};
use cofferdam_integration::{cgroup, eventually, program};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Where `--compat 2014` keeps its records.
const ROOT_2014: &str = "/var/run/nsinit";

/// A program that goes on until it is asked to end, and then ends with 3.
pub(super) const WAIT: &str = "trap 'exit 3' TERM; >/tmp/ready; sleep 1000 & wait";

/// A root file system, in which commands are called, and a state root.
pub(super) struct Subject {
    rootfs: tempfile::TempDir,
    root: tempfile::TempDir,
    finished: bool,
}

impl Subject {
    pub(super) fn new() -> Self {
        let rootfs = tempfile::Builder::new()
            .prefix("nsinit-test-")
            .tempdir()
            .unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(rootfs.path(), mode).unwrap();
        root_file_system(rootfs.path());
        fs::write(
            rootfs.path().join("etc/group"),
            "root:x:0:\nuser:x:1000:\nlog:x:50:user\nadm:x:4:\n",
        )
        .unwrap();
        Self {
            rootfs,
            root: tempfile::tempdir().unwrap(),
            finished: false,
        }
    }

    /// The root file system.
    pub(super) fn rootfs(&self) -> &Path {
        self.rootfs.path()
    }

    /// The state root.
    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// Its own name, which its cgroup has, too.
    pub(super) fn name(&self) -> &str {
        self.rootfs().file_name().unwrap().to_str().unwrap()
    }

    /// `nsinit ARGUMENTS` in the root file system.
    pub(super) fn bare(&self, arguments: &[&str]) -> Limited {
        Limited::new(program::nsinit())
            .args(arguments.iter().copied())
            .directory(self.rootfs())
    }

    /// `nsinit --root ROOT ARGUMENTS`.
    pub(super) fn call(&self, arguments: &[&str]) -> Output {
        self.bare(&self.line(arguments)).output()
    }

    fn line<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["--root", self.root().to_str().unwrap()], arguments].concat()
    }

    /// The same as a command that is not limited.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program::nsinit());
        command
            .args(self.line(arguments))
            .current_dir(self.rootfs());
        command
    }

    /// `exec FLAGS sh -c SCRIPT`, to its end.
    pub(super) fn exec(&self, flags: &[&str], script: &str) -> Output {
        self.call(&[&["exec"], flags, &["sh", "-c", script]].concat())
    }

    /// The same, which goes on, and makes a file when it is ready for signals.
    pub(super) fn start(&self, flags: &[&str], script: &str) -> Child {
        let line = [&["exec"], flags, &["sh", "-c", script]].concat();
        self.until_ready(self.bare(&self.line(&line)))
    }

    /// Starts a command whose program makes `/tmp/ready`.
    pub(super) fn until_ready(&self, command: Limited) -> Child {
        let ready = self.rootfs().join("tmp/ready");
        let _ = fs::remove_file(&ready);
        let child = command.spawn(Stdio::null());
        eventually("the container is ready", || ready.exists());
        child
    }

    /// What `state` shows of the container, if it runs.
    pub(super) fn state(&self) -> Option<Value> {
        let shown = self.call(&["state"]);
        (shown.code == 0).then(|| shown.json())
    }

    /// Everything is gone.
    #[track_caller]
    pub(super) fn finish(mut self) {
        self.finished = true;
        let left: Vec<PathBuf> = fs::read_dir(self.root())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        self.nothing_left();
    }

    /// The same for a directory of 2014.
    #[track_caller]
    pub(super) fn finish_2014(mut self) {
        self.finished = true;
        assert!(!self.record_2014().exists(), "left behind");
        self.nothing_left();
    }

    #[track_caller]
    fn nothing_left(&self) {
        let groups = cgroup::marked(self.name());
        assert!(groups.is_empty(), "left behind: {groups:?}");
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.name()), "{mounts}");
    }

    /// The record of the container of this directory.
    pub(super) fn record_2014(&self) -> PathBuf {
        let found = self.rootfs().metadata().unwrap();
        Path::new(ROOT_2014).join(format!("2014-{:x}-{:x}", found.dev(), found.ino()))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // A failed test: what it has left is in the way of others. The failure is reported.
        let record = self.record_2014();
        let roots = [self.root(), Path::new(ROOT_2014)];
        for root in roots {
            for entry in fs::read_dir(root).into_iter().flatten().flatten() {
                if root == Path::new(ROOT_2014) && entry.path() != record {
                    continue;
                }
                let _ = Command::new(program::under_test())
                    .arg("--root")
                    .arg(root)
                    .args(["delete", "--force"])
                    .arg(entry.file_name())
                    .output();
            }
        }
    }
}

/// Asks a command to end, and returns its exit code.
#[track_caller]
pub(super) fn end(mut child: Child) -> Option<i32> {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    ended(&mut child)
}

/// The exit code of a command that ends by itself.
#[track_caller]
pub(super) fn ended(child: &mut Child) -> Option<i32> {
    let mut status = None;
    eventually("the command ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap().code()
}
