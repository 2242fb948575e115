//! Options of checkpoints and restores, each by what it changes: by the CRIU of the machine.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cofferdam_integration::bundle::static_busybox;
use cofferdam_integration::{Case, cgroup, eventually, need, tiny_program};
use rustix::fs::FlockOperation;
use serde_json::json;

use crate::dump::pages as memory;
use crate::outside::{Ended, NetworkNamespace, free_port};
use crate::subject::{Runtime, Subject};

use Runtime::Ours;

/// A subject whose container has a program of its own.
fn subject(script: &str) -> Subject {
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    case.bundle.script(script);
    Subject::of(case)
}

/// What a file of the container has; nothing without one.
fn contents(subject: &Subject, name: &str) -> String {
    fs::read_to_string(subject.case.bundle.rootfs().join(name)).unwrap_or_default()
}

/// Takes a lock on descriptor 9, which leads to `/lock`.
const LOCK: &str = "exec 9>/lock; /bin/lock-9; ";

fn add_locker(subject: &Subject) {
    let path = subject.case.bundle.rootfs().join("bin/lock-9");
    tiny_program::write(&path, tiny_program::LOCK_9).unwrap();
}

/// Whether the container has its lock.
fn is_locked(subject: &Subject) -> bool {
    let file = File::open(subject.case.bundle.rootfs().join("lock")).unwrap();
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => false,
        Err(rustix::io::Errno::WOULDBLOCK) => true,
        Err(errno) => panic!("{errno}"),
    }
}

/// Connections of the container, by their state as `/proc/net/tcp6` has it and the length of the
/// queue of those that are not accepted.
fn has_socket(subject: &Subject, port: u16, state: &str, waiting: &str) -> bool {
    let table = fs::read_to_string(format!("/proc/{}/net/tcp6", subject.case.pid())).unwrap();
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let end = format!(":{port:04X}");
        fields[1].ends_with(&end) && fields[3] == state && fields[4].ends_with(waiting)
    })
}

/// The container has a file lock, a file that has lost the name it was opened by, a datagram socket
/// whose other end is outside of it, in the same network namespace, a TCP connection, and a stopped
/// server with one that is not accepted yet.
#[test]
fn what_needs_an_option_goes_through_with_it_only() {
    need!(Root, Busybox, Checkpoints);
    let script = format!(
        "{LOCK} ln -s \"$OUTSIDE/log\" /dev/log; mkfifo /log /in /never; \
         echo kept >/file; exec 3</file; ln /file /other; rm /file; \
         logger </log & exec 4>/log; \
         nc -l -p 80 </in >/dev/null & exec 5>/in; \
         while ! grep -q ':0050 ' /proc/net/tcp6; do sleep 0.1; done; \
         nc 127.0.0.1 80 <>/never >>/received & \
         nc -l -p 81 <>/never >/accepted & server=$!; \
         while ! grep -q ':0051 ' /proc/net/tcp6; do sleep 0.1; done; kill -STOP $server; \
         i=0; while true; do i=$((i+1)); echo $i >>/count; echo $i >&4; echo $i >&5; \
         [ ! -e /wake ] || {{ kill -CONT $server; rm /wake; cat <&3 >/kept; }}; \
         sleep 0.5; done"
    );
    let mut subject = subject(&script);
    add_locker(&subject);
    let network = NetworkNamespace::new(&subject.case.id);
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().to_str().unwrap();
    let log = network.inside(|| UnixDatagram::bind(outside.path().join("log")).unwrap());
    let timeout = Some(Duration::from_secs(60));
    log.set_read_timeout(timeout).unwrap();
    let bundle = &mut subject.case.bundle;
    bundle.mount(json!({"source": path, "destination": path, "options": ["bind"]}));
    bundle.without_namespace("network");
    bundle.namespace(json!({"type": "network", "path": network.path()}));
    bundle.config["process"]["env"] = json!(["PATH=/bin", format!("OUTSIDE={path}")]);
    subject.start(Ours);
    let connect = || {
        let mut client = network.command(&static_busybox().unwrap());
        Ended(client.args(["nc", "127.0.0.1", "81"]).spawn().unwrap())
    };
    eventually("the server listens and is stopped", || {
        has_socket(&subject, 81, "0A", ":00000000") && subject.count() > 0
    });
    let mut waiting = connect();
    eventually("a connection waits to be accepted", || {
        has_socket(&subject, 81, "0A", ":00000001")
    });
    assert!(is_locked(&subject));

    let all = [
        "--tcp-established",
        "--tcp-skip-in-flight",
        "--ext-unix-sk",
        "--link-remap",
        "--file-locks",
    ];
    let needs = [
        "Connected TCP socket",
        "In-flight connection",
        "External socket is used",
        "Use link-remap option",
        "Some file locks are hold",
    ];
    for (index, said) in needs.into_iter().enumerate() {
        let mut flags = all.to_vec();
        flags.remove(index);
        subject.dump_fails(&flags, said);
    }
    subject.dump(Ours, &all);
    waiting.end();
    assert!(!is_locked(&subject));
    let count = subject.count();
    let both = ["--tcp-established", "--ext-unix-sk", "--file-locks"];
    let without = ["--ext-unix-sk", "--file-locks"];
    subject.restore_fails(&without, "Connected TCP socket in image");
    // What was said before the dump is read, so that the rest is of the restored process.
    log.set_nonblocking(true).unwrap();
    while log.recv(&mut [0; 512]).is_ok() {}
    log.set_nonblocking(false).unwrap();
    let received = contents(&subject, "received").len();
    subject.restore(Ours, &both);
    subject.counts_beyond(count);
    assert!(is_locked(&subject));
    assert!(log.recv(&mut [0; 512]).unwrap() > 0);
    eventually("the connection goes on", || {
        contents(&subject, "received").len() > received
    });
    fs::write(subject.case.bundle.rootfs().join("wake"), "").unwrap();
    eventually("the file is read", || {
        contents(&subject, "kept") == "kept\n"
    });
    let client = connect();
    client.0.stdin.as_ref().unwrap().write_all(b"new").unwrap();
    eventually("the server accepts", || {
        contents(&subject, "accepted") == "new"
    });
    subject.case.delete();
}

