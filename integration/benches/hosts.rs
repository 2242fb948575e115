//! What a container costs a host program: a small one, one with 200 threads and 1 GiB of heap, and
//! one that makes a thousand at once.
//!
//! `cargo bench -p cofferdam-integration --bench hosts` (needs root). Hosts are separate processes,
//! interleaved; starting from the big one must cost no more than from the small one, because
//! nothing of the host is copied or run.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a benchmark reports on its output and ends when something fails"
)]

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cofferdam_integration::library::Host;

const ROUNDS: usize = 9;
const LIVES: usize = 40;
const THREADS: usize = 200;
const HEAP: usize = 1 << 30;
const AT_ONCE: usize = 1000;

/// Microseconds of the median life.
fn median_life() -> u128 {
    let host = Host::new();
    let mut times: Vec<Duration> = (0..LIVES)
        .map(|number| {
            let start = Instant::now();
            host.life(&format!("bench-{number}"));
            start.elapsed()
        })
        .collect();
    times.sort();
    times.get(LIVES / 2).unwrap().as_micros()
}

/// The same beside threads that wait and memory that is used.
fn median_life_in_big_host() -> u128 {
    let mut heap = vec![0_u8; HEAP];
    for page in heap.chunks_mut(4096) {
        page.fill(1);
    }
    std::thread::scope(|scope| {
        let mut ends = Vec::with_capacity(THREADS);
        for _ in 0..THREADS {
            let (end, wait) = mpsc::channel::<()>();
            ends.push(end);
            scope.spawn(move || wait.recv());
        }
        let median = median_life();
        assert!(heap.iter().step_by(4096).all(|byte| *byte == 1));
        drop(ends);
        median
    })
}

fn in_another_process(host: &str) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--host", host])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap()
}

fn all_at_once() {
    let host = Arc::new(Host::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(8)
        .build()
        .unwrap();
    let start = Instant::now();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let host = Arc::clone(&host);
                tokio::task::spawn_blocking(move || host.life(&format!("many-{number}")))
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    println!(
        "{AT_ONCE} containers at once from tokio with 8 workers: {:.2} s, {} states left",
        start.elapsed().as_secs_f64(),
        host.remaining()
    );
}

fn main() -> ExitCode {
    if !rustix::process::geteuid().is_root() {
        println!("hosts: skipped, containers are made as root");
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(index) = arguments.iter().position(|argument| argument == "--host") {
        match arguments.get(index + 1).map(String::as_str) {
            Some("small") => println!("{}", median_life()),
            Some("big") => println!("{}", median_life_in_big_host()),
            other => {
                eprintln!("hosts: unknown host {other:?}");
                return ExitCode::from(2);
            }
        }
        return ExitCode::SUCCESS;
    }
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| (in_another_process("small"), in_another_process("big")))
        .collect();
    rounds.sort_by(|one, other| (one.1 / one.0).total_cmp(&(other.1 / other.0)));
    let (small, big) = rounds.get(ROUNDS / 2).copied().unwrap();
    println!(
        "life of a container: {small:.0} us from a small host, {big:.0} us beside {THREADS} threads and {} MiB of heap: ratio {:.2} (median of {ROUNDS} paired rounds)",
        HEAP >> 20,
        big / small
    );
    all_at_once();
    ExitCode::SUCCESS
}
