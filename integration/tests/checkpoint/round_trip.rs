//! Containers that are dumped and restored, and are containers as before.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use cofferdam_integration::console::ConsoleSocket;
use cofferdam_integration::limited::Limited;
use cofferdam_integration::{Case, cgroup, eventually, need};
use serde_json::json;

use crate::subject::{COUNT, Runtime, Subject};
use crate::surroundings::is_joined_again;

use Runtime::Ours;

/// Every command works on it, and it can be dumped again; now and then under another id.
#[test]
fn a_restored_container_is_a_container() {
    need!(Root, Busybox, Controllers, Checkpoints);
    let mut subject = Subject::counter();
    subject.start(Ours);
    for id in ["second", "third"] {
        subject.counts_beyond(subject.count());
        subject.dump(Ours, &[]);
        assert!(!subject.case.root().join(&subject.case.id).exists());
        let count = subject.count();
        subject.case.id = format!("{}-{id}", subject.case.id);
        subject.restore(Ours, &[]);
        subject.counts_beyond(count);
        fs::remove_dir_all(subject.images()).unwrap();
    }
    let case = &subject.case;
    assert_eq!(case.status(), "running");
    let state = fs::read_to_string(case.root().join(&case.id).join("state.json")).unwrap();
    assert!(!state.contains("\"creator\""), "{state}");
    // In its namespaces, that of time included.
    let inside = case
        .exec(&["/bin/sh", "-c", "echo $$; tail -n 1 /count"])
        .ok();
    assert_ne!(inside.lines()[0], "1");
    let ours = fs::read_link(format!("/proc/{}/ns/time", case.pid()));
    let theirs = case.exec(&["readlink", "/proc/self/ns/time"]).ok();
    assert_eq!(ours.unwrap().to_str().unwrap(), theirs.lines()[0]);
    assert!(!cgroup::processes(&case.cgroup()).is_empty());
    let _ = case.call(&["pause", &case.id]).ok();
    assert_eq!(case.status(), "paused");
    let _ = case.call(&["resume", &case.id]).ok();
    let _ = case.call(&["update", "--pids-limit", "77", &case.id]).ok();
    let controller = if cgroup::is_unified() { "" } else { "pids" };
    assert_eq!(cgroup::read(controller, &case.cgroup(), "pids.max"), "77");
    assert!(case.call(&["ps", &case.id]).ok().lines().len() >= 2);
    let _ = case.call(&["events", "--stats", &case.id]).ok().json();
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    let _ = case.call(&["delete", &case.id]).ok();
    subject.case.finish();
}

/// The streams of the command take the places of the pipes, and its exit code is the program's.
#[test]
fn streams_and_the_exit_code_come_through_the_foreground() {
    need!(Root, Busybox, Checkpoints);
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    case.bundle
        .script("echo begun; while [ ! -e /end ]; do sleep 0.1; done; read a; echo got $a; exit 7");
    let mut subject = Subject::of(case);
    let out = subject.case.bundle.path().join("out");
    let line = ["run", subject.case.id.as_str()];
    let stdout = Stdio::from(File::create(&out).unwrap());
    let mut run = subject.case.command(&line).spawn(stdout);
    eventually("it has begun", || {
        fs::read_to_string(&out).is_ok_and(|out| out == "begun\n")
    });
    subject.dump(Ours, &[]);
    run.wait().unwrap();
    let pid_file = subject.case.bundle.path().join("pid");
    let pid_file = pid_file.to_str().unwrap();
    fs::write(subject.case.bundle.rootfs().join("end"), "").unwrap();
    let line = subject.line("restore", &["--pid-file", pid_file]);
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let restored = subject.case.command(&line).input("what\n").output();
    assert_eq!(
        (restored.code, restored.stdout.as_str()),
        (7, "got what\n"),
        "{restored}"
    );
    assert!(fs::read_to_string(pid_file).unwrap().parse::<u32>().is_ok());
    subject.case.finish();
}

