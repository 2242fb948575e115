//! Arrangements of the cgroup hierarchies, each in a mount namespace of its own.

use std::error::Error;
use std::process::{Command, Stdio};

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

    /// Whether this machine can have the layout: a host with cgroup v2 alone has no v1 controllers
    /// to offer.
    pub(crate) fn is_possible(self) -> Result<bool, Box<dyn Error>> {
        let status = self
            .shell("true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(status.success())
    }

    /// This program again, inside the layout; arguments are to follow.
    pub(crate) fn this_program(self) -> Result<Command, Box<dyn Error>> {
        let mut command = self.shell("exec \"$@\"");
        command
            .arg("sh")
            .arg(std::env::current_exe()?)
            .args(["--layout", self.name()]);
        Ok(command)
    }

    fn shell(self, then: &str) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg(format!("{} && {then}", self.arrange()))
            .stdin(Stdio::null());
        command
    }
}
