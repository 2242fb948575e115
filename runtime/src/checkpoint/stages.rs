//! How far a restore is, for a program that shows it.

use std::fmt;
use std::sync::Arc;

/// How far a restore is. CRIU decides which stages there are: one may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RestoreStage {
    /// The container has its cgroup, its mount points and its record; CRIU begins.
    Begun,
    /// Its namespaces are made, and hooks have run.
    Namespaces,
    /// Its namespaces have their contents, mounts among them.
    Contents,
    /// Its processes are there with their memory, and do not run yet.
    Processes,
}

/// A function that is called at each stage of a restore, in the thread that restores.
#[derive(Clone)]
pub struct RestoreObserver(Arc<dyn Fn(RestoreStage) + Send + Sync>);

impl RestoreObserver {
    /// Calls this function. The restore waits for it.
    pub fn new(reached: impl Fn(RestoreStage) + Send + Sync + 'static) -> Self {
        Self(Arc::new(reached))
    }

    pub(crate) fn reached(&self, stage: RestoreStage) {
        (self.0)(stage);
    }
}

impl fmt::Debug for RestoreObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RestoreObserver").finish_non_exhaustive()
    }
}

/// Two are equal if they are copies of one.
impl PartialEq for RestoreObserver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for RestoreObserver {}
