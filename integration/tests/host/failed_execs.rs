//! Execs that fail half-way in a host program that goes on: each leaves nothing, or the container
//! could never end. A child that is not reaped keeps the pid namespace it is in.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cofferdam_integration::library::{Host, quiet};
use cofferdam_integration::need;
use runtime::{Container, Signal};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, setrlimit};

/// How many execs; `COFFERDAM_TEST_EXECS` sets another number.
fn execs() -> u32 {
    std::env::var("COFFERDAM_TEST_EXECS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200)
}

/// The children of all threads of this process, zombies among them, but for `init`.
fn children(init: i32) -> BTreeSet<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let lists = tasks.flatten().filter_map(|task| {
        // A thread may have ended meanwhile.
        fs::read_to_string(task.path().join("children")).ok()
    });
    let mut found: BTreeSet<i32> = lists
        .flat_map(|list| {
            list.split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<i32>>()
        })
        .collect();
    found.remove(&init);
    found
}

/// Execs from four threads until `total` is reached; returns how many were refused.
fn exec_many(container: &Container, total: u32) -> u32 {
    let (begun, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while begun.fetch_add(1, Ordering::Relaxed) < total {
                    match container.exec(quiet("/bin/true")) {
                        Ok(child) => drop(child.wait().unwrap()),
                        Err(_) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                    }
                }
            });
        }
    });
    refused.into_inner()
}

/// The container ends when it is killed, and nothing is left.
fn ends(container: &Container) {
    let init = container.pid().unwrap();
    assert_eq!(children(init), BTreeSet::new(), "children are left");
    container.signal(Signal::KILL).unwrap();
    assert!(
        container.wait_timeout(Duration::from_secs(60)).unwrap(),
        "the container does not end"
    );
    container.wait().unwrap();
    container.destroy().unwrap();
}

/// What the kernel does when memory runs out, at any moment.
#[test]
fn execs_whose_stub_is_killed_leave_no_child() {
    need!(Root);
    let _alone = crate::alone();
    let host = Host::new();
    let container = host.resident("killed");
    let init = container.pid().unwrap();
    let stop = AtomicBool::new(false);
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut delay = 0;
            while !stop.load(Ordering::Relaxed) {
                // From 0 to 2 ms after a child is seen, in no order.
                delay = (delay + 7919) % 2000;
                let victim = children(init).into_iter().next_back();
                let at = Instant::now() + Duration::from_micros(delay);
                while Instant::now() < at {
                    std::hint::spin_loop();
                }
                if let Some(victim) = victim.and_then(Pid::from_raw) {
                    let _ = kill_process(victim, rustix::process::Signal::KILL);
                }
            }
        });
        let refused = exec_many(&container, execs());
        stop.store(true, Ordering::Relaxed);
        refused
    });
    println!("{refused} of {} execs failed", execs());
    assert!(refused > 0, "no kill came in time");
    ends(&container);
}

/// Descriptors come and go in other threads, and now and then none is left for what an exec
/// receives.
#[test]
fn execs_without_descriptors_leave_no_child() {
    need!(Root);
    let _alone = crate::alone();
    let host = Host::new();
    let container = host.resident("descriptors");
    let before = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(60),
        ..before
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let stop = AtomicBool::new(false);
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| {
            let one: OwnedFd = fs::File::open("/dev/null").unwrap().into();
            let mut kept = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match one.try_clone() {
                    Ok(another) if kept.len() < 40 => kept.push(another),
                    _ => kept.clear(),
                }
            }
        });
        let refused = exec_many(&container, execs());
        stop.store(true, Ordering::Relaxed);
        refused
    });
    setrlimit(Resource::Nofile, before).unwrap();
    println!("{refused} of {} execs failed", execs());
    assert!(refused > 0, "there were always enough descriptors");
    ends(&container);
}
