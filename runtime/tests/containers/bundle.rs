//! A root file system, a configuration, a state root: everything one test needs, and removed after
//! it.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use cofferdam::configs::config::{Cgroup, NamespaceType};
use cofferdam::configs::oci::Spec;
use cofferdam::configs::{Config, HostInfo, specconv};
use cofferdam::{Container, ContainerId, ErrorKind, Process, Runtime, Signal, Stdio};

const BUSYBOX: &str = "/bin/busybox";
const APPLETS: [&str; 14] = [
    "sh", "cat", "echo", "true", "false", "sleep", "id", "hostname", "ls", "test", "kill", "stty",
    "readlink", "head",
];

/// One test's world.
pub(crate) struct Bundle {
    directory: tempfile::TempDir,
    pub(crate) runtime: Runtime,
    pub(crate) id: ContainerId,
    pub(crate) config: Config,
}

impl Bundle {
    /// `None`, with a word about it, if this machine lacks what the tests need.
    pub(crate) fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            eprintln!("skipped: needs root and {BUSYBOX}");
            return None;
        }
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "cofferdam-test-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        let directory = tempfile::tempdir().unwrap();
        let rootfs = directory.path().join("rootfs");
        for inside in ["bin", "proc", "sys", "dev", "tmp", "etc"] {
            fs::create_dir_all(rootfs.join(inside)).unwrap();
        }
        // By another process: what one thread has open for writing, another thread's new process
        // holds for a moment, and the kernel executes no file that is open for writing
        // (ETXTBSY).
        let copied = Command::new(BUSYBOX)
            .args(["cp", BUSYBOX])
            .arg(rootfs.join("bin/busybox"))
            .status();
        assert!(copied.unwrap().success());
        for applet in APPLETS {
            symlink("busybox", rootfs.join("bin").join(applet)).unwrap();
        }
        fs::write(
            rootfs.join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n",
        )
        .unwrap();
        let runtime = Runtime::new(directory.path().join("state")).unwrap();
        let config = config(&name, &rootfs);
        Some(Self {
            runtime,
            id: name.parse().unwrap(),
            config,
            directory,
        })
    }

    /// The root file system.
    pub(crate) fn rootfs(&self) -> PathBuf {
        self.directory.path().join("rootfs")
    }

    /// A directory for what the test wants to see from outside.
    pub(crate) fn outside(&self) -> &Path {
        self.directory.path()
    }

    /// Creates with the configuration as it is now.
    pub(crate) fn create(&self, process: Process) -> cofferdam::Result<Container> {
        self.runtime.create(&self.id, self.config.clone(), process)
    }

    /// Creates and starts.
    pub(crate) fn run(&self, process: Process) -> cofferdam::Result<Container> {
        self.runtime.run(&self.id, self.config.clone(), process)
    }

    /// Fails if anything of the container is left.
    pub(crate) fn assert_nothing_left(&self) {
        let state = self.directory.path().join("state").join(self.id.as_str());
        assert!(!state.exists(), "{} is left", state.display());
        assert_eq!(
            cgroups_named(self.id.as_str()),
            Vec::<PathBuf>::new(),
            "cgroups are left"
        );
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let own = self.directory.path().to_str().unwrap();
        assert!(!mounts.contains(own), "a mount is left: {mounts}");
        assert_eq!(
            self.runtime.load(&self.id).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        // What a failed test leaves.
        if let Ok(container) = self.runtime.load(&self.id) {
            let _ = container.signal(Signal::KILL);
            let _ = container.wait_timeout(std::time::Duration::from_secs(10));
            let _ = container.destroy();
        }
    }
}

/// Every cgroup directory with this name.
pub(crate) fn cgroups_named(name: &str) -> Vec<PathBuf> {
    let Ok(hierarchies) = fs::read_dir("/sys/fs/cgroup") else {
        return Vec::new();
    };
    let below = hierarchies
        .filter_map(Result::ok)
        .map(|entry| entry.path().join(name));
    let direct = Path::new("/sys/fs/cgroup").join(name);
    below.chain([direct]).filter(|path| path.exists()).collect()
}

fn config(name: &str, rootfs: &Path) -> Config {
    let text = format!(
        r#"{{
            "ociVersion": "1.3.0",
            "root": {{ "path": {rootfs:?} }},
            "hostname": "inside",
            "annotations": {{ "purpose": "test" }},
            "mounts": [
                {{ "destination": "/proc", "type": "proc", "source": "proc" }},
                {{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"] }},
                {{ "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] }},
                {{ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] }}
            ],
            "linux": {{
                "cgroupsPath": "/{name}",
                "namespaces": [
                    {{ "type": "pid" }}, {{ "type": "network" }}, {{ "type": "ipc" }}, {{ "type": "uts" }}, {{ "type": "mount" }}
                ],
                "maskedPaths": ["/proc/kcore"],
                "readonlyPaths": ["/proc/sys"]
            }}
        }}"#
    );
    let spec = Spec::from_slice(text.as_bytes()).unwrap();
    let bundle = rootfs.parent().unwrap().to_str().unwrap().to_owned();
    let options = specconv::Options {
        id: name.to_owned(),
        bundle,
        ..specconv::Options::default()
    };
    let host = HostInfo {
        namespaces: NamespaceType::ALL.into_iter().collect(),
        ..HostInfo::default()
    };
    let (config, _) = specconv::convert(&spec, &host, &options).unwrap();
    assert_ne!(config.cgroups, Cgroup::default());
    config
}

/// A shell script, with its output in a pipe.
pub(crate) fn shell(script: &str) -> Process {
    let mut process = Process::new(["sh", "-c", script]);
    process
        .env(["PATH=/bin"])
        .stdin(Stdio::Null)
        .stdout(Stdio::Pipe)
        .stderr(Stdio::Pipe);
    process
}

/// Something that runs until it is killed, whatever signal it gets otherwise.
pub(crate) fn forever() -> Process {
    let mut process = Process::new(["sleep", "100000"]);
    process
        .env(["PATH=/bin"])
        .stdin(Stdio::Null)
        .stdout(Stdio::Null)
        .stderr(Stdio::Null);
    process
}

/// Waits until the program has written its first byte.
pub(crate) fn wait_for_output(container: &mut Container) {
    let pipes = container.init_mut().unwrap().pipes();
    let stdout = pipes.stdout.as_ref().unwrap();
    assert_eq!(rustix::io::read(stdout, &mut [0_u8; 1]).unwrap(), 1);
}

/// Everything the init process wrote to its standard output, then to standard error.
pub(crate) fn output(container: &mut Container) -> String {
    read_all(container.init_mut().unwrap())
}

/// The same for any child.
pub(crate) fn read_all(child: &mut cofferdam::Child) -> String {
    let mut text = String::new();
    for pipe in [child.pipes().stdout.take(), child.pipes().stderr.take()]
        .into_iter()
        .flatten()
    {
        File::from(pipe).read_to_string(&mut text).unwrap();
    }
    text
}