/// A container on a terminal, dumped; the master of its first terminal is gone.
fn dumped_on_a_terminal() -> Subject {
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    case.bundle.config["process"]["terminal"] = true.into();
    let script = "while read line; do echo got $line; [ $line = end ] && exit 5; done";
    case.bundle.script(script);
    let socket = ConsoleSocket::bind(&case.bundle.path().join("first"));
    let line = [
        "run",
        "--detach",
        "--console-socket",
        socket.path(),
        &case.id,
    ];
    let _ = case.detached(&line).ok();
    let (_first, _) = socket.receive();
    let mut subject = Subject::of(case);
    subject.dump(Ours, &[]);
    subject
}

#[test]
fn a_terminal_goes_to_the_new_console_socket() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = dumped_on_a_terminal();
    let socket = ConsoleSocket::bind(&subject.case.bundle.path().join("second"));
    subject.restore(Ours, &["--console-socket", socket.path()]);
    let (second, name) = socket.receive();
    assert!(name.starts_with("/dev/pts/"), "{name}");
    let mut terminal = File::from(second);
    terminal.write_all(b"hello\n").unwrap();
    let mut seen = String::new();
    while !seen.contains("got hello") {
        let mut buffer = [0; 256];
        let count = terminal.read(&mut buffer).unwrap();
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    subject.case.delete();
}

/// In the foreground the terminal of the command is that of the program.
#[test]
fn a_terminal_is_carried_in_the_foreground() {
    need!(Root, Busybox, Script, Checkpoints);
    let mut subject = dumped_on_a_terminal();
    // The terminal of the images has to go somewhere.
    let refused = subject.try_restore(Ours, &[]);
    let _ = refused.failed(1, "cannot allocate tty if");
    subject.case.bundle.config["process"]["terminal"] = false.into();
    let refused = subject.try_restore(Ours, &[]);
    let _ = refused.failed(1, "the images have a terminal that another process holds");
    subject.case.bundle.config["process"]["terminal"] = true.into();
    subject.case.bundle.write();
    let program = subject.case.program.display();
    let root = subject.case.root().display();
    let line = subject.line("restore", &[]).join(" ");
    let restored = Limited::new("script")
        .args([
            "-qec",
            &format!("{program} --root {root} {line}"),
            "/dev/null",
        ])
        .directory(subject.case.bundle.path())
        .input("hello\nend\n")
        .output();
    assert_eq!(restored.code, 5, "{restored}");
    assert!(restored.stdout.contains("got hello"), "{restored}");
    // How far the restore was, before the program ran again.
    let stages = "\rrestoring namespaces\rrestoring mounts    \rrestoring processes and memory\r";
    let (_, after) = restored.stdout.split_once(stages).expect("stages");
    assert!(after.contains("got hello"), "{restored}");
    subject.case.finish();
}

/// What is mounted is decided by the configuration of the restore: not by the images, and not by
/// what the file system of the container has become.
#[test]
fn mounts_have_the_sources_of_the_present_configuration() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    let volumes = tempfile::tempdir().unwrap();
    let volume = |name: &str| {
        let path = volumes.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("name"), name).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (old, new, inner) = (volume("old"), volume("new"), volume("inner"));
    let bind = |source: &str, destination: &str, option: &str| {
        json!({
            "destination": destination, "type": "bind", "source": source,
            "options": ["bind", option]
        })
    };
    let rootfs = subject.case.bundle.rootfs();
    fs::create_dir(rootfs.join("real")).unwrap();
    symlink("real", rootfs.join("link")).unwrap();
    let before = subject.case.bundle.config["mounts"].clone();
    let mount = |subject: &mut Subject, source: &str| {
        subject.case.bundle.config["mounts"] = before.clone();
        subject
            .case
            .bundle
            .mount(bind(source, "/a", "rw"))
            .mount(bind(&inner, "/a/nested/inner", "ro"))
            .mount(bind(source, "/link/b", "ro"));
    };
    subject.case.bundle.config["linux"]["maskedPaths"] = json!(["/proc/kcore", "/etc/passwd"]);
    mount(&mut subject, &old);
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    mount(&mut subject, &new);
    // Mount points are made again, those in a volume as well.
    fs::remove_dir(rootfs.join("a")).unwrap();
    subject.restore(Ours, &[]);
    let script = "cat /a/name /a/nested/inner/name /real/b/name; cat /etc/passwd; \
                  touch /a/new; touch /real/b/x 2>&1; touch /a/nested/inner/x 2>&1; true";
    let seen = subject.case.exec(&["/bin/sh", "-c", script]).ok().stdout;
    assert!(seen.starts_with("newinnernew"), "{seen}");
    assert_eq!(seen.matches("Read-only file system").count(), 2, "{seen}");
    assert!(!seen.contains("root:x"), "{seen}");
    assert!(volumes.path().join("new/new").exists());
    subject.case.delete();
}

