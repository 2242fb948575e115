//! Arrangements of the cgroup hierarchies, each in a mount namespace of its own.

use std::error::Error;
use std::process::Command;

/// Which cgroup hierarchies the runtimes find under /sys/fs/cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Version 1 hierarchies only, as the host has them.
    V1,
    /// cgroup2 over /sys/fs/cgroup.
    Unified,
}

impl Layout {
    pub(crate) fn from_name(name: &str) -> Result<Self, String> {
        match name {
            "v1" => Ok(Self::V1),
            "unified" => Ok(Self::Unified),
            other => Err(format!("unknown layout {other}: v1 or unified")),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Unified => "unified",
        }
    }

    /// Shell lines that arrange the hierarchies in a private mount namespace.
    fn arrange(self) -> &'static str {
        match self {
            Self::V1 => {
                "if [ -d /sys/fs/cgroup/unified ]; then umount /sys/fs/cgroup/unified; fi; \
                 test \"$(stat -fc %T /sys/fs/cgroup)\" = tmpfs"
            }
            Self::Unified => {
                "test \"$(stat -fc %T /sys/fs/cgroup)\" = cgroup2fs || mount -t cgroup2 cgroup2 /sys/fs/cgroup"
            }
        }
    }

    /// Runs this program again, inside the layout.
    pub(crate) fn enter(self, rounds: usize, scenarios: &[String]) -> Result<(), Box<dyn Error>> {
        let program = std::env::current_exe()?;
        let script = format!("{} && exec \"$@\"", self.arrange());
        let status = Command::new("unshare")
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                &script,
                "sh",
            ])
            .arg(program)
            .args(["--inside", "--layout", self.name(), "--rounds"])
            .arg(rounds.to_string())
            .args(scenarios)
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("layout {}: {status}", self.name()).into())
        }
    }
}
