//! Device nodes, the terminal, the standard streams.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use cofferdam_nsenter::plan::{Op, PlanBuilder, Slot};
use cofferdam_nsenter::{Deadline, pidfd};

use crate::rootfs::{self, NOSUID, inside, mount, pivot, usual};
use crate::support::{Recorder, c, null, open_directory, root, run, run_built, shell, start};

fn node(dir: Slot, name: &str, mode: u32, device: (u32, u32)) -> Op {
    Op::MakeNode {
        dir,
        name: c(name),
        mode,
        device,
        uid: 3,
        gid: 4,
    }
}

#[test]
fn nodes_are_made_with_owner_and_mode() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    let dir = open_directory(&mut plan, directory.path());
    plan.push("null", node(dir, "null", libc::S_IFCHR | 0o666, (1, 3)));
    plan.push(
        "null again",
        node(dir, "null", libc::S_IFCHR | 0o2660, (1, 3)),
    );
    plan.push(
        "large numbers",
        node(dir, "block", libc::S_IFBLK | 0o600, (0xabc, 0xfffff)),
    );
    plan.push("fifo", node(dir, "fifo", libc::S_IFIFO | 0o600, (0, 0)));
    plan.push(
        "link",
        Op::Symlink {
            dir,
            name: c("fd"),
            target: c("/proc/self/fd"),
        },
    );
    plan.push(
        "link again",
        Op::Symlink {
            dir,
            name: c("fd"),
            target: c("/other"),
        },
    );
    plan.push(
        "remove",
        Op::Remove {
            dir,
            name: c("fifo"),
        },
    );
    plan.push(
        "remove again",
        Op::Remove {
            dir,
            name: c("fifo"),
        },
    );
    shell(&mut plan, "exit 0");
    run(plan).output();
    let null = std::fs::metadata(inside(&directory, "null")).unwrap();
    assert_eq!(
        (null.mode(), null.uid(), null.gid()),
        (libc::S_IFCHR | 0o2660, 3, 4)
    );
    assert_eq!(null.rdev(), rustix::fs::makedev(1, 3));
    let block = std::fs::metadata(inside(&directory, "block")).unwrap();
    assert_eq!(
        (block.mode(), block.rdev()),
        (libc::S_IFBLK | 0o600, rustix::fs::makedev(0xabc, 0xfffff))
    );
    assert_eq!(
        std::fs::read_link(inside(&directory, "fd"))
            .unwrap()
            .to_str(),
        Some("/proc/self/fd")
    );
    assert!(!inside(&directory, "fifo").exists());
}

#[test]
fn another_file_in_the_place_of_a_node_is_no_node() {
    if !root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(inside(&directory, "file"), "").unwrap();
    std::os::unix::fs::symlink("/dev/null", inside(&directory, "link")).unwrap();
    for (name, device) in [("file", (1, 3)), ("link", (1, 3)), ("../dir", (1, 3))] {
        let mut plan = PlanBuilder::new();
        let dir = open_directory(&mut plan, directory.path());
        plan.push("node", node(dir, name, libc::S_IFCHR | 0o666, device));
        shell(&mut plan, "exit 0");
        let errno = if name.contains('/') {
            libc::EINVAL
        } else {
            libc::EEXIST
        };
        assert_eq!(run(plan).error().raw_os_error(), Some(errno), "{name}");
    }
}

/// Appends a step that makes a terminal: its two ends.
fn pty(plan: &mut PlanBuilder, devpts: Slot) -> [Slot; 2] {
    let [master, slave] = [plan.slot(), plan.slot()];
    let op = Op::Pty {
        devpts,
        master,
        slave,
    };
    plan.push("terminal", op);
    [master, slave]
}

/// A terminal in the container: made there, its other end becomes the standard streams and the
/// controlling terminal.
#[test]
fn a_terminal_is_made_and_becomes_the_controlling_one() {
    if !root() {
        return;
    }
    let directory = rootfs::directory();
    let mut plan = PlanBuilder::new();
    let root = usual(&mut plan, directory.path());
    mount(
        &mut plan,
        root,
        "devpts",
        "dev/pts",
        &[("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620")],
        NOSUID,
    );
    pivot(&mut plan, root);
    plan.push("close", Op::Close(root));
    plan.push("session", Op::NewSession);
    let devpts = open_directory(&mut plan, "/dev/pts".as_ref());
    let [master, slave] = pty(&mut plan, devpts);
    plan.push("console", Op::AskConsole(master));
    plan.push("streams", Op::Stdio(slave));
    plan.push("controlling terminal", Op::ControllingTerminal(slave));
    plan.push("owner", Op::StdioOwner(77));
    for slot in [devpts, master, slave] {
        plan.push("close", Op::Close(slot));
    }
    shell(
        &mut plan,
        "read word < /dev/tty; echo got $word; tty; stat -c %u /dev/pts/0; ls -l /proc/self/fd/2 | sed 's/.*> //'",
    );
    // /dev/tty of the container: the node alone is enough.
    std::fs::create_dir(inside(&directory, "dev")).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let tty = rustix::fs::makedev(5, 0);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inside(&directory, "dev/tty"),
        rustix::fs::FileType::CharacterDevice,
        mode,
        tty,
    )
    .unwrap();
    let plan = plan.build().unwrap();
    let mut recorder = Recorder::default();
    let mut init = start(&plan, [null().as_fd(); 3]);
    init.serve(&mut recorder, Deadline::default()).unwrap();
    assert_eq!(recorder.log, ["console 0"]);
    let mut master = std::fs::File::from(recorder.received.pop().unwrap());
    master.write_all(b"hello\n").unwrap();
    let mut text = Vec::new();
    // The other end is closed when the shell ends: EIO.
    let mut buffer = [0; 256];
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        text.extend_from_slice(&buffer[..count]);
    }
    assert_eq!(init.wait().unwrap(), pidfd::Exit::Code(0));
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "hello\r\ngot hello\r\n/dev/pts/0\r\n77\r\n/dev/pts/0\r\n"
    );
}

