//! Many runs of a program that ends at once: none may hang, each must report its exit code, nothing may stay behind.
//!
//! `cargo bench -p cofferdam-integration --bench endurance -- [--runs N]` (10,000 of each kind unless told; needs root
//! and the release binary). A runtime that starts to wait after its container has ended can miss the end: that shows
//! about once in a hundred runs, so it takes thousands to be sure.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a benchmark reports on its output, and its tables have the shape it gave them"
)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cofferdam_integration::{program, tiny_program};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};

/// A run that takes longer than this counts as hung.
const PATIENCE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// One way to call the runtime.
struct Kind {
    name: &'static str,
    /// Options of env(1) that arrange the signal state of the caller.
    caller: &'static [&'static str],
    bundle: &'static str,
    /// How many run at the same time.
    workers: usize,
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "plain",
        caller: &[],
        bundle: "plain",
        workers: 2,
    },
    Kind {
        name: "SIGCHLD ignored by the caller",
        caller: &["--ignore-signal=CHLD"],
        bundle: "plain",
        workers: 2,
    },
    Kind {
        name: "SIGCHLD blocked by the caller",
        caller: &["--block-signal=CHLD"],
        bundle: "plain",
        workers: 2,
    },
    Kind {
        name: "poststart hook of 0.5 s",
        caller: &[],
        bundle: "hook",
        workers: 64,
    },
];

#[derive(Default)]
struct Tally {
    hung: AtomicUsize,
    wrong_code: AtomicUsize,
    next: AtomicUsize,
}

fn bundle(folder: &Path, hooks: Value) -> Result<(), Box<dyn Error>> {
    let bin = folder.join("rootfs/bin");
    fs::create_dir_all(&bin)?;
    tiny_program::write(&bin.join("true"), tiny_program::TRUE)?;
    let config = json!({
        "ociVersion": "1.3.0",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "hooks": hooks,
        "linux": {"namespaces": [
            {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
        ]}
    });
    fs::write(folder.join("config.json"), serde_json::to_vec(&config)?)?;
    Ok(())
}

/// Waits for the end without relying on signals. `None`: it hung, and was killed.
fn outcome(child: &mut Child) -> Result<Option<i32>, Box<dyn Error>> {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or("no pid")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let ready = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&PATIENCE))?;
    if ready == 0 {
        child.kill()?;
        child.wait()?;
        return Ok(None);
    }
    Ok(Some(child.wait()?.code().unwrap_or(-1)))
}

fn worker(kind: &Kind, runs: usize, scratch: &Path, tally: &Tally) -> Result<(), String> {
    loop {
        let number = tally.next.fetch_add(1, Ordering::Relaxed);
        if number >= runs {
            return Ok(());
        }
        let mut child = Command::new("env")
            .args(kind.caller)
            .arg(program::under_test())
            .arg("--root")
            .arg(scratch.join("root"))
            .args(["run", "--bundle"])
            .arg(scratch.join(kind.bundle))
            .arg(format!("endurance-{number}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("starting run {number}: {error}"))?;
        match outcome(&mut child).map_err(|error| format!("waiting for run {number}: {error}"))? {
            None => tally.hung.fetch_add(1, Ordering::Relaxed),
            Some(0) => continue,
            Some(_) => tally.wrong_code.fetch_add(1, Ordering::Relaxed),
        };
    }
}

/// Mounts of this namespace and state directories: what a leaking run would add to.
fn remains(scratch: &Path) -> Result<(usize, usize), Box<dyn Error>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?.lines().count();
    let states = match fs::read_dir(scratch.join("root")) {
        Ok(entries) => entries.count(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    Ok((mounts, states))
}

fn measure(kind: &Kind, runs: usize, scratch: &Path) -> Result<bool, Box<dyn Error>> {
    let before = remains(scratch)?;
    let tally = Tally::default();
    let start = Instant::now();
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..kind.workers)
            .map(|_| scope.spawn(|| worker(kind, runs, scratch, &tally)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err("a worker panicked".to_owned()))
            })
            .collect()
    });
    results.into_iter().collect::<Result<(), String>>()?;
    let elapsed: Duration = start.elapsed();
    let hung = tally.hung.load(Ordering::Relaxed);
    let wrong = tally.wrong_code.load(Ordering::Relaxed);
    let after = remains(scratch)?;
    println!(
        "{}: {runs} runs in {:.1} s, {hung} hung, {wrong} with a wrong exit code, {} mounts and {} states left",
        kind.name,
        elapsed.as_secs_f64(),
        after.0.saturating_sub(before.0),
        after.1.saturating_sub(before.1),
    );
    Ok(hung == 0 && wrong == 0 && after == before)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let runs = arguments
        .iter()
        .position(|argument| argument == "--runs")
        .and_then(|index| arguments.get(index + 1)?.parse().ok())
        .unwrap_or(10_000);
    if !rustix::process::geteuid().is_root() {
        println!("endurance: skipped, containers are run as root");
        return ExitCode::SUCCESS;
    }
    let all = || -> Result<bool, Box<dyn Error>> {
        let scratch = tempfile::Builder::new()
            .prefix("cofferdam-endurance-")
            .tempdir_in("/dev/shm")?;
        bundle(&scratch.path().join("plain"), json!({}))?;
        let hook = json!({"poststart": [{"path": "/bin/sleep", "args": ["sleep", "0.5"]}]});
        bundle(&scratch.path().join("hook"), hook)?;
        // The first run makes the state root.
        fs::create_dir_all(scratch.path().join("root"))?;
        let mut good = true;
        for kind in &KINDS {
            good &= measure(kind, runs, scratch.path())?;
        }
        Ok(good)
    };
    match all() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("endurance: {error}");
            ExitCode::FAILURE
        }
    }
}
