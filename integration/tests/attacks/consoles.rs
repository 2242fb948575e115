//! `/dev/console` and pseudo terminals that the image replaces (CVE-2025-52565, CVE-2026-88264).

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use cofferdam_integration::console::{ConsoleSocket, read_terminal};
use cofferdam_integration::{Case, Output, eventually, need};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use crate::host::Host;
use crate::{mount_table, victim};

/// A directory of the image that will be `/dev`.
fn devices(case: &mut Case) -> std::path::PathBuf {
    victim::writable(case);
    victim::without_mount(case, "/dev");
    case.bundle.config["process"]["terminal"] = json!(true);
    let directory = case.bundle.rootfs().join("dev");
    for name in ["pts", "shm", "mqueue"] {
        std::fs::create_dir(directory.join(name)).unwrap();
    }
    directory
}

/// `run --detach` with a console socket: what the terminal shows, or how it failed.
fn run(case: &mut Case) -> Result<String, Output> {
    case.bundle.script(
        "tty; grep ' /dev/console ' /proc/self/mountinfo | sed 's/.* - //; s/ .*//'; echo the end",
    );
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let output = case.detached(&["create", "--console-socket", socket.path(), &case.id]);
    victim::sane(&output);
    if output.code != 0 {
        case.nothing_left();
        return Err(output);
    }
    let (master, _) = socket.receive();
    // TIOCGPTN succeeds on masters only.
    assert!(
        rustix::pty::ptsname(master.as_fd(), Vec::new()).is_ok(),
        "what was sent is not the master of a terminal"
    );
    let _ = case.call(&["start", &case.id]).ok();
    let shown = read_terminal(master);
    eventually("the container ends", || case.status() == "stopped");
    victim::delete(case);
    Ok(shown)
}

#[test]
fn what_the_image_has_as_console_is_not_followed() {
    need!(Root, Busybox);
    let host = Host::new();
    for kind in [
        "absent",
        "created",
        "file",
        "parameter",
        "fifo",
        "directory",
        "device",
    ] {
        for own_mount in [true, false] {
            let mut case = Case::new();
            let devices = devices(&mut case);
            let console = devices.join("console");
            match kind {
                "absent" => {}
                "created" => symlink(host.canary().join("created"), &console).unwrap(),
                "file" => symlink(host.canary().join("file"), &console).unwrap(),
                "parameter" => {
                    symlink("/proc/sys/kernel/printk_ratelimit_burst", &console).unwrap()
                }
                "fifo" => mknodat(CWD, &console, FileType::Fifo, Mode::RWXU, 0).unwrap(),
                "directory" => std::fs::create_dir(&console).unwrap(),
                _ => mknodat(
                    CWD,
                    &console,
                    FileType::CharacterDevice,
                    Mode::RWXU,
                    makedev(1, 3),
                )
                .unwrap(),
            }
            if own_mount {
                // Without it the masks of an ordinary configuration are refused.
                mknodat(
                    CWD,
                    devices.join("null"),
                    FileType::CharacterDevice,
                    Mode::RWXU,
                    makedev(1, 3),
                )
                .unwrap();
                case.bundle.mount(victim::bind(&devices, "/dev"));
                let mounts = case.bundle.config["mounts"].as_array_mut().unwrap();
                let dev = mounts.pop().unwrap();
                mounts.insert(0, dev);
            }
            let result = run(&mut case);
            if let Ok(shown) = &result {
                assert!(
                    shown.starts_with("/dev/pts/0\r\n") && shown.ends_with("the end\r\n"),
                    "{kind}: {shown}"
                );
                if kind == "absent" && !own_mount {
                    assert!(shown.contains("\ndevpts\r\n"), "{kind}: {shown}");
                }
            }
            assert!(
                kind != "absent" || result.is_ok(),
                "an ordinary container is refused: {}",
                result.unwrap_err()
            );
            host.unchanged(kind);
            case.finish();
        }
    }
}

#[test]
fn terminals_that_the_image_made_up_are_not_opened() {
    need!(Root, Busybox);
    let host = Host::new();
    for name in ["pts", "ptmx", "pts/ptmx"] {
        for kind in ["link", "file", "device"] {
            let mut case = Case::new();
            let devices = devices(&mut case);
            let sentinel = "/proc/sys/kernel/printk_ratelimit_burst";
            if name != "ptmx" {
                // No devpts: names that look like terminals lead to a kernel parameter.
                victim::without_mount(&mut case, "/dev/pts");
                for number in 0..64 {
                    symlink(sentinel, devices.join("pts").join(number.to_string())).unwrap();
                }
            }
            let place = devices.join(if name == "pts" { "pts/ptmx" } else { name });
            match kind {
                "link" => symlink(sentinel, &place).unwrap(),
                "file" => std::fs::write(&place, "x").unwrap(),
                _ => mknodat(
                    CWD,
                    &place,
                    FileType::CharacterDevice,
                    Mode::from_raw_mode(0o666),
                    makedev(5, 2),
                )
                .unwrap(),
            }
            if let Ok(shown) = run(&mut case) {
                assert!(shown.ends_with("the end\r\n"), "{name} {kind}: {shown}");
            }
            host.unchanged(&format!("{name} {kind}"));
            case.finish();
        }
    }
}

#[test]
fn exec_with_a_terminal_opens_a_terminal() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let devices = devices(&mut case);
    case.bundle.config["process"]["terminal"] = json!(false);
    victim::without_mount(&mut case, "/dev/pts");
    for number in 0..64 {
        symlink(
            "/proc/sys/kernel/printk_ratelimit_burst",
            devices.join("pts").join(number.to_string()),
        )
        .unwrap();
    }
    symlink(host.canary().join("file"), devices.join("pts/ptmx")).unwrap();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let output = case.detached(&[
        "exec",
        "--tty",
        "--detach",
        "--console-socket",
        socket.path(),
        &case.id,
        "/bin/tty",
    ]);
    victim::sane(&output);
    host.unchanged("exec --tty");
    // On a real devpts it works, and the name is one of the container's.
    case.delete();
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let _ = case
        .detached(&[
            "exec",
            "--tty",
            "--detach",
            "--console-socket",
            socket.path(),
            &case.id,
            "/bin/tty",
        ])
        .ok();
    assert_eq!(
        read_terminal(File::from(socket.receive().0).into()),
        "/dev/pts/0\r\n"
    );
    case.delete();
}

#[test]
fn the_console_is_the_terminal() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.config["process"]["terminal"] = json!(true);
    case.bundle.args(&["/bin/sleep", "1000"]);
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let _ = case
        .detached(&["create", "--console-socket", socket.path(), &case.id])
        .ok();
    let (master, _) = socket.receive();
    let mounts = mount_table::of(&case.pid().to_string());
    let console: Vec<_> = mounts
        .iter()
        .filter(|mount| mount.target == Path::new("/dev/console"))
        .collect();
    assert_eq!(console.len(), 1, "{mounts:#?}");
    let pts = mounts
        .iter()
        .find(|mount| mount.target == Path::new("/dev/pts"))
        .unwrap();
    assert_eq!(
        (console[0].kind.as_str(), &console[0].device),
        ("devpts", &pts.device)
    );
    host.unchanged("a console");
    // Who opened it is in the container: the file keeps its credentials, and these its keyring.
    drop(master);
    case.delete();
}