#[test]
fn a_directory_that_is_no_devpts_gives_no_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let mut plan = PlanBuilder::new();
    let devpts = open_directory(&mut plan, directory.path());
    pty(&mut plan, devpts);
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().raw_os_error(), Some(libc::EBADMSG));
}

/// The kernel takes 32 bits, and would make the device that is left of the number: here 1:1.
#[test]
fn a_number_that_the_kernel_would_cut_off_is_refused() {
    if !root() {
        return;
    }
    for device in [(0x1001, 1), (1, 0x10_0001)] {
        let directory = tempfile::tempdir().unwrap();
        let mut plan = PlanBuilder::new();
        let dir = open_directory(&mut plan, directory.path());
        // The second of two alike is not looked at.
        plan.push("one", node(dir, "one", libc::S_IFCHR | 0o600, (1, 3)));
        plan.push("other", node(dir, "other", libc::S_IFCHR | 0o600, device));
        shell(&mut plan, "true");
        assert_eq!(run(plan).error().raw_os_error(), Some(libc::EINVAL));
        assert!(!directory.path().join("other").exists());
    }
}

#[test]
fn the_null_device_of_the_host_is_replaced() {
    if !root() {
        return;
    }
    for (device, expected) in [
        ((1, 3), Ok("1:3\n")),
        ((1, 5), Err(libc::EBADMSG)),
        ((0, 0), Err(libc::ENOENT)),
    ] {
        let directory = rootfs::directory();
        let mut plan = PlanBuilder::new();
        let root = usual(&mut plan, directory.path());
        // The container's own nodes, on a file system of its own.
        mount(&mut plan, root, "tmpfs", "dev", &[], 0);
        pivot(&mut plan, root);
        plan.push("close", Op::Close(root));
        let dev = open_directory(&mut plan, "/dev".as_ref());
        if device.0 != 0 {
            let op = Op::MakeNode {
                dir: dev,
                name: c("null"),
                mode: libc::S_IFCHR | 0o666,
                device,
                uid: 0,
                gid: 0,
            };
            plan.push("null", op);
        }
        plan.push("close", Op::Close(dev));
        plan.push("reopen", Op::ReopenNull);
        let script = "test $(stat -L -c %d /proc/self/fd/0) = $(stat -c %d /dev) && stat -L -c %Hr:%Lr /proc/self/fd/0";
        shell(&mut plan, script);
        let outcome = run_built(&plan.build().unwrap(), Vec::new(), &mut ());
        match expected {
            Ok(text) => assert_eq!(outcome.output(), text),
            Err(errno) => assert_eq!(outcome.error().raw_os_error(), Some(errno)),
        }
    }
}

#[test]
fn the_streams_are_given_to_the_user_and_the_null_device_is_not() {
    if !root() {
        return;
    }
    let before = std::fs::metadata("/dev/null").unwrap();
    let mut plan = PlanBuilder::new();
    plan.push("owner", Op::StdioOwner(5555));
    shell(&mut plan, "stat -L -c %u /proc/self/fd/0 /proc/self/fd/1");
    assert_eq!(run(plan).output(), "0\n5555\n");
    let after = std::fs::metadata("/dev/null").unwrap();
    assert_eq!(
        (before.uid(), before.ctime_nsec()),
        (after.uid(), after.ctime_nsec())
    );
}

#[test]
fn a_socket_is_opened_in_the_stubs_network_namespace() {
    let mut plan = PlanBuilder::new();
    let into = plan.slot();
    let raw = (libc::SOCK_RAW as u32, libc::AF_NETLINK as u32);
    plan.push(
        "socket",
        Op::Socket {
            family: raw.1,
            kind: raw.0,
            protocol: 0,
            into,
        },
    );
    plan.push("send", Op::SendDescriptor { tag: 4, fd: into });
    plan.push("close", Op::Close(into));
    shell(&mut plan, "exit 0");
    let mut recorder = Recorder::default();
    run_built(&plan.build().unwrap(), Vec::new(), &mut recorder).output();
    assert_eq!(recorder.log, ["sent 4"]);
    assert_eq!(
        rustix::net::sockopt::socket_domain(&recorder.received[0]).unwrap(),
        rustix::net::AddressFamily::NETLINK
    );
}
