//! Sockets that are named on the command line, in the environment or in the configuration.

use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use cofferdam_integration::console::ConsoleSocket;
use cofferdam_integration::{Case, need};

/// A directory whose path is longer than the address of a socket can be.
fn deep(case: &Case) -> PathBuf {
    let directory = case.bundle.path().join("d".repeat(120));
    std::fs::create_dir(&directory).unwrap();
    directory
}

/// Makes a socket there: elsewhere, and moved, since its own address is bounded as well.
fn moved<T>(to: &Path, bind: impl FnOnce(&Path) -> T) -> T {
    let short = tempfile::tempdir_in(to.parent().unwrap().parent().unwrap()).unwrap();
    let path = short.path().join("s");
    let socket = bind(&path);
    std::fs::rename(path, to).unwrap();
    socket
}

#[test]
fn paths_of_any_length_are_reached() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["terminal"] = true.into();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let directory = deep(&case);
    let (console, pidfd) = (directory.join("console"), directory.join("pidfd"));
    let console_socket = moved(&console, ConsoleSocket::bind);
    let pidfd_socket = moved(&pidfd, ConsoleSocket::bind);
    let (console, pidfd) = (console.to_str().unwrap(), pidfd.to_str().unwrap());
    assert!(console.len() > 107);
    std::thread::scope(|scope| {
        // The master is kept: without it the terminal is gone.
        let console_name = scope.spawn(|| console_socket.receive());
        let pidfd_name = scope.spawn(|| pidfd_socket.receive().1);
        let line = [
            "run",
            "--detach",
            "--console-socket",
            console,
            "--pidfd-socket",
            pidfd,
            &case.id,
        ];
        let _ = case.call(&line).ok();
        let (_master, name) = console_name.join().unwrap();
        assert!(name.starts_with("/dev/pts/"));
        assert_eq!(pidfd_name.join().unwrap(), "standard");
    });
    case.delete();
}

#[test]
fn an_empty_path_is_no_socket() {
    need!(Containers, Busybox);
    // An abstract socket without a name belongs to the first process that takes it.
    let mut case = Case::new();
    for path in ["@", ""] {
        // An empty value of a flag counts as not given.
        if !path.is_empty() {
            let _ = case
                .call(&["run", "--pidfd-socket", path, &case.id])
                .failed(1, "the path of the socket is empty");
            case.bundle.config["process"]["terminal"] = true.into();
            let _ = case
                .call(&["run", "--detach", "--console-socket", path, &case.id])
                .failed(1, "the path of the socket is empty");
            case.bundle.config["process"]["terminal"] = false.into();
        }
        // Without a service manager it does not fail.
        let _ = case
            .command(&["run", &case.id])
            .env("NOTIFY_SOCKET", path)
            .output()
            .ok();
    }
    case.finish();
}

#[test]
fn the_socket_for_notifications_is_there_whatever_the_caller_has() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle
        .script("test -S $NOTIFY_SOCKET && echo $NOTIFY_SOCKET");
    let directory = deep(&case);
    let named = directory.join("named");
    let _manager = moved(&named, |path| UnixDatagram::bind(path).unwrap());
    let stream = directory.join("stream");
    let _stream = moved(&stream, |path| UnixListener::bind(path).unwrap());
    for host in [directory.join("none"), directory, stream, named] {
        let output = case
            .command(&["run", &case.id])
            .env("NOTIFY_SOCKET", &host)
            .output()
            .ok();
        assert_eq!(
            output.stdout,
            "/run/notify/notify.sock\n",
            "{}",
            host.display()
        );
    }
    case.finish();
}

#[test]
fn a_state_root_of_any_length_can_hold_the_socket_for_notifications() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script("test -S $NOTIFY_SOCKET && echo there");
    let root = deep(&case);
    let root = root.to_str().unwrap();
    let output = case
        .bare_command(&["--root", root, "run", &case.id])
        .env("NOTIFY_SOCKET", "/nonexistent")
        .output()
        .ok();
    assert_eq!(output.stdout, "there\n");
    case.finish();
}
