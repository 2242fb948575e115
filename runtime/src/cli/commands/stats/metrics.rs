//! The metrics as data: what they are called, and where their numbers come from.

use cgroups::stats::{BlkioEntry, Controllers, Psi};

use super::exposition::{self, Kind, Number, Sample, Syntax};
use crate::Status;
use crate::cli::usage;
use crate::container::stats::{NetworkInterface, Stats};

/// A container, and what it has used.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) id: String,
    pub(super) status: Status,
    /// `None` if it is stopped, or has no cgroup.
    pub(super) stats: Option<Stats>,
    /// `None` if that is unknown.
    pub(super) oom_kills: Option<u64>,
}

/// A metric.
struct Metric {
    /// After `cofferdam_container_`.
    name: &'static str,
    kind: Kind,
    help: &'static str,
    samples: fn(&Subject, &Stats) -> Vec<Sample>,
}

const STATUSES: [Status; 5] = [
    Status::Creating,
    Status::Created,
    Status::Running,
    Status::Paused,
    Status::Stopped,
];

static METRICS: &[Metric] = &[
    Metric {
        name: "cpu_usage_seconds_total",
        kind: Kind::Counter,
        help: "Processor time used.",
        samples: |_, stats| time(stats, Controllers::CPU, stats.cgroup.cpu.usage.total),
    },
    Metric {
        name: "cpu_user_seconds_total",
        kind: Kind::Counter,
        help: "Processor time used in user mode.",
        samples: |_, stats| time(stats, Controllers::CPU, stats.cgroup.cpu.usage.user),
    },
    Metric {
        name: "cpu_system_seconds_total",
        kind: Kind::Counter,
        help: "Processor time used in the kernel.",
        samples: |_, stats| time(stats, Controllers::CPU, stats.cgroup.cpu.usage.kernel),
    },
    Metric {
        name: "cpu_periods_total",
        kind: Kind::Counter,
        help: "Periods of the CPU quota that have passed.",
        samples: |_, stats| count(stats, Controllers::CPU, stats.cgroup.cpu.throttling.periods),
    },
    Metric {
        name: "cpu_throttled_periods_total",
        kind: Kind::Counter,
        help: "Periods in which the CPU quota ran out.",
        samples: |_, stats| {
            let periods = stats.cgroup.cpu.throttling.throttled_periods;
            count(stats, Controllers::CPU, periods)
        },
    },
    Metric {
        name: "cpu_throttled_seconds_total",
        kind: Kind::Counter,
        help: "Time that the processes have waited for CPU quota.",
        samples: |_, stats| {
            let waited = stats.cgroup.cpu.throttling.throttled_time;
            time(stats, Controllers::CPU, waited)
        },
    },
    Metric {
        name: "memory_usage_bytes",
        kind: Kind::Gauge,
        help: "Memory in use, with the page cache.",
        samples: |_, stats| count(stats, Controllers::MEMORY, stats.cgroup.memory.usage.usage),
    },
    Metric {
        name: "memory_working_set_bytes",
        kind: Kind::Gauge,
        help: "Memory in use without page cache that was not used lately.",
        samples: |_, stats| {
            let set = usage::working_set(&stats.cgroup.memory);
            count(stats, Controllers::MEMORY, set)
        },
    },
    Metric {
        name: "memory_cache_bytes",
        kind: Kind::Gauge,
        help: "Page cache.",
        samples: |_, stats| count(stats, Controllers::MEMORY, stats.cgroup.memory.cache),
    },
    Metric {
        name: "memory_limit_bytes",
        kind: Kind::Gauge,
        help: "The memory limit; no sample if there is none.",
        samples: |_, stats| {
            let limit = usage::memory_limit(&stats.cgroup.memory);
            limit.map_or_else(Vec::new, |limit| count(stats, Controllers::MEMORY, limit))
        },
    },
    Metric {
        name: "memory_limit_hits_total",
        kind: Kind::Counter,
        help: "How often the memory limit was hit.",
        samples: |_, stats| {
            count(
                stats,
                Controllers::MEMORY,
                stats.cgroup.memory.usage.failcnt,
            )
        },
    },
    Metric {
        name: "memory_oom_kills_total",
        kind: Kind::Counter,
        help: "Processes that the kernel has killed for lack of memory.",
        samples: |subject, stats| {
            let kills = subject.oom_kills;
            kills.map_or_else(Vec::new, |kills| count(stats, Controllers::MEMORY, kills))
        },
    },
    Metric {
        name: "processes",
        kind: Kind::Gauge,
        help: "Processes and threads.",
        samples: |_, stats| count(stats, Controllers::PIDS, stats.cgroup.pids.current),
    },
    Metric {
        name: "processes_limit",
        kind: Kind::Gauge,
        help: "How many processes and threads there may be; no sample if there is no limit.",
        samples: |_, stats| match stats.cgroup.pids.limit {
            0 => Vec::new(),
            limit => count(stats, Controllers::PIDS, limit),
        },
    },
    Metric {
        name: "io_read_bytes_total",
        kind: Kind::Counter,
        help: "Bytes read from a block device.",
        samples: |_, stats| devices(&stats.cgroup.blkio.io_service_bytes_recursive, "Read"),
    },
    Metric {
        name: "io_written_bytes_total",
        kind: Kind::Counter,
        help: "Bytes written to a block device.",
        samples: |_, stats| devices(&stats.cgroup.blkio.io_service_bytes_recursive, "Write"),
    },
    Metric {
        name: "io_reads_total",
        kind: Kind::Counter,
        help: "Read operations of a block device.",
        samples: |_, stats| devices(&stats.cgroup.blkio.io_serviced_recursive, "Read"),
    },
    Metric {
        name: "io_writes_total",
        kind: Kind::Counter,
        help: "Write operations of a block device.",
        samples: |_, stats| devices(&stats.cgroup.blkio.io_serviced_recursive, "Write"),
    },
    Metric {
        name: "pressure_seconds_total",
        kind: Kind::Counter,
        help: "Time in which some or all tasks have waited for a resource (PSI).",
        samples: |_, stats| pressure(stats),
    },
    Metric {
        name: "hugetlb_usage_bytes",
        kind: Kind::Gauge,
        help: "Huge pages in use.",
        samples: |_, stats| {
            let sizes = stats.cgroup.hugetlb.iter();
            let samples = sizes.map(|(size, pages)| one("size", size, pages.usage));
            samples.collect()
        },
    },
    Metric {
        name: "network_receive_bytes_total",
        kind: Kind::Counter,
        help: "Bytes received.",
        samples: |_, stats| interfaces(stats, |one| one.rx_bytes),
    },
    Metric {
        name: "network_receive_packets_total",
        kind: Kind::Counter,
        help: "Packets received.",
        samples: |_, stats| interfaces(stats, |one| one.rx_packets),
    },
    Metric {
        name: "network_receive_errors_total",
        kind: Kind::Counter,
        help: "Failed receptions.",
        samples: |_, stats| interfaces(stats, |one| one.rx_errors),
    },
    Metric {
        name: "network_receive_dropped_total",
        kind: Kind::Counter,
        help: "Packets dropped on receive.",
        samples: |_, stats| interfaces(stats, |one| one.rx_dropped),
    },
    Metric {
        name: "network_transmit_bytes_total",
        kind: Kind::Counter,
        help: "Bytes sent.",
        samples: |_, stats| interfaces(stats, |one| one.tx_bytes),
    },
    Metric {
        name: "network_transmit_packets_total",
        kind: Kind::Counter,
        help: "Packets sent.",
        samples: |_, stats| interfaces(stats, |one| one.tx_packets),
    },
    Metric {
        name: "network_transmit_errors_total",
        kind: Kind::Counter,
        help: "Failed transmissions.",
        samples: |_, stats| interfaces(stats, |one| one.tx_errors),
    },
    Metric {
        name: "network_transmit_dropped_total",
        kind: Kind::Counter,
        help: "Packets dropped on transmit.",
        samples: |_, stats| interfaces(stats, |one| one.tx_dropped),
    },
];

