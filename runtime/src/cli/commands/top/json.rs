//! One JSON object a container and reading.

use std::time::SystemTime;

use cgroups::stats::Psi;
use serde::Serialize;

use super::rates::Row;
use crate::timestamp::rfc3339;

/// A line of `--format json`. What is not counted for the container, or not known yet, is `null`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'a> {
    /// When it was written, RFC 3339, UTC.
    time: String,
    id: &'a str,
    status: &'a str,
    pid: Option<i32>,
    created: &'a str,
    /// Seconds between this reading and the one before, over which the rates are.
    interval_seconds: Option<f64>,
    cpu: Option<Cpu>,
    memory: Option<Memory>,
    io: Option<Io>,
    pids: Option<Pids>,
    pressure: Pressure<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    /// 100 is one processor.
    percent: Option<f64>,
    usage_nanoseconds: u64,
    periods: u64,
    throttled_periods: u64,
    throttled_nanoseconds: u64,
    /// Of the periods since the reading before.
    throttled_percent: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    usage_bytes: u64,
    working_set_bytes: u64,
    /// `null` is no limit.
    limit_bytes: Option<u64>,
    /// The working set, of the limit.
    percent: Option<f64>,
    oom_kills: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Io {
    read_bytes: u64,
    written_bytes: u64,
    read_bytes_per_second: Option<f64>,
    written_bytes_per_second: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Pids {
    current: u64,
    /// `null` is no limit.
    limit: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Pressure<'a> {
    cpu: Option<&'a Psi>,
    memory: Option<&'a Psi>,
    io: Option<&'a Psi>,
}

impl<'a> Line<'a> {
    pub(super) fn new(row: &'a Row, time: SystemTime) -> Self {
        let (now, rates) = (&row.now, row.rates);
        let counters = &now.counters;
        Self {
            time: rfc3339(time),
            id: &now.id,
            status: now.status.as_str(),
            pid: now.pid,
            created: &now.created,
            interval_seconds: rates.seconds,
            cpu: counters.cpu.map(|cpu| Cpu {
                percent: rates.cpu,
                usage_nanoseconds: cpu.usage,
                periods: cpu.periods,
                throttled_periods: cpu.throttled_periods,
                throttled_nanoseconds: cpu.throttled_time,
                throttled_percent: rates.throttled,
            }),
            memory: counters.memory.map(|memory| Memory {
                usage_bytes: memory.usage,
                working_set_bytes: memory.working_set,
                limit_bytes: memory.limit,
                percent: row.memory_share(),
                oom_kills: memory.oom_kills,
            }),
            io: counters.io.map(|io| Io {
                read_bytes: io.read,
                written_bytes: io.written,
                read_bytes_per_second: rates.read,
                written_bytes_per_second: rates.written,
            }),
            pids: counters.pids.map(|pids| Pids {
                current: pids.current,
                limit: pids.limit,
            }),
            pressure: Pressure {
                cpu: counters.pressure.cpu.as_ref(),
                memory: counters.pressure.memory.as_ref(),
                io: counters.pressure.io.as_ref(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::rates::tests::{row, sample};
    use super::*;

    #[test]
    fn what_is_not_counted_is_null() {
        let bare = Row {
            now: sample("x", std::time::Instant::now()),
            rates: Default::default(),
        };
        let line = serde_json::to_value(Line::new(&bare, SystemTime::UNIX_EPOCH)).unwrap();
        assert_eq!(
            line,
            json!({
                "time": "1970-01-01T00:00:00Z",
                "id": "x",
                "status": "running",
                "pid": 42,
                "created": "2026-01-01T00:00:00Z",
                "intervalSeconds": null,
                "cpu": null,
                "memory": null,
                "io": null,
                "pids": null,
                "pressure": { "cpu": null, "memory": null, "io": null },
            })
        );
        let full = row("x", 12.5);
        let line = serde_json::to_value(Line::new(&full, SystemTime::UNIX_EPOCH)).unwrap();
        assert_eq!(line["cpu"]["percent"], 12.5);
        assert_eq!(line["memory"]["percent"], 50.0);
        assert_eq!(line["io"]["readBytesPerSecond"], 2048.0);
        assert_eq!(line["pids"], json!({ "current": 3, "limit": 20 }));
    }
}
