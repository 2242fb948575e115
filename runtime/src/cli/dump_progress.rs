//! How far a dump is, on a terminal: the pages that are written, against the memory that the
//! container uses.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::terminal_line::TerminalLine;
use crate::checkpoint::CheckpointOptions;
use crate::container::Container;

/// How often it is shown. A dump that takes less shows nothing.
const INTERVAL: Duration = Duration::from_millis(500);

/// A line on standard error that is written again and again, and is gone with this value.
#[derive(Debug)]
pub(crate) struct DumpProgress {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl DumpProgress {
    /// Shows nothing if standard error is no terminal, or if pages go elsewhere.
    pub(crate) fn begin(container: &Container, options: &CheckpointOptions) -> Self {
        let nothing = Self {
            end: None,
            thread: None,
        };
        if options.page_server.is_some() {
            return nothing;
        }
        let Some(terminal) = TerminalLine::begin() else {
            return nothing;
        };
        let (end, ended) = channel();
        let images = options.criu.image_directory.clone();
        let memory = memory(container);
        let thread = std::thread::Builder::new().name("progress".to_owned());
        match thread.spawn(move || show(&terminal, &images, memory, &ended)) {
            Ok(thread) => Self {
                end: Some(end),
                thread: Some(thread),
            },
            Err(_) => nothing,
        }
    }
}

impl Drop for DumpProgress {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Memory of the processes in bytes, without the files that the kernel keeps for them; 0 if that
/// is unknown.
fn memory(container: &Container) -> u64 {
    let Ok(stats) = container.stats() else {
        return 0;
    };
    let memory = stats.cgroup.memory;
    // cgroup v2 and v1.
    let parts = ["anon", "total_rss", "shmem", "total_shmem"];
    parts.iter().filter_map(|part| memory.raw.get(*part)).sum()
}

fn show(terminal: &TerminalLine, images: &Path, memory: u64, ended: &Receiver<()>) {
    while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        terminal.show(&line(written(images), memory));
    }
}

fn line(written: u64, memory: u64) -> String {
    let mib = |bytes: u64| bytes >> 20;
    match memory {
        0 => format!("{} MiB of memory written", mib(written)),
        _ => format!("{} of {} MiB of memory written", mib(written), mib(memory)),
    }
}

/// Sizes of the images of pages.
fn written(images: &Path) -> u64 {
    let entries = fs::read_dir(images).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("pages-"))
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_of_pages_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        for (name, size) in [
            ("pages-1.img", 3 << 20),
            ("pages-12.img", 1),
            ("mm-1.img", 7),
        ] {
            let file = fs::File::create(directory.path().join(name)).unwrap();
            file.set_len(size).unwrap();
        }
        assert_eq!(written(directory.path()), (3 << 20) + 1);
        assert_eq!(written(Path::new("/no/such/directory")), 0);
    }

    #[test]
    fn a_line_says_how_much_of_the_memory_is_written() {
        assert_eq!(line(5 << 20, 9 << 20), "5 of 9 MiB of memory written");
        assert_eq!(line(5 << 20, 0), "5 MiB of memory written");
    }
}
