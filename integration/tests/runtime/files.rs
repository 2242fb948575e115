//! Pid files, passed descriptors, consoles, the service manager's sockets.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Stdio;

use cofferdam_integration::console::{ConsoleSocket, read_terminal};
use cofferdam_integration::limited::{TIMEOUT, wait};
use cofferdam_integration::{Case, Limited, eventually, need};
use serde_json::json;

#[test]
fn the_pid_file_is_where_the_caller_says() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.write();
    let elsewhere = tempfile::tempdir().unwrap();
    let bundle = case.bundle.path().to_str().unwrap();
    let root = case.root().to_str().unwrap();
    let script = r#"exec "$@" </dev/null >/dev/null 2>&1"#;
    let program = case.program.to_str().unwrap();
    let line = [
        "-c",
        script,
        "sh",
        program,
        "--root",
        root,
        "create",
        "--bundle",
        bundle,
        "--pid-file",
        "pid",
        &case.id,
    ];
    let _ = Limited::new("/bin/sh")
        .args(line)
        .directory(elsewhere.path())
        .output()
        .ok();
    let text = std::fs::read_to_string(elsewhere.path().join("pid")).unwrap();
    assert_eq!(text, case.pid().to_string(), "no newline");
    assert_eq!(
        std::fs::read_dir(elsewhere.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
    case.delete();
}

#[test]
fn a_pid_file_that_cannot_be_written_fails_the_command() {
    need!(Containers, Busybox);
    let case = Case::new();
    let output = case.detached(&["create", "--pid-file", "/no/such/directory/pid", &case.id]);
    let _ = output.failed(1, "/no/such/directory");
    case.finish();
}

#[test]
fn descriptors_are_passed_when_asked_for_and_only_then() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script(
        "for n in 3 4 5; do test -e /proc/self/fd/$n && echo $n; done; cat <&3 2>/dev/null || true",
    );
    case.bundle.write();
    let run = |flags: &str| {
        let line = format!(
            "echo hello > fd; exec 3<fd 4</dev/null 5</dev/null; exec {} --root {} run {flags} {}",
            case.program.display(),
            case.root().display(),
            case.id
        );
        Limited::new("/bin/sh")
            .args(["-c", &line])
            .directory(case.bundle.path())
            .output()
    };
    assert_eq!(run("--preserve-fds 2").ok().lines(), ["3", "4", "hello"]);
    assert!(!run("").stdout.contains("hello"));
    let _ = run("--preserve-fds 20").failed(1, "unable to stat preserved-fd");
    case.finish();
}

#[test]
fn sockets_of_a_service_manager_are_passed() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.script("echo $LISTEN_FDS $LISTEN_PID; cat <&3");
    case.bundle.write();
    let line = format!(
        "echo hello > fd; exec 3<fd; LISTEN_FDS=1 LISTEN_PID=$$ exec {} --root {} run {}",
        case.program.display(),
        case.root().display(),
        case.id
    );
    let output = Limited::new("/bin/sh")
        .args(["-c", &line])
        .directory(case.bundle.path())
        .output()
        .ok();
    assert_eq!(output.lines(), ["1 1", "hello"]);
    case.finish();
}

#[test]
fn readiness_is_passed_to_a_service_manager() {
    need!(Containers, Busybox);
    for detached in [true, false] {
        let mut case = Case::new();
        let script = "echo $NOTIFY_SOCKET > /dev/shm/name; exec sleep 1000";
        case.bundle.script(script);
        let path = case.bundle.path().join("manager");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(TIMEOUT)).unwrap();
        let flags: &[&str] = if detached { &["--detach"] } else { &[] };
        let command = case.command(&[&["run"], flags, &[&case.id]].concat());
        // Detached, it returns when the container is ready: the container's streams are its own.
        let mut running = command.env("NOTIFY_SOCKET", &path).spawn(Stdio::null());
        eventually("the container runs", || {
            let listed = case.call(&["list", "--quiet"]).ok();
            listed.stdout.trim() == case.id && case.status() == "running"
        });
        let root = format!("/proc/{}/root", case.pid());
        let name = PathBuf::from(format!("{root}/dev/shm/name"));
        eventually("the program has its environment", || {
            std::fs::read_to_string(&name).is_ok_and(|text| text == "/run/notify/notify.sock\n")
        });
        let inside = UnixDatagram::unbound().unwrap();
        inside
            .connect(format!("{root}/run/notify/notify.sock"))
            .unwrap();
        // Only readiness is passed on.
        inside.send(b"STATUS=starting").unwrap();
        inside.send(b"READY=1\nSTATUS=up").unwrap();
        let mut buffer = [0; 256];
        for expected in [
            "READY=1".to_owned(),
            // In the foreground it is the command that stays and ends as the program does.
            format!(
                "MAINPID={}",
                if detached { case.pid() } else { running.id() }
            ),
            "BARRIER=1".to_owned(),
        ] {
            let length = manager.recv(&mut buffer).unwrap();
            assert_eq!(String::from_utf8_lossy(&buffer[..length]), expected);
        }
        if !detached {
            let _ = case.call(&["kill", &case.id, "KILL"]).ok();
        }
        assert!(wait(&running, TIMEOUT), "it still waits");
        let code = running.wait().unwrap().code();
        assert_eq!(code, Some(if detached { 0 } else { 137 }));
        case.delete();
    }
}