/// Hooks run as for a new container, but for those that belong to its program, which runs already.
#[test]
fn hooks_run_with_the_restored_process() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    let log = subject.case.bundle.path().join("hooks");
    let hook = |name: &str| {
        let script = format!("(echo {name}; cat; echo) >>{}", log.display());
        json!([{"path": "/bin/sh", "args": ["sh", "-c", script]}])
    };
    let names = [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ];
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    for name in names {
        subject.case.bundle.config["hooks"][name] = hook(name);
    }
    subject.restore(Ours, &[]);
    let pid = subject.case.pid();
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        (lines[0], lines[2], lines.len()),
        ("prestart", "createRuntime", 4),
        "{text}"
    );
    for state in [lines[1], lines[3]] {
        let state: serde_json::Value = serde_json::from_str(state).unwrap();
        assert_eq!(state["status"], "creating");
        assert_eq!(state["pid"], pid);
    }
    let _ = subject
        .case
        .call(&["delete", "--force", &subject.case.id])
        .ok();
    assert!(fs::read_to_string(&log).unwrap().contains("poststop"));
    // One that fails ends the restore, and nothing is left.
    let fails = json!([{"path": "/bin/false"}]);
    subject.case.bundle.config["hooks"]["createRuntime"] = fails;
    let refused = subject.try_restore(Ours, &[]);
    let _ = refused.failed(1, "error running createRuntime hook #0");
    subject.case.nothing_left();
    subject.case.finish();
}

#[test]
fn joined_namespaces_are_joined_again() {
    need!(Root, Busybox, Checkpoints);
    let mut holder = Command::new("unshare");
    holder.args(["--net", "sleep", "1000"]);
    is_joined_again("network", &mut holder, "net");
}

#[test]
fn a_container_with_a_user_namespace_comes_back() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    subject.case.bundle.user_namespace(100_000, 65_536);
    // Without one of its own, CRIU may not mount cgroup v2 in a user namespace.
    subject.case.bundle.namespace(json!({"type": "cgroup"}));
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    let count = subject.count();
    subject.restore(Ours, &[]);
    subject.counts_beyond(count);
    let maps = fs::read_to_string(format!("/proc/{}/uid_map", subject.case.pid())).unwrap();
    let fields: Vec<&str> = maps.split_whitespace().collect();
    assert_eq!(fields, ["0", "100000", "65536"]);
    assert_eq!(subject.case.exec(&["id", "-u"]).ok().lines(), ["0"]);
    subject.case.delete();
}

#[test]
fn a_scope_of_systemd_is_made_again() {
    need!(Root, Busybox, Systemd, Checkpoints);
    let mut subject = Subject::counter();
    let id = subject.case.id.clone();
    subject.case.bundle.config["linux"]["cgroupsPath"] =
        json!(format!("cofferdam-test.slice:cofferdam:{id}"));
    subject.case.bundle.config["linux"]["resources"]["pids"] = json!({"limit": 50});
    subject.globals = vec!["--systemd-cgroup"];
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    let count = subject.count();
    subject.restore(Ours, &[]);
    subject.counts_beyond(count);
    let group = format!("/cofferdam.slice/cofferdam-test.slice/cofferdam-{id}.scope");
    assert!(!cgroup::processes(&group).is_empty());
    let controller = if cgroup::is_unified() { "" } else { "pids" };
    assert_eq!(cgroup::read(controller, &group, "pids.max"), "50");
    let _ = subject.case.call(&["delete", "--force", &id]).ok();
    assert!(cgroup::directories(&group).is_empty());
}

