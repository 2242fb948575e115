//! The second stage: it has an owner from its first moment, and it starts where a limit leaves no
//! room.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use cofferdam_nsenter::plan::{Op, Plan, PlanBuilder};
use cofferdam_nsenter::{
    Deadline, Error, ErrorKind, ProcessRef, Refusal, RequestHandler, Spawn, StubProcess, pidfd,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::host::{alone, child_of_the_cgroup};
use crate::support::{null, root, run_with, shell, start};

/// How often the stub is killed; `COFFERDAM_TEST_KILLS` sets another number.
fn kills() -> u64 {
    std::env::var("COFFERDAM_TEST_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(120)
}

fn two_stages() -> Plan {
    let mut plan = PlanBuilder::new();
    plan.push("before", Op::AskGate(1));
    plan.push("second stage", Op::SecondStage);
    plan.push("after", Op::AskGate(2));
    shell(&mut plan, "exit 0");
    plan.build().unwrap()
}

/// The children of every thread of this process, zombies among them.
fn children() -> Vec<String> {
    let of_threads = || -> std::io::Result<Vec<String>> {
        std::fs::read_dir("/proc/self/task")?
            .map(|task| std::fs::read_to_string(task?.path().join("children")))
            .collect()
    };
    loop {
        match of_threads() {
            // A thread that has just ended: its children belong to another one, which may have been
            // read before.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {}
            texts => {
                let all = texts.unwrap().join(" ");
                return all.split_whitespace().map(str::to_owned).collect();
            }
        }
    }
}

/// Lets everything pass.
struct Gates;

impl RequestHandler for Gates {
    fn gate(&mut self, _: u32, _: &ProcessRef<'_>) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Serves a stub that is killed this long after it has passed the first gate.
fn killed_after(plan: &Plan, delay: Duration) -> Result<(), Error> {
    struct Killer {
        delay: Duration,
        thread: Option<std::thread::JoinHandle<()>>,
    }
    impl RequestHandler for Killer {
        fn gate(&mut self, number: u32, process: &ProcessRef<'_>) -> Result<(), Refusal> {
            if number == 1 {
                let victim: OwnedFd = process.pidfd().try_clone_to_owned()?;
                if self.delay.is_zero() {
                    // Before the answer: this one comes in time on every machine.
                    pidfd::send_signal(victim, libc::SIGKILL)?;
                    return Ok(());
                }
                let at = Instant::now() + self.delay;
                self.thread = Some(std::thread::spawn(move || {
                    while Instant::now() < at {
                        std::hint::spin_loop();
                    }
                    let _ = pidfd::send_signal(victim, libc::SIGKILL);
                }));
            }
            Ok(())
        }
    }
    let null = null();
    let mut killer = Killer {
        delay,
        thread: None,
    };
    let mut init: StubProcess = start(plan, [null.as_fd(); 3]);
    let served = init.serve(&mut killer, Deadline::default());
    drop(init);
    if let Some(thread) = killer.thread {
        thread.join().unwrap();
    }
    served.map(drop)
}

/// Killed before, while and after it makes the second stage: nothing stays, whether the parent has
/// heard of that or not.
pub(crate) fn kill_at_every_moment(times: u64) {
    let plan = two_stages();
    let mut failed = 0;
    for round in 0..times {
        // Some hundred microseconds are from the gate to the message; all of them are tried, in no
        // order.
        let delay = Duration::from_nanos(round.wrapping_mul(7919) % 400 * 1000);
        failed += u64::from(killed_after(&plan, delay).is_err());
        assert_eq!(children(), [""; 0], "after {delay:?}");
    }
    println!("{failed} of {times} failed");
    assert!(failed > 0, "no kill came in time");
}

#[test]
fn a_stub_that_is_killed_at_any_moment_leaves_no_child() {
    if alone("second_stage::a_stub_that_is_killed_at_any_moment_leaves_no_child") {
        kill_at_every_moment(kills());
    }
}

/// No descriptor is left when the second stage is to be taken over.
#[test]
fn a_second_stage_that_cannot_be_opened_leaves_no_child() {
    if !alone("second_stage::a_second_stage_that_cannot_be_opened_leaves_no_child") {
        return;
    }
    /// Takes all descriptors that are left.
    struct Greedy(Vec<OwnedFd>);
    impl RequestHandler for Greedy {
        fn gate(&mut self, _: u32, _: &ProcessRef<'_>) -> Result<(), Refusal> {
            let one = null();
            while let Ok(another) = one.try_clone() {
                self.0.push(another);
            }
            Ok(())
        }
    }
    let before = getrlimit(Resource::Nofile);
    let few = Rlimit {
        current: Some(60),
        ..before
    };
    setrlimit(Resource::Nofile, few).unwrap();
    let plan = two_stages();
    let null = null();
    for _ in 0..20 {
        let mut greedy = Greedy(Vec::new());
        let mut init = start(&plan, [null.as_fd(); 3]);
        let error = init.serve(&mut greedy, Deadline::default()).unwrap_err();
        drop(greedy);
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        assert_eq!(children(), [""; 0]);
    }
}

/// What the parent does not want is ended, and so is what it has never served.
#[test]
fn a_refused_second_stage_leaves_no_child() {
    if !alone("second_stage::a_refused_second_stage_leaves_no_child") {
        return;
    }
    struct Refuses;
    impl RequestHandler for Refuses {
        fn gate(&mut self, _: u32, _: &ProcessRef<'_>) -> Result<(), Refusal> {
            Ok(())
        }
        fn second_stage(&mut self, _: &ProcessRef<'_>) -> Result<(), Refusal> {
            Err("not wanted".into())
        }
    }
    let null = null();
    let mut init = start(&two_stages(), [null.as_fd(); 3]);
    let error = init.serve(&mut Refuses, Deadline::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    drop(init);
    assert_eq!(children(), [""; 0]);
    // Never served: it ends with its channel.
    drop(start(&two_stages(), [null.as_fd(); 3]));
    assert_eq!(children(), [""; 0]);
}

/// A user that nothing else has.
const USER: u32 = 54_319;

/// A process of the user.
fn other_process() -> std::process::Child {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new("sleep");
    command.arg("1000").uid(USER).spawn().unwrap()
}

/// A plan whose second stage is the third process of a user who may have two.
fn at_the_limit() -> PlanBuilder {
    let mut plan = PlanBuilder::new();
    let limit = Op::ResourceLimit {
        resource: libc::RLIMIT_NPROC,
        soft: 2,
        hard: 2,
    };
    plan.push("limit the processes", limit);
    plan.push("another user", Op::SetUid(USER));
    plan.push("second stage", Op::SecondStage);
    shell(&mut plan, "echo fine");
    plan
}

#[test]
fn a_limit_that_is_in_the_way_is_told_and_room_may_be_made() {
    if !root() {
        return;
    }
    /// Ends the process that is in the way, or not.
    struct Room(Option<std::process::Child>, Vec<i32>);
    impl RequestHandler for Room {
        fn no_room(&mut self, _: &ProcessRef<'_>, errno: i32) -> Result<(), Refusal> {
            self.1.push(errno);
            if let Some(mut child) = self.0.take() {
                child.kill()?;
                child.wait()?;
            }
            Ok(())
        }
    }
    let mut room = Room(Some(other_process()), Vec::new());
    let outcome = run_with(at_the_limit(), Vec::new(), &mut room);
    assert_eq!(outcome.output(), "fine\n");
    assert_eq!(room.1, [libc::EAGAIN]);

    struct Refuses;
    impl RequestHandler for Refuses {
        fn no_room(&mut self, _: &ProcessRef<'_>, _: i32) -> Result<(), Refusal> {
            Err("no".into())
        }
    }
    let mut other = other_process();
    let refused = run_with(at_the_limit(), Vec::new(), &mut Refuses).error();
    let failed = run_with(at_the_limit(), Vec::new(), &mut ()).error();
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    let failure = failed.failure().map(|f| (f.context(), f.errno()));
    assert_eq!(failure, Some(("second stage", libc::EAGAIN)));
}

/// A child could execute nothing there, and the caller would wait for it: neither is tried.
#[test]
fn a_frozen_cgroup_lets_no_stub_start_and_blocks_nobody() {
    if !root() || !alone("second_stage::a_frozen_cgroup_lets_no_stub_start_and_blocks_nobody") {
        return;
    }
    let Some(outer) = child_of_the_cgroup("frozen") else {
        return;
    };
    let inner = outer.join("inner");
    std::fs::create_dir(&inner).unwrap();
    let freezes = std::fs::write(outer.join("cgroup.freeze"), "1");
    let cgroup = std::fs::File::open(&inner).unwrap();
    let plan = two_stages();
    let null = null();
    let spawn = Spawn {
        plan: &plan,
        stdio: [null.as_fd(); 3],
        passed: Vec::new(),
        inputs: Vec::new(),
        cgroup: Some(cgroup.as_fd()),
    };
    let started = spawn.start().map(drop);
    let left = children();
    std::fs::remove_dir(&inner).unwrap();
    std::fs::remove_dir(&outer).unwrap();
    freezes.unwrap();
    let error = started.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::Frozen,
            "start the init process in its cgroup: the cgroup is frozen"
        )
    );
    assert_eq!(left, [""; 0]);
}

/// One after the other, each waited for.
#[test]
fn gates_are_passed_in_a_cgroup() {
    if !root() {
        return;
    }
    let Some(directory) = child_of_the_cgroup("plain") else {
        return;
    };
    let cgroup = std::fs::File::open(&directory).unwrap();
    let plan = two_stages();
    let null = null();
    let results: Vec<_> = (0..20)
        .map(|_| {
            let spawn = Spawn {
                plan: &plan,
                stdio: [null.as_fd(); 3],
                passed: Vec::new(),
                inputs: Vec::new(),
                cgroup: Some(cgroup.as_fd()),
            };
            spawn.start().and_then(|mut init| {
                init.serve(&mut Gates, Deadline::default())?;
                init.wait()
            })
        })
        .collect();
    std::fs::remove_dir(&directory).unwrap();
    for result in results {
        assert_eq!(result.unwrap(), pidfd::Exit::Code(0));
    }
}