#[test]
fn a_service_manager_that_is_gone_does_not_end_the_container() {
    need!(Root, Busybox);
    for flags in [&["--detach"][..], &[]] {
        let mut case = Case::new();
        case.bundle.script("touch /dev/shm/ready; exec sleep 1000");
        let path = case.bundle.path().join("manager");
        let manager = UnixDatagram::bind(&path).unwrap();
        let command = case.command(&[&["run"], flags, &[&case.id]].concat());
        let mut running = command.env("NOTIFY_SOCKET", &path).spawn(Stdio::null());
        eventually("the program runs", || {
            case.exec(&["/bin/test", "-e", "/dev/shm/ready"]).code == 0
        });
        drop(manager);
        let inside = UnixDatagram::unbound().unwrap();
        let root = format!("/proc/{}/root", case.pid());
        inside
            .connect(format!("{root}/run/notify/notify.sock"))
            .unwrap();
        inside.send(b"READY=1").unwrap();
        if flags.is_empty() {
            let _ = case.call(&["kill", &case.id, "KILL"]).ok();
        }
        assert!(wait(&running, TIMEOUT), "it still waits");
        let code = running.wait().unwrap().code();
        assert_eq!(code, Some(if flags.is_empty() { 137 } else { 0 }));
        case.delete();
    }
}

#[test]
fn the_fifo_of_a_created_container_is_for_its_owner_only() {
    need!(Root, Busybox);
    let case = Case::new();
    case.create();
    let fifo = case.root().join(&case.id).join("exec.fifo");
    let mode = std::fs::metadata(&fifo).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "{}", fifo.display());
    case.delete();
}

#[test]
fn no_descriptor_reaches_a_created_or_running_container() {
    need!(Root, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.create();
    let descriptors = |pid: u32| -> Vec<String> {
        let mut found: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
            .unwrap()
            .flatten()
            .map(|entry| {
                format!(
                    "{} {}",
                    entry.file_name().display(),
                    std::fs::read_link(entry.path()).unwrap().display()
                )
            })
            .collect();
        found.sort();
        found
    };
    let pid = case.pid();
    for descriptor in descriptors(pid) {
        let link = descriptor.split_once(' ').unwrap().1.to_owned();
        // No directory: it would be a way out (CVE-2016-9962).
        assert!(!std::path::Path::new(&link).is_dir(), "{descriptor}");
    }
    let _ = case.call(&["start", &case.id]).ok();
    case.wait_for_status("running");
    eventually("the program runs", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "sleep\n"
    });
    assert_eq!(descriptors(pid).len(), 3, "{:?}", descriptors(pid));
    case.delete();
}

#[test]
fn the_master_of_a_terminal_is_sent_over_the_console_socket() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.config["process"]["terminal"] = json!(true);
    case.bundle.config["process"]["consoleSize"] = json!({ "height": 33, "width": 77 });
    case.bundle.script("tty; stty size; ls -l /dev/console | cut -c1; test -t 0 && test -t 1 && test -t 2 && echo terminal");
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let _ = case
        .detached(&["create", "--console-socket", socket.path(), &case.id])
        .ok();
    let (master, name) = socket.receive();
    assert!(name.contains("pts/") || name.contains("ptmx"), "{name}");
    let _ = case.call(&["start", &case.id]).ok();
    let shown = read_terminal(master);
    assert_eq!(shown, "/dev/pts/0\r\n33 77\r\nc\r\nterminal\r\n");
    case.wait_for_status("stopped");
    case.delete();
}

