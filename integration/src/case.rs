//! One test's own containers.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::bundle::Bundle;
use crate::cgroup;
use crate::leftovers::programs::Device;
use crate::leftovers::{self, Marks};
use crate::limited::{Limited, Output};
use crate::ordinary_user::OrdinaryUser;
use crate::program;
use crate::reduced_kernel::{self, Check};
use crate::unit;

/// A state root, a bundle and an id that no other test has.
#[derive(Debug)]
pub struct Case {
    /// The bundle; written to disk before every command.
    pub bundle: Bundle,
    /// The id of the container.
    pub id: String,
    /// The program under test.
    pub program: PathBuf,
    /// As whom commands run, if not as the user of the test.
    pub user: Option<OrdinaryUser>,
    root: tempfile::TempDir,
    number: u32,
    devices: BTreeSet<String>,
    /// The unit of the container, if systemd makes its cgroup.
    unit: Option<String>,
    finished: bool,
}

/// The slice of the units of [`Case::systemd`].
const SLICE: &str = "cofferdam-case.slice";

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Case {
    /// A case whose container would run `/bin/true`; for an ordinary user one that this user may
    /// make.
    pub fn new() -> Self {
        Self::of(program::under_test())
    }

    /// The same for another runtime.
    pub fn of(program: PathBuf) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("test-{}-{number}", std::process::id());
        let mut bundle = Bundle::new();
        let mut cgroup = format!("/cofferdam/{id}");
        if !rustix::process::geteuid().is_root() {
            bundle.for_this_user();
            // Beside this program's own, for no cgroup has both processes and controllers below it.
            cgroup =
                cgroup::delegated().map_or_else(String::new, |parent| format!("{parent}/{id}"));
        }
        bundle.config["linux"]["cgroupsPath"] = json!(cgroup);
        let root = tempfile::Builder::new()
            .prefix("cofferdam-root-")
            .tempdir()
            .expect("make a temporary directory");
        Self {
            bundle,
            id,
            program,
            user: None,
            root,
            number,
            devices: leftovers::network_devices().expect("read the network devices"),
            unit: None,
            finished: false,
        }
    }

    /// A case whose cgroup is a scope that the machine's systemd makes (`--systemd-cgroup`).
    pub fn systemd() -> Self {
        let mut case = Self::new();
        case.bundle.config["linux"]["cgroupsPath"] = json!(format!("{SLICE}:case:{}", case.id));
        case.unit = Some(format!("case-{}.scope", case.id));
        case
    }

    /// A case of an ordinary user: bundle and state root are that user's, and the configuration is
    /// the one that `spec --rootless` writes for it, without a terminal, running `/bin/true`.
    #[track_caller]
    pub fn rootless() -> Self {
        let mut case = Self::new();
        let user = OrdinaryUser::new(&case.program);
        case.program = user.program().to_owned();
        case.user = Some(user);
        let template = case.bundle.path().join("template");
        std::fs::create_dir(&template).expect("mkdir");
        let path = template.to_str().expect("a path of this test");
        let _ = case.call(&["spec", "--rootless", "--bundle", path]).ok();
        let text = std::fs::read(template.join("config.json")).expect("read the template");
        case.bundle.config = serde_json::from_slice(&text).expect("JSON");
        case.bundle.config["process"]["terminal"] = json!(false);
        case.bundle.args(&["/bin/true"]);
        case
    }

    /// The state root.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The cgroup of the container.
    pub fn cgroup(&self) -> String {
        if let Some(unit) = &self.unit {
            // A slice lies below those that the parts of its name say (systemd.slice(5)).
            return format!("/cofferdam.slice/{SLICE}/{unit}");
        }
        // Without a path the id is it.
        self.bundle.config["linux"]["cgroupsPath"]
            .as_str()
            .map_or_else(|| format!("/{}", self.id), str::to_owned)
    }

    /// Gives the device rules one that no other case has: it marks the BPF program of the
    /// container.
    pub fn mark_devices(&mut self) -> &mut Self {
        let rule = Device::of_this_process(self.number).rule();
        self.bundle.config["linux"]["resources"]["devices"]
            .as_array_mut()
            .expect("device rules")
            .push(rule);
        self
    }

    /// A command line of the program under test, with the state root of this case, in the bundle
    /// directory.
    pub fn command(&self, arguments: &[&str]) -> Limited {
        let root = self.root().to_string_lossy();
        self.bare_command(&[&["--root", &*root], arguments].concat())
    }

    /// The same with the state root that the program takes when none is named.
    pub fn bare_command(&self, arguments: &[&str]) -> Limited {
        self.hand_over();
        let mut line = self.line(arguments).into_iter();
        Limited::new(line.next().expect("a program"))
            .args(line)
            .directory(self.bundle.path())
    }

    /// The program under test with arguments, and before it what makes it run as the right user.
    pub(crate) fn line(&self, arguments: &[&str]) -> Vec<OsString> {
        let user = self.user.as_ref();
        let mut line = user.map_or_else(Vec::new, OrdinaryUser::prefix);
        line.push(self.program.clone().into());
        line.extend(self.unit.is_some().then(|| "--systemd-cgroup".into()));
        line.extend(arguments.iter().map(OsString::from));
        line
    }

    /// Writes the bundle and gives it to whom it belongs.
    pub(crate) fn hand_over(&self) {
        self.bundle.write();
        if let Some(user) = &self.user {
            user.own(self.bundle.path());
            user.own(self.root());
        }
    }

    /// Runs such a command line.
    pub fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output()
    }

    /// `run ID`: to its end.
    pub fn run(&self) -> Output {
        self.call(&["run", &self.id])
    }

    /// `run ID` in a mount namespace of its own, in which a shell script prepares the mounts of the
    /// host. Nothing of that reaches the machine.
    pub fn run_after(&self, script: &str) -> Output {
        self.hand_over();
        let root = self.root().to_string_lossy();
        let script = format!("set -e\n{script}\nexec \"$@\"");
        let wrapper = [
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            &*script,
            "sh",
        ];
        let line = self.line(&["--root", &*root, "run", &self.id]);
        Limited::new("unshare")
            .args(wrapper.into_iter().map(OsString::from).chain(line))
            .directory(self.bundle.path())
            .output()
    }

    /// Runs a script in the container and returns its output, for tests that only want to look at
    /// the inside.
    #[track_caller]
    pub fn inside(&mut self, script: &str) -> Output {
        self.bundle.script(script);
        self.run().ok()
    }

    /// `run --detach ID`.
    #[track_caller]
    pub fn start(&self) -> Output {
        self.detached(&["run", "--detach", &self.id]).ok()
    }

    /// `create ID`.
    #[track_caller]
    pub fn create(&self) -> Output {
        self.detached(&["create", &self.id]).ok()
    }

    /// A command whose container goes on with the command's own streams: they must not be pipes of
    /// this test, whose end it would then wait for. Standard error is kept in a file.
    pub fn detached(&self, arguments: &[&str]) -> Output {
        self.hand_over();
        let said = self.bundle.path().join("stderr");
        let script = r#"out=$1; shift; exec "$@" </dev/null >"$out.out" 2>"$out""#;
        let mut shell: Vec<OsString> =
            vec!["-c".into(), script.into(), "sh".into(), said.clone().into()];
        let root = self.root().to_string_lossy();
        shell.extend(self.line(&[&["--root", &*root], arguments].concat()));
        let output = Limited::new("/bin/sh")
            .args(shell)
            .directory(self.bundle.path())
            .output();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let output = Output {
            stdout: read(&said.with_extension("out")),
            stderr: read(&said),
            ..output
        };
        reduced_kernel::note(&output);
        output
    }

    /// Starts a foreground command and leaves it running.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn(Stdio::null())
    }

    /// `exec ID …`.
    pub fn exec(&self, arguments: &[&str]) -> Output {
        let line: Vec<&str> = ["exec", &self.id]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.call(&line)
    }

    /// `exec FLAGS ID …`: flags go before the id. Every
    /// flag takes a value.
    pub fn exec_before(&self, arguments: &[&str]) -> Output {
        let mut flags = 0;
        while arguments
            .get(flags)
            .is_some_and(|argument| argument.starts_with("--"))
        {
            flags += if arguments[flags].contains('=') { 1 } else { 2 };
        }
        let (before, after) = arguments.split_at(flags.min(arguments.len()));
        self.call(&[&["exec"], before, &[&self.id], after].concat())
    }

    /// `state ID` as JSON.
    #[track_caller]
    pub fn state(&self) -> Value {
        self.call(&["state", &self.id]).ok().json()
    }

    /// The status that `state` shows.
    #[track_caller]
    pub fn status(&self) -> String {
        self.state()["status"]
            .as_str()
            .expect("a status")
            .to_owned()
    }

    /// The pid that `state` shows.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        let pid = self.state()["pid"].as_u64().expect("a pid");
        u32::try_from(pid).expect("a pid")
    }

    /// Waits until the status is `status`.
    #[track_caller]
    pub fn wait_for_status(&self, status: &str) {
        eventually(&format!("the status is {status}"), || {
            self.status() == status
        });
    }

    /// What is left of the container.
    pub fn leftovers(&self) -> BTreeSet<String> {
        let cgroup = self.cgroup();
        let mut found = leftovers::find(&Marks {
            cgroup: &cgroup,
            directory: self.bundle.path(),
            root: self.root(),
            id: &self.id,
            device: Device::of_this_process(self.number),
            devices: &self.devices,
        });
        if let Some(name) = &self.unit {
            // systemd forgets a unit some time after its cgroup is gone.
            found.extend(leftovers::settled(|| {
                let state = unit::property(name, "LoadState");
                let is_there = state != "not-found";
                is_there
                    .then(|| format!("unit {name}: {state}"))
                    .into_iter()
                    .collect()
            }));
        }
        found
    }

    /// The network devices that are there now are others', and stay.
    pub fn network_devices_are_others(&mut self) {
        self.devices = leftovers::network_devices().expect("read the network devices");
    }

    /// Makes sure that nothing is left.
    #[track_caller]
    pub fn nothing_left(&self) {
        let _check = Check::begin();
        let left = self.leftovers();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }

    /// Ends the test: nothing may be left.
    #[track_caller]
    pub fn finish(mut self) {
        self.finished = true;
        self.nothing_left();
    }

    /// Ends a test whose container still exists: deletes it with `--force`; nothing may be left
    /// then.
    #[track_caller]
    pub fn delete(self) {
        let deleted = self.call(&["delete", "--force", &self.id]);
        assert!(deleted.code == 0, "{deleted}");
        self.finish();
    }
}

