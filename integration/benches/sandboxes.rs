//! The same job in sandboxes of several tools: by `cofferdam::Command`, by bubblewrap, and by
//! podman over runc: jobs per second, one after the other, and the memory of the greatest process
//! that a job needs outside of its sandbox.
//!
//! `cargo bench -p cofferdam-integration --bench sandboxes -- [--rounds N]` (needs root). The job
//! is `/bin/true`, which makes one system call, in a read-only root with a private `/tmp` and no
//! network; with limits of 64 MiB and 20 processes, but for bubblewrap, which has none.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark reports on its output and ends when something fails"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use cofferdam_integration::{program, tiny_program};

#[path = "compare/only_rounds.rs"]
mod only_rounds;

/// In the process that makes one sandbox, for its memory: the root file system.
const ONE: &str = "COFFERDAM_BENCH_ONE";

/// A tool, and how many jobs it does in a round: those that take long do fewer.
struct Tool {
    name: &'static str,
    jobs: u32,
    /// Does the job once.
    job: fn(&Path),
    /// A command that does it once.
    command: fn(&Path) -> Command,
}

const TOOLS: [Tool; 3] = [
    Tool {
        name: "cofferdam::Command",
        jobs: 50,
        job: by_library,
        command: |rootfs| {
            let mut own = Command::new(std::env::current_exe().unwrap());
            own.env(ONE, rootfs);
            own
        },
    },
    Tool {
        name: "bubblewrap",
        jobs: 50,
        job: |rootfs| run(bubblewrap(rootfs)),
        command: bubblewrap,
    },
    Tool {
        name: "podman",
        jobs: 2,
        job: |rootfs| run(podman(rootfs)),
        command: podman,
    },
];

fn by_library(rootfs: &Path) {
    let status = runtime::Command::new("/bin/true")
        .rootfs(rootfs)
        .memory(64 << 20)
        .pids(20)
        .stdin(runtime::Stdio::Null)
        .stdout(runtime::Stdio::Null)
        .stderr(runtime::Stdio::Null)
        .status();
    let status = status.unwrap_or_else(|error| panic!("{}", error.chain()));
    assert!(status.success(), "{status}");
}

fn bubblewrap(rootfs: &Path) -> Command {
    let mut command = Command::new("bwrap");
    command
        .args([
            "--unshare-all",
            "--die-with-parent",
            "--new-session",
            "--ro-bind",
        ])
        .arg(rootfs)
        .args(["/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"])
        .args(["--cap-drop", "ALL", "/bin/true"]);
    command
}

fn podman(rootfs: &Path) -> Command {
    let mut command = Command::new("podman");
    command
        // crun refuses machines with both versions of cgroups.
        .args(["--runtime", "runc", "run", "--rm", "--network", "none"])
        .args(["--read-only", "--tmpfs", "/tmp", "--memory", "64m"])
        .args(["--pids-limit", "20", "--ulimit", "nofile=1024:1024"])
        .args(["--ulimit", "nproc=1024:1024", "--rootfs"])
        .arg(rootfs)
        .arg("/bin/true");
    command
}

fn run(mut command: Command) {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let output = quiet.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
}

/// The greatest resident set of the processes of one job, in KiB, as `time -f %M` of GNU time tells
/// it (`ru_maxrss` of getrusage(2)).
fn memory(tool: &Tool, rootfs: &Path) -> Option<u64> {
    let inner = (tool.command)(rootfs);
    let mut command = Command::new("/usr/bin/time");
    command.args(["-f", "%M"]).arg(inner.get_program());
    command.args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value?);
    }
    let output = command.stdin(Stdio::null()).output().ok()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    stderr.lines().last()?.trim().parse().ok()
}

/// Jobs per second.
fn rate(tool: &Tool, rootfs: &Path) -> f64 {
    let start = Instant::now();
    for _ in 0..tool.jobs {
        (tool.job)(rootfs);
    }
    f64::from(tool.jobs) / start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A root file system with `/bin/true` and the directories that the tools mount over.
fn root_file_system(folder: &Path) -> PathBuf {
    let rootfs = folder.join("rootfs");
    for name in ["bin", "dev", "etc", "proc", "run", "sys", "tmp"] {
        fs::create_dir_all(rootfs.join(name)).unwrap();
    }
    tiny_program::write(&rootfs.join("bin/true"), tiny_program::TRUE).unwrap();
    rootfs
}

fn compare(tools: &[&Tool], rootfs: &Path, rounds: usize) {
    let mut rates = vec![Vec::with_capacity(rounds); tools.len()];
    for round in 0..rounds {
        // Another one is first in each round.
        for turn in 0..tools.len() {
            let at = (round + turn) % tools.len();
            if let (Some(tool), Some(rates)) = (tools.get(at), rates.get_mut(at)) {
                rates.push(rate(tool, rootfs));
            }
        }
    }
    let own = rates.first().cloned().unwrap_or_default();
    for (tool, rates) in tools.iter().zip(&rates) {
        let ratios = own.iter().zip(rates).map(|(own, other)| own / other);
        let memory = memory(tool, rootfs).map_or_else(
            || "unknown (GNU time)".to_owned(),
            |kib| format!("{:.1} MiB", kib as f64 / 1024.0),
        );
        println!(
            "  {:<20} {:>7.1} a second, cofferdam::Command does {:>5.2} times as many; {memory}",
            tool.name,
            median(rates.clone()),
            median(ratios.collect()),
        );
    }
}

fn main() -> ExitCode {
    if let Some(rootfs) = std::env::var_os(ONE) {
        by_library(Path::new(&rootfs));
        return ExitCode::SUCCESS;
    }
    let rounds = match only_rounds::parse(std::env::args().skip(1)) {
        Ok(rounds) => rounds,
        Err(message) => {
            eprintln!("sandboxes: {message}");
            return ExitCode::from(2);
        }
    };
    if !rustix::process::geteuid().is_root() {
        println!("sandboxes: skipped, limits are set as root");
        return ExitCode::SUCCESS;
    }
    let missing = |name: &str| match name {
        "bubblewrap" => program::find("bwrap").is_none(),
        "podman" => program::find("podman").is_none() || program::find("runc").is_none(),
        _ => false,
    };
    let (absent, tools): (Vec<&Tool>, Vec<&Tool>) =
        TOOLS.iter().partition(|tool| missing(tool.name));
    for tool in absent {
        println!("{} is not installed", tool.name);
    }
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    println!(
        "sandboxes per second, {rounds} rounds, load {}",
        load.trim()
    );
    let folder = tempfile::tempdir().unwrap();
    compare(&tools, &root_file_system(folder.path()), rounds);
    ExitCode::SUCCESS
}
