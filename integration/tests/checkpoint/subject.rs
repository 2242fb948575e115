//! A container that is dumped by one runtime and restored by another, or by the same.

use std::fs;
use std::path::PathBuf;

use cofferdam_integration::limited::{Limited, Output};
use cofferdam_integration::{Case, eventually, program};
use serde_json::json;

/// Which runtime takes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runtime {
    /// The program under test.
    Ours,
    /// Debian's runc.
    Runc,
}

impl Runtime {
    fn program(self) -> PathBuf {
        match self {
            Self::Ours => program::under_test(),
            Self::Runc => program::reference().expect("runc"),
        }
    }
}

/// Counts until `/end` is there.
pub(crate) const COUNT: &str =
    "i=0; while [ ! -e /end ]; do i=$((i+1)); echo $i >>/count; sleep 0.1; done; exit 7";

/// A case with a directory of images.
pub(crate) struct Subject {
    pub(crate) case: Case,
    images: tempfile::TempDir,
    /// Flags of every command, before its name.
    pub(crate) globals: Vec<&'static str>,
}

impl Subject {
    /// Its program counts in `/count`, line by line.
    pub(crate) fn counter() -> Self {
        let mut case = Case::new();
        case.bundle.config["root"]["readonly"] = false.into();
        case.bundle.script(COUNT);
        Self::of(case)
    }

    /// Mounts the directory of the images at `/volume`.
    pub(crate) fn volume(&mut self) {
        let source = self.images.path().to_str().unwrap();
        self.case.bundle.mount(json!({
            "destination": "/volume", "type": "bind", "source": source,
            "options": ["rbind", "ro"]
        }));
    }

    pub(crate) fn of(case: Case) -> Self {
        Self {
            case,
            images: tempfile::tempdir().unwrap(),
            globals: Vec::new(),
        }
    }

    /// The directory of the images.
    pub(crate) fn images(&self) -> PathBuf {
        self.images.path().join("images")
    }

    /// The arguments of a command of this subject: its options, the flag that names the images,
    /// others, and the id.
    pub(crate) fn line(&self, command: &str, flags: &[&str]) -> Vec<String> {
        let images = self.images().to_str().unwrap().to_owned();
        let globals = self.globals.iter().copied();
        globals
            .chain([command, "--image-path", &images])
            .chain(flags.iter().copied())
            .chain([self.case.id.as_str()])
            .map(str::to_owned)
            .collect()
    }

    /// Starts the container, detached, without streams: a file of the host that is open in it is
    /// nothing that CRIU could find again.
    #[track_caller]
    pub(crate) fn start(&mut self, runtime: Runtime) {
        self.case.bundle.write();
        let started = Limited::new("/bin/sh")
            .args(["-c", r#"exec "$@" </dev/null >/dev/null 2>&1"#, "sh"])
            .args([runtime.program()])
            .args(["--root".as_ref(), self.case.root().as_os_str()])
            .args(&self.globals)
            .args(["run", "--detach", &self.case.id])
            .directory(self.case.bundle.path())
            .output();
        assert!(started.code == 0, "{started}");
    }

    /// A command of this subject, with its options and the flag that names the images.
    pub(crate) fn command(&self, command: &str, flags: &[&str]) -> Limited {
        let line = self.line(command, flags);
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        self.case.command(&line)
    }

    /// Tries to dump it; the container goes on, and the log of CRIU has this line.
    #[track_caller]
    pub(crate) fn dump_fails(&self, flags: &[&str], said: &str) {
        let refused = self.command("checkpoint", flags).output();
        let _ = refused.failed(1, "criu failed: type DUMP errno ");
        let log = fs::read_to_string(self.images().join("dump.log")).unwrap();
        assert!(log.contains(said), "{said}: {log}");
        assert!(!self.images().join("inventory.img").exists());
        self.counts_beyond(self.count());
    }

    /// Tries to restore it; nothing is left, and the log of CRIU has this line.
    #[track_caller]
    pub(crate) fn restore_fails(&mut self, flags: &[&str], said: &str) {
        let refused = self.try_restore(Runtime::Ours, flags);
        let _ = refused.failed(1, "criu failed: type RESTORE errno ");
        let log = fs::read_to_string(self.images().join("restore.log")).unwrap();
        assert!(log.contains(said), "{said}: {log}");
        self.case.nothing_left();
    }

    /// Dumps it.
    #[track_caller]
    pub(crate) fn dump(&mut self, runtime: Runtime, flags: &[&str]) {
        self.case.program = runtime.program();
        let dumped = self.command("checkpoint", flags).output();
        self.case.program = Runtime::Ours.program();
        let log = || fs::read_to_string(self.images().join("dump.log")).unwrap_or_default();
        assert!(dumped.code == 0, "{dumped}\n{}", log());
    }

    /// Restores it, detached, and returns what the command did.
    pub(crate) fn try_restore(&mut self, runtime: Runtime, flags: &[&str]) -> Output {
        self.case.program = runtime.program();
        let line = self.line("restore", &[&["--detach"], flags].concat());
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let restored = self.case.detached(&line);
        self.case.program = Runtime::Ours.program();
        restored
    }

    /// The same, which has to succeed.
    #[track_caller]
    pub(crate) fn restore(&mut self, runtime: Runtime, flags: &[&str]) {
        let restored = self.try_restore(runtime, flags);
        let log = || fs::read_to_string(self.images().join("restore.log")).unwrap_or_default();
        assert!(restored.code == 0, "{restored}\n{}", log());
    }

    /// What the counter is at.
    pub(crate) fn count(&self) -> u64 {
        let text = fs::read_to_string(self.case.bundle.rootfs().join("count"));
        let text = text.unwrap_or_default();
        let last = text.lines().last().unwrap_or_default();
        last.parse().unwrap_or(0)
    }

    /// Waits until the counter is beyond this.
    #[track_caller]
    pub(crate) fn counts_beyond(&self, count: u64) {
        eventually("the program counts", || self.count() > count);
    }
}
