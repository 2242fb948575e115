//! Terminals in the foreground: floods in both directions, signals, the window size.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use cofferdam_integration::limited::TIMEOUT;
use cofferdam_integration::{Case, eventually, need};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A command that runs on a terminal of its own, which is read all the time.
pub(crate) struct OnTerminal {
    pub(crate) child: Child,
    pub(crate) master: OwnedFd,
    shown: Receiver<Vec<u8>>,
    seen: String,
    /// What was shown before something was typed.
    past: String,
}

impl OnTerminal {
    /// The terminal is standard output and error; standard input is as said.
    fn start(case: &Case, arguments: &[&str], stdin: Stdio) -> Self {
        Self::start_with(case, arguments, stdin, None)
    }

    /// The same with another standard output.
    fn start_with(case: &Case, arguments: &[&str], stdin: Stdio, stdout: Option<File>) -> Self {
        case.bundle.write();
        let mut command = Command::new(&case.program);
        command
            .arg("--root")
            .arg(case.root())
            .args(arguments)
            .current_dir(case.bundle.path());
        Self::run(command, stdin, stdout)
    }

    /// The same for any command.
    pub(crate) fn run(command: Command, stdin: Stdio, stdout: Option<File>) -> Self {
        Self::spawn(command, Some(stdin), stdout)
    }

    /// The same with the terminal as standard input, too.
    pub(crate) fn run_interactively(command: Command) -> Self {
        Self::spawn(command, None, None)
    }

