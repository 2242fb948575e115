//! The same work in several threads.

use std::error::Error;
use std::thread;

/// Runs `worker` in `count` threads at once and waits for all of them.
///
/// # Errors
/// What the first of the workers that failed said.
pub fn in_parallel(
    count: usize,
    worker: impl Fn() -> Result<(), String> + Sync,
) -> Result<(), Box<dyn Error>> {
    thread::scope(|scope| {
        let workers: Vec<_> = (0..count).map(|_| scope.spawn(&worker)).collect();
        let ended: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        for one in ended {
            one.map_err(|_| "a worker panicked")??;
        }
        Ok(())
    })
}
