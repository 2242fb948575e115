//! Input pushed into the terminal of the caller (CVE-2016-10124, CVE-2017-5226, CVE-2023-28100).

#![cfg(target_arch = "x86_64")]

use std::fs::File;
use std::os::fd::OwnedFd;

use cofferdam_integration::{Case, Limited, need, tiny_program};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::host::Host;
use crate::victim;

/// `for (fd = 0; fd < 3; fd++) { ioctl(fd, TIOCSCTTY, 0); ioctl(fd, TIOCSTI, "X"); }
/// exit(open("/dev/tty", O_RDWR) >= 0)`
const PUSH: &[u8] = &[
    0x6a, 0x58, // push 'X'
    0x31, 0xdb, // xor ebx, ebx
    // again:
    0x89, 0xdf, // mov edi, ebx
    0xbe, 0x0e, 0x54, 0, 0, // mov esi, TIOCSCTTY
    0x31, 0xd2, // xor edx, edx
    0xb8, 16, 0, 0, 0, // mov eax, ioctl
    0x0f, 0x05, // syscall
    0x89, 0xdf, // mov edi, ebx
    0xbe, 0x12, 0x54, 0, 0, // mov esi, TIOCSTI
    0x48, 0x89, 0xe2, // mov rdx, rsp
    0xb8, 16, 0, 0, 0, // mov eax, ioctl
    0x0f, 0x05, // syscall
    0xff, 0xc3, // inc ebx
    0x83, 0xfb, 3, // cmp ebx, 3
    0x7c, 0xd8, // jl again
    0xb8, 2, 0, 0, 0, // mov eax, open
    0x68, 0x74, 0x74, 0x79, 0, // push "tty"
    0x48, 0xbf, b'/', b'd', b'e', b'v', b'/', b't', b't', b'y', // mov rdi, "/dev/tty"
    0x6a, 0,    // push 0
    0x57, // push rdi
    0x48, 0x89, 0xe7, // mov rdi, rsp
    0xbe, 2, 0, 0, 0, // mov esi, O_RDWR
    0x0f, 0x05, // syscall
    0x31, 0xff, // xor edi, edi
    0x85, 0xc0, // test eax, eax
    0x40, 0x0f, 0x99, 0xc7, // setns dil
    0xb8, 60, 0, 0, 0, // mov eax, exit
    0x0f, 0x05, // syscall
];

/// A pseudo terminal: its master, and the name of the other side.
fn terminal() -> (OwnedFd, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    (master, name)
}

/// Runs a shell line as the leader of a session whose terminal is `name`.
fn in_terminal(case: &Case, name: &str, line: &str, after: &str) -> cofferdam_integration::Output {
    case.bundle.write();
    let line = format!("{line} <{name} >{name} 2>said; code=$?; {after} exit $code");
    Limited::new("setsid")
        .args([
            "--wait",
            "/bin/sh",
            "-c",
            &format!("exec 9<>{name}; {line}"),
        ])
        .directory(case.bundle.path())
        .output()
}

/// Whether there is input to read on a terminal whose lines are not edited.
fn input_waits(name: &str) -> bool {
    let other = open(
        name,
        OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .unwrap();
    let mut watched = [PollFd::new(&other, PollFlags::IN)];
    poll(
        &mut watched,
        Some(&Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )
    .unwrap()
        > 0
}

fn raw(name: &str) {
    let other = File::open(name).unwrap();
    let mut attributes = rustix::termios::tcgetattr(&other).unwrap();
    attributes.make_raw();
    rustix::termios::tcsetattr(&other, rustix::termios::OptionalActions::Now, &attributes).unwrap();
}

#[test]
fn the_attack_works_without_a_container() {
    need!(Root);
    let (_master, name) = terminal();
    raw(&name);
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("push");
    tiny_program::write(&program, PUSH).unwrap();
    let line = format!("{} <{name} >{name}", program.display());
    let output = Limited::new("setsid")
        .args([
            "--wait",
            "/bin/sh",
            "-c",
            &format!("exec 9<>{name}; {line}"),
        ])
        .output();
    // Exit code 1: there is a controlling terminal. The tests below rely on both.
    assert_eq!(output.code, 1, "{output}");
    assert!(
        input_waits(&name),
        "root of the host cannot push input: the other tests here prove nothing"
    );
}

#[test]
fn no_input_can_be_pushed_into_the_callers_terminal() {
    need!(Root, Busybox);
    let host = Host::new();
    for flags in ["", "--detach"] {
        let (_master, name) = terminal();
        raw(&name);
        let mut case = Case::new();
        tiny_program::write(&case.bundle.rootfs().join("bin/push"), PUSH).unwrap();
        case.bundle.args(&["/bin/push"]);
        let line = format!(
            "'{}' --root '{}' run {flags} {}",
            case.program.display(),
            case.root().display(),
            case.id
        );
        // The leader of the caller's session stays: else the terminal would be free to be taken.
        let state = format!(
            "'{}' --root '{}' state {}",
            case.program.display(),
            case.root().display(),
            case.id
        );
        let wait = if flags.is_empty() {
            String::new()
        } else {
            format!("until {state} | grep -q stopped; do :; done;")
        };
        let output = in_terminal(&case, &name, &line, &wait);
        let said = std::fs::read_to_string(case.bundle.path().join("said")).unwrap();
        assert_eq!(
            output.code, 0,
            "the container has the caller's terminal {flags}: {output} {said}"
        );
        if !flags.is_empty() {
            case.wait_for_status("stopped");
            victim::delete(&case);
        }
        assert!(
            !input_waits(&name),
            "input was pushed into the caller's terminal {flags}"
        );
        host.unchanged("a terminal");
        case.finish();
    }
}

#[test]
fn nor_by_exec() {
    need!(Root, Busybox);
    let host = Host::new();
    let (_master, name) = terminal();
    raw(&name);
    let mut case = Case::new();
    tiny_program::write(&case.bundle.rootfs().join("bin/push"), PUSH).unwrap();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let line = format!(
        "'{}' --root '{}' exec {} /bin/push",
        case.program.display(),
        case.root().display(),
        case.id
    );
    let output = in_terminal(&case, &name, &line, "");
    let said = std::fs::read_to_string(case.bundle.path().join("said")).unwrap();
    assert_eq!(
        output.code, 0,
        "the process has the caller's terminal: {output} {said}"
    );
    assert!(
        !input_waits(&name),
        "input was pushed into the caller's terminal"
    );
    host.unchanged("exec");
    case.delete();
}
