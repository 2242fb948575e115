//! Daemons that end with their test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::limited::wait;

/// How long a daemon may take to answer, and to end.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a starting daemon is asked.
const INTERVAL: Duration = Duration::from_millis(20);

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a daemon whose output goes to `log`, and waits until `ready` says that it answers.
    pub fn start(command: &mut Command, log: &Path, ready: impl Fn() -> bool) -> Self {
        let file = File::create(log).expect("create a log");
        let again = file.try_clone().expect("duplicate a descriptor");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(again)
            .spawn()
            .expect("start a daemon");
        let daemon = Self {
            child,
            log: log.to_owned(),
        };
        let started = Instant::now();
        while !ready() {
            assert!(
                !wait(&daemon.child, INTERVAL),
                "{command:?} ended:\n{}",
                daemon.log()
            );
            assert!(
                started.elapsed() < START_TIMEOUT,
                "{command:?} does not answer:\n{}",
                daemon.log()
            );
        }
        daemon
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        if !wait(&self.child, START_TIMEOUT) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
