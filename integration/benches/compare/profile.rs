//! Where the time of a run goes: microseconds per run, by system call and process.
//!
//! perf(1) samples the processes of many runs with the kernel's stacks; the outermost function that
//! says what the kernel was asked for names the row. On Linux 6.18 a process is not sampled any
//! more when it gives its memory back at its end: that part of its exit is missing.
//!
//! Without perf it is the time of each system call by strace(1), which adds its own to every call
//! and sees neither page faults nor user code.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_integration::program;

use crate::bench::{Bench, Outcome, with_bundle};
use crate::peer::Peer;

/// Samples per second of processor time: prime, so that it keeps no step with anything else.
const FREQUENCY: u32 = 9973;
/// Runs a round that is asked for.
const RUNS: usize = 10;
/// Rows that are shown; the rest is summed up.
const ROWS: usize = 28;
/// Runs the same command as often as the first argument says. The shell itself is not counted.
const LOOP: &str =
    "left=$1; shift; while [ $left -gt 0 ]; do \"$@\" || exit; left=$((left - 1)); done";
const SHELL: &str = "sh";

/// Samples by what was done, then by the name of the process.
type Samples = BTreeMap<String, BTreeMap<String, u32>>;

impl Bench {
    pub(crate) fn profile(&mut self) -> Outcome<()> {
        let runs = self.rounds * RUNS;
        for peer in &self.peers {
            let arguments = with_bundle("run", &self.bundles.path("true"), &[&self.id("profile")]);
            let run = peer.command(arguments);
            println!(
                "where the time of a run goes: {}, layout {} ({runs} runs)",
                peer.name,
                self.layout.name()
            );
            match program::find("perf") {
                Some(perf) => print(&sample(&perf, &run, runs)?, runs),
                None => print_traced(peer, &run)?,
            }
        }
        Ok(())
    }
}

/// The loop of runs, with the command and its arguments to follow.
fn looped(run: &Command, runs: usize) -> Vec<std::ffi::OsString> {
    let mut arguments = vec![SHELL.into(), "-c".into(), LOOP.into(), SHELL.into()];
    arguments.push(runs.to_string().into());
    arguments.push(run.get_program().into());
    arguments.extend(run.get_args().map(Into::into));
    arguments
}

fn sample(perf: &Path, run: &Command, runs: usize) -> Outcome<Samples> {
    let data = tempfile::NamedTempFile::new_in("/dev/shm")?;
    let status = Command::new(perf)
        .args(["record", "-q", "-g", "-e", "cpu-clock", "-F"])
        .arg(FREQUENCY.to_string())
        .arg("-o")
        .arg(data.path())
        .arg("--")
        .args(looped(run, runs))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("perf record: {status}").into());
    }
    let output = Command::new(perf)
        .args(["script", "-F", "comm,ip,sym", "-i"])
        .arg(data.path())
        .stderr(Stdio::null())
        .output()?;
    if !output.status.success() {
        return Err(format!("perf script: {}", output.status).into());
    }
    Ok(classified(&String::from_utf8_lossy(&output.stdout)))
}

/// Each sample is the name of the process on a line of its own, then the stack from the innermost
/// function on, then an empty line.
fn classified(script: &str) -> Samples {
    let mut samples = Samples::new();
    for sample in script.split("\n\n") {
        let mut lines = sample.trim_start_matches('\n').lines();
        let Some(process) = lines.next().map(str::trim) else {
            continue;
        };
        if process == SHELL || process.is_empty() {
            continue;
        }
        // An address, then the function.
        let stack = lines.filter_map(|line| line.trim().split_once(' '));
        let stack: Vec<(&str, &str)> = stack.collect();
        let by_process = samples.entry(class(&stack)).or_default();
        *by_process.entry(process.to_owned()).or_default() += 1;
    }
    samples
}

/// What every system call passes before the function that is named after it.
const ENTRY: [&str; 8] = [
    "entry_SYSCALL_64_after_hwframe",
    "do_syscall_64",
    "x64_sys_call",
    "el0t_64_sync",
    "el0t_64_sync_handler",
    "el0_svc",
    "do_el0_svc",
    "invoke_syscall",
];

