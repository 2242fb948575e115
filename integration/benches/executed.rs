//! The functions that a program executes, in the order in which it comes to them first: what
//! `./x layout` makes `runtime/link/hot-functions` of.
//!
//! `cargo bench -p cofferdam-integration --bench executed -- LIST PROGRAM [ARGUMENT…]`
//!
//! Executes the program one instruction at a time (`PTRACE_SINGLESTEP`, ptrace(2)) and appends to
//! the file LIST the names of those functions that are not yet there. What it starts is not
//! followed. The program is one with symbols and without position independence; nm(1) reads them.
//! The exit code is that of the program.

#![allow(
    clippy::print_stderr,
    reason = "a tool of the command line says why it fails"
)]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use cofferdam_integration::traced;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    // `cargo bench` puts a flag of its own at the end.
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    arguments.retain(|argument| argument != "--bench");
    let [list, command @ ..] = arguments.as_slice() else {
        eprintln!("executed: LIST PROGRAM [ARGUMENT…]");
        return ExitCode::from(2);
    };
    match trace(list, command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("executed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Executes the command and completes the list. Returns the exit code of the command.
fn trace(list: &str, command: &[String]) -> Outcome<u8> {
    let program = command.first().ok_or("no program")?;
    let functions = Functions::of(program)?;
    let mut names: Vec<String> = match fs::read_to_string(list) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut known: BTreeSet<String> = names.iter().cloned().collect();
    let mut seen = vec![false; functions.0.len()];
    let code = step_through(command, |address| {
        let Some(index) = functions.at(address) else {
            return;
        };
        let (Some(seen), Some(function)) = (seen.get_mut(index), functions.0.get(index)) else {
            return;
        };
        if !std::mem::replace(seen, true) && known.insert(function.name.clone()) {
            names.push(function.name.clone());
        }
    })?;
    let mut file = fs::File::create(list)?;
    for name in names {
        writeln!(file, "{name}")?;
    }
    Ok(code)
}

/// A function of the program: its addresses and its name as nm(1) prints it.
struct Function {
    start: u64,
    end: u64,
    name: String,
}

/// In the order of their addresses.
struct Functions(Vec<Function>);

impl Functions {
    fn of(program: &str) -> Outcome<Self> {
        let output = Command::new("nm")
            .args(["-S", "-C", "-n", "--defined-only", program])
            .stderr(Stdio::inherit())
            .output()?;
        let text = String::from_utf8(output.stdout)?;
        let functions: Vec<Function> = text.lines().filter_map(function).collect();
        if functions.is_empty() {
            return Err(format!("{program} has no symbols").into());
        }
        Ok(Self(functions))
    }

    fn at(&self, address: u64) -> Option<usize> {
        let after = self.0.partition_point(|function| function.start <= address);
        let index = after.checked_sub(1)?;
        (address < self.0.get(index)?.end).then_some(index)
    }
}

/// A line of nm(1): address, size, type and name. `None`: it is no function.
fn function(line: &str) -> Option<Function> {
    let mut parts = line.splitn(4, ' ');
    let start = u64::from_str_radix(parts.next()?, 16).ok()?;
    let size = u64::from_str_radix(parts.next()?, 16).ok()?;
    let kind = parts.next()?;
    let name = parts.next()?.to_owned();
    let end = start.checked_add(size)?;
    matches!(kind, "t" | "T" | "w" | "W").then_some(Function { start, end, name })
}

/// Executes a command one instruction at a time; `executed` gets the address of each.
fn step_through(command: &[String], mut executed: impl FnMut(u64)) -> Outcome<u8> {
    let mut shell = traced::shell();
    let options = ptrace::Options::PTRACE_O_EXITKILL;
    let pid = traced::start(shell.args(command), options)?;
    let mut signal = None;
    loop {
        ptrace::step(pid, signal)?;
        signal = match waitpid(pid, Some(WaitPidFlag::__WALL))? {
            WaitStatus::Exited(_, code) => return Ok(code.try_into()?),
            WaitStatus::Signaled(_, signal, _) => {
                return Err(format!("the program was killed by {signal}").into());
            }
            WaitStatus::Stopped(_, Signal::SIGTRAP) => None,
            WaitStatus::Stopped(_, other) => Some(other),
            _ => None,
        };
        executed(ptrace::getregs(pid)?.rip);
    }
}
