//! A program in the place of CRIU that answers at once: what is left of a checkpoint or a restore
//! is the runtime's own part.
//!
//! It is this program, when a runtime starts it as `criu swrk DESCRIPTOR`. Requests and answers are
//! messages of criu's `rpc.proto`, one a packet.

use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::bench::Outcome;
use crate::sys;

/// How a runtime starts CRIU.
pub(crate) const ARGUMENT: &str = "swrk";

// Values of `criu_req_type`.
const DUMP: u64 = 1;
const RESTORE: u64 = 2;
const NOTIFY: u8 = 6;
const VERSION: u64 = 10;

// Numbers of fields in `criu_req`, in its `criu_opts`, and in `criu_resp`.
const TYPE: u64 = 1;
const REQUEST_OPTIONS: u64 = 2;
const KEEP_OPEN: u64 = 4;
const OPTIONS_PID: u64 = 2;
const ANSWER_RESTORE: u8 = 4;
const ANSWER_NOTIFY: u8 = 5;
const ANSWER_VERSION: u8 = 10;

/// Puts this program into `folder` as `criu`; the search path that begins with it.
pub(crate) fn install(folder: &Path) -> Outcome<OsString> {
    let bin = folder.join("stand-in");
    std::fs::create_dir_all(&bin)?;
    symlink(std::env::current_exe()?, bin.join("criu"))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(bin).chain(std::env::split_paths(&path));
    Ok(std::env::join_paths(folders)?)
}

/// Answers a request on the socket that the arguments name, as CRIU 4.1 does when it succeeds; the
/// one for its version and, with `keep_open`, one more. A
/// dump kills the process; a restore starts a program that does nothing, in a mount namespace.
pub(crate) fn answer(arguments: &[String]) -> Outcome<()> {
    let number = arguments.get(1).ok_or("no descriptor")?.parse()?;
    let socket = sys::inherited(number)?;
    let request = receive(socket)?;
    let is_version = number_of(&request, TYPE) == Some(VERSION);
    answer_one(socket, &request)?;
    if is_version && number_of(&request, KEEP_OPEN) == Some(1) {
        return answer_one(socket, &receive(socket)?);
    }
    Ok(())
}

fn answer_one(socket: BorrowedFd<'_>, request: &[u8]) -> Outcome<()> {
    match number_of(request, TYPE).ok_or("a request without type")? {
        VERSION => send(socket, VERSION, &field(ANSWER_VERSION, &[8, 4, 16, 1])),
        DUMP => {
            let options = message(request, REQUEST_OPTIONS).ok_or("a dump without options")?;
            let pid = number_of(options, OPTIONS_PID).ok_or("a dump without pid")?;
            let pid = Pid::from_raw(i32::try_from(pid)?).ok_or("a dump of pid 0")?;
            for stage in ["pre-dump", "network-lock", "post-dump"] {
                notify(socket, stage, &[])?;
            }
            kill(pid)?;
            send(socket, DUMP, &[])
        }
        RESTORE => {
            sys::unshare_mounts()?;
            let mut restored = Command::new("sleep");
            restored.arg("infinity").stdin(Stdio::null());
            restored.stdout(Stdio::null()).stderr(Stdio::null());
            let mut pid = Vec::new();
            append_number(&mut pid, u64::from(restored.spawn()?.id()));
            for stage in [
                "pre-restore",
                "setup-namespaces",
                "post-restore",
                "pre-resume",
            ] {
                notify(socket, stage, &[&[16], &pid[..]].concat())?;
            }
            let restored = field(ANSWER_RESTORE, &[&[8], &pid[..]].concat());
            send(socket, RESTORE, &restored)
        }
        other => Err(format!("a request of type {other}").into()),
    }
}

/// Kills a process and waits for its end, as CRIU does.
fn kill(pid: Pid) -> Outcome<()> {
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    pidfd_send_signal(&process, Signal::KILL)?;
    poll(&mut [PollFd::new(&process, PollFlags::IN)], None)?;
    Ok(())
}

/// Reports a stage, and waits until that is acknowledged.
fn notify(socket: BorrowedFd<'_>, stage: &str, pid: &[u8]) -> Outcome<()> {
    let name = field(1, stage.as_bytes());
    let notification = field(ANSWER_NOTIFY, &[&name[..], pid].concat());
    send(socket, u64::from(NOTIFY), &notification)?;
    receive(socket).map(drop)
}

/// Answers with success.
fn send(socket: BorrowedFd<'_>, kind: u64, rest: &[u8]) -> Outcome<()> {
    let kind = u8::try_from(kind)?;
    let answer = [&[8, kind, 16, 1], rest].concat();
    rustix::io::write(socket, &answer)?;
    Ok(())
}

fn receive(socket: BorrowedFd<'_>) -> Outcome<Vec<u8>> {
    let mut packet = vec![0; 64 << 10];
    let length = rustix::io::read(socket, &mut packet)?;
    packet.truncate(length);
    Ok(packet)
}

/// A field of bytes; all that are made here are short.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    [&[number << 3 | 2, length], bytes].concat()
}

fn append_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// The value of a field, of those of a message.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message up to where it is not one.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = take_number(&mut bytes)?;
        let value = match key & 7 {
            0 => Value::Number(take_number(&mut bytes)?),
            2 => {
                let length = usize::try_from(take_number(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Value::Bytes(value)
            }
            _ => return None,
        };
        Some((key >> 3, value))
    })
}

fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn number_of(message: &[u8], wanted: u64) -> Option<u64> {
    fields(message).find_map(|(number, value)| match value {
        Value::Number(value) if number == wanted => Some(value),
        _ => None,
    })
}

fn message(message: &[u8], wanted: u64) -> Option<&[u8]> {
    fields(message).find_map(|(number, value)| match value {
        Value::Bytes(value) if number == wanted => Some(value),
        _ => None,
    })
}