/// The container has a cgroup of its own making, with a process.
#[test]
fn cgroups_are_restored_as_the_mode_says() {
    need!(Root, Busybox, CgroupV2, Unified, Controllers, Checkpoints);
    let mut subject = subject(&format!(
        "{LOCK} mkfifo /never; cat <>/never & \
         i=0; while true; do i=$((i+1)); echo $i >>/count; sleep 0.5; done"
    ));
    add_locker(&subject);
    subject.case.bundle.namespace(json!({"type": "cgroup"}));
    subject.start(Ours);
    subject.counts_beyond(0);
    let group = subject.case.cgroup();
    let below = format!("{group}/below");
    let file = |path: &str, file: &str| {
        let directories = cgroup::directories(path);
        directories.first().map(|directory| directory.join(file))
    };
    let read = |path: &str| match file(path, "cgroup.max.descendants") {
        Some(file) => fs::read_to_string(file).unwrap().trim().to_owned(),
        None => String::new(),
    };
    fs::create_dir(file(&group, "below").unwrap()).unwrap();
    // By its number in the container, which is the one of its first child.
    let children = format!("/proc/{0}/task/{0}/children", subject.case.pid());
    let children = fs::read_to_string(children).unwrap();
    let child = children.split_whitespace().next().unwrap();
    fs::write(file(&below, "cgroup.procs").unwrap(), child).unwrap();
    for (path, limit) in [(&group, "5"), (&below, "7")] {
        fs::write(file(path, "cgroup.max.descendants").unwrap(), limit).unwrap();
    }
    subject.dump(Ours, &["--file-locks"]);

    let expected = [
        // Limits of what is there already are left alone.
        ("soft", "max", "7", 1),
        ("full", "5", "7", 1),
        ("ignore", "max", "", 0),
    ];
    for (mode, own, of_below, processes) in expected {
        let locks = mode == "full";
        let flags = ["--manage-cgroups-mode", mode, "--file-locks"];
        let flags = if locks { &flags[..] } else { &flags[..2] };
        let count = subject.count();
        subject.restore(Ours, flags);
        subject.counts_beyond(count);
        assert_eq!((read(&group).as_str(), mode), (own, mode));
        assert_eq!((read(&below).as_str(), mode), (of_below, mode));
        assert_eq!(cgroup::processes(&below).len(), processes, "{mode}");
        assert_eq!(is_locked(&subject), locks);
        let forced = ["delete", "--force", &subject.case.id];
        let _ = subject.case.call(&forced).ok();
        assert!(cgroup::directories(&group).is_empty());
    }
    // The runtime has made the cgroup before CRIU begins.
    let strict = ["--manage-cgroups-mode", "strict"];
    subject.restore_fails(&strict, "Abort restore of existing cgroups");
    subject.case.finish();
}