/// Looks again and again until something is so; not for ever.
///
/// # Panics
/// It is still not so after [`TIMEOUT`](crate::limited::TIMEOUT).
#[track_caller]
pub fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !so() {
        let in_time = started.elapsed() < crate::limited::TIMEOUT;
        assert!(
            in_time && !reduced_kernel::is_refused(),
            "not in time: {what}"
        );
        std::thread::yield_now();
    }
}

impl Default for Case {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        if !self.finished {
            // A failed test: take away what it left, so that it does not trouble others. The
            // failure is reported already.
            let ids: Vec<String> = std::fs::read_dir(self.root())
                .map(|entries| {
                    entries
                        .flatten()
                        .map(|entry| entry.file_name().to_string_lossy().into_owned())
                        .collect()
                })
                .unwrap_or_default();
            for id in ids {
                let _ = std::process::Command::new(&self.program)
                    .args([
                        "--root".as_ref(),
                        self.root().as_os_str(),
                        "delete".as_ref(),
                        "--force".as_ref(),
                        id.as_ref(),
                    ])
                    .output();
            }
        }
        // Empty cgroups go with the case; what is not empty is what finish() complains about.
        for process in cgroup::processes(&self.cgroup()) {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
        for directory in cgroup::directories(&self.cgroup()) {
            let _ = std::fs::remove_dir(directory);
        }
    }
}
