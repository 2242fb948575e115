//! Where the time of one container goes.

use std::fmt;
use std::time::{Duration, Instant};

use nsenter::StepTimes;
use nsenter::plan::Plan;

use crate::error::{Error, Result};

/// What took how long: the phases of the calling process, and every step of the init process.
/// Handed over with [`Process::timings`](crate::Process::timings), and taken back with
/// [`Container::timings`](crate::Container::timings).
///
/// Its `Display` is a table, one line a phase or step in the order in which they ended: when that
/// was, how long after the same process' last one, both in microseconds, which process, and what.
#[derive(Debug)]
pub struct Timings {
    begun: Instant,
    moments: Vec<Moment>,
}

/// The end of something.
#[derive(Debug)]
struct Moment {
    at: Duration,
    process: &'static str,
    what: String,
}

const RUNTIME: &str = "runtime";
const INIT: &str = "init";

impl Timings {
    /// Time counts from now.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            begun: Instant::now(),
            moments: Vec::new(),
        }
    }

    /// A phase of the calling process ends now.
    pub fn mark(&mut self, what: impl Into<String>) {
        self.moments.push(Moment {
            at: self.begun.elapsed(),
            process: RUNTIME,
            what: what.into(),
        });
    }

    /// Takes in what the init process has written down.
    pub(crate) fn add(&mut self, watch: &Watch) -> Result<()> {
        let times = watch
            .times
            .read()
            .map_err(|error| Error::system("read the timing of the init process", error))?;
        for (step, time) in watch.plan.steps().iter().zip(times) {
            let Some(time) = time else { continue };
            self.moments.push(Moment {
                at: watch.since.saturating_add(time),
                process: INIT,
                what: step.context().to_owned(),
            });
        }
        Ok(())
    }
}

/// The times of the steps of one plan, while they are taken.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) times: StepTimes,
    plan: Plan,
    since: Duration,
}

impl Watch {
    /// Prepares for the steps of a plan.
    pub(crate) fn new(timings: &Timings, plan: &Plan) -> Result<Self> {
        let times = StepTimes::new(plan)
            .map_err(|error| Error::system("prepare the timing of the init process", error))?;
        Ok(Self {
            times,
            plan: plan.clone(),
            since: timings.begun.elapsed(),
        })
    }
}

impl fmt::Display for Timings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut moments: Vec<&Moment> = self.moments.iter().collect();
        moments.sort_by_key(|moment| moment.at);
        writeln!(f, "{:>10} {:>10}  {:8} what", "at us", "took us", "process")?;
        for (index, moment) in moments.iter().enumerate() {
            let before = moments.get(..index).unwrap_or(&[]);
            let last = before
                .iter()
                .rev()
                .find(|other| other.process == moment.process)
                // The init process begins when the runtime has started it.
                .or(before.last())
                .map_or(Duration::ZERO, |other| other.at);
            let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
            writeln!(
                f,
                "{:>10.1} {:>10.1}  {:8} {}",
                microseconds(moment.at),
                microseconds(moment.at.saturating_sub(last)),
                moment.process,
                moment.what
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_says_how_long_the_same_process_took() {
        let moment = |at, process, what: &str| Moment {
            at: Duration::from_micros(at),
            process,
            what: what.to_owned(),
        };
        let timings = Timings {
            begun: Instant::now(),
            moments: vec![
                moment(100, RUNTIME, "start"),
                moment(400, RUNTIME, "ready"),
                moment(150, INIT, "first"),
                moment(350, INIT, "second"),
            ],
        };
        let text = timings.to_string();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines,
            [
                ["100.0", "100.0", "runtime", "start"],
                ["150.0", "50.0", "init", "first"],
                ["350.0", "200.0", "init", "second"],
                ["400.0", "300.0", "runtime", "ready"],
            ]
        );
    }
}
