use super::*;
use crate::fake::Fake;

const PRESSURE: &str = "some avg10=0.25 avg60=0.00 avg300=0.00 total=9\n\
                        full avg10=0.00 avg60=0.00 avg300=0.00 total=4\n";

/// A cgroup `ctr` of cgroup v2 that counts something for every controller.
fn complete() -> Fake {
    let fake = Fake::v2("cpu io memory pids rdma misc", "/");
    for (file, content) in [
        ("cpu.stat", "usage_usec 1\n"),
        ("cpu.pressure", PRESSURE),
        ("memory.stat", "file 1\n"),
        ("memory.current", "1\n"),
        ("memory.max", "1\n"),
        ("memory.pressure", PRESSURE),
        ("io.stat", "8:0 rbytes=1\n"),
        ("io.pressure", PRESSURE),
        ("pids.current", "1\n"),
        ("rdma.current", "a hca_handle=1\n"),
        ("rdma.max", "a hca_handle=max\n"),
        ("misc.current", "a 1\n"),
    ] {
        fake.file(format!("ctr/{file}"), content);
    }
    fake
}

/// Everything but one controller's part of `stats`.
fn without(controllers: Controllers, mut stats: Stats) -> Stats {
    let empty = Stats::default();
    stats.counted = empty.counted;
    match controllers {
        Controllers::CPU => stats.cpu = empty.cpu,
        Controllers::MEMORY => stats.memory = empty.memory,
        Controllers::IO => stats.blkio = empty.blkio,
        Controllers::PIDS => stats.pids = empty.pids,
        Controllers::RDMA => stats.rdma = empty.rdma,
        Controllers::MISC => stats.misc = empty.misc,
        _ => {}
    }
    stats
}

#[test]
fn only_what_is_asked_for_is_read() {
    let fake = complete();
    let cgroup = fake.cgroup("ctr");
    let all = cgroup.stats().unwrap();
    for one in [
        Controllers::CPU,
        Controllers::MEMORY,
        Controllers::IO,
        Controllers::PIDS,
        Controllers::RDMA,
        Controllers::MISC,
    ] {
        let stats = cgroup.stats_of(one).unwrap();
        assert_eq!(stats.counted, one);
        assert_eq!(without(one, stats.clone()), Stats::default(), "{one:?}");
        assert_ne!(stats, Stats::default(), "{one:?}");
    }
    let two = cgroup
        .stats_of(Controllers::CPU | Controllers::PIDS)
        .unwrap();
    assert_eq!((&two.cpu, two.pids), (&all.cpu, all.pids));
    assert_eq!(two.memory, Memory::default());
    // What is not asked for may be unreadable.
    fake.file("ctr/memory.current", "much\n");
    cgroup.stats().unwrap_err();
    cgroup.stats_of(Controllers::CPU).unwrap();
}

/// Numbers that are 0 differ from those of a controller that is not enabled.
#[test]
fn a_controller_that_is_not_there_is_not_counted() {
    let v2 = Fake::v2("cpu memory", "/");
    for (file, content) in [("cpu.stat", "usage_usec 0\n"), ("memory.stat", "file 0\n")] {
        v2.file(format!("ctr/{file}"), content);
    }
    v2.file("ctr/cpu.pressure", PRESSURE);
    v2.file("ctr/io.pressure", PRESSURE);
    let stats = v2.cgroup("ctr").stats().unwrap();
    assert_eq!(stats.counted, Controllers::CPU | Controllers::MEMORY);
    let v1 = Fake::v1("4:pids:/\n3:memory:/\n2:cpu,cpuacct:/\n1:hugetlb:/\n0::/\n");
    for (file, content) in [
        ("pids/ctr/pids.current", "0\n"),
        ("memory/ctr/memory.stat", "cache 0\n"),
        ("hugetlb/ctr/cgroup.procs", ""),
        ("cpu,cpuacct/ctr/cpuacct.stat", "user 0\nsystem 0\n"),
        ("unified/ctr/io.pressure", PRESSURE),
    ] {
        v1.file(file, content);
    }
    let counted = |wanted| v1.cgroup("ctr").stats_of(wanted).unwrap().counted;
    let all = Controllers::PIDS | Controllers::MEMORY | Controllers::CPU;
    assert_eq!(counted(Controllers::ALL), all);
    assert_eq!(
        counted(Controllers::PIDS | Controllers::IO),
        Controllers::PIDS
    );
    v1.file("memory/ctr/memory.numa_stat", "total=0 N0=0\n");
    assert_eq!(counted(Controllers::NUMA), Controllers::NUMA);
}

#[test]
fn controllers_are_a_set() {
    let two = Controllers::CPU | Controllers::PIDS;
    assert!(two.contains(Controllers::CPU) && two.contains(two));
    assert!(!two.contains(Controllers::IO) && !Controllers::CPU.contains(two));
    assert!(Controllers::ALL.contains(two) && two.contains(Controllers::default()));
}

#[test]
fn a_hybrid_machine_tells_the_pressure_as_well() {
    let fake = Fake::v1("3:cpu,cpuacct:/\n2:misc:/\n0::/\n");
    fake.file("cpu,cpuacct/ctr/cpuacct.usage_percpu", "2 3\n");
    fake.file("misc/ctr/misc.current", "sev 3\n");
    fake.file("unified/ctr/cpu.pressure", PRESSURE);
    fake.file("unified/ctr/memory.pressure", PRESSURE);
    let cgroup = fake.cgroup("ctr");
    let stats = cgroup.stats().unwrap();
    assert_eq!((stats.cpu.usage.total, stats.misc["sev"].usage), (5, 3));
    let some = stats.cpu.psi.unwrap().some;
    assert_eq!((some.avg10, some.total), (0.25, 9));
    assert_eq!(stats.memory.psi.unwrap().full.total, 4);
    assert_eq!(stats.blkio.psi, None);
    let stats = cgroup.stats_of(Controllers::MEMORY).unwrap();
    assert!(stats.memory.psi.is_some() && stats.cpu.psi.is_none());
}
