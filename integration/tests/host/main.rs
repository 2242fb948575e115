//! Containers made by an asynchronous program with many threads.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and says why"
)]

mod failed_execs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cofferdam_integration::library::{Host, open_descriptors};
use cofferdam_integration::need;
use runtime::ExitStatus;

const CONTAINERS: usize = 100;

/// One test at a time: each counts the children and descriptors of the process, and some kill and
/// limit them.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_hundred_containers_at_once_neither_hang_nor_leak() {
    need!(Root);
    let _alone = alone();
    let host = Arc::new(Host::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(8)
        .build()
        .unwrap();
    // What is opened once and kept.
    assert_eq!(host.life("first"), ExitStatus::Exited(0));
    let before = open_descriptors();
    let statuses = runtime.block_on(async {
        let tasks: Vec<_> = (0..CONTAINERS)
            .map(|number| {
                let host = Arc::clone(&host);
                tokio::task::spawn_blocking(move || host.life(&format!("host-{number}")))
            })
            .collect();
        let mut statuses = Vec::with_capacity(CONTAINERS);
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        statuses
    });
    assert_eq!(statuses, vec![ExitStatus::Exited(0); CONTAINERS]);
    drop(runtime);
    assert_eq!(host.remaining(), 0, "state directories are left");
    assert_eq!(open_descriptors(), before, "descriptors are left");
}
