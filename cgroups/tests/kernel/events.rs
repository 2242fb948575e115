//! Notifications that memory ran out, or that a resource is short.

use std::process::Stdio;
use std::time::Duration;

use cofferdam_cgroups::events::{Event, PressureLevel, PressureResource, PressureTrigger};
use cofferdam_cgroups::stats::Controllers;
use cofferdam_cgroups::{ErrorKind, Resources};

use crate::fixture::{BUDGET, Sleeper, succeeds_inside};
use crate::hierarchies::{any, v1, v2_with};
use crate::scratch::{limited, little_memory, scratch};

#[test]
fn out_of_memory_on_v1() {
    let Some(hierarchy) = v1(&["memory", "devices"]) else {
        return;
    };
    let resources = Resources {
        memory: Some(8 << 20),
        ..Resources::default()
    };
    let cgroup = limited(&hierarchy, &resources);
    let mut events = cgroup.oom_events().unwrap();
    assert_eq!(events.read().unwrap(), None);
    assert_eq!(cgroup.oom_kill_count().unwrap(), 0);
    assert!(!succeeds_inside(&cgroup, "exec tail /dev/zero"));
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert!(cgroup.oom_kill_count().unwrap() > 0);

    let mut pressure = cgroup.pressure_events(PressureLevel::Critical).unwrap();
    let _ = pressure.read().unwrap();
    cgroup.delete(BUDGET).unwrap();
    while events.wait().unwrap() != Event::Ended {}
    while pressure.wait().unwrap() != Event::Ended {}
}

#[test]
fn out_of_memory_on_v2() {
    let Some(hierarchy) = v2_with(&["memory"]) else {
        return;
    };
    let cgroup = limited(&hierarchy, &little_memory());
    let witness = Sleeper::new();
    cgroup.add(witness.pid()).unwrap();
    let mut events = cgroup.oom_events().unwrap();
    assert_eq!(cgroup.oom_kill_count().unwrap(), 0);
    assert!(!succeeds_inside(&cgroup, "exec tail /dev/zero"));
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert_eq!(cgroup.oom_kill_count().unwrap(), 1);
    drop(witness);
    while events.wait().unwrap() != Event::Ended {}
}

#[test]
fn tasks_that_wait_for_a_processor_are_told_of() {
    let Some(hierarchy) = any() else {
        return;
    };
    let cgroup = scratch(&hierarchy, &Resources::default());
    let trigger = PressureTrigger {
        resource: PressureResource::Cpu,
        all_tasks: false,
        stall: Duration::from_millis(1),
        window: Duration::from_secs(2),
    };
    let mut events = match cgroup.pressure_trigger(&trigger) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("skipped: {error}");
            return;
        }
        events => events.unwrap(),
    };
    let wrong = PressureTrigger {
        window: Duration::from_secs(20),
        ..trigger
    };
    let error = cgroup.pressure_trigger(&wrong).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    // More of them than there are processors.
    let count = std::thread::available_parallelism().unwrap().get() + 1;
    let busy: Vec<_> = (0..count)
        .map(|_| Sleeper::run("while :; do :; done", Stdio::null()))
        .collect();
    for process in &busy {
        cgroup.add(process.pid()).unwrap();
    }
    assert_eq!(events.wait().unwrap(), Event::Happened);
    let psi = cgroup.stats_of(Controllers::CPU).unwrap().cpu.psi.unwrap();
    assert!(psi.some.total > 1000);
    assert_eq!(cgroup.stats_of(Controllers::PIDS).unwrap().cpu.psi, None);
    drop(busy);
    cgroup.delete(BUDGET).unwrap();
    while events.wait().unwrap() != Event::Ended {}
    assert_eq!(events.wait().unwrap(), Event::Ended);
}
