//! The bundles: one root file system with two tiny programs, and a configuration that all peers
//! accept.
#![allow(
    clippy::indexing_slicing,
    reason = "the configuration that is changed has the shape that base() gives it"
)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use cofferdam_integration::tiny_program;

/// Docker's default profile, as the seccomp crate's tests have it.
const SECCOMP: &str = include_str!("../../../seccomp/tests/data/docker-like.json");

/// Bundles below one scratch folder.
pub(crate) struct Bundles {
    folder: PathBuf,
}

impl Bundles {
    pub(crate) fn create(scratch: &Path) -> Result<Self, Box<dyn Error>> {
        let bin = scratch.join("rootfs/bin");
        fs::create_dir_all(&bin)?;
        tiny_program::write(&bin.join("true"), tiny_program::TRUE)?;
        tiny_program::write(&bin.join("pause"), tiny_program::PAUSE)?;
        let bundles = Self {
            folder: scratch.to_owned(),
        };
        bundles.add("true", &["/bin/true"], |_| {})?;
        bundles.add("pause", &["/bin/pause"], |_| {})?;
        // A namespace less: a thousand network devices are work for the kernel, and nothing to a
        // list.
        bundles.add("listed", &["/bin/pause"], |config| {
            if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
                namespaces.retain(|namespace| namespace["type"] != "network");
            }
        })?;
        // The program in the place of CRIU makes no other namespaces, and a restored process has to
        // be in those of its configuration.
        bundles.add("dumped", &["/bin/pause"], |config| {
            config["linux"]["namespaces"] = json!([{"type": "mount"}]);
            config["hostname"] = Value::Null;
        })?;
        let profile: Value = serde_json::from_str(SECCOMP)?;
        bundles.add("seccomp", &["/bin/true"], |config| {
            config["linux"]["seccomp"] = profile;
        })?;
        bundles.add("cgroupns", &["/bin/true"], |config| {
            if let Some(namespaces) = config["linux"]["namespaces"].as_array_mut() {
                namespaces.push(json!({"type": "cgroup"}));
            }
        })?;
        Ok(bundles)
    }

    /// The folder that everything is in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("bundle-{name}"))
    }

    fn add(
        &self,
        name: &str,
        arguments: &[&str],
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Box<dyn Error>> {
        let mut config = base(arguments, &self.folder.join("rootfs"));
        change(&mut config);
        let bundle = self.path(name);
        fs::create_dir_all(&bundle)?;
        fs::write(
            bundle.join("config.json"),
            serde_json::to_vec_pretty(&config)?,
        )?;
        Ok(())
    }
}

/// What `spec` writes, without a terminal; version 1.0.2 because older peers refuse newer ones.
fn base(arguments: &[&str], rootfs: &Path) -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": arguments,
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": {
                "bounding": capabilities.clone(),
                "effective": capabilities.clone(),
                "permitted": capabilities,
            },
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true
        },
        "root": {"path": rootfs, "readonly": true},
        "hostname": "bench",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
             "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
            {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
             "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs",
             "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
             "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}
        ],
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}
            ],
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
                "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        }
    })
}
