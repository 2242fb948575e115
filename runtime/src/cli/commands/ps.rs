//! `ps`: the processes of a container.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Child, Command as Program, ExitStatus, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

use super::pause::warn_without_cgroup_access;
use crate::cli::command::{Command, Count, Invocation};
use crate::cli::failure::Failure;
use crate::cli::flag::{Completion, Flag, Order};
use crate::cli::output;

pub(crate) static COMMAND: Command = Command {
    name: "ps",
    about: "show the processes of a container",
    arguments: "<container-id> [ps options]",
    completions: &[Completion::Container],
    description: "The table is what the host's ps program prints with the given options (default: -ef), without the\n\
                  processes of others. With --format json it is an array of process ids.",
    flags: &[Flag::text("format", "one of: table or json")
        .one_of(&["table", "json"])
        .letter("f")
        .default("table")],
    count: Count::AtLeast(1),
    order: Order::FlagsFirst,
    run,
};

fn run(invocation: &Invocation<'_>) -> Result<u8, Failure> {
    let container = super::container(invocation)?;
    let pids = warn_without_cgroup_access(invocation, "ps", container.processes())?;
    match invocation
        .parsed
        .string("format")
        .as_deref()
        .unwrap_or("table")
    {
        "table" => {}
        "json" => {
            output::write(&format!("{}\n", output::array_or_null(&pids)?))?;
            return Ok(0);
        }
        _ => return Err(Failure::new("invalid format option")),
    }
    let mut ps = Program::new("ps");
    let options = invocation.after_id();
    if options.is_empty() {
        ps.arg("-ef");
    } else {
        ps.args(options);
    }
    let listed = listed(&mut ps).map_err(|error| Failure::io("run ps", error))?;
    if !listed.status.success() {
        let how = match listed.status.code() {
            Some(code) => format!("exit status {code}"),
            None => listed.status.to_string(),
        };
        let said = String::from_utf8_lossy(&listed.stderr);
        return Err(Failure::new(format!("{how}: {}", said.trim_end())));
    }
    output::write(&of_container(
        &String::from_utf8_lossy(&listed.stdout),
        &pids,
    )?)?;
    Ok(0)
}

/// What a program has written, and how it ended.
#[derive(Debug)]
struct Listed {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Runs a program to its end. `Command::output` panics if the kernel does not let the pipes be
/// read.
fn listed(program: &mut Program) -> io::Result<Listed> {
    // A memory file, so that there is one pipe to read, and no program that waits for the other one
    // to be read.
    let mut said = File::from(memfd_create(c"stderr", MemfdFlags::CLOEXEC)?);
    let mut child = program
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(said.try_clone()?)
        .spawn()?;
    let pipe = child.stdout.take();
    let (status, stdout) = outcome(child, pipe)?;
    let mut stderr = Vec::new();
    said.rewind()?;
    said.read_to_end(&mut stderr)?;
    Ok(Listed {
        status,
        stdout,
        stderr,
    })
}

/// Reads what there is and reaps the process, which is killed if it cannot be read.
fn outcome(mut child: Child, pipe: Option<impl Read>) -> io::Result<(ExitStatus, Vec<u8>)> {
    let mut text = Vec::new();
    let read = pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut text));
    if read.is_err() {
        // It may have ended already.
        let _ = child.kill();
    }
    let status = child.wait()?;
    read?;
    Ok((status, text))
}

/// The header of the table and the rows whose `PID` column names one of `pids`.
fn of_container(table: &str, pids: &[i32]) -> Result<String, Failure> {
    let mut lines = table.lines();
    let header = lines.next().unwrap_or_default();
    let column = header
        .split_whitespace()
        .position(|title| title == "PID")
        .ok_or_else(|| Failure::new("couldn't find PID field in ps output"))?;
    let mut text = format!("{header}\n");
    for line in lines.filter(|line| !line.is_empty()) {
        let cell = line.split_whitespace().nth(column).unwrap_or_default();
        let pid: i32 = cell
            .parse()
            .map_err(|error| Failure::new(format!("unable to parse pid {cell:?}: {error}")))?;
        if pids.contains(&pid) {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "UID   PID  CMD\nroot    1  init\nuser   12  sh -c x\nroot   3  1\n";

    #[test]
    fn rows_of_others_are_left_out() {
        assert_eq!(
            of_container(TABLE, &[12, 3]).unwrap(),
            "UID   PID  CMD\nuser   12  sh -c x\nroot   3  1\n"
        );
        assert_eq!(of_container(TABLE, &[]).unwrap(), "UID   PID  CMD\n");
    }

    #[test]
    fn a_table_that_cannot_be_understood_is_an_error() {
        assert_eq!(
            of_container("USER CMD\n", &[1]).unwrap_err().message,
            "couldn't find PID field in ps output"
        );
        assert!(
            of_container("PID\nx\n", &[1])
                .unwrap_err()
                .message
                .starts_with("unable to parse pid \"x\"")
        );
        assert!(of_container("", &[]).is_err());
    }

    fn shell(script: &str) -> Program {
        let mut shell = Program::new("/bin/sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn more_than_a_pipe_holds_is_read_of_both_streams() {
        let script = "head -c 300000 /dev/zero >&2; head -c 200000 /dev/zero; exit 3";
        let listed = listed(&mut shell(script)).unwrap();
        assert_eq!(listed.status.code(), Some(3));
        assert_eq!(listed.stdout.len(), 200_000);
        assert_eq!(listed.stderr.len(), 300_000);
        let missing = super::listed(&mut Program::new("/no/such/program")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_that_cannot_be_read_is_an_error_and_leaves_no_process() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
        }
        let child = shell("exec sleep 1000").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let error = outcome(child, Some(Broken)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO));
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
