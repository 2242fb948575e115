//! The host program: many threads, odd descriptors, ignored signals.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use cofferdam_nsenter::plan::{Op, PlanBuilder};
use cofferdam_nsenter::{Deadline, ErrorKind, Spawn, pidfd};

use crate::support::{c, null, root, run_built, shell, start};

/// Threads that allocate and take locks, while others spawn: nothing blocks, nothing is mixed up.
#[test]
fn many_threads_spawn_at_once() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let lines: Vec<String> = (0..100).map(|n| format!("{n}")).collect();
                    assert_eq!(lines.len(), 100);
                }
            });
        }
        let workers: Vec<_> = (0..8)
            .map(|worker| {
                scope.spawn(move || {
                    for round in 0..25 {
                        let mut plan = PlanBuilder::new();
                        plan.push("gate", Op::AskGate(worker));
                        plan.push("second stage", Op::SecondStage);
                        plan.push("ready", Op::AskReady);
                        shell(
                            &mut plan,
                            &format!("echo {worker} {round}; exit {}", worker + 1),
                        );
                        let mut recorder = crate::support::Recorder::default();
                        let outcome = run_built(&plan.build().unwrap(), Vec::new(), &mut recorder);
                        assert_eq!(outcome.out, format!("{worker} {round}\n"));
                        assert_eq!(
                            outcome.exit,
                            Some(pidfd::Exit::Code(i32::try_from(worker).unwrap() + 1))
                        );
                        assert_eq!(
                            recorder.log,
                            [
                                format!("gate {worker}"),
                                "second stage".into(),
                                "ready".into()
                            ]
                        );
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Runs a test in a process where no other test opens anything. True in that process.
pub(crate) fn alone(test: &str) -> bool {
    const ALONE: &str = "COFFERDAM_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    let output = process.args(["--exact", test]).env(ALONE, "1").output();
    let output = output.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    false
}

#[test]
fn spawning_leaves_no_descriptor_and_no_child_behind() {
    if !alone("host::spawning_leaves_no_descriptor_and_no_child_behind") {
        return;
    }
    let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut plan = PlanBuilder::new();
    plan.push("second stage", Op::SecondStage);
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    run_built(&plan, Vec::new(), &mut ()).output();
    let before = count();
    for _ in 0..20 {
        run_built(&plan, Vec::new(), &mut ()).output();
    }
    let mut failing = PlanBuilder::new();
    let no_such_resource = Op::ResourceLimit {
        resource: 99,
        soft: 0,
        hard: 0,
    };
    failing.push("fail", no_such_resource);
    shell(&mut failing, "exit 0");
    let failing = failing.build().unwrap();
    for _ in 0..20 {
        assert!(run_built(&failing, Vec::new(), &mut ()).served.is_err());
    }
    assert_eq!(count(), before);
    let children = std::fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    assert_eq!(children.trim(), "");
}

/// Sources at any number, in any order, also crossing each other's targets.
#[test]
fn descriptors_are_put_in_their_places_wherever_they_come_from() {
    let files: Vec<_> = (0..6)
        .map(|index| {
            let (read, write) = std::io::pipe().unwrap();
            std::io::Write::write_all(&mut &write, format!("{index}\n").as_bytes()).unwrap();
            read
        })
        .collect();
    let (mut out, out_write) = std::io::pipe().unwrap();
    let null = null();
    let mut order: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    for rotation in 0..order.len() {
        order.rotate_left(rotation);
        let mut plan = PlanBuilder::new();
        plan.passed_descriptors(u32::try_from(order.len()).unwrap());
        shell(
            &mut plan,
            "for n in 3 4 5 6 7 8; do readlink /proc/$$/fd/$n; done",
        );
        let plan = plan.build().unwrap();
        let stdio = [null.as_fd(), out_write.as_fd(), null.as_fd()];
        let spawn = Spawn {
            plan: &plan,
            stdio,
            passed: order.clone(),
            inputs: Vec::new(),
            cgroup: None,
        };
        let mut init = spawn.start().unwrap();
        init.serve(&mut (), Deadline::default()).unwrap();
        assert_eq!(init.wait().unwrap(), pidfd::Exit::Code(0));
        let expected: String = order
            .iter()
            .map(|fd| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap())
            .map(|link| format!("{}\n", link.display()))
            .collect();
        let mut text = vec![0; expected.len()];
        std::io::Read::read_exact(&mut out, &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}

#[test]
fn descriptors_that_do_not_fit_the_plan_are_refused() {
    let null = null();
    let mut plan = PlanBuilder::new();
    let input = plan.input("exec fifo");
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    let start = |passed, inputs| {
        Spawn {
            plan: &plan,
            stdio: [null.as_fd(); 3],
            passed,
            inputs,
            cgroup: None,
        }
        .start()
        .map(|_| ())
        .unwrap_err()
    };
    let missing = start(Vec::new(), Vec::new());
    assert_eq!(
        (missing.kind(), missing.to_string().as_str()),
        (ErrorKind::Plan, "input \"exec fifo\" is missing")
    );
    let given = vec![(input, null.as_fd())];
    assert_eq!(
        start(vec![null.as_fd()], given).to_string(),
        "1 descriptors are passed, the plan says 0"
    );
}

#[test]
fn a_refused_clone_is_an_error_of_the_system() {
    let null = null();
    let mut plan = PlanBuilder::new();
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    // No cgroup directory.
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: Vec::new(),
        cgroup: Some(null.as_fd()),
    };
    let error = spawn.start().unwrap_err();
    assert_eq!(
        (error.kind(), error.raw_os_error()),
        (ErrorKind::System, Some(libc::EBADF))
    );
}

/// A new v2 cgroup below the one of this process; if there cannot be one, says that the test is
/// skipped.
pub(crate) fn child_of_the_cgroup(name: &str) -> Option<std::path::PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let Some(hierarchy) = mounts
        .lines()
        .find(|line| line.contains(" - cgroup2 "))
        .and_then(|line| line.split(' ').nth(4))
    else {
        println!("skipped: no cgroup2 hierarchy is mounted");
        return None;
    };
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap();
    let name = format!("nsenter-test-{name}-{}", std::process::id());
    let directory = std::path::Path::new(hierarchy).join(own).join(name);
    if std::fs::create_dir(&directory).is_err() {
        println!("skipped: no cgroup can be made");
        return None;
    }
    Some(directory)
}

/// It starts in a cgroup, and the second stage with it.
#[test]
pub(crate) fn both_stages_are_born_in_the_cgroup() {
    if !root() {
        return;
    }
    let Some(directory) = child_of_the_cgroup("started") else {
        return;
    };
    let name = directory.file_name().unwrap().to_str().unwrap();
    let cgroup = std::fs::File::open(&directory).unwrap();
    let mut plan = PlanBuilder::new();
    plan.push("gate", Op::AskGate(1));
    plan.push("second stage", Op::SecondStage);
    plan.push("gate", Op::AskGate(2));
    plan.push("look up", Op::Lookup(vec![c("/bin/true")]));
    plan.push("close", Op::CloseControl);
    plan.push(
        "run",
        Op::Exec {
            args: vec![c("true")],
            env: Vec::new(),
        },
    );
    let plan = plan.build().unwrap();
    struct Where(Vec<String>);
    impl cofferdam_nsenter::RequestHandler for Where {
        fn gate(
            &mut self,
            _: u32,
            p: &cofferdam_nsenter::ProcessRef<'_>,
        ) -> Result<(), cofferdam_nsenter::Refusal> {
            let text = std::fs::read_to_string(format!("/proc/{}/cgroup", p.pid()))?;
            self.0.extend(
                text.lines()
                    .filter_map(|line| line.strip_prefix("0::"))
                    .map(str::to_owned),
            );
            Ok(())
        }
    }
    let null = null();
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: Vec::new(),
        cgroup: Some(cgroup.as_fd()),
    };
    let mut places = Where(Vec::new());
    let result = spawn.start().and_then(|mut init| {
        init.serve(&mut places, Deadline::default())?;
        init.wait()
    });
    std::fs::remove_dir(&directory).unwrap();
    assert_eq!(result.unwrap(), pidfd::Exit::Code(0));
    let [first, second] = places.0.as_slice() else {
        panic!("two places, not {:?}", places.0);
    };
    assert!(
        first.ends_with(name) && second == first,
        "{first}, then {second}"
    );
}

/// How long a spawn takes, printed; no bound, since machines differ.
#[test]
fn spawning_takes_no_milliseconds() {
    let mut plan = PlanBuilder::new();
    plan.push("gate", Op::AskGate(1));
    shell(&mut plan, "exit 0");
    let plan = plan.build().unwrap();
    let null = null();
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let began = std::time::Instant::now();
            let init = start(&plan, [null.as_fd(); 3]);
            let time = began.elapsed();
            drop(init);
            time
        })
        .collect();
    times.sort();
    println!("spawn: median {:?}, fastest {:?}", times[100], times[0]);
    assert!(times[100] < std::time::Duration::from_millis(50));
}
