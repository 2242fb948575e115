use std::path::Path;

use super::*;
use crate::events::Event;
use crate::fake::Fake;

fn fake() -> Fake {
    let fake = Fake::v2("memory", "/");
    fake.file("ctr/cgroup.controllers", "memory");
    fake
}

#[test]
fn killed_on_v1() {
    let fake = Fake::v1("1:memory:/\n");
    fake.file(
        "memory/ctr/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    );
    assert_eq!(fake.cgroup("ctr").oom_kill_count().unwrap(), 3);
    let without = Fake::v1("1:pids:/\n");
    let error = without.cgroup("ctr").oom_events().unwrap_err();
    assert_eq!(error.to_string(), "memory controller missing");
}

#[test]
fn killed_on_v2() {
    let fake = fake();
    let mut cgroup = fake.cgroup("ctr");
    assert_eq!(
        cgroup.oom_kill_count().unwrap_err().kind(),
        ErrorKind::NotFound
    );
    cgroup.set_rootless(true);
    assert_eq!(cgroup.oom_kill_count().unwrap(), 0);
    fake.file("ctr/memory.events", "low 0\noom 5\noom_kill 2\n");
    assert_eq!(cgroup.oom_kill_count().unwrap(), 2);
}

#[test]
fn events_of_memory_and_of_the_end() {
    let fake = fake();
    fake.file("ctr/memory.events", "oom_kill 1\n");
    fake.file("ctr/cgroup.events", "populated 1\n");
    let mut events = fake.cgroup("ctr").oom_events().unwrap();
    assert_eq!(events.read().unwrap(), None);
    // A kill from before does not count, nor does another counter.
    fake.file("ctr/memory.events", "oom_kill 1\n");
    assert_eq!(events.read().unwrap(), None);
    fake.file("ctr/memory.events", "oom_kill 2\n");
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert_eq!(events.read().unwrap(), None);
    fake.file("ctr/cgroup.events", "populated 0\n");
    assert_eq!(events.wait().unwrap(), Event::Ended);
    assert_eq!(events.wait().unwrap(), Event::Ended);
}

#[test]
fn the_last_kill_is_told_before_the_end() {
    let fake = fake();
    fake.file("ctr/memory.events", "oom_kill 0\n");
    fake.file("ctr/cgroup.events", "populated 1\n");
    let mut events = fake.cgroup("ctr").oom_events().unwrap();
    fake.file("ctr/memory.events", "oom_kill 1\n");
    fake.file("ctr/cgroup.events", "populated 0\n");
    assert_eq!(events.wait().unwrap(), Event::Happened);
    assert_eq!(events.wait().unwrap(), Event::Ended);
}

#[test]
fn without_a_memory_controller_nothing_can_be_told() {
    for fake in [Fake::v2("pids", "/"), Fake::v1("1:pids:/\n")] {
        for directory in ["ctr", "pids/ctr"] {
            fake.file(Path::new(directory).join("cgroup.controllers"), "pids");
        }
        let error = fake.cgroup("ctr").oom_events().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoController);
        assert_eq!(error.to_string(), "memory controller missing");
    }
    // A cgroup that is gone is something else.
    let error = Fake::v2("", "/").cgroup("none").oom_events().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