/// Memory goes to a page server; logs and statistics to the work directory, the log by the name
/// that a configuration file of CRIU has for it.
#[test]
fn memory_and_logs_go_where_options_say() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    let scratch = tempfile::tempdir().unwrap();
    let configuration = scratch.path().join("criu.conf");
    fs::write(&configuration, "log-file named.log\n").unwrap();
    subject.case.bundle.config["annotations"] = json!({"org.criu.config": configuration});
    subject.start(Ours);
    subject.counts_beyond(0);
    let pages = scratch.path().join("pages");
    fs::create_dir(&pages).unwrap();
    let port = free_port();
    let mut server = Ended(page_server(&pages, port));
    let work = scratch.path().join("work");
    let work = work.to_str().unwrap();
    let address = format!("127.0.0.1:{port}");
    subject.dump(Ours, &["--page-server", &address, "--work-path", work]);
    assert!(server.0.wait().unwrap().success());
    let images = subject.images();
    for (name, places) in [
        ("named.log", (false, true)),
        ("dump.log", (false, false)),
        ("stats-dump", (false, true)),
        ("inventory.img", (true, false)),
    ] {
        let found = (images.join(name), Path::new(work).join(name));
        assert_eq!((found.0.exists(), found.1.exists()), places, "{name}");
    }
    assert_eq!(memory(&images), 0);
    assert!(memory(&pages) > 0);
    for entry in fs::read_dir(&pages).unwrap() {
        let entry = entry.unwrap();
        fs::rename(entry.path(), images.join(entry.file_name())).unwrap();
    }
    let count = subject.count();
    // Without the annotation the log has the name that the runtime gives it.
    subject.case.bundle.config["annotations"] = json!({});
    subject.restore(Ours, &["--work-path", work]);
    subject.counts_beyond(count);
    assert!(!images.join("restore.log").exists());
    assert!(Path::new(work).join("restore.log").exists());
    subject.case.delete();
}