    fn spawn(mut command: Command, stdin: Option<Stdio>, stdout: Option<File>) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, size(20, 70)).unwrap();
        let child = command
            .stdin(stdin.unwrap_or_else(|| slave.try_clone().unwrap().into()))
            .stdout(stdout.map_or_else(|| slave.try_clone().unwrap(), OwnedFd::from))
            .stderr(slave)
            .spawn()
            .unwrap();
        let mut reader = File::from(master.try_clone().unwrap());
        let (tell, shown) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // EIO: the other side was closed for the last time.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if tell.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            master,
            shown,
            seen: String::new(),
            past: String::new(),
        }
    }

    /// Waits until the text is shown.
    pub(crate) fn shows(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let more = self.shown.recv_timeout(TIMEOUT);
            let more = more.unwrap_or_else(|error| panic!("no {text:?}: {error}: {}", self.end()));
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
    }

    /// All that was shown so far.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.past, self.seen)
    }

    /// Types, after which only what is shown from then on counts for [`shows`](Self::shows).
    pub(crate) fn types(&mut self, keys: &str) {
        self.past.push_str(&std::mem::take(&mut self.seen));
        File::from(self.master.try_clone().unwrap())
            .write_all(keys.as_bytes())
            .unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of the command.
    fn status(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the command ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Waits for the end, and returns the exit code and all that was shown.
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        let status = self.status();
        while let Ok(more) = self.shown.recv_timeout(TIMEOUT) {
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
        (status.code(), std::mem::take(&mut self.seen))
    }

    /// The last of what was shown.
    fn end(&self) -> &str {
        let start = self.seen.len().saturating_sub(400);
        self.seen.get(start..).unwrap_or(&self.seen)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

#[test]
fn lines_of_the_log_have_no_colours_on_a_terminal() {
    need!(Containers);
    let case = Case::new();
    let arguments = ["--debug", "state", "nobody"];
    let (code, shown) = OnTerminal::start(&case, &arguments, Stdio::null()).finish();
    assert_eq!(code, Some(1));
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let is_plain = |line: &str| line.contains("time=\"") && line.contains("\" level=");
    assert!(
        shown.lines().count() > 0 && shown.lines().all(is_plain),
        "{shown:?}"
    );
    case.finish();
}

/// Lines for standard input, until it is closed.
fn flood(mut stdin: ChildStdin) -> JoinHandle<()> {
    std::thread::spawn(move || while stdin.write_all(b"yes\nyes\nyes\nyes\n").is_ok() {})
}

/// Writes much and reads nothing, once the terminal is full of input: no more is taken for a while.
const MUCH: &str = "sleep 1; seq 1 50000; echo finished";

fn count_of_lines(text: &str) -> usize {
    text.lines()
        .filter(|line| line.trim_end().parse::<u32>().is_ok())
        .count()
}

#[test]
fn a_flood_of_input_does_not_stop_the_output_of_run() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script(MUCH);
    case.bundle.config["process"]["terminal"] = true.into();
    let mut command = OnTerminal::start(&case, &["run", &case.id], Stdio::piped());
    let flood = flood(command.child.stdin.take().unwrap());
    command.shows("finished");
    let (code, shown) = command.finish();
    assert_eq!(code, Some(0));
    // Echoes of the input are between them.
    assert!(
        count_of_lines(&shown) > 40_000,
        "{}",
        count_of_lines(&shown)
    );
    flood.join().unwrap();
    case.finish();
}

#[test]
fn a_flood_of_input_does_not_stop_the_output_of_exec() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let line = ["exec", "-t", &case.id, "/bin/sh", "-c", MUCH];
    let mut command = OnTerminal::start(&case, &line, Stdio::piped());
    let flood = flood(command.child.stdin.take().unwrap());
    command.shows("finished");
    assert_eq!(command.finish().0, Some(0));
    flood.join().unwrap();
    case.delete();
}

#[test]
fn signals_are_forwarded_while_nothing_takes_the_input() {
    need!(Containers, Busybox);
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done";
    for exec in [false, true] {
        let mut case = Case::new();
        case.bundle.script(script);
        case.bundle.config["process"]["terminal"] = (!exec).into();
        let line = if exec {
            case.start();
            vec!["exec", "-t", &case.id, "/bin/sh", "-c", script]
        } else {
            vec!["run", &case.id]
        };
        let mut command = OnTerminal::start(&case, &line, Stdio::piped());
        let mut stdin = command.child.stdin.take().unwrap();
        command.shows("ready");
        // More than all buffers on the way hold; the rest waits in the pipe of the runtime.
        let (sender, written) = channel();
        let flood = std::thread::spawn(move || {
            let mut sent = 0;
            while let Ok(count) = stdin.write(b"yes\n") {
                sent += count;
                let _ = sender.send(sent);
            }
        });
        while written.recv_timeout(Duration::from_secs(2)).is_ok() {}
        command.signal(Signal::TERM);
        assert_eq!(command.finish().0, Some(9), "exec: {exec}");
        flood.join().unwrap();
        if exec {
            case.delete();
        } else {
            case.finish();
        }
    }
}

#[test]
fn the_window_size_follows_the_terminal_of_the_caller() {
    need!(Containers, Busybox);
    // A signal that comes just before `read` waits does not interrupt it: its time limit does.
    let script = "trap 'stty size; echo changed' WINCH; stty size; echo ready; \
                  while :; do read -t 1 line && exit 4; done";
    for exec in [false, true] {
        let mut case = Case::new();
        case.bundle.script(script);
        case.bundle.config["process"]["terminal"] = (!exec).into();
        let line = if exec {
            case.bundle.args(&["/bin/sleep", "1000"]);
            case.start();
            vec!["exec", "-t", &case.id, "/bin/sh", "-c", script]
        } else {
            vec!["run", &case.id]
        };
        let mut command = OnTerminal::start(&case, &line, Stdio::piped());
        command.shows("ready");
        assert!(command.seen.contains("20 70"), "{}", command.seen);
        tcsetwinsize(&command.master, size(33, 111)).unwrap();
        // The kernel signals the foreground process group of the terminal, which this command is
        // not in here.
        command.signal(Signal::WINCH);
        let mut stdin = command.child.stdin.take().unwrap();
        command.shows("33 111");
        stdin.write_all(b"end\n").unwrap();
        assert_eq!(command.finish().0, Some(4), "exec: {exec}");
        if exec {
            case.delete();
        } else {
            case.finish();
        }
    }
}

#[test]
fn an_interrupt_goes_to_the_program_and_its_code_is_returned() {
    need!(Containers, Busybox);
    for terminal in [false, true] {
        let mut case = Case::new();
        case.bundle
            .script("trap 'exit 9' INT; echo ready; while :; do sleep 0.1; done");
        case.bundle.config["process"]["terminal"] = terminal.into();
        let mut command = OnTerminal::start(&case, &["run", &case.id], Stdio::null());
        command.shows("ready");
        command.signal(Signal::INT);
        assert_eq!(command.finish().0, Some(9), "terminal: {terminal}");
        case.finish();
    }
}

#[test]
fn output_that_cannot_be_written_is_told() {
    need!(Containers, Busybox);
    for terminal in [false, true] {
        let mut case = Case::new();
        case.bundle.script("seq 1 2000; exit 5");
        case.bundle.config["process"]["terminal"] = terminal.into();
        let line = ["--log", "said", "run", &case.id];
        let said = || std::fs::read_to_string(case.bundle.path().join("said")).unwrap();
        let command = OnTerminal::start(&case, &line, Stdio::null());
        assert_eq!(command.finish().0, Some(5));
        assert_eq!(said(), "");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let command = OnTerminal::start_with(&case, &line, Stdio::null(), Some(full));
        let _ = command.finish();
        assert!(
            said().contains("write to standard output: no space left on device"),
            "terminal: {terminal}: {}",
            said()
        );
        case.finish();
    }
}

#[test]
fn output_that_is_not_taken_ends_when_a_signal_asks_for_it() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    // More than a pipe holds, less than two.
    case.bundle
        .script("head -c 100000 /dev/zero; echo ended >&2; exit 5");
    case.bundle.write();
    let mut child = Command::new(&case.program)
        .arg("--root")
        .arg(case.root())
        .args(["run", &case.id])
        .current_dir(case.bundle.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ended = [0; 6];
    child.stderr.take().unwrap().read_exact(&mut ended).unwrap();
    // Read by nothing.
    let output = child.stdout.take();
    case.wait_for_status("stopped");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let mut status = None;
    eventually("the command ends", || {
        // The first one may still have been for the program.
        let _ = kill_process(pid, Signal::TERM);
        status = child.try_wait().unwrap();
        status.is_some()
    });
    // Or the next one ends it, when the container is removed and signals are its own again.
    let status = status.unwrap();
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert!(
        status.code() == Some(5) || by_signal == Some(15),
        "{status}"
    );
    drop(output);
    case.finish();
}

/// Whose child the orphan of a container without a pid namespace is.
#[test]
fn orphans_become_children_of_the_command_that_is_a_subreaper() {
    need!(Root, Busybox);
    for (flag, expected) in [(None, true), (Some("--no-subreaper"), false)] {
        let mut case = Case::new();
        case.bundle
            .without_namespace("pid")
            .script("(sh -c 'echo $$; exec sleep 1000' &) | head -n 1; sleep 1000");
        case.bundle.write();
        let line: Vec<&str> = ["run"].into_iter().chain(flag).chain([&*case.id]).collect();
        let mut child = Command::new(&case.program)
            .arg("--root")
            .arg(case.root())
            .args(&line)
            .current_dir(case.bundle.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut number = String::new();
        let mut output = child.stdout.take().unwrap();
        while !number.ends_with('\n') {
            let mut byte = [0];
            output.read_exact(&mut byte).unwrap();
            number.push(char::from(byte[0]));
        }
        let parent = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", number.trim()));
            let status = status.unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
            line.unwrap().trim().parse::<u32>().unwrap()
        };
        eventually("its own parent has ended", || {
            parent() == child.id() || !expected && parent() != case.pid()
        });
        assert_eq!(parent() == child.id(), expected, "{flag:?}");
        let _ = case.call(&["kill", &case.id, "KILL"]).ok();
        let mut ended = false;
        eventually("the command ends", || {
            ended = child.try_wait().unwrap().is_some();
            ended
        });
        case.finish();
    }
}
