use std::os::fd::OwnedFd;

/// What CRIU reports while it dumps or restores. It waits until the caller's function returns, and
/// gives up if that fails.
#[derive(Debug)]
#[non_exhaustive]
pub struct Notification {
    /// The stage.
    pub stage: Stage,
    /// The pid of the first process of the tree, as the calling process sees it, where there is
    /// one already.
    pub pid: Option<i32>,
    /// The terminal master that [`Stage::OrphanPtsMaster`] comes with.
    pub descriptor: Option<OwnedFd>,
}

/// When a [`Notification`] comes (`criu(8)`, `--action-script`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Before the dump.
    PreDump,
    /// The tree is dumped and still stopped.
    PostDump,
    /// Before the restore.
    PreRestore,
    /// The tree is restored and still stopped.
    PostRestore,
    /// Before the tree goes on.
    PreResume,
    /// The tree goes on.
    PostResume,
    /// The network of the tree is cut off.
    NetworkLock,
    /// The network of the tree is connected again.
    NetworkUnlock,
    /// The namespaces of the tree are made; nothing runs in them.
    SetupNamespaces,
    /// The namespaces of the tree have their contents.
    PostSetupNamespaces,
    /// A terminal's master, see [`Options::orphan_pts_master`](crate::Options::orphan_pts_master).
    OrphanPtsMaster,
    /// The page server listens.
    StatusReady,
    /// One that this crate does not know, by its name.
    Other(String),
}

impl Stage {
    /// By the name that CRIU uses.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "pre-dump" => Self::PreDump,
            "post-dump" => Self::PostDump,
            "pre-restore" => Self::PreRestore,
            "post-restore" => Self::PostRestore,
            "pre-resume" => Self::PreResume,
            "post-resume" => Self::PostResume,
            "network-lock" => Self::NetworkLock,
            "network-unlock" => Self::NetworkUnlock,
            "setup-namespaces" => Self::SetupNamespaces,
            "post-setup-namespaces" => Self::PostSetupNamespaces,
            "orphan-pts-master" => Self::OrphanPtsMaster,
            "status-ready" => Self::StatusReady,
            other => Self::Other(other.to_owned()),
        }
    }
}
