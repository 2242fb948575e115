//! What containers use, from one reading to the next.

use std::collections::{HashMap, VecDeque};

use super::sample::{Counters, Cpu, Sample};
use crate::Status;

/// How many readings are remembered of each container.
const REMEMBERED: usize = 300;

/// A container between two readings.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) now: Sample,
    pub(super) rates: Rates,
}

/// Changes; `None` where there is no reading before, or nothing is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    /// Seconds between the readings.
    pub(super) seconds: Option<f64>,
    /// Processor time, in percent of one processor.
    pub(super) cpu: Option<f64>,
    /// Bytes read from block devices, a second.
    pub(super) read: Option<f64>,
    /// Bytes written to block devices, a second.
    pub(super) written: Option<f64>,
    /// Periods in which the quota ran out, in percent; `None` also if no period has passed.
    pub(super) throttled: Option<f64>,
}

impl Row {
    pub(super) fn counters(&self) -> &Counters {
        &self.now.counters
    }

    /// The part of its memory limit that is the working set, in percent.
    pub(super) fn memory_share(&self) -> Option<f64> {
        let memory = self.counters().memory?;
        Some(percent(memory.working_set, memory.limit?))
    }

    /// Bytes from and to block devices, a second.
    pub(super) fn io(&self) -> Option<f64> {
        Some(self.rates.read? + self.rates.written?)
    }

    /// The greatest of its pressures: percent of the last 10 seconds in which a task waited.
    pub(super) fn pressure(&self) -> Option<f64> {
        let pressure = self.counters().pressure;
        let all = [pressure.cpu, pressure.memory, pressure.io];
        let all = all.into_iter().flatten().map(|psi| psi.some.avg10);
        all.reduce(f64::max)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.now.status != Status::Stopped
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "for people, who read a few digits"
)]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// `part` of `whole`, in percent; all if there is no whole.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 100.0;
    }
    float(part) / float(whole) * 100.0
}

impl Rates {
    /// Of two readings of the same container.
    fn between(before: &Sample, now: &Sample) -> Self {
        let seconds = now.at.saturating_duration_since(before.at).as_secs_f64();
        if seconds <= 0.0 {
            return Self::default();
        }
        let (old, new) = (&before.counters, &now.counters);
        // A counter that is less than before is another one.
        let grown = |old: Option<u64>, new: Option<u64>| {
            let grown = new?.checked_sub(old?)?;
            Some(float(grown) / seconds)
        };
        let cpu = |counters: &Counters| counters.cpu.map(|cpu| cpu.usage);
        let read = |counters: &Counters| counters.io.map(|io| io.read);
        let written = |counters: &Counters| counters.io.map(|io| io.written);
        Self {
            seconds: Some(seconds),
            cpu: grown(cpu(old), cpu(new)).map(|nanoseconds| nanoseconds / 1e7),
            read: grown(read(old), read(new)),
            written: grown(written(old), written(new)),
            throttled: old.cpu.zip(new.cpu).and_then(throttled),
        }
    }
}

fn throttled((old, new): (Cpu, Cpu)) -> Option<f64> {
    let periods = new.periods.checked_sub(old.periods)?;
    let throttled = new.throttled_periods.checked_sub(old.throttled_periods)?;
    (periods != 0).then(|| percent(throttled, periods))
}

/// The readings of the last minutes of one container, the latest last; 0 where nothing is known.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub(super) cpu: VecDeque<f64>,
    pub(super) memory: VecDeque<f64>,
    pub(super) read: VecDeque<f64>,
    pub(super) written: VecDeque<f64>,
    pub(super) pids: VecDeque<f64>,
    pub(super) pressure: VecDeque<f64>,
}

impl History {
    fn add(&mut self, row: &Row) {
        let counters = row.counters();
        for (series, value) in [
            (&mut self.cpu, row.rates.cpu),
            (
                &mut self.memory,
                counters.memory.map(|memory| float(memory.working_set)),
            ),
            (&mut self.read, row.rates.read),
            (&mut self.written, row.rates.written),
            (
                &mut self.pids,
                counters.pids.map(|pids| float(pids.current)),
            ),
            (&mut self.pressure, row.pressure()),
        ] {
            if series.len() == REMEMBERED {
                series.pop_front();
            }
            series.push_back(value.unwrap_or_default());
        }
    }
}

/// What is remembered of the containers from one reading to the next.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: HashMap<String, (Sample, History)>,
}

impl Memory {
    /// Takes a reading. Containers that are not in it are forgotten.
    pub(super) fn take(&mut self, round: Vec<Sample>) -> Vec<Row> {
        let mut before = std::mem::take(&mut self.known);
        let mut rows = Vec::with_capacity(round.len());
        for now in round {
            // Another container may have the id by now.
            let known = before
                .remove(&now.id)
                .filter(|(old, _)| old.created == now.created && old.bundle == now.bundle);
            let (rates, mut history) = match known {
                Some((old, history)) => (Rates::between(&old, &now), history),
                None => Default::default(),
            };
            let row = Row { now, rates };
            history.add(&row);
            self.known
                .insert(row.now.id.clone(), (row.now.clone(), history));
            rows.push(row);
        }
        rows
    }

