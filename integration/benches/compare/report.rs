//! Tables of medians, minima and paired ratios.

use std::time::Duration;

use crate::measure::Sample;

/// Samples of one scenario: one row a round, one column a peer.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) peers: Vec<&'static str>,
    pub(crate) rounds: Vec<Vec<Sample>>,
}

fn median<T: Copy>(mut values: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<T> {
    values.sort_by(|left, right| order(left, right));
    values.get(values.len() / 2).copied()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

impl Table {
    fn column(&self, peer: usize) -> impl Iterator<Item = &Sample> {
        self.rounds.iter().filter_map(move |round| round.get(peer))
    }

    /// Median over the rounds of what `part` of the first peer is to that of `peer`.
    fn ratio(&self, peer: usize, part: impl Fn(&Sample) -> f64) -> Option<f64> {
        let ratios = self
            .rounds
            .iter()
            .filter_map(|round| Some(part(round.first()?) / part(round.get(peer)?)))
            .collect();
        median(ratios, f64::total_cmp)
    }

    /// Prints one line a peer; the ratios say what Cofferdam needs of what that peer needs.
    pub(crate) fn print(&self) {
        println!("{} ({} rounds)", self.title, self.rounds.len());
        println!(
            "  {:<10} {:>9} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8}",
            "", "median ms", "min ms", "cpu ms", "rss KiB", "faults", "wall x", "cpu x"
        );
        for (index, name) in self.peers.iter().enumerate() {
            let wall = median(
                self.column(index).map(|sample| sample.wall).collect(),
                Ord::cmp,
            );
            let least = self.column(index).map(|sample| sample.wall).min();
            let cpu = median(
                self.column(index).map(|sample| sample.cpu).collect(),
                Ord::cmp,
            );
            let rss = self.column(index).map(|sample| sample.max_rss_kib).max();
            let faults = median(
                self.column(index)
                    .map(|sample| sample.minor_faults)
                    .collect(),
                Ord::cmp,
            );
            let ratio = |part: fn(&Sample) -> f64| match self.ratio(index, part) {
                Some(ratio) if index > 0 => format!("{ratio:.2}"),
                _ => "-".to_owned(),
            };
            println!(
                "  {name:<10} {:>9.2} {:>9.2} {:>9.2} {:>9} {:>8} {:>8} {:>8}",
                wall.map_or(0.0, milliseconds),
                least.map_or(0.0, milliseconds),
                cpu.map_or(0.0, milliseconds),
                rss.unwrap_or(0),
                faults.unwrap_or(0),
                ratio(|sample| sample.wall.as_secs_f64()),
                ratio(|sample| sample.cpu.as_secs_f64()),
            );
        }
    }
}
