//! Plots of what `./x bench --json FILE` has measured: for each scenario the median and the
//! quartiles of each runtime, of wall time and of processor time.

mod svg;

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub use svg::drawn;

/// Scenarios that are drawn together: the name of the plot, its title, and which they are.
const PLOTS: [(&str, &str, &[&str]); 2] = [
    (
        "commands",
        "The commands of a container's life",
        &[
            "run",
            "create",
            "start",
            "state",
            "exec",
            "kill",
            "delete",
            "checkpoint",
            "restore",
        ],
    ),
    (
        "runs",
        "Runs in other surroundings, and many containers",
        &[
            "run-sparse",
            "run-seccomp",
            "run-cgroupns",
            "mounts",
            "parallel",
            "list",
        ],
    ),
];

/// Arrangements of the cgroup hierarchies, as the benchmark calls them, and for people.
const LAYOUTS: [(&str, &str); 2] = [("v1", "cgroup v1"), ("unified", "cgroup v2")];

/// What all rounds of a scenario took one runtime.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The arrangement of the cgroup hierarchies.
    pub layout: String,
    /// The scenario, by the name that targets go by.
    pub scenario: String,
    /// The scenario for people.
    pub title: String,
    /// The runtime.
    pub peer: String,
    /// The load of the machine in the minute before, as `/proc/loadavg` has it.
    pub load: f64,
    /// Milliseconds of each round from start to end.
    pub wall: Vec<f64>,
    /// Milliseconds of processor time in each round, of all processes.
    pub cpu: Vec<f64>,
}

impl Series {
    /// The line of the file.
    pub fn to_json(&self) -> Value {
        json!({
            "layout": self.layout,
            "scenario": self.scenario,
            "title": self.title,
            "peer": self.peer,
            "load": self.load,
            "wall_ms": self.wall,
            "cpu_ms": self.cpu,
        })
    }

    fn from_json(line: &Value) -> Option<Self> {
        let text = |key: &str| Some(line.get(key)?.as_str()?.to_owned());
        let numbers = |key: &str| -> Option<Vec<f64>> {
            let values = line.get(key)?.as_array()?;
            let found: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
            found.filter(|it| !it.is_empty() && it.iter().all(|value| *value > 0.0))
        };
        Some(Self {
            layout: text("layout")?,
            scenario: text("scenario")?,
            title: text("title")?,
            peer: text("peer")?,
            load: line.get("load")?.as_f64()?,
            wall: numbers("wall_ms")?,
            cpu: numbers("cpu_ms")?,
        })
    }
}

/// A whole measurement.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// On which machine: a part of a sentence.
    machine: String,
    series: Vec<Series>,
}

/// The first line of the file: the machine.
pub fn machine_line(kernel: &str, processors: usize) -> Value {
    json!({ "kernel": kernel, "processors": processors })
}

impl Measurement {
    /// Reads a file of `./x bench --json`: a line for the machine, then one for each series.
    ///
    /// # Errors
    /// A line that is none of these, with its number.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut machine = None;
        let mut series = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let wrong = || format!("line {number} is no measurement");
            let value: Value = serde_json::from_str(line).map_err(|_| wrong())?;
            if let Some(kernel) = value.get("kernel").and_then(Value::as_str) {
                let processors = &value["processors"];
                machine = Some(format!("Linux {kernel}, {processors} processors"));
            } else {
                series.push(Series::from_json(&value).ok_or_else(wrong)?);
            }
        }
        Ok(Self {
            machine: machine.ok_or("the file does not name the machine")?,
            series,
        })
    }

    /// The plots: the name of each file, and its content. One of which nothing was measured is
    /// left out.
    pub fn plots(&self) -> Vec<(String, String)> {
        let mut plots = Vec::new();
        for (name, title, scenarios) in PLOTS {
            for (layout, shown) in LAYOUTS {
                let groups: Vec<Vec<&Series>> = scenarios
                    .iter()
                    .map(|scenario| self.of(layout, scenario))
                    .filter(|group| !group.is_empty())
                    .collect();
                if !groups.is_empty() {
                    let title = format!("{title}, {shown}");
                    let text = drawn(&title, &self.circumstances(&groups), &groups);
                    plots.push((format!("{name}-{layout}.svg"), text));
                }
            }
        }
        plots
    }

    fn of(&self, layout: &str, scenario: &str) -> Vec<&Series> {
        self.series
            .iter()
            .filter(|it| it.layout == layout && it.scenario == scenario)
            .collect()
    }

    /// The machine, how many rounds, and how much else there was to do.
    fn circumstances(&self, groups: &[Vec<&Series>]) -> String {
        let all = || groups.iter().flatten();
        let rounds: BTreeSet<usize> = all().map(|it| it.wall.len()).collect();
        let loads: Vec<f64> = all().map(|it| it.load).collect();
        let low = loads.iter().copied().fold(f64::INFINITY, f64::min);
        let high = loads.iter().copied().fold(0.0, f64::max);
        format!(
            "{}; {} rounds; load {low:.1} to {high:.1}, its own included",
            self.machine,
            range(&rounds)
        )
    }
}

/// `9`, or `2 to 9`.
fn range(numbers: &BTreeSet<usize>) -> String {
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(first), _) => first.to_string(),
        _ => "no".to_owned(),
    }
}

/// The lower quartile, the median and the upper quartile; of two in the middle the upper one.
fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [1, 2, 3].map(|part| sorted[(sorted.len() * part / 4).min(sorted.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(peer: &str, wall: &[f64]) -> Series {
        Series {
            layout: "v1".to_owned(),
            scenario: "run".to_owned(),
            title: "run".to_owned(),
            peer: peer.to_owned(),
            load: 0.5,
            wall: wall.to_vec(),
            cpu: wall.to_vec(),
        }
    }

    #[test]
    fn quartiles_are_values_that_were_measured() {
        assert_eq!(quartiles(&[5.0]), [5.0; 3]);
        assert_eq!(quartiles(&[4.0, 1.0, 3.0, 2.0]), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles(&[5.0, 1.0, 4.0, 2.0, 3.0]), [2.0, 3.0, 4.0]);
    }

    #[test]
    fn what_is_written_is_read_and_drawn() {
        let one = series("cofferdam", &[7.0, 8.0, 9.0]);
        let other = series("a<b", &[70.0, 80.0, 90.0]);
        let lines = [machine_line("6.1", 2), one.to_json(), other.to_json()];
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let measured = Measurement::read(&text).unwrap();
        assert_eq!(measured.series, [one, other]);
        let plots = measured.plots();
        assert_eq!(plots.len(), 1);
        let (name, drawing) = &plots[0];
        assert_eq!(name, "commands-v1.svg");
        for part in [
            "Linux 6.1, 2 processors; 3 rounds; load 0.5 to 0.5, its own included.",
            "run: cofferdam 8.00 ms (7.00 to 9.00), a&lt;b 80.0 ms (70.0 to 90.0)",
            "a&lt;b</text>",
        ] {
            assert!(drawing.contains(part), "{part}: {drawing}");
        }
    }

    #[test]
    fn what_is_no_measurement_is_named() {
        let machine = machine_line("6.1", 2);
        let error = Measurement::read(&format!("{machine}\n{{}}\n")).unwrap_err();
        assert_eq!(error, "line 2 is no measurement");
        assert!(Measurement::read("").is_err());
    }
}
