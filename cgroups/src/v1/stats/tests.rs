use super::pages_by_node;
use crate::ErrorKind;
use crate::v1::tests::fake;

#[test]
fn statistics() {
    let fake = fake();
    for (name, content) in [
        (
            "cpu,cpuacct/ctr/cpu.stat",
            "nr_periods 4\nnr_throttled 2\nthrottled_time 77\n",
        ),
        ("cpu,cpuacct/ctr/cpuacct.stat", "user 3\nsystem 5\n"),
        ("cpu,cpuacct/ctr/cpuacct.usage_percpu", "10 20 \n"),
        (
            "cpu,cpuacct/ctr/cpuacct.usage_all",
            "cpu user system\n0 6 4\n1 12 8\n",
        ),
        ("cpuset/ctr/cpuset.cpus", "0-1,3\n"),
        ("cpuset/ctr/cpuset.mems", "0\n"),
        ("cpuset/ctr/cpuset.sched_load_balance", "1\n"),
        ("cpuset/ctr/cpuset.sched_relax_domain_level", "-1\n"),
        ("memory/ctr/memory.stat", "cache 512\nrss 1024\n"),
        ("memory/ctr/memory.usage_in_bytes", "2048\n"),
        ("memory/ctr/memory.max_usage_in_bytes", "4096\n"),
        ("memory/ctr/memory.failcnt", "3\n"),
        ("memory/ctr/memory.limit_in_bytes", "8192\n"),
        ("memory/ctr/memory.kmem.usage_in_bytes", "1\n"),
        ("memory/ctr/memory.use_hierarchy", "1\n"),
        (
            "memory/ctr/memory.numa_stat",
            "total=9 N0=4 N1=5\nanon=1 N0=1\nnew_thing x\nhierarchical_file=7 N0=7\n",
        ),
        ("pids/ctr/pids.current", "2\n"),
        ("pids/ctr/pids.max", "max\n"),
        (
            "blkio/ctr/blkio.throttle.io_serviced_recursive",
            "8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n",
        ),
        (
            "blkio/ctr/blkio.throttle.io_service_bytes_recursive",
            "8:0 Read 100\nTotal 100\n",
        ),
    ] {
        fake.file(name, content);
    }
    let stats = fake.cgroup("ctr").stats().unwrap();
    let usage = &stats.cpu.usage;
    assert_eq!((usage.total, usage.user), (30, 30_000_000));
    assert_eq!(usage.kernel, 50_000_000);
    assert_eq!(usage.percpu, [10, 20]);
    assert_eq!(usage.percpu_user, [6, 12]);
    assert_eq!(usage.percpu_kernel, [4, 8]);
    assert_eq!(stats.cpu.throttling.throttled_time, 77);
    assert_eq!(
        (&*stats.cpuset.cpus, &*stats.cpuset.mems),
        (&[0, 1, 3][..], &[0][..])
    );
    assert_eq!(stats.cpuset.sched_relax_domain_level, -1);
    let memory = &stats.memory;
    assert_eq!((memory.cache, memory.raw["rss"]), (512, 1024));
    assert_eq!((memory.usage.usage, memory.usage.max), (2048, 4096));
    assert_eq!((memory.usage.failcnt, memory.usage.limit), (3, 8192));
    assert_eq!((memory.kernel.usage, memory.swap.usage), (1, 0));
    assert!(memory.use_hierarchy);
    assert_eq!(memory.numa.own.total.nodes[&1], 5);
    assert_eq!(memory.numa.hierarchical.file.total, 7);
    assert_eq!((stats.pids.current, stats.pids.limit), (2, 0));
    let operations: Vec<_> = stats
        .blkio
        .io_serviced_recursive
        .iter()
        .map(|entry| (entry.op.as_str(), entry.value))
        .collect();
    assert_eq!(operations, [("Read", 1), ("Write", 2), ("Total", 3)]);
    assert_eq!(stats.blkio.io_service_bytes_recursive.len(), 1);
}