#[test]
fn in_the_foreground_the_terminal_is_connected_with_the_callers() {
    need!(Containers, Busybox, Script);
    let mut case = Case::new();
    case.bundle.config["process"]["terminal"] = json!(true);
    case.bundle
        .script("tty; stty size; read -r line; echo got $line; exit 4");
    case.bundle.write();
    // script(1) gives the command a terminal and types its own standard input there.
    let line = format!(
        "stty rows 40 cols 90; {} --root {} run {}",
        case.program.display(),
        case.root().display(),
        case.id
    );
    let output = Limited::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .directory(case.bundle.path())
        .input("typed\n")
        .output();
    assert_eq!(output.code, 4, "{output}");
    for shown in ["/dev/pts/0", "40 90", "got typed"] {
        assert!(
            output.lines().iter().any(|line| line.trim_end() == shown),
            "{shown}: {output}"
        );
    }
    case.finish();
}

#[test]
fn exec_gets_a_terminal_of_the_containers_own() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let line = [
        "exec",
        "--tty",
        "--detach",
        "--console-socket",
        socket.path(),
        &case.id,
        "/bin/tty",
    ];
    let _ = case.detached(&line).ok();
    assert_eq!(read_terminal(socket.receive().0), "/dev/pts/0\r\n");
    case.delete();
}

#[test]
fn a_terminal_and_its_holder_must_fit() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    let _ = case
        .call(&["run", "--console-socket", "/no/such", &case.id])
        .failed(1, "cannot use console socket");
    case.bundle.config["process"]["terminal"] = json!(true);
    let _ = case
        .call(&["create", &case.id])
        .failed(1, "cannot allocate tty");
    let _ = case
        .call(&["run", "--detach", &case.id])
        .failed(1, "cannot allocate tty");
    assert_eq!(
        case.call(&["run", "--detach", "--console-socket", "/no/such", &case.id])
            .code,
        1
    );
    case.finish();
}

#[test]
fn a_pidfd_is_sent_over_the_pidfd_socket() {
    need!(Containers, Busybox, Cofferdam);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    let socket = ConsoleSocket::bind(&case.bundle.path().join("socket"));
    let _ = case
        .detached(&["run", "--detach", "--pidfd-socket", socket.path(), &case.id])
        .ok();
    let (pidfd, name) = socket.receive();
    assert_eq!(name, "standard");
    let _ = rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL);
    case.wait_for_status("stopped");
    case.delete();
}

#[test]
fn standard_input_is_passed_on_in_the_foreground() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle.args(&["/bin/wc", "-c"]);
    let much = vec![b'x'; 300_000];
    let output = case.command(&["run", &case.id]).input(much).output().ok();
    assert_eq!(output.stdout.trim(), "300000");
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let output = case
        .command(&["exec", &case.id, "/bin/cat"])
        .input("echoed")
        .output()
        .ok();
    assert_eq!(output.stdout, "echoed");
    case.delete();
}

#[test]
fn standard_streams_that_fail_do_not_end_the_program() {
    need!(Root, Busybox);
    let mut case = Case::new();
    let root = case.root().display().to_string();
    // As nohup(1) leaves a terminal: open for writing only. And a full disk.
    for redirection in ["0>/dev/null", ">/dev/full", "2>/dev/full"] {
        let script = "cat; echo lost; echo lost >&2; echo ran > /out/ran; exit 5";
        case.bundle.script(script);
        let out = case.bundle.path().join("out");
        std::fs::create_dir_all(&out).unwrap();
        let source = out.to_str().unwrap();
        case.bundle.config["mounts"] = json!([{ "destination": "/out", "type": "bind", "source": source, "options": ["bind", "rw"] }]);
        case.bundle.write();
        let program = case.program.display();
        let line = format!("exec {program} --root {root} run {} {redirection}", case.id);
        let shell = Limited::new("/bin/sh").args(["-c", &line]);
        let output = shell.directory(case.bundle.path()).output();
        assert_eq!(output.code, 5, "{redirection}: {output}");
        std::fs::remove_file(out.join("ran")).expect(redirection);
    }
    case.finish();
}

#[test]
fn much_output_arrives_whole() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle
        .script("yes 0123456789 | head -n 200000; yes abc | head -n 100000 >&2");
    let output = case.run();
    assert_eq!(
        (output.code, output.stdout.len(), output.stderr.len()),
        (0, 2_200_000, 400_000)
    );
    case.finish();
}

#[test]
fn signals_are_forwarded_in_the_foreground() {
    need!(Containers, Busybox);
    let mut case = Case::new();
    case.bundle
        .script("trap 'exit 33' TERM; touch /dev/shm/ready; while :; do sleep 0.01; done");
    let mut child = case.spawn(&["run", &case.id]);
    eventually("the trap is set", || {
        case.exec(&["/bin/test", "-e", "/dev/shm/ready"]).code == 0
    });
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(wait(&child, TIMEOUT));
    assert_eq!(child.wait().unwrap().code(), Some(33));
    case.finish();
}
