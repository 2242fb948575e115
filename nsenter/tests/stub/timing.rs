//! The times of the steps.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use cofferdam_nsenter::plan::{Dir, Op, PlanBuilder};
use cofferdam_nsenter::{Deadline, Spawn, StepTimes};

use crate::support::{c, null, shell};

#[test]
fn steps_end_one_after_the_other_and_those_jumped_over_never() {
    let mut plan = PlanBuilder::new();
    plan.push("first", Op::Umask(0o22));
    let end = plan.label();
    let into = plan.slot();
    let open = Op::Open {
        dir: Dir::Cwd,
        path: c("/no/such/file"),
        flags: 0,
        mode: 0,
        resolve: 0,
        into,
    };
    plan.push_or("jump", open, &[libc::ENOENT], end);
    plan.push("never", Op::Umask(0));
    plan.bind(end);
    plan.push("last", Op::Umask(0o77));
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    let null = null();

    let begun = Instant::now();
    let times = StepTimes::new(&plan).unwrap();
    let mut init = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: Vec::new(),
        cgroup: None,
    }
    .start_timed(&times)
    .unwrap();
    init.serve(&mut (), Deadline::default()).unwrap();
    assert!(init.wait().unwrap().success());
    let all = begun.elapsed();

    let read = times.read().unwrap();
    assert_eq!(read.len(), plan.steps().len());
    let at = |context: &str| {
        let index = plan
            .steps()
            .iter()
            .position(|step| step.context() == context);
        read[index.unwrap()]
    };
    assert_eq!(at("never"), None);
    let taken: Vec<Duration> = read.iter().copied().flatten().collect();
    assert!(taken.is_sorted(), "{read:?}");
    assert!(taken.iter().all(|time| *time <= all), "{read:?} of {all:?}");
    assert!(
        at("first") < at("jump") && at("jump") < at("last"),
        "{read:?}"
    );
}
