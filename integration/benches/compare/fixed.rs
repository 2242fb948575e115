//! What does not depend on the load of the machine: memory, system calls, size of the binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cofferdam_integration::program;

use crate::bench::{Bench, Outcome, with_bundle};
use crate::peer::Peer;
use crate::report::print_absent;
use crate::target;

/// The figures of one peer.
struct Figures {
    /// Of the process that runs the container in the foreground, up to when the program has
    /// started.
    peak_kib: u64,
    /// Of the init of a container that is created and not started.
    waiting_kib: u64,
    /// Of a whole run; `None` without strace(1).
    system_calls: Option<usize>,
    binary_kib: u64,
}

impl Bench {
    pub(crate) fn fixed(&mut self) -> Outcome<()> {
        let bundle_true = self.bundles.path("true");
        let bundle_pause = self.bundles.path("pause");
        let mut figures = Vec::new();
        for peer in &self.peers {
            let run = self.id("fixed-run");
            let created = self.id("fixed-created");
            figures.push(Figures {
                peak_kib: peak(peer, &bundle_pause, &run)?,
                waiting_kib: waiting(peer, &bundle_pause, &created)?,
                system_calls: system_calls(peer, &bundle_true, &run)?,
                binary_kib: fs::metadata(&peer.program)?.len() / 1024,
            });
        }
        println!(
            "a run's peak memory and system calls, the init of a created container, and the binary, layout {}",
            self.layout.name()
        );
        println!(
            "  {:<10} {:>13} {:>13} {:>13} {:>13}",
            "", "peak RSS KiB", "init RSS KiB", "system calls", "binary KiB"
        );
        for (peer, its) in self.peers.iter().zip(&figures) {
            let calls = its
                .system_calls
                .map_or_else(|| "no strace".to_owned(), |calls| calls.to_string());
            println!(
                "  {:<10} {:>13} {:>13} {calls:>13} {:>13}",
                peer.name, its.peak_kib, its.waiting_kib, its.binary_kib
            );
        }
        print_absent(&self.absent);
        self.judge(&figures);
        Ok(())
    }

    /// Against the peer that is the first among those that run here.
    fn judge(&mut self, figures: &[Figures]) {
        let Some(own) = figures.first() else {
            return;
        };
        let exact = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let mut say = |what: &str, figure: f64, greatest: f64| {
            let verdict = self.verdicts.judge(what, figure, Some(greatest));
            println!("  {what}: {figure:.2} {verdict}");
        };
        if let (Some(peer), Some(its)) = (self.peers.get(1), figures.get(1)) {
            let ratio = exact(own.peak_kib) / exact(its.peak_kib);
            say(
                &format!("peak RSS against {}", peer.name),
                ratio,
                target::RESIDENT,
            );
        }
        say(
            "KiB of an init that waits",
            exact(own.waiting_kib),
            target::WAITING_KIB,
        );
        if let Some(calls) = own.system_calls {
            say(
                "system calls of a run",
                exact(calls as u64),
                target::SYSTEM_CALLS,
            );
        }
        say(
            "KiB of the binary",
            exact(own.binary_kib),
            target::BINARY_KIB,
        );
    }
}

/// A line of `/proc/PID/status`, in KiB.
fn status_kib(pid: u64, name: &str) -> Outcome<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| format!("{path}: no {name}").into())
}

/// `VmHWM` of the runtime while its container runs: unlike `ru_maxrss` it counts nothing of what
/// started the runtime.
fn peak(peer: &Peer, bundle: &Path, id: &str) -> Outcome<u64> {
    let mut child = peer.command(with_bundle("run", bundle, &[id])).spawn()?;
    let measured = wait_until_running(peer, id)
        .and_then(|()| status_kib(u64::from(child.id()), "VmHWM:"))
        .map_err(|error| error.to_string());
    if measured.is_err() {
        child.kill()?;
    }
    // It fails when the run has.
    let _measured_says_why = peer.must(["kill", id, "KILL"]);
    child.wait()?;
    Ok(measured?)
}

fn waiting(peer: &Peer, bundle: &Path, id: &str) -> Outcome<u64> {
    peer.must(with_bundle("create", bundle, &[id]))?;
    let measured = peer
        .state(id)
        .and_then(|state| status_kib(state.pid, "VmRSS:"));
    peer.must(["delete", "--force", id])?;
    measured
}

fn wait_until_running(peer: &Peer, id: &str) -> Outcome<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    // For a moment no state exists, and no runtime reports to its caller when its program runs.
    while !peer.state(id).is_ok_and(|state| state.status == "running") {
        if Instant::now() > deadline {
            return Err(format!("{}: {id} is not running", peer.name).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Counts with strace(1), children included, what the runtime and the tiny program call.
fn system_calls(peer: &Peer, bundle: &Path, id: &str) -> Outcome<Option<usize>> {
    let Some(strace) = program::find("strace") else {
        return Ok(None);
    };
    let trace = tempfile::NamedTempFile::new_in("/dev/shm")?;
    let command = peer.command(with_bundle("run", bundle, &[id]));
    let status = Command::new(strace)
        .args(["-f", "-qq", "-o"])
        .arg(trace.path())
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("{} under strace: {status}", peer.name).into());
    }
    let text = fs::read_to_string(trace.path())?;
    // Lines of other kinds: "--- SIGCHLD …", "+++ exited …", and the second half of an interrupted
    // call.
    let is_call = |line: &&str| {
        !line.contains(" --- ") && !line.contains(" +++ ") && !line.contains("resumed>")
    };
    Ok(Some(text.lines().filter(is_call).count()))
}