/// With `ignore` CRIU leaves the cgroup alone, which may be another one than before.
#[test]
fn a_container_may_get_another_cgroup_and_state_root() {
    need!(Root, Busybox, Controllers, Checkpoints);
    let mut subject = Subject::counter();
    // The shell and what it waits for: there is no room for CRIU.
    subject.case.bundle.config["linux"]["resources"]["pids"] = json!({"limit": 2});
    subject.start(Ours);
    subject.counts_beyond(0);
    let ignore = ["--manage-cgroups-mode", "ignore"];
    subject.dump(Ours, &ignore);
    let count = subject.count();
    let mut other = Case::new();
    std::mem::swap(&mut other.bundle, &mut subject.case.bundle);
    let path = other.bundle.config["linux"]["cgroupsPath"].take();
    let path = format!("{}-moved", path.as_str().unwrap());
    other.bundle.config["linux"]["cgroupsPath"] = json!(path);
    std::mem::swap(&mut other, &mut subject.case);
    subject.restore(Ours, &ignore);
    subject.counts_beyond(count);
    assert!(!cgroup::processes(&path).is_empty());
    let controller = if cgroup::is_unified() { "" } else { "pids" };
    assert_eq!(cgroup::read(controller, &path, "pids.max"), "2");
    subject.case.delete();
    other.finish();
}

/// Images that CRIU cannot restore: the error names its log, and nothing is left.
#[test]
fn broken_images_leave_nothing() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    let image = subject.images().join("mm-1.img");
    let whole = fs::read(&image).unwrap();
    fs::write(&image, "no image").unwrap();
    let refused = subject.try_restore(Ours, &[]);
    let _ = refused.failed(1, &format!("{} is damaged: a record of ", image.display()));
    subject.case.nothing_left();
    // By CRIU itself.
    fs::write(&image, whole).unwrap();
    fs::write(subject.images().join("fs-1.img"), "no image").unwrap();
    let refused = subject.try_restore(Ours, &[]);
    let refused = refused.failed(1, "criu failed: type RESTORE");
    let log = subject.images().join("restore.log");
    assert!(refused.stderr.contains(log.to_str().unwrap()), "{refused}");
    subject.case.nothing_left();
    subject.case.finish();
}

/// A host program restores, and goes on as with a container that it has made: the process is its
/// child, with a pidfd, pipes and an exit status; and a failure leaves no child.
#[test]
fn a_host_program_supervises_what_it_restores() {
    need!(Root, Busybox, Checkpoints);
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    case.bundle.script(COUNT);
    let mut subject = Subject::of(case);
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    let host = runtime::Runtime::new(subject.case.root()).unwrap();
    let id = subject.case.id.parse().unwrap();
    let options = runtime::RestoreOptions::new(subject.images());
    let bundle = || runtime::Bundle::load(subject.case.bundle.path()).unwrap();
    let mut wrong = options.clone();
    wrong.lsm_profile = Some("nothing:x".to_owned());
    host.restore_bundle(&id, bundle(), &wrong).unwrap_err();
    assert_eq!(children_in(&subject.case), [] as [String; 0]);
    let count = subject.count();
    let container = host.restore_bundle(&id, bundle(), &options).unwrap();
    subject.counts_beyond(count);
    assert_eq!(container.status().unwrap(), runtime::Status::Running);
    assert!(!children_in(&subject.case).is_empty());
    fs::write(subject.case.bundle.rootfs().join("end"), "").unwrap();
    assert_eq!(container.wait().unwrap(), runtime::ExitStatus::Exited(7));
    container.destroy().unwrap();
    assert_eq!(children_in(&subject.case), [] as [String; 0]);
    subject.case.finish();
}

/// The children of this process, ended ones included, that are or were in the cgroup of a
/// container: what CRIU has restored, and CRIU. Others belong to tests that run in other threads.
fn children_in(case: &Case) -> Vec<String> {
    let group = case.bundle.config["linux"]["cgroupsPath"].as_str().unwrap();
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let children = tasks.flat_map(|task| {
        let path = task.unwrap().path().join("children");
        let children = fs::read_to_string(path).unwrap_or_default();
        let pids = children.split_whitespace().map(str::to_owned);
        pids.collect::<Vec<_>>()
    });
    // The kernel goes on to name the cgroup of an ended process in the hierarchy of version 2.
    let inside = |pid: &String| {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        groups.contains(group)
    };
    children.filter(inside).collect()
}
