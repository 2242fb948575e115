//! Events of memory pressure, as a program that uses the library gets them.

use std::os::fd::AsFd;

use cofferdam_integration::limited::TIMEOUT;
use cofferdam_integration::{Case, need};
use runtime::cgroups::events::{Event, PressureEvents, PressureLevel};
use runtime::{Container, ErrorKind, Runtime};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::json;

fn load(case: &Case) -> Container {
    let runtime = Runtime::new(case.root()).unwrap();
    runtime.load(&case.id.parse().unwrap()).unwrap()
}

/// Waits for the next event; not for ever.
fn next(events: &mut PressureEvents) -> Event {
    let limit = Timespec::try_from(TIMEOUT).unwrap();
    loop {
        if let Some(event) = events.read().unwrap() {
            return event;
        }
        let mut watched = [PollFd::from_borrowed_fd(events.as_fd(), PollFlags::IN)];
        assert!(poll(&mut watched, Some(&limit)).unwrap() > 0, "no event");
    }
}

#[test]
fn a_container_that_needs_more_memory_than_it_may_have_is_told_of() {
    need!(Root, Busybox, CgroupV1);
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.config["linux"]["resources"]["memory"] = json!({ "limit": 16 << 20 });
    case.start();
    let container = load(&case);
    let mut events = container.pressure_events(PressureLevel::Low).unwrap();
    // No more than the limit is needed so far.
    assert_eq!(events.read().unwrap(), None);
    // What is read of a file stays in memory until that is full: reclaiming it is the lowest
    // pressure.
    let file = case.bundle.rootfs().join("big");
    std::fs::write(&file, vec![1_u8; 64 << 20]).unwrap();
    rustix::fs::fadvise(
        std::fs::File::open(&file).unwrap(),
        0,
        None,
        rustix::fs::Advice::DontNeed,
    )
    .unwrap();
    let _ = case.exec(&["/bin/sh", "-c", "cat /big | tail -c 12000000 | wc -c"]);
    let _ = case.exec(&["/bin/tail", "/dev/zero"]);
    assert_eq!(next(&mut events), Event::Happened);
    case.delete();
    while next(&mut events) != Event::Ended {}
}

#[test]
fn a_container_that_does_not_run_has_no_pressure() {
    need!(Root, Busybox, Controllers);
    let case = Case::new();
    case.create();
    let container = load(&case);
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    case.wait_for_status("stopped");
    let error = container.pressure_events(PressureLevel::Low).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotRunning, "{}", error.chain());
    case.delete();
}
