//! A thread that exchanges names while the program under test looks at them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Exchanges pairs of names until it is stopped.
pub(crate) struct Swapper {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Swapper {
    /// Begins, and returns when the first names are exchanged.
    pub(crate) fn new(pairs: Vec<(PathBuf, PathBuf)>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let (begun, first) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut exchanges = 0;
            while !seen.load(Ordering::Relaxed) {
                for (one, other) in &pairs {
                    // A name may be busy for a moment; that is part of the game.
                    exchanges += u64::from(
                        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok(),
                    );
                    if exchanges == 1 {
                        // The receiver may not be waiting any more.
                        let _ = begun.send(());
                    }
                }
            }
            exchanges
        });
        first.recv().expect("names are exchanged");
        Self { stop, thread }
    }

    /// Ends it. Fails if it never exchanged anything: then nothing was tested.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let exchanges = self.thread.join().expect("the swapper does not fail");
        assert!(exchanges > 0, "nothing was exchanged");
    }
}