    pub(super) fn history(&self, id: &str) -> Option<&History> {
        self.known.get(id).map(|(_, history)| history)
    }
}

/// What the containers use together.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) containers: usize,
    pub(super) running: usize,
    pub(super) cpu: f64,
    pub(super) memory: u64,
}

impl Totals {
    pub(super) fn of(rows: &[Row]) -> Self {
        let mut totals = Self::default();
        for row in rows {
            totals.containers += 1;
            totals.running += usize::from(row.now.status == Status::Running);
            totals.cpu += row.rates.cpu.unwrap_or_default();
            let memory = row.counters().memory.unwrap_or_default();
            totals.memory = totals.memory.saturating_add(memory.working_set);
        }
        totals
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, Instant};

    use super::super::sample::{Io, Memory as MemoryCount, Pids};
    use super::*;

    pub(crate) fn sample(id: &str, at: Instant) -> Sample {
        Sample {
            id: id.to_owned(),
            status: Status::Running,
            pid: Some(42),
            created: "2026-01-01T00:00:00Z".to_owned(),
            bundle: "/bundle".to_owned(),
            at,
            counters: Counters::default(),
        }
    }

    /// A container that has used so much processor time, in seconds.
    pub(crate) fn used(id: &str, at: Instant, seconds: u64) -> Sample {
        let mut sample = sample(id, at);
        sample.counters.cpu = Some(Cpu {
            usage: seconds * 1_000_000_000,
            ..Cpu::default()
        });
        sample.counters.memory = Some(MemoryCount {
            usage: 64 << 20,
            working_set: 48 << 20,
            limit: Some(96 << 20),
            oom_kills: 0,
        });
        sample.counters.pids = Some(Pids {
            current: 3,
            limit: Some(20),
        });
        sample.counters.io = Some(Io::default());
        sample
    }

    /// A container that has used this share of a processor.
    pub(crate) fn row(id: &str, cpu: f64) -> Row {
        let mut row = Row {
            now: used(id, Instant::now(), 1),
            rates: Rates::default(),
        };
        row.rates.cpu = Some(cpu);
        row.rates.read = Some(2048.0);
        row.rates.written = Some(0.0);
        row
    }

    #[test]
    fn percent_is_of_one_processor() {
        let start = Instant::now();
        let end = start + Duration::from_secs(4);
        let mut memory = Memory::default();
        let first = memory.take(vec![used("x", start, 10)]);
        assert_eq!(first[0].rates.cpu, None);
        let second = memory.take(vec![used("x", end, 16)]);
        let cpu = second[0].rates.cpu.unwrap();
        assert!((cpu - 150.0).abs() < 1e-6, "{cpu}");
        assert_eq!(second[0].memory_share(), Some(50.0));
    }

    #[test]
    fn a_container_made_again_begins_anew() {
        let start = Instant::now();
        let mut memory = Memory::default();
        memory.take(vec![used("x", start, 10)]);
        let mut other = used("x", start + Duration::from_secs(1), 11);
        other.created = "2026-01-01T00:00:01Z".to_owned();
        assert_eq!(memory.take(vec![other])[0].rates.cpu, None);
        assert_eq!(memory.history("x").unwrap().cpu.len(), 1);
        // And one that goes is forgotten.
        memory.take(Vec::new());
        assert!(memory.history("x").is_none());
    }

    #[test]
    fn a_counter_that_goes_back_is_no_rate() {
        let start = Instant::now();
        let mut memory = Memory::default();
        memory.take(vec![used("x", start, 10)]);
        let rows = memory.take(vec![used("x", start + Duration::from_secs(1), 9)]);
        assert_eq!(rows[0].rates.cpu, None);
        assert_eq!(rows[0].rates.read, Some(0.0));
    }

    #[test]
    fn throttling_is_a_share_of_the_periods_that_passed() {
        let cpu = |periods, throttled_periods| Cpu {
            periods,
            throttled_periods,
            ..Cpu::default()
        };
        assert_eq!(throttled((cpu(10, 5), cpu(20, 10))), Some(50.0));
        assert_eq!(throttled((cpu(10, 5), cpu(10, 5))), None);
        assert_eq!(throttled((cpu(10, 5), cpu(2, 0))), None);
    }

    #[test]
    fn old_readings_are_forgotten() {
        let start = Instant::now();
        let mut memory = Memory::default();
        for number in 0..REMEMBERED + 5 {
            let at = start + Duration::from_secs(number as u64);
            memory.take(vec![used("x", at, 0)]);
        }
        assert_eq!(memory.history("x").unwrap().cpu.len(), REMEMBERED);
    }
}
