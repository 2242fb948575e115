//! What a restored container is surrounded with: a security profile, a terminal of the host, a
//! joined pid namespace, a service manager.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use cofferdam_integration::limited::{Limited, Output};
use cofferdam_integration::{Case, eventually, need};
use rustix::pty::OpenptFlags;
use serde_json::json;

use crate::outside::Ended;
use crate::subject::{Runtime, Subject};

use Runtime::Ours;

/// A profile that allows everything, unloaded with the value.
struct Profile {
    name: String,
    directory: tempfile::TempDir,
}

impl Profile {
    fn load(name: String) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rules = "file, capability, network, mount, umount, pivot_root, ptrace, signal, \
                     dbus, unix, change_profile,";
        let text = format!(
            "profile {name} flags=(attach_disconnected) {{ {} }}\n",
            rules.replace(", ", ",\n")
        );
        fs::write(directory.path().join("profile"), text).unwrap();
        let profile = Self { name, directory };
        profile.parser("--replace");
        profile
    }

    fn parser(&self, verb: &str) {
        let file = self.directory.path().join("profile");
        let file = file.to_str().unwrap();
        let parser = Limited::new("apparmor_parser").args([verb, "--skip-cache", file]);
        let _ = parser.output().ok();
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        self.parser("--remove");
    }
}

#[test]
fn a_restored_container_has_the_profile_of_the_restore() {
    need!(Root, Busybox, AppArmor, Checkpoints);
    let mut subject = Subject::counter();
    let names = ["first", "second"].map(|name| format!("cofferdam-{}-{name}", subject.case.id));
    let [first, second] = names.map(Profile::load);
    subject.case.bundle.config["process"]["apparmorProfile"] = json!(first.name);
    subject.start(Ours);
    subject.counts_beyond(0);
    let current = |subject: &Subject| {
        let path = format!("/proc/{}/attr/current", subject.case.pid());
        fs::read_to_string(path).unwrap()
    };
    assert_eq!(current(&subject), format!("{} (enforce)\n", first.name));
    subject.dump(Ours, &[]);
    let count = subject.count();
    let flag = format!("apparmor:{}", second.name);
    subject.restore(Ours, &["--lsm-profile", &flag]);
    subject.counts_beyond(count);
    assert_eq!(current(&subject), format!("{} (enforce)\n", second.name));
    subject.case.delete();
}

/// A terminal of the host, and what is written to it.
struct Terminal {
    master: fs::File,
    path: String,
}

impl Terminal {
    fn open() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let path = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        Self {
            master: master.into(),
            path: path.into_string().unwrap(),
        }
    }

    /// Runs a command with the terminal for standard streams, which share one open file as those
    /// of a shell do.
    fn command(&self, subject: &Subject, line: &[String]) -> Output {
        subject.case.bundle.write();
        let script = format!("exec \"$@\" <>{0} >&0 2>&0", self.path);
        Limited::new("/bin/sh")
            .args(["-c", &script, "sh"])
            .args([&subject.case.program])
            .args(["--root".as_ref(), subject.case.root().as_os_str()])
            .args(line)
            .directory(subject.case.bundle.path())
            .output()
    }

    /// Waits until this was written to it.
    #[track_caller]
    fn shows(&mut self, text: &str) {
        let mut seen = String::new();
        let mut buffer = [0; 256];
        while !seen.contains(text) {
            let count = self.master.read(&mut buffer).unwrap();
            seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }
}

/// The terminal that the container was started on is one of the host; the one that it is restored
/// on takes its place.
#[test]
fn a_job_of_a_shell_goes_on_at_the_terminal_of_the_restore() {
    need!(Root, Busybox, Checkpoints);
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    case.bundle
        .script("i=0; while true; do i=$((i+1)); echo $i >>/count; echo tick $i; sleep 0.5; done");
    let mut subject = Subject::of(case);
    let mut first = Terminal::open();
    let line = ["run", "--detach", &subject.case.id].map(str::to_owned);
    let started = first.command(&subject, &line);
    assert_eq!(started.code, 0, "{started}");
    first.shows("tick ");
    subject.dump_fails(&[], "Can't lookup mount=");
    subject.dump(Ours, &["--shell-job"]);
    let mut second = Terminal::open();
    let line = subject.line("restore", &["--detach", "--shell-job"]);
    let restored = second.command(&subject, &line);
    let log = fs::read_to_string(subject.images().join("restore.log")).unwrap();
    assert_eq!(restored.code, 0, "{restored}\n{log}");
    second.shows("tick ");
    subject.case.delete();
}

