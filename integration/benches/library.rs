//! What the library gives a program that makes many containers: containers per second from one
//! process with several threads, beside the command line called by as many, and the memory that a
//! container costs which waits to be started.
//!
//! `cargo bench -p cofferdam-integration --bench library -- [--rounds N]` (needs root, and the
//! release binary). This program has the settings of `profile.bench`; what it calls spends its time
//! in the kernel.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark reports on its output and ends when something fails"
)]

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cofferdam_integration::library::Host;
use cofferdam_integration::parallel::in_parallel;
use cofferdam_integration::program;

#[path = "compare/only_rounds.rs"]
mod only_rounds;

const WORKERS: [usize; 3] = [1, 2, 8];
/// Containers a round, each way.
const LIVES: usize = 80;
const WAITING: usize = 100;

/// Containers per second, made by so many threads.
fn rate(workers: usize, life: impl Fn(usize) -> Result<(), String> + Sync) -> f64 {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    in_parallel(workers, || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= LIVES {
                return Ok(());
            }
            life(number)?;
        }
    })
    .unwrap();
    LIVES as f64 / start.elapsed().as_secs_f64()
}

/// One container by the command line.
fn command(host: &Host, bundle: usize, id: &str) -> Result<(), String> {
    let status = Command::new(program::under_test())
        .arg("--root")
        .arg(host.root())
        .args(["run", "--bundle"])
        .arg(host.bundle(&format!("bundle-{bundle}")))
        .arg(id)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{id}: {status}"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Rounds of both ways, the other one first in every second round.
fn compare(host: &Host, workers: usize, rounds: usize) {
    let mut pairs = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let library = || {
            rate(workers, |number| {
                host.life(&format!("bench-{number}"));
                Ok(())
            })
        };
        // Bundles name their cgroups, so each container of a round has a bundle of its own.
        let commands = || {
            rate(workers, |number| {
                command(host, number, &format!("run-{number}"))
            })
        };
        pairs.push(if round % 2 == 0 {
            let first = library();
            (first, commands())
        } else {
            let first = commands();
            (library(), first)
        });
    }
    println!(
        "  {workers} threads: {:>5.0} by the library, {:>5.0} by commands: {:.2} times as many",
        median(pairs.iter().map(|(library, _)| *library).collect()),
        median(pairs.iter().map(|(_, commands)| *commands).collect()),
        median(
            pairs
                .iter()
                .map(|(library, commands)| library / commands)
                .collect()
        ),
    );
}

/// A line of a file of `/proc`, in KiB.
fn kib(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .find_map(|line| {
            line.strip_prefix(name)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .unwrap()
}

fn memory(host: &Host) {
    let own = || kib("/proc/self/status", "VmRSS:");
    // What is made once and kept belongs to no container.
    host.remove(&host.waiting("first"));
    let before = own();
    let containers: Vec<_> = (0..WAITING)
        .map(|number| host.waiting(&format!("waiting-{number}")))
        .collect();
    let grown = own().saturating_sub(before);
    let inits: u64 = containers
        .iter()
        .map(|container| {
            let pid = container.pid().unwrap();
            kib(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
        })
        .sum();
    println!(
        "memory of a container that waits, one of {WAITING}: {:.1} KiB in this process, {:.1} KiB \
         of its init (Pss)",
        grown as f64 / WAITING as f64,
        inits as f64 / WAITING as f64,
    );
    for container in containers {
        host.remove(&container);
    }
}

fn main() -> ExitCode {
    let rounds = match only_rounds::parse(std::env::args().skip(1)) {
        Ok(rounds) => rounds,
        Err(message) => {
            eprintln!("library: {message}");
            return ExitCode::from(2);
        }
    };
    if !rustix::process::geteuid().is_root() {
        println!("library: skipped, containers are made as root");
        return ExitCode::SUCCESS;
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    println!(
        "containers per second, {LIVES} a round, {rounds} rounds, load {}",
        load.trim()
    );
    let host = Host::new();
    for workers in WORKERS {
        compare(&host, workers, rounds);
    }
    memory(&host);
    ExitCode::SUCCESS
}