/// `criu page-server`, which listens.
fn page_server(directory: &Path, port: u16) -> std::process::Child {
    let server = Command::new("criu")
        .args(["page-server", "--port", &port.to_string(), "--images-dir"])
        .arg(directory)
        .args(["--log-file", "page-server.log"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    listens(port);
    server
}

/// Waits until a process listens at a port of this machine.
fn listens(port: u16) {
    let end = format!(":{port:04X}");
    eventually("the server listens", || {
        let listening = |path: &str| {
            let table = fs::read_to_string(path).unwrap_or_default();
            table.lines().any(|line| {
                let mut fields = line.split_whitespace().skip(1);
                let own = fields.next().is_some_and(|own| own.ends_with(&end));
                own && fields.nth(1) == Some("0A")
            })
        };
        listening("/proc/net/tcp") || listening("/proc/net/tcp6")
    });
}

/// The memory stays behind, and comes when the restored process uses it.
#[test]
fn lazy_pages_are_fetched_by_the_restored_container() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = subject(
        "text=$(yes 0123456789abcdef | head -c 1000000); \
         i=0; while true; do i=$((i+1)); echo $i >>/count; sleep 0.1; \
         if [ -e /ask ]; then echo \"$text\" >/new; mv /new /text; rm /ask; fi; done",
    );
    subject.start(Ours);
    subject.counts_beyond(0);
    let port = free_port();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let inherited = rustix::io::fcntl_dupfd_cloexec(&writer, 60).unwrap();
    drop(writer);
    rustix::io::fcntl_setfd(&inherited, rustix::io::FdFlags::empty()).unwrap();
    let (address, number) = (
        format!("127.0.0.1:{port}"),
        inherited.as_raw_fd().to_string(),
    );
    let flags = ["--lazy-pages", "--page-server", &address];
    let flags = [&flags[..], &["--status-fd", &number]].concat();
    let dump = subject.command("checkpoint", &flags).spawn(Stdio::null());
    let mut dump = Ended(dump);
    drop(inherited);
    let mut ready = Vec::new();
    reader.read_to_end(&mut ready).unwrap();
    assert_eq!(ready, [0], "{:?}", log(&subject, "dump.log"));
    assert_eq!(dump.0.try_wait().unwrap(), None);
    let images = subject.images();
    let written = memory(&images);
    assert!(written < 500_000, "{written}");

    let mut daemon = Command::new("criu");
    let daemon = daemon
        .args(["lazy-pages", "--page-server", "--address", "127.0.0.1"])
        .args(["--port", &port.to_string(), "--images-dir"])
        .arg(&images)
        .arg("--work-dir")
        .arg(&images)
        .args(["--log-file", "lazy-pages.log"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut daemon = Ended(daemon);
    eventually("the daemon listens", || {
        images.join("lazy-pages.socket").exists()
    });
    let first = subject.case.id.clone();
    subject.case.id = format!("{first}-restored");
    let path = json!(format!("{}-restored", subject.case.cgroup()));
    subject.case.bundle.config["linux"]["cgroupsPath"] = path;
    let count = subject.count();
    subject.restore(Ours, &["--lazy-pages"]);
    subject.counts_beyond(count);
    fs::write(subject.case.bundle.rootfs().join("ask"), "").unwrap();
    let mut text = "0123456789abcdef\n".repeat(60_000);
    text.truncate(1_000_000);
    text.push('\n');
    eventually("the memory is there", || {
        !contents(&subject, "text").is_empty()
    });
    assert!(contents(&subject, "text") == text, "the memory is another");
    assert!(dump.0.wait().unwrap().success());
    assert!(daemon.0.wait().unwrap().success());
    assert!(!subject.case.root().join(&first).exists());
    subject.case.delete();
}

fn log(subject: &Subject, name: &str) -> String {
    fs::read_to_string(subject.images().join(name)).unwrap_or_default()
}

/// What is in the network namespace is left out, or restored where a program asks for that.
#[test]
fn the_content_of_the_network_namespace_is_left_out() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = subject(
        "ip address add 10.1.2.3/32 dev lo; i=0; while true; do i=$((i+1)); echo $i >>/count; sleep 0.5; done",
    );
    for set in ["bounding", "effective", "permitted"] {
        let capabilities = &mut subject.case.bundle.config["process"]["capabilities"][set];
        capabilities
            .as_array_mut()
            .unwrap()
            .push("CAP_NET_ADMIN".into());
    }
    subject.start(Ours);
    subject.counts_beyond(0);
    let host = runtime::Runtime::new(subject.case.root()).unwrap();
    let id = subject.case.id.parse().unwrap();
    let whole = subject.images().with_file_name("whole");
    let mut options = runtime::CheckpointOptions::new(&whole);
    options.criu.empty_network = false;
    options.leave_running = true;
    let container = host.load(&id).unwrap();
    let _ = container.checkpoint(options).unwrap();
    subject.dump(Ours, &["--empty-ns", "network"]);
    let has_address = |subject: &Subject| {
        let shown = subject.case.exec(&["ip", "address", "show", "lo"]).ok();
        shown.stdout.contains("10.1.2.3")
    };
    subject.restore(Ours, &["--empty-ns", "network"]);
    assert!(!has_address(&subject));
    let forced = ["delete", "--force", &subject.case.id];
    let _ = subject.case.call(&forced).ok();
    let mut options = runtime::RestoreOptions::new(&whole);
    options.criu.empty_network = false;
    let bundle = runtime::Bundle::load(subject.case.bundle.path()).unwrap();
    let container = host.restore_bundle(&id, bundle, &options).unwrap();
    assert!(has_address(&subject));
    container.signal(runtime::Signal::KILL).unwrap();
    let _ = container.wait().unwrap();
    container.destroy().unwrap();
    subject.case.finish();
}
