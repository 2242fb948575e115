//! What a command does, counted: system calls, page faults, instructions. Unlike times, these are
//! the same on a busy machine.
//!
//! perf(1) counts the calls and faults of the command and of what it starts, until the command has
//! ended. Instructions are those of user code, by perf where the machine has such counters, else of
//! the called process alone by callgrind (valgrind(1)): for Cofferdam, since other runtimes execute
//! themselves again and get stuck, and not of commands that make a system call which valgrind does
//! not know, such as execveat(2) up to version 3.19.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_integration::program;

use crate::bench::{Bench, Outcome, with_bundle};
use crate::life::wait_until_stopped;
use crate::measure;
use crate::peer::{COFFERDAM, Peer};
use crate::report::print_absent;
use crate::target::{self, Counted};

const COMMANDS: [&str; 7] = ["run", "create", "start", "state", "exec", "kill", "delete"];
const COUNTED: [(Counted, &str); 3] = [
    (Counted::SystemCalls, "system calls"),
    (Counted::Faults, "page faults"),
    (Counted::Instructions, "thousand instructions of user code"),
];
/// What perf(1) calls them, in the same order.
const EVENTS: &str = "raw_syscalls:sys_enter,minor-faults,instructions:u";

/// Of one command, in the order of [`COUNTED`].
type Counts = [Option<u64>; COUNTED.len()];

impl Bench {
    pub(crate) fn counts(&mut self) -> Outcome<()> {
        let Some(perf) = program::find("perf") else {
            println!("counts per command: perf is not installed");
            return Ok(());
        };
        let mut all = Vec::new();
        for peer in &self.peers {
            let mut counts = self.each_command(peer, |command| by_perf(&perf, &command))?;
            if peer.name == COFFERDAM
                && let Some(valgrind) = program::find("valgrind")
                && counts.iter().all(|its| its[2].is_none())
            {
                let instructions =
                    self.each_command(peer, |command| by_callgrind(&valgrind, command))?;
                for (its, instructions) in counts.iter_mut().zip(instructions) {
                    its[2] = instructions;
                }
            }
            all.push(counts);
        }
        for (index, (counted, what)) in COUNTED.into_iter().enumerate() {
            let scale = if counted == Counted::Instructions {
                1000
            } else {
                1
            };
            println!("{what}, layout {}", self.layout.name());
            println!("  {:<12}{}", "", columns(COMMANDS.map(str::to_owned)));
            for (peer, counts) in self.peers.iter().zip(&all) {
                let shown = counts.iter().map(|its| match its.get(index) {
                    Some(Some(count)) => (count / scale).to_string(),
                    _ => "-".to_owned(),
                });
                println!("  {:<12}{}", peer.name, columns(shown));
            }
            self.judge_counts(counted, what, index, all.first().map_or(&[], Vec::as_slice));
        }
        print_absent(&self.absent);
        Ok(())
    }

    fn judge_counts(&mut self, counted: Counted, what: &str, index: usize, own: &[Counts]) {
        for (command, counts) in COMMANDS.iter().zip(own) {
            let greatest = target::count(counted, command, self.layout);
            if let (Some(greatest), Some(Some(count))) = (greatest, counts.get(index)) {
                let count = f64::from(u32::try_from(*count).unwrap_or(u32::MAX));
                let title = format!("{what} of {command}, all of them");
                let verdict = self.verdicts.judge(&title, count, Some(greatest));
                println!("  {command}: {count} {verdict}");
            }
        }
    }

    /// Counts each command in one life of a container.
    fn each_command<T>(
        &self,
        peer: &Peer,
        count: impl Fn(Command) -> Outcome<T>,
    ) -> Outcome<Vec<T>> {
        let id = self.id("counted");
        let mut counts = Vec::with_capacity(COMMANDS.len());
        for command in COMMANDS {
            counts.push(count(peer.command(self.arguments(command, &id)))?);
            if command == "kill" {
                wait_until_stopped(peer, &id)?;
            }
        }
        Ok(counts)
    }

    fn arguments(&self, command: &str, id: &str) -> Vec<OsString> {
        match command {
            "run" => with_bundle(command, &self.bundles.path("true"), &[id]),
            "create" => with_bundle(command, &self.bundles.path("pause"), &[id]),
            "exec" => vec![command.into(), id.into(), "/bin/true".into()],
            "kill" => vec![command.into(), id.into(), "KILL".into()],
            other => vec![other.into(), id.into()],
        }
    }
}

fn columns(texts: impl IntoIterator<Item = String>) -> String {
    texts
        .into_iter()
        .map(|text| format!(" {text:>8}"))
        .collect()
}

/// A command under a program that counts and writes what it has counted to a file.
fn under(counter: &Path, arguments: &[&str], file: &Path, command: &Command) -> Outcome<String> {
    let mut counted = Command::new(counter);
    counted
        .args(arguments)
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    measure::command(counted)?;
    Ok(fs::read_to_string(file)?)
}

fn by_perf(perf: &Path, command: &Command) -> Outcome<Counts> {
    let file = tempfile::NamedTempFile::new_in("/dev/shm")?;
    let name = file.path().to_string_lossy().into_owned();
    let arguments = ["stat", "-x,", "-e", EVENTS, "-o", &name, "--"];
    let text = under(perf, &arguments, file.path(), command)?;
    // A line for each event: its value or why there is none, the unit, the name.
    let value = |event: &str| {
        let line = text.lines().find(|line| line.contains(event))?;
        line.split(',').next()?.parse().ok()
    };
    let mut counts = [None; COUNTED.len()];
    for (count, event) in counts.iter_mut().zip(EVENTS.split(',')) {
        *count = value(event);
    }
    Ok(counts)
}

/// What valgrind cannot run is done without it, and not counted.
fn by_callgrind(valgrind: &Path, command: Command) -> Outcome<Option<u64>> {
    let file = tempfile::NamedTempFile::new_in("/dev/shm")?;
    let log = format!("--log-file={}", file.path().display());
    let arguments = ["--tool=callgrind", "--callgrind-out-file=/dev/null", &log];
    let Ok(text) = under(valgrind, &arguments, file.path(), &command) else {
        return measure::command(command).map(|_| None);
    };
    // "==PID== Collected : NUMBER"
    Ok(text.lines().find_map(|line| {
        let (_, number) = line.split_once("Collected : ")?;
        number.trim().parse().ok()
    }))
}