/// What the kernel was asked for: the outermost of its functions that says so.
fn class(stack: &[(&str, &str)]) -> String {
    let kernel = |address: &str| address.len() == 16 && address.starts_with("ffff");
    let mut functions = stack.iter().rev().filter(|(address, _)| kernel(address));
    if functions.clone().next().is_none() {
        return "user code".to_owned();
    }
    let Some((_, function)) = functions.find(|(_, function)| !ENTRY.contains(function)) else {
        return "into and out of the kernel".to_owned();
    };
    match *function {
        "asm_exc_page_fault" | "do_mem_abort" => "page fault".to_owned(),
        "do_exit" | "do_group_exit" | "__x64_sys_exit_group" => "exit".to_owned(),
        "ret_from_fork" | "ret_from_fork_asm" => "first steps of a process".to_owned(),
        interrupt if interrupt.starts_with("asm_") => "interrupts".to_owned(),
        call => PREFIXES
            .iter()
            .find_map(|prefix| call.strip_prefix(prefix))
            .unwrap_or(call)
            .to_owned(),
    }
}

/// What the kernel puts in front of the names of system calls.
const PREFIXES: [&str; 6] = [
    "__x64_sys_",
    "__arm64_sys_",
    "__do_sys_",
    "__se_sys_",
    "ksys_",
    "do_sys_",
];

fn print(samples: &Samples, runs: usize) {
    let runs = f64::from(u32::try_from(runs).unwrap_or(u32::MAX));
    let micros = |count: u32| f64::from(count) * 1e6 / f64::from(FREQUENCY) / runs;
    let sum = |its: &BTreeMap<String, u32>| its.values().sum::<u32>();
    let mut processes: BTreeMap<&str, u32> = BTreeMap::new();
    for (process, count) in samples.values().flatten() {
        *processes.entry(process).or_default() += count;
    }
    let mut columns: Vec<(&str, u32)> = processes.into_iter().collect();
    columns.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    columns.truncate(4);
    let heads: String = columns
        .iter()
        .map(|(name, _)| format!(" {name:>16}"))
        .collect();
    println!("  {:<26} {:>9}{heads}", "microseconds a run, perf", "all");
    let line = |what: &str, all: u32, by_process: &dyn Fn(&str) -> u32| {
        let each: String = columns
            .iter()
            .map(|(name, _)| format!(" {:>16.0}", micros(by_process(name))))
            .collect();
        println!("  {what:<26} {:>9.0}{each}", micros(all));
    };
    let total: u32 = samples.values().map(sum).sum();
    line("all", total, &|name| {
        columns
            .iter()
            .find(|(other, _)| *other == name)
            .map_or(0, |(_, count)| *count)
    });
    let mut rows: Vec<_> = samples.iter().collect();
    rows.sort_by_key(|(_, its)| std::cmp::Reverse(sum(its)));
    let (shown, rest) = rows.split_at(rows.len().min(ROWS));
    for (what, its) in shown {
        line(what, sum(its), &|name| its.get(name).copied().unwrap_or(0));
    }
    let of_rest = |name: &str| rest.iter().filter_map(|(_, its)| its.get(name)).sum();
    let all_of_rest = rest.iter().map(|(_, its)| sum(its)).sum();
    line(&format!("{} others", rest.len()), all_of_rest, &of_rest);
}

fn print_traced(peer: &Peer, run: &Command) -> Outcome<()> {
    let Some(strace) = program::find("strace") else {
        println!("  neither perf nor strace is installed");
        return Ok(());
    };
    println!("  seconds of one run in system calls, strace -c -w -f, its own part included");
    let status = Command::new(strace)
        .args(["-c", "-w", "-f", "-o", "/dev/stdout"])
        .arg(run.get_program())
        .args(run.get_args())
        .stdin(Stdio::null())
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{} under strace: {status}", peer.name).into())
}
