//! The columns of the table, as data.

use std::cmp::Ordering;

use super::rates::Row;
use super::text;

/// How much somebody has to look at a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Warning,
    Alarm,
}

/// A cell: its text and its tone.
pub(super) type Cell = (String, Tone);

/// A column of the table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// What it is called after `--sort`.
    pub(super) name: &'static str,
    /// The key that sorts by it.
    pub(super) key: u8,
    /// No narrower than this, so that columns do not move with every reading.
    pub(super) width: usize,
    /// Where there is no room for all, those of the highest number go first.
    pub(super) rank: u8,
    pub(super) cell: fn(&Row) -> Cell,
    /// The order of a table that is sorted by it.
    pub(super) order: fn(&Row, &Row) -> Ordering,
}

/// The columns, the id first, which takes the room that the others leave.
pub(super) static COLUMNS: &[Column] = &[
    Column {
        title: "ID",
        name: "id",
        key: b'n',
        width: 12,
        rank: 0,
        cell: |row| plain(row.now.id.clone()),
        order: |a, b| a.now.id.cmp(&b.now.id),
    },
    Column {
        title: "STATUS",
        name: "status",
        key: b's',
        width: 7,
        rank: 5,
        cell: |row| plain(row.now.status.as_str().to_owned()),
        order: |a, b| a.now.status.as_str().cmp(b.now.status.as_str()),
    },
    Column {
        title: "CPU%",
        name: "cpu",
        key: b'c',
        width: 6,
        rank: 1,
        cell: |row| plain(text::percent_or_dash(row.rates.cpu)),
        order: |a, b| descending(a.rates.cpu, b.rates.cpu),
    },
    Column {
        title: "MEM/LIMIT",
        name: "memory",
        key: b'm',
        width: 11,
        rank: 2,
        cell: memory,
        order: |a, b| {
            let used = |row: &Row| row.counters().memory.map(|memory| memory.working_set);
            used(b).cmp(&used(a))
        },
    },
    Column {
        title: "READ/s",
        name: "io",
        key: b'i',
        width: 6,
        rank: 6,
        cell: |row| plain(text::size_or_dash(row.rates.read)),
        order: |a, b| descending(a.io(), b.io()),
    },
    Column {
        title: "WRITE/s",
        name: "io",
        key: b'i',
        width: 7,
        rank: 7,
        cell: |row| plain(text::size_or_dash(row.rates.written)),
        order: |a, b| descending(a.io(), b.io()),
    },
    Column {
        title: "PIDS",
        name: "pids",
        key: b'p',
        width: 7,
        rank: 3,
        cell: pids,
        order: |a, b| {
            let current = |row: &Row| row.counters().pids.map(|pids| pids.current);
            current(b).cmp(&current(a))
        },
    },
    Column {
        title: "PSI CMI",
        name: "psi",
        key: b'w',
        width: 8,
        rank: 8,
        cell: pressure,
        order: |a, b| descending(a.pressure(), b.pressure()),
    },
    Column {
        title: "OOM",
        name: "oom",
        key: b'o',
        width: 3,
        rank: 4,
        cell: out_of_memory,
        order: |a, b| {
            let kills = |row: &Row| row.counters().memory.map(|memory| memory.oom_kills);
            kills(b).cmp(&kills(a))
        },
    },
    Column {
        title: "THR%",
        name: "throttled",
        key: b't',
        width: 4,
        rank: 9,
        cell: throttled,
        order: |a, b| descending(a.rates.throttled, b.rates.throttled),
    },
];

/// The column that is called so.
pub(super) fn by_name(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// The column that a key sorts by.
pub(super) fn by_key(key: u8) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.key == key)
}

fn plain(text: String) -> Cell {
    (text, Tone::Plain)
}

/// What is unknown is less than anything.
fn descending(a: Option<f64>, b: Option<f64>) -> Ordering {
    let number = |value: Option<f64>| value.unwrap_or(-1.0);
    number(b).total_cmp(&number(a))
}

/// The tone of something that is so many percent of what it may be.
fn tone(share: Option<f64>) -> Tone {
    match share {
        Some(share) if share >= 90.0 => Tone::Alarm,
        Some(share) if share >= 75.0 => Tone::Warning,
        _ => Tone::Plain,
    }
}

fn memory(row: &Row) -> Cell {
    let Some(memory) = row.counters().memory else {
        return plain("-".to_owned());
    };
    let used = text::size(memory.working_set);
    let cell = match memory.limit {
        Some(limit) => format!("{used}/{}", text::size(limit)),
        None => used,
    };
    (cell, tone(row.memory_share()))
}

fn pids(row: &Row) -> Cell {
    let Some(pids) = row.counters().pids else {
        return plain("-".to_owned());
    };
    match pids.limit {
        Some(limit) => (
            format!("{}/{limit}", pids.current),
            tone(Some(super::rates::percent(pids.current, limit))),
        ),
        None => plain(pids.current.to_string()),
    }
}

fn pressure(row: &Row) -> Cell {
    if row.pressure().is_none() {
        return plain("-".to_owned());
    }
    let pressure = row.counters().pressure;
    let number = |psi: Option<cgroups::stats::Psi>| {
        psi.map_or_else(|| "-".to_owned(), |psi| format!("{:.0}", psi.some.avg10))
    };
    let cell = format!(
        "{}/{}/{}",
        number(pressure.cpu),
        number(pressure.memory),
        number(pressure.io)
    );
    (cell, tone(row.pressure()))
}

fn out_of_memory(row: &Row) -> Cell {
    match row.counters().memory {
        None => plain("-".to_owned()),
        Some(memory) if memory.oom_kills == 0 => plain("0".to_owned()),
        Some(memory) => (memory.oom_kills.to_string(), Tone::Alarm),
    }
}

fn throttled(row: &Row) -> Cell {
    match row.rates.throttled {
        None => plain("-".to_owned()),
        Some(share) if share > 0.0 => (format!("{share:.0}"), Tone::Warning),
        Some(_) => plain("0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rates::tests::row;
    use super::*;

    #[test]
    fn keys_and_names_are_those_of_one_order() {
        for column in COLUMNS {
            let named = by_name(column.name).unwrap();
            assert!(std::ptr::eq(named, by_key(column.key).unwrap()));
        }
        assert!(by_name("colour").is_none() && by_key(b'q').is_none());
    }

    #[test]
    fn what_is_near_its_limit_has_another_tone() {
        let mut full = row("x", 1.0);
        let memory = full.now.counters.memory.as_mut().unwrap();
        for (used, tone) in [(48, Tone::Plain), (75, Tone::Warning), (95, Tone::Alarm)] {
            memory.working_set = used << 20;
            memory.limit = Some(100 << 20);
            let row = Row {
                now: super::super::sample::Sample {
                    counters: super::super::sample::Counters {
                        memory: Some(*memory),
                        ..Default::default()
                    },
                    ..row("x", 1.0).now
                },
                rates: Default::default(),
            };
            assert_eq!(super::memory(&row).1, tone, "{used}");
            // The others are not counted for it.
            assert_eq!(pids(&row).0, "-");
            assert_eq!(pressure(&row).0, "-");
        }
    }
}