/// The whole text.
pub(super) fn text(subjects: &[Subject], unreadable: u64, syntax: Syntax) -> String {
    let mut text = String::new();
    let head = (
        "cofferdam_unreadable_containers",
        Kind::Gauge,
        "Containers of the state root that could not be read.",
    );
    let unreadable = [(Vec::new(), Number::Whole(unreadable))];
    exposition::family(&mut text, syntax, head, &unreadable);
    let status = (
        "cofferdam_container_status",
        Kind::Gauge,
        "1 for the status that the container has, 0 for the others.",
    );
    let samples: Vec<Sample> = subjects.iter().flat_map(statuses).collect();
    exposition::family(&mut text, syntax, status, &samples);
    for metric in METRICS {
        let samples = subjects.iter().flat_map(|subject| {
            let stats = subject.stats.iter();
            let samples = stats.flat_map(|stats| (metric.samples)(subject, stats));
            samples.map(|sample| of(&subject.id, sample))
        });
        let samples: Vec<Sample> = samples.collect();
        let name = format!("cofferdam_container_{}", metric.name);
        let head = (name.as_str(), metric.kind, metric.help);
        exposition::family(&mut text, syntax, head, &samples);
    }
    exposition::end(&mut text, syntax);
    text
}

/// The sample with the container it is of.
fn of(id: &str, (mut labels, number): Sample) -> Sample {
    labels.insert(0, ("container", id.to_owned()));
    (labels, number)
}

