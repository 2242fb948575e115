//! Looking again and again, where the kernel has no notification to wait for. Each caller says
//! which one is missing.

use std::time::{Duration, Instant};

use rustix::event::{Timespec, poll};

/// Pauses until a deadline, each twice as long as the one before: what happens soon is seen soon,
/// and what takes long costs little.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
    deadline: Instant,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration, deadline: Instant) -> Self {
        Self {
            next: first,
            longest,
            deadline,
        }
    }

    /// Pauses; `false` without a pause once the time is up.
    pub(crate) fn pause(&mut self) -> bool {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(self.next.min(left));
        self.next = (self.next * 2).min(self.longest);
        true
    }
}

/// Rests for so long; a kernel or filter that does not let it only makes a busy wait of it.
/// `std::thread::sleep` would panic.
pub(crate) fn sleep(time: Duration) {
    if let Ok(time) = Timespec::try_from(time) {
        let _ = poll(&mut [], Some(&time));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_grow_and_end() {
        let deadline = Instant::now() + Duration::from_millis(200);
        let (first, longest) = (Duration::from_millis(10), Duration::from_millis(40));
        let mut backoff = Backoff::new(first, longest, deadline);
        let mut count = 0;
        while backoff.pause() {
            count += 1;
        }
        // 10 + 20 + 4 times 40 and the rest: the system may make each of them longer.
        assert!((1..=7).contains(&count), "{count}");
        assert!(Instant::now() >= deadline);
        assert_eq!(backoff.next, longest.min(first * (1 << count.min(2))));
    }
}
