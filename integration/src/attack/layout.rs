//! What commands find: the cgroup hierarchies of the machine, or others.

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use serde_json::json;

use crate::needs::Need;
use crate::{Case, cgroup};

/// How cgroups are mounted, and as whom the container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The hierarchies of the machine.
    Own,
    /// Cgroup v2 alone, in a mount namespace of the calling thread.
    Unified,
    /// The hierarchies of the machine, and a user namespace.
    UserNamespace,
    /// The hierarchies of the machine, in which an ordinary user may make no cgroup.
    Rootless,
    /// The hierarchies of the machine, where systemd makes the cgroup.
    Systemd,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Own,
        Self::Unified,
        Self::UserNamespace,
        Self::Rootless,
        Self::Systemd,
    ];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Unified => "unified",
            Self::UserNamespace => "user-namespace",
            Self::Rootless => "rootless",
            Self::Systemd => "systemd",
        }
    }

    /// Whether it is another one than [`Layout::Own`] on this machine, and can be made.
    pub fn is_possible(self) -> bool {
        match self {
            Self::Own | Self::UserNamespace => true,
            Self::Rootless => Need::UserNamespaces.missing().is_none(),
            Self::Systemd => Need::Systemd.missing().is_none(),
            Self::Unified => !cgroup::is_unified() && cgroup::v2_mount().is_some(),
        }
    }

    /// Puts the calling thread, and what it starts from now on, into this layout. There is no way
    /// back: it is for a thread of its own.
    ///
    /// # Panics
    /// The mount namespace cannot be made.
    pub fn enter(self) {
        if self != Self::Unified {
            return;
        }
        unshare(CloneFlags::CLONE_NEWNS).expect("unshare the mount namespace");
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).expect("make all mounts private");
        cgroup::mount_unified();
    }

    /// A bundle for it, whose container is protected in each way that [`report`] can see.
    ///
    /// [`report`]: super::report
    pub(super) fn case(self) -> Case {
        let mut case = match self {
            Self::Rootless => Case::rootless(),
            Self::Systemd => Case::systemd(),
            _ => Case::new(),
        };
        super::report::protect(&mut case.bundle);
        if self != Self::Rootless {
            case.mark_devices();
        }
        if self == Self::Rootless {
            // The user is the only one in its namespace.
            case.bundle.config["process"]["user"]["additionalGids"] = json!([]);
        }
        if self == Self::UserNamespace {
            case.bundle.user_namespace(100_000, 65_536);
        }
        case
    }
}
