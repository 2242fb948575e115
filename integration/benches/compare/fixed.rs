//! What does not depend on the load of the machine: memory, size of the binary.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

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
    binary_kib: u64,
}

impl Bench {
    pub(crate) fn fixed(&mut self) -> Outcome<()> {
        let bundle_pause = self.bundles.path("pause");
        let mut figures = Vec::new();
        for peer in &self.peers {
            let run = self.id("fixed-run");
            let created = self.id("fixed-created");
            figures.push(Figures {
                peak_kib: peak(peer, &bundle_pause, &run)?,
                waiting_kib: waiting(peer, &bundle_pause, &created)?,
                binary_kib: fs::metadata(&peer.program)?.len() / 1024,
            });
        }
        println!(
            "peak memory of a run, the init of a created container, and the binary, layout {}",
            self.layout.name()
        );
        println!(
            "  {:<12} {:>13} {:>13} {:>13}",
            "", "peak RSS KiB", "init RSS KiB", "binary KiB"
        );
        for (peer, its) in self.peers.iter().zip(&figures) {
            println!(
                "  {:<12} {:>13} {:>13} {:>13}",
                peer.name, its.peak_kib, its.waiting_kib, its.binary_kib
            );
        }
        print_absent(&self.absent);
        self.judge(&figures);
        Ok(())
    }

    fn judge(&mut self, figures: &[Figures]) {
        let Some(own) = figures.first() else {
            return;
        };
        let exact = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let peak = exact(own.peak_kib);
        let compiled = self
            .peers
            .iter()
            .position(|peer| peer.name == target::STATIC);
        let ratio = compiled
            .and_then(|index| figures.get(index))
            .map(|its| peak / exact(its.peak_kib));
        let mut say = |what: &str, figure: f64, greatest: f64| {
            let verdict = self.verdicts.judge(what, figure, Some(greatest));
            println!("  {what}: {figure:.2} {verdict}");
        };
        if let Some(ratio) = ratio {
            let what = format!("peak RSS against {}", target::STATIC);
            say(&what, ratio, target::RESIDENT);
        }
        say("KiB of a run", peak, target::RESIDENT_KIB);
        say(
            "KiB of an init that waits",
            exact(own.waiting_kib),
            target::WAITING_KIB,
        );
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
