//! Tables of medians, minima and paired ratios, and what they say about the targets.

use std::time::Duration;

use crate::layout::Layout;
use crate::measure::Sample;
use crate::peer::Absent;
use crate::target;

/// Samples of one scenario: one row a round, one column a peer.
#[derive(Debug)]
pub(crate) struct Table {
    /// The name that targets go by.
    pub(crate) scenario: &'static str,
    pub(crate) title: String,
    pub(crate) peers: Vec<&'static str>,
    pub(crate) rounds: Vec<Vec<Sample>>,
}

/// How many targets were reached, and which were not.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    reached: usize,
    missed: Vec<String>,
}

impl Verdicts {
    /// Compares a figure with the greatest that counts as reached; the text for a table.
    pub(crate) fn judge(&mut self, what: &str, figure: f64, greatest: Option<f64>) -> String {
        let Some(greatest) = greatest else {
            return String::new();
        };
        if figure <= greatest {
            self.reached += 1;
            return format!("<= {greatest} reached");
        }
        self.missed
            .push(format!("{what}: {figure:.2}, to be <= {greatest}"));
        format!("<= {greatest} MISSED")
    }

    pub(crate) fn print(&self, layout: Layout) {
        println!(
            "layout {}: {} targets reached, {} missed",
            layout.name(),
            self.reached,
            self.missed.len()
        );
        for missed in &self.missed {
            println!("  missed: {missed}");
        }
    }
}

/// The middle value; of an even number the upper one of the two.
fn median<T: Copy>(mut values: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<T> {
    values.sort_by(|left, right| order(left, right));
    values.get(values.len() / 2).copied()
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
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
    pub(crate) fn print(&self, layout: Layout, absent: &[Absent], verdicts: &mut Verdicts) {
        println!(
            "{}, layout {} ({} rounds)",
            self.title,
            layout.name(),
            self.rounds.len()
        );
        println!(
            "  {:<12} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8}  target",
            "", "median ms", "min ms", "cpu ms", "faults", "wall x", "cpu x"
        );
        for index in 0..self.peers.len() {
            let line = self.figures(index) + &self.ratios(index, layout, verdicts);
            println!("{}", line.trim_end());
        }
        print_absent(absent);
    }

    /// What one peer took.
    fn figures(&self, index: usize) -> String {
        let name = self.peers.get(index).copied().unwrap_or_default();
        let walls = self.column(index).map(|sample| sample.wall).collect();
        let shown = |duration: Option<Duration>| {
            duration.map_or_else(|| "-".to_owned(), |it| format!("{:.2}", milliseconds(it)))
        };
        format!(
            "  {name:<12} {:>9} {:>9} {:>9} {:>8}",
            shown(median(walls, Ord::cmp)),
            shown(self.column(index).map(|sample| sample.wall).min()),
            shown(self.median_cpu(index)),
            self.median_faults(index),
        )
    }

    pub(crate) fn median_cpu(&self, index: usize) -> Option<Duration> {
        median(self.column(index).map(|it| it.cpu).collect(), Ord::cmp)
    }

    fn median_faults(&self, index: usize) -> i64 {
        let faults = self.column(index).map(|it| it.minor_faults).collect();
        median(faults, Ord::cmp).unwrap_or(0)
    }

    /// What Cofferdam took of that, and whether that is little enough.
    fn ratios(&self, index: usize, layout: Layout, verdicts: &mut Verdicts) -> String {
        let (Some(name), true) = (self.peers.get(index), index > 0) else {
            return String::new();
        };
        let (Some(wall), Some(cpu)) = (
            self.ratio(index, |sample| sample.wall.as_secs_f64()),
            self.ratio(index, |sample| sample.cpu.as_secs_f64()),
        ) else {
            return String::new();
        };
        let mut text = format!(" {wall:>8.2} {cpu:>8.2} ");
        let mut judge = |what: &str, figure: f64, greatest: Option<f64>| {
            let verdict = verdicts.judge(
                &format!("{} against {name}, {what}", self.title),
                figure,
                greatest,
            );
            if !verdict.is_empty() {
                text += &format!(" {what} {verdict}");
            }
        };
        judge("wall", wall, target::wall(self.scenario, layout, name));
        judge("cpu", cpu, target::cpu(self.scenario, name));
        let faults = |sample: &Sample| f64::from(i32::try_from(sample.minor_faults).unwrap_or(0));
        if let Some(ratio) = self.ratio(index, faults) {
            judge("faults", ratio, target::faults(self.scenario, name));
        }
        text
    }
}

pub(crate) fn print_absent(absent: &[Absent]) {
    for Absent { name, reason } in absent {
        println!("  {name:<12} left out: {reason}");
    }
}
