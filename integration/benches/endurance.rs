//! Many runs of a program that ends at once: none may hang, each must report its exit code, nothing
//! may stay behind.
//!
//! `cargo bench -p cofferdam-integration --bench endurance -- [--runs N]` (10,000 of each kind
//! by default; needs root and the release binary). A runtime that starts to wait after its
//! container has ended can miss the end: that shows about once in a hundred runs, so it takes
//! thousands to be sure.

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

use cofferdam_integration::parallel::in_parallel;
use cofferdam_integration::scratch::{self, Scratch};
use cofferdam_integration::{cgroup, program, tiny_program};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};

/// A run that takes longer than this counts as hung.
const END_TIMEOUT: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// What the folders of runs are called; ids and cgroups begin with the name of the folder.
const PREFIX: &str = "cofferdam-endurance-";

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
    let ready = poll(
        &mut [PollFd::new(&pidfd, PollFlags::IN)],
        Some(&END_TIMEOUT),
    )?;
    if ready == 0 {
        child.kill()?;
        child.wait()?;
        return Ok(None);
    }
    Ok(Some(child.wait()?.code().unwrap_or(-1)))
}

fn worker(kind: &Kind, runs: usize, scratch: &Path, tally: &Tally) -> Result<(), String> {
    let mark = scratch::mark(scratch).ok_or("a folder without a name")?;
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
            .arg(format!("{mark}-{number}"))
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

/// What runs have left: mounts of this namespace, states and cgroups, one line each.
fn remains(scratch: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let folder = scratch.to_string_lossy();
    let mut left: Vec<String> = fs::read_to_string("/proc/self/mountinfo")?
        .lines()
        .filter(|line| line.contains(&*folder))
        .map(|line| format!("mount {line}"))
        .collect();
    for entry in fs::read_dir(scratch.join("root"))? {
        left.push(format!("state {}", entry?.path().display()));
    }
    let mark = scratch::mark(scratch).ok_or("a folder without a name")?;
    for directory in cgroup::marked(mark) {
        left.push(format!("cgroup {}", directory.display()));
    }
    Ok(left)
}

fn measure(kind: &Kind, runs: usize, scratch: &Path) -> Result<bool, Box<dyn Error>> {
    let tally = Tally::default();
    let start = Instant::now();
    in_parallel(kind.workers, || worker(kind, runs, scratch, &tally))?;
    let elapsed: Duration = start.elapsed();
    let hung = tally.hung.load(Ordering::Relaxed);
    let wrong = tally.wrong_code.load(Ordering::Relaxed);
    let left = remains(scratch)?;
    println!(
        "{}: {runs} runs in {:.1} s, {hung} hung, {wrong} with a wrong exit code, {} things left",
        kind.name,
        elapsed.as_secs_f64(),
        left.len(),
    );
    for line in left.iter().take(10) {
        println!("  left: {line}");
    }
    Ok(hung == 0 && wrong == 0 && left.is_empty())
}

/// Removes a run's folder and its cgroups. Its containers end by themselves.
fn remove(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mark = scratch::mark(folder).ok_or("a folder without a name")?;
    let deadline = Instant::now() + Duration::from_secs(30);
    cgroup::remove(&cgroup::marked(mark), deadline)?;
    fs::remove_dir_all(folder)?;
    Ok(())
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
        for abandoned in Scratch::abandoned(PREFIX)? {
            println!(
                "removing what an earlier run left in {}",
                abandoned.path().display()
            );
            remove(abandoned.path())?;
        }
        let scratch = Scratch::create(PREFIX)?;
        bundle(&scratch.path().join("plain"), json!({}))?;
        let hook = json!({"poststart": [{"path": "/bin/sleep", "args": ["sleep", "0.5"]}]});
        bundle(&scratch.path().join("hook"), hook)?;
        // The first run makes the state root.
        fs::create_dir_all(scratch.path().join("root"))?;
        let mut good = true;
        for kind in &KINDS {
            good &= measure(kind, runs, scratch.path())?;
        }
        remove(scratch.path())?;
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
