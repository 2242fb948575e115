//! Files of cgroupfs, on a made-up tree: content that is not as documented is an error, never more.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::LazyLock;

use cgroups::{Cgroup, Hierarchy, Paths};
use tempfile::TempDir;

const V1: &[(&str, &[&str])] = &[
    ("cpu", &["cpu.stat"]),
    (
        "cpuacct",
        &[
            "cpuacct.stat",
            "cpuacct.usage_percpu",
            "cpuacct.usage_all",
        ],
    ),
    (
        "cpuset",
        &[
            "cpuset.cpus",
            "cpuset.mems",
            "cpuset.cpu_exclusive",
            "cpuset.memory_pressure",
            "cpuset.sched_relax_domain_level",
        ],
    ),
    (
        "memory",
        &[
            "memory.stat",
            "memory.usage_in_bytes",
            "memory.max_usage_in_bytes",
            "memory.limit_in_bytes",
            "memory.failcnt",
            "memory.memsw.usage_in_bytes",
            "memory.memsw.limit_in_bytes",
            "memory.kmem.usage_in_bytes",
            "memory.use_hierarchy",
            "memory.numa_stat",
            "memory.oom_control",
        ],
    ),
    ("pids", &["pids.current", "pids.max"]),
    (
        "blkio",
        &[
            "blkio.bfq.sectors_recursive",
            "blkio.bfq.io_wait_time_recursive",
            "blkio.bfq.io_serviced_recursive",
            "blkio.bfq.io_service_bytes_recursive",
            "blkio.sectors_recursive",
            "blkio.io_merged_recursive",
            "blkio.throttle.io_serviced_recursive",
            "blkio.throttle.io_service_bytes_recursive",
            "blkio.throttle.io_serviced",
            "blkio.throttle.io_service_bytes",
        ],
    ),
    (
        "hugetlb",
        &[
            "hugetlb.2MB.rsvd.usage_in_bytes",
            "hugetlb.2MB.usage_in_bytes",
            "hugetlb.2MB.max_usage_in_bytes",
            "hugetlb.2MB.failcnt",
        ],
    ),
    ("freezer", &["freezer.state", "cgroup.procs"]),
    ("rdma", &["rdma.current", "rdma.max"]),
    ("misc", &["misc.current"]),
    ("devices", &["devices.list"]),
];

const V2: &[&str] = &[
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.events",
    "cgroup.freeze",
    "cgroup.type",
    "cpu.stat",
    "cpu.pressure",
    "io.stat",
    "io.pressure",
    "memory.current",
    "memory.max",
    "memory.stat",
    "memory.events",
    "memory.pressure",
    "memory.swap.current",
    "memory.swap.max",
    "pids.current",
    "pids.max",
    "rdma.current",
    "misc.current",
    "misc.events",
    "memory.peak",
    "memory.swap.peak",
    "hugetlb.2MB.rsvd.current",
    "hugetlb.2MB.current",
    "hugetlb.2MB.events",
];

/// Made once; only the content of the files changes.
static TREE: LazyLock<TempDir> = LazyLock::new(|| {
    let tree = tempfile::tempdir_in("/dev/shm").expect("a folder on tmpfs");
    let root = tree.path();
    for place in ["v1/proc", "v2/proc", "v2/cgroup/c"] {
        fs::create_dir_all(root.join(place)).expect("mkdir");
    }
    let mut membership = String::new();
    for (number, (controller, _)) in V1.iter().enumerate() {
        let directory = root.join("v1/cgroup").join(controller).join("c");
        fs::create_dir_all(&directory).expect("mkdir");
        // By that a cgroup is known that is still there.
        fs::write(directory.join("cgroup.procs"), "").expect("write");
        membership += &format!("{}:{controller}:/\n", number + 1);
    }
    for (layout, text) in [("v1", membership.as_str()), ("v2", "0::/\n")] {
        fs::write(root.join(layout).join("proc/cgroup"), text).expect("write");
        fs::write(root.join(layout).join("proc/mountinfo"), "").expect("write");
    }
    fs::write(
        root.join("v2/cgroup/cgroup.controllers"),
        "cpu io memory pids hugetlb rdma misc\n",
    )
    .expect("write");
    tree
});

fn hierarchy(layout: &Path) -> Hierarchy {
    let open = |name: &str| OwnedFd::from(File::open(layout.join(name)).expect("open"));
    Hierarchy::open_at(open("cgroup"), layout.join("cgroup"), open("proc")).expect("a hierarchy")
}

fn ask(cgroup: &Cgroup) {
    let _stats = cgroup.stats();
    let _state = cgroup.freezer_state();
    let _processes = (cgroup.processes(), cgroup.all_processes());
    let _killed = cgroup.oom_kill_count();
}

/// The marker of a missing file.
const ABSENT: &[u8] = b"-";

fn put(path: &Path, text: &[u8]) {
    if text != ABSENT {
        fs::write(path, text).expect("write");
    } else if path.exists() {
        fs::remove_file(path).expect("remove");
    }
}

/// A freeze that is under way is waited for, ten seconds long: here one has come to its end.
fn settled<'a>(file: &str, text: &'a [u8]) -> &'a [u8] {
    match file {
        "cgroup.freeze" if text.starts_with(b"1") => b"1\n",
        "cgroup.freeze" => b"0\n",
        "cgroup.events" if !text.starts_with(b"frozen 1\n") => b"populated 1\nfrozen 1\n",
        "freezer.state" if text.starts_with(b"F") => b"FROZEN\n",
        "freezer.state" => b"THAWED\n",
        _ => text,
    }
}

pub(crate) fn run(input: &[u8]) {
    let mut texts = input.split(|byte| *byte == 0).cycle();
    let mut text = || texts.next().unwrap_or_default();

    let v1 = TREE.path().join("v1");
    let mut paths = Paths::new();
    for (controller, files) in V1 {
        let directory = v1.join("cgroup").join(controller).join("c");
        for file in *files {
            put(&directory.join(file), settled(file, text()));
        }
        paths.insert((*controller).to_owned(), directory);
    }
    ask(&Cgroup::load(&hierarchy(&v1), &paths).expect("a cgroup"));

    let v2 = TREE.path().join("v2");
    let directory = v2.join("cgroup/c");
    for file in V2 {
        put(&directory.join(file), settled(file, text()));
    }
    let paths: Paths = [(String::new(), directory)].into();
    ask(&Cgroup::load(&hierarchy(&v2), &paths).expect("a cgroup"));
}