fn statuses(subject: &Subject) -> Vec<Sample> {
    let samples = STATUSES.iter().map(|status| {
        let has = u64::from(subject.status == *status);
        of(&subject.id, one("status", status.as_str(), has))
    });
    samples.collect()
}

fn one(label: &'static str, value: &str, number: u64) -> Sample {
    (vec![(label, value.to_owned())], Number::Whole(number))
}

/// The number, if the controller counts.
fn count(stats: &Stats, controller: Controllers, number: u64) -> Vec<Sample> {
    if stats.cgroup.counted.contains(controller) {
        vec![(Vec::new(), Number::Whole(number))]
    } else {
        Vec::new()
    }
}

/// The same for nanoseconds.
fn time(stats: &Stats, controller: Controllers, nanoseconds: u64) -> Vec<Sample> {
    let samples = count(stats, controller, nanoseconds).into_iter();
    samples
        .map(|(labels, _)| (labels, Number::Nanoseconds(nanoseconds)))
        .collect()
}

fn devices(entries: &[BlkioEntry], operation: &str) -> Vec<Sample> {
    let entries = entries.iter().filter(|entry| entry.op == operation);
    let samples = entries.map(|entry| {
        let device = format!("{}:{}", entry.major, entry.minor);
        one("device", &device, entry.value)
    });
    samples.collect()
}

fn pressure(stats: &Stats) -> Vec<Sample> {
    let group = &stats.cgroup;
    let resources = [
        ("cpu", group.cpu.psi),
        ("memory", group.memory.psi),
        ("io", group.blkio.psi),
    ];
    let both = |(resource, psi): (&'static str, Option<Psi>)| {
        let kinds = psi.map(|psi| [("some", psi.some.total), ("full", psi.full.total)]);
        kinds.into_iter().flatten().map(move |(kind, total)| {
            let labels = vec![
                ("resource", resource.to_owned()),
                ("tasks", kind.to_owned()),
            ];
            (labels, Number::Nanoseconds(total.saturating_mul(1000)))
        })
    };
    resources.into_iter().flat_map(both).collect()
}

fn interfaces(stats: &Stats, number: fn(&NetworkInterface) -> u64) -> Vec<Sample> {
    let interfaces = stats.network_interfaces.iter().flatten();
    let samples = interfaces.map(|interface| one("interface", &interface.name, number(interface)));
    samples.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(id: &str) -> Subject {
        let mut stats = Stats::default();
        stats.cgroup.counted = Controllers::ALL;
        stats.cgroup.cpu.usage.total = 1_500_000_000;
        stats.cgroup.memory.usage.limit = u64::MAX;
        let mut psi = Psi::default();
        psi.full.total = 7;
        stats.cgroup.cpu.psi = Some(psi);
        Subject {
            id: id.to_owned(),
            status: Status::Running,
            stats: Some(stats),
            oom_kills: Some(2),
        }
    }

    #[test]
    fn names_follow_the_conventions() {
        for metric in METRICS {
            let name = metric.name;
            let counter = metric.kind == Kind::Counter;
            assert_eq!(name.ends_with("_total"), counter, "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            assert!(name.chars().all(plain), "{name}");
        }
    }

    #[test]
    fn numbers_are_in_seconds_and_limits_that_are_none_have_no_sample() {
        let text = text(&[subject("x"), subject("y")], 0, Syntax::Prometheus);
        for line in [
            "cofferdam_container_cpu_usage_seconds_total{container=\"y\"} 1.500000000",
            "cofferdam_container_pressure_seconds_total{container=\"x\",resource=\"cpu\",tasks=\"full\"} 0.000007000",
            "cofferdam_container_memory_oom_kills_total{container=\"x\"} 2",
            "cofferdam_container_status{container=\"x\",status=\"running\"} 1",
            "cofferdam_container_status{container=\"x\",status=\"paused\"} 0",
            "cofferdam_unreadable_containers 0",
        ] {
            assert!(text.lines().any(|other| other == line), "{line}: {text}");
        }
        assert!(!text.contains("memory_limit_bytes") && !text.contains("processes_limit"));
    }

    #[test]
    fn what_is_not_counted_has_no_sample() {
        let mut bare = subject("x");
        bare.stats = Some(Stats::default());
        let mut stopped = subject("y");
        (stopped.stats, stopped.status) = (None, Status::Stopped);
        let text = text(&[bare, stopped], 1, Syntax::OpenMetrics);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples.len(), 1 + 2 * STATUSES.len(), "{text}");
    }
}
