use std::path::Path;

use super::*;
use crate::ErrorKind;
use crate::v2::tests::fake;

#[test]
fn statistics() {
    let fake = fake();
    for (name, content) in [
        ("pids.current", "3\n"),
        ("pids.max", "10\n"),
        ("memory.stat", "anon 100\nfile 40\npgfault 7\n"),
        ("memory.current", "150\n"),
        ("memory.max", "1000\n"),
        ("memory.peak", "200\n"),
        ("memory.swap.current", "5\n"),
        ("memory.swap.max", "500\n"),
        (
            "cpu.stat",
            "usage_usec 10\nuser_usec 6\nsystem_usec 4\nnr_periods 2\nnr_throttled 1\n\
             throttled_usec 3\nnr_bursts 5\nburst_usec 6\n",
        ),
        (
            "cpu.pressure",
            "some avg10=1.50 avg60=0.10 avg300=0.00 total=42\n\
             full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
        ),
        (
            "io.stat",
            "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0 cost.vrate=99.50\n\
             (unknown) rbytes=1\n\n254:16\n",
        ),
        ("rdma.current", "mlx5_0 hca_handle=2 hca_object=20\n"),
        ("rdma.max", "mlx5_0 hca_handle=max hca_object=200\n"),
        ("misc.current", "res_a 3\n"),
        ("misc.events", "res_a.max 2\n"),
    ] {
        fake.file(Path::new("ctr").join(name), content);
    }
    let stats = fake.cgroup("ctr").stats().unwrap();
    assert_eq!((stats.pids.current, stats.pids.limit), (3, 10));
    let usage = &stats.cpu.usage;
    assert_eq!(
        (usage.total, usage.user, usage.kernel),
        (10_000, 6_000, 4_000)
    );
    let throttling = stats.cpu.throttling;
    assert_eq!((throttling.periods, throttling.throttled_periods), (2, 1));
    assert_eq!((throttling.throttled_time, throttling.bursts), (3_000, 5));
    let psi = stats.cpu.psi.unwrap();
    assert_eq!(
        (psi.some.avg10, psi.some.total, psi.full.total),
        (1.5, 42, 7)
    );
    assert_eq!((stats.memory.psi, stats.blkio.psi), (None, None));
    let memory = &stats.memory;
    assert_eq!((memory.cache, memory.raw["pgfault"]), (40, 7));
    assert_eq!(
        memory.usage,
        MemoryEntry {
            limit: 1000,
            usage: 150,
            max: 200,
            failcnt: 0
        }
    );
    assert_eq!((memory.swap.usage, memory.swap.limit), (155, 1500));
    assert_eq!((memory.swap_only.usage, memory.swap_only.limit), (5, 500));
    let bytes: Vec<_> = stats
        .blkio
        .io_service_bytes_recursive
        .iter()
        .map(|entry| (entry.major, entry.op.as_str(), entry.value))
        .collect();
    assert_eq!(bytes, [(8, "Read", 10), (8, "Write", 20)]);
    assert_eq!(stats.blkio.cost["cost.vrate"][0].value, 99);
    assert_eq!(stats.rdma.limit["mlx5_0"].hca_handles, u32::MAX);
    assert_eq!(stats.rdma.current["mlx5_0"].hca_objects, 20);
    assert_eq!(
        (stats.misc["res_a"].usage, stats.misc["res_a"].events),
        (3, 2)
    );
}

#[test]
fn statistics_without_controllers() {
    let fake = fake();
    fake.file("ctr/cgroup.procs", "1\n2\n");
    let stats = fake.cgroup("ctr").stats().unwrap();
    assert_eq!((stats.pids.current, stats.pids.limit), (2, 0));
    assert_eq!(stats.memory, Memory::default());
}

#[test]
fn unlimited_in_statistics() {
    let fake = fake();
    for (name, content) in [
        ("pids.current", "3\n"),
        ("pids.max", "max\n"),
        ("memory.stat", "anon 1\n"),
        ("memory.current", "1\n"),
        ("memory.max", "max\n"),
        ("memory.swap.current", "0\n"),
        ("memory.swap.max", "max\n"),
    ] {
        fake.file(Path::new("ctr").join(name), content);
    }
    let stats = fake.cgroup("ctr").stats().unwrap();
    assert_eq!(stats.pids.limit, 0);
    assert_eq!(stats.memory.usage.limit, u64::MAX);
    assert_eq!(stats.memory.swap.limit, u64::MAX);
}

/// What was logged in this process: another test may run beside.
static LOGGED: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());

struct Collector;

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOGGED.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

#[test]
fn of_several_failing_statistics_the_first_is_returned_and_all_are_logged() {
    log::set_logger(&Collector).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let fake = fake();
    let failing = [
        "pids.current",
        "memory.stat",
        "cpu.pressure",
        "misc.current",
    ];
    for name in failing {
        fake.file(Path::new("ctr").join(name), "some x\n");
    }
    let place = |name: &str| format!("{}: ", fake.root().join("ctr").join(name).display());
    let error = fake.cgroup("ctr").stats().unwrap_err().to_string();
    assert!(error.contains(&place("pids.current")), "{error}");
    let logged = LOGGED.lock().unwrap();
    for name in failing {
        let is_named = |line: &String| line.contains(&place(name));
        assert!(logged.iter().any(is_named), "{name}: {logged:?}");
    }
}

#[test]
fn malformed_statistics_are_errors_except_for_rootless_callers() {
    for (name, content) in [
        ("pids.current", "x\n"),
        ("memory.stat", "anon\n"),
        ("cpu.stat", "usage_usec\n"),
        ("cpu.pressure", "some avg10=x\n"),
        ("io.stat", "8:0 rbytes=x\n"),
        ("rdma.current", "mlx5_0 hca_handle=x\n"),
        ("misc.current", "res_a\n"),
    ] {
        let fake = fake();
        fake.file(Path::new("ctr").join(name), content);
        let mut cgroup = fake.cgroup("ctr");
        let error = cgroup.stats().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parse, "{name}");
        let place = fake.root().join("ctr").join(name);
        let start = format!("unable to parse {}: ", place.display());
        assert!(error.to_string().starts_with(&start), "{error}");
        cgroup.set_rootless(true);
        cgroup.stats().unwrap();
    }
}

#[test]
fn the_root_cgroup_counts_what_the_machine_uses() {
    let fake = fake();
    fake.file("memory.stat", "anon 100\nfile 40\n");
    fake.process_file("../meminfo", "SwapTotal:  30 kB\nSwapFree:   10 kB\n");
    let memory = fake.cgroup("").stats().unwrap().memory;
    let unlimited = |usage| MemoryEntry {
        usage,
        limit: u64::MAX,
        ..MemoryEntry::default()
    };
    assert_eq!((memory.cache, memory.use_hierarchy), (40, true));
    assert_eq!(memory.usage, unlimited(140));
    assert_eq!(memory.swap_only, unlimited(20 << 10));
    assert_eq!(memory.swap, unlimited((20 << 10) + 140));

    // Any other cgroup without these files has no memory controller.
    fake.file("ctr/memory.stat", "anon 100\n");
    let memory = fake.cgroup("ctr").stats().unwrap().memory;
    assert_eq!(memory.usage, MemoryEntry::default());
    assert_eq!(memory.swap_only, MemoryEntry::default());
}
