//! Paired rounds of two contenders, in processor time: reading statistics waits for nothing, and
//! what else the machine does is not counted in.

use std::error::Error;

use rustix::time::{ClockId, clock_gettime};

/// A measurement that is shorter than this many cgroups is repeated until it is not: one read is
/// too short for a clock.
const LEAST: usize = 100;

/// Microseconds per cgroup: one pair a round.
pub(crate) struct Series {
    size: usize,
    pairs: Vec<[f64; 2]>,
}

/// What this process has used so far.
fn micros() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Series {
    pub(crate) fn new(size: usize) -> Self {
        Self {
            size,
            pairs: Vec::new(),
        }
    }

    /// Lets both read, the other one first in every second round.
    pub(crate) fn round(
        &mut self,
        mut read: impl FnMut(usize) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let repeats = LEAST.div_ceil(self.size);
        let mut pair = [0.0; 2];
        let order = if self.pairs.len().is_multiple_of(2) {
            [0, 1]
        } else {
            [1, 0]
        };
        for which in order {
            let start = micros();
            for _ in 0..repeats {
                read(which)?;
            }
            let micros = micros() - start;
            if let Some(slot) = pair.get_mut(which) {
                *slot = micros / (repeats * self.size) as f64;
            }
        }
        self.pairs.push(pair);
        Ok(())
    }

    fn column(&self, which: usize) -> Vec<f64> {
        self.pairs
            .iter()
            .filter_map(|pair| pair.get(which).copied())
            .collect()
    }

    /// The least of the first contender.
    pub(crate) fn least(&self) -> f64 {
        self.column(0).into_iter().fold(f64::INFINITY, f64::min)
    }

    /// Prints both, or why there is only one, and whether the ratio is at most `target`.
    pub(crate) fn print(&self, what: &str, refused: Option<&str>, target: f64) {
        println!("{what}");
        let line = |name: &str, which: usize| {
            let values = self.column(which);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            format!("  {name:<18} {:>9.1} {least:>9.1}", median(values))
        };
        println!("{}", line("cofferdam-cgroups", 0));
        if let Some(reason) = refused {
            println!("  libcgroups         left out: {reason}");
            return;
        }
        let ratio = median(self.pairs.iter().map(|[own, peer]| own / peer).collect());
        let verdict = if ratio <= target { "reached" } else { "MISSED" };
        println!(
            "{} {ratio:>8.2}  <= {target} {verdict}",
            line("libcgroups", 1)
        );
    }
}