/// A container joins a namespace of this OCI type, which `holder` makes, and is in it again after
/// a restore. `file` is that of the namespace in `/proc/PID/ns` of the holder.
pub(crate) fn is_joined_again(kind: &str, holder: &mut Command, file: &str) {
    let mut subject = Subject::counter();
    let mut holder = Ended(holder.stdout(Stdio::null()).spawn().unwrap());
    let path = format!("/proc/{}/ns/{file}", holder.0.id());
    let name = file.trim_end_matches("_for_children");
    let own = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
    eventually("the namespace is there", || {
        fs::read_link(&path).is_ok_and(|link| link != own)
    });
    subject.case.bundle.without_namespace(kind);
    let namespace = json!({"type": kind, "path": path});
    subject.case.bundle.namespace(namespace);
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    let count = subject.count();
    subject.restore(Ours, &[]);
    subject.counts_beyond(count);
    let restored = fs::read_link(format!("/proc/{}/ns/{name}", subject.case.pid())).unwrap();
    assert_eq!(restored, fs::read_link(&path).unwrap());
    subject.case.delete();
    holder.end();
}

#[test]
fn a_joined_pid_namespace_is_joined_again() {
    need!(Root, Busybox, Checkpoints);
    let mut holder = Command::new("unshare");
    // Its init process has to wait for processes that it inherits: their numbers are taken until
    // then.
    holder.args(["--pid", "--fork", "--kill-child"]);
    holder.args(["sh", "-c", "sleep 1000 & wait"]);
    is_joined_again("pid", &mut holder, "pid_for_children");
}

/// It has said that it is ready before the dump, and does not say so again: a restore does not wait
/// for that. The other flags are those of `run`.
#[test]
fn a_restore_does_not_wait_for_a_service_to_be_ready() {
    need!(Root, Busybox, Checkpoints);
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    // What `logger` sends to the log goes to the socket.
    case.bundle.script(
        "ln -s /run/notify/notify.sock /dev/log; logger \"$(printf 'x\\nREADY=1')\"; \
         i=0; while true; do i=$((i+1)); echo $i >>/count; sleep 0.5; done",
    );
    let mut subject = Subject::of(case);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("manager");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let notified = |subject: &Subject, line: &[String]| {
        subject.case.bundle.write();
        let done = Limited::new("/bin/sh")
            .args(["-c", r#"exec "$@" </dev/null >/dev/null 2>&1"#, "sh"])
            .args([&subject.case.program])
            .args(["--root".as_ref(), subject.case.root().as_os_str()])
            .args(line)
            .directory(subject.case.bundle.path())
            .env("NOTIFY_SOCKET", &path)
            .output();
        assert_eq!(done.code, 0, "{done}");
    };
    let line = ["run", "--detach", &subject.case.id].map(str::to_owned);
    notified(&subject, &line);
    let mut buffer = [0; 256];
    let length = manager.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"READY=1");
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    let count = subject.count();
    let pid_file = directory.path().join("pid");
    let flags = ["--pid-file", pid_file.to_str().unwrap(), "--detach"];
    let flags = [&flags[..], &["--no-pivot", "--no-subreaper"]].concat();
    notified(&subject, &subject.line("restore", &flags));
    subject.counts_beyond(count);
    let pid = fs::read_to_string(&pid_file).unwrap();
    assert_eq!(pid, subject.case.pid().to_string());
    subject.case.delete();
}

/// The images do not say so, only the configuration does.
#[test]
fn a_read_only_root_is_read_only_again() {
    need!(Root, Busybox, Checkpoints);
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = true.into();
    case.bundle.script("while true; do sleep 0.5; done");
    let mut subject = Subject::of(case);
    subject.start(Ours);
    subject.dump(Ours, &[]);
    subject.restore(Ours, &[]);
    let script =
        "echo >/written || echo refused; cut -d ' ' -f 5,6 /proc/self/mountinfo | head -n 1";
    let said = subject.case.exec(&["/bin/sh", "-c", script]).ok();
    assert!(said.stdout.starts_with("refused\n/ ro"), "{said}");
    assert!(!subject.case.bundle.rootfs().join("written").exists());
    subject.case.delete();
}

/// What joins the container later goes by the configuration, and would be elsewhere.
#[test]
fn namespaces_of_the_images_have_to_be_those_of_the_configuration() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    subject.start(Ours);
    subject.counts_beyond(0);
    subject.dump(Ours, &[]);
    let config = subject.case.bundle.config.clone();
    for kind in ["pid", "ipc"] {
        subject.case.bundle.without_namespace(kind);
        let refused = subject.try_restore(Ours, &[]);
        let text = format!("the {kind} namespace of the restored process is one of its own");
        let _ = refused.failed(1, &text);
        subject.case.nothing_left();
        subject.case.bundle.config.clone_from(&config);
    }
    subject.restore(Ours, &[]);
    subject.case.delete();
}