#[test]
fn the_richest_block_statistics_win() {
    let fake = fake();
    fake.file("blkio/ctr/blkio.throttle.io_serviced", "8:0 Read 9\n");
    let serviced = || {
        let stats = fake.cgroup("ctr").stats().unwrap();
        (
            stats.blkio.io_serviced_recursive[0].value,
            stats.blkio.sectors_recursive.len(),
        )
    };
    assert_eq!(serviced(), (9, 0));
    fake.file("blkio/ctr/blkio.bfq.io_serviced_recursive", "8:0 Read 5\n");
    assert_eq!(serviced(), (5, 0));
    fake.file("blkio/ctr/blkio.bfq.sectors_recursive", "8:0 77\n8:16 1\n");
    assert_eq!(serviced(), (5, 2));
}

#[test]
fn block_statistics_that_exist_and_are_empty_do_not_hide_others() {
    let sets = [
        ["bfq.sectors_recursive", "bfq.io_serviced_recursive"],
        [
            "bfq.io_serviced_recursive",
            "throttle.io_serviced_recursive",
        ],
        ["sectors_recursive", "throttle.io_serviced"],
        ["throttle.io_serviced_recursive", "throttle.io_serviced"],
    ];
    for [empty, full] in sets {
        for nothing in ["", "Total 0\n"] {
            let fake = fake();
            fake.file(format!("blkio/ctr/blkio.{empty}"), nothing);
            fake.file(format!("blkio/ctr/blkio.{full}"), "8:0 Read 9\nTotal 9\n");
            let stats = fake.cgroup("ctr").stats().unwrap();
            let read = stats.blkio.io_serviced_recursive.first();
            assert_eq!(read.map(|entry| entry.value), Some(9), "{empty} {full}");
        }
    }
}

#[test]
fn malformed_statistics() {
    for (name, content) in [
        ("cpu,cpuacct/ctr/cpuacct.usage_percpu", "x\n"),
        ("cpu,cpuacct/ctr/cpuacct.usage_all", "cpu usage\n"),
        (
            "cpu,cpuacct/ctr/cpuacct.usage_all",
            "cpu user system\n0 1\n",
        ),
        ("cpuset/ctr/cpuset.cpus", "a\n"),
        ("memory/ctr/memory.stat", "cache\n"),
        ("pids/ctr/pids.current", "x\n"),
        ("blkio/ctr/blkio.throttle.io_serviced", "8:0 Read x\n"),
        ("blkio/ctr/blkio.throttle.io_serviced", "8 Read 1\n"),
        ("blkio/ctr/blkio.throttle.io_serviced", "8:0 Read 1 2\n"),
    ] {
        let fake = fake();
        fake.file(name, content);
        let error = fake.cgroup("ctr").stats().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Parse, "{name}");
    }
    assert_eq!(pages_by_node("total=1 N0\n"), None);
    assert_eq!(pages_by_node("total=1 X0=1\n"), None);
}

#[test]
fn huge_pages_that_are_reserved_come_before_those_in_use() {
    let Some(size) = crate::hugepages::sizes().first().cloned() else {
        // A kernel without huge pages has no such files.
        return;
    };
    let fake = crate::fake::Fake::v1("2:hugetlb:/\n1:devices:/\n");
    let file = |name: &str, text: &str| {
        fake.file(format!("hugetlb/ctr/hugetlb.{size}.{name}"), text);
    };
    let read = || fake.cgroup("ctr").stats().unwrap().hugetlb[&size];
    for (name, text) in [
        ("usage_in_bytes", "1\n"),
        ("max_usage_in_bytes", "2\n"),
        ("failcnt", "3\n"),
    ] {
        file(name, text);
    }
    assert_eq!((read().usage, read().max, read().failcnt), (1, 2, 3));
    file("rsvd.usage_in_bytes", "4\n");
    file("rsvd.failcnt", "5\n");
    assert_eq!((read().usage, read().max, read().failcnt), (4, 0, 5));
}
