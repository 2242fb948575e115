//! Opening, writing, checking; steps that fail, are tolerated, or jump.

use std::os::fd::AsFd;

use cofferdam_nsenter::ErrorKind;
use cofferdam_nsenter::plan::{Dir, Expect, Op, PlanBuilder};

use crate::support::{Recorder, c, path, run, run_with, shell};

fn open(dir: Dir, name: &str, into: cofferdam_nsenter::plan::Slot) -> Op {
    Op::Open {
        dir,
        path: c(name),
        flags: libc::O_RDWR as u32,
        mode: 0,
        resolve: 0,
        into,
    }
}

#[test]
fn a_file_is_opened_checked_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut plan = PlanBuilder::new();
    let dir = crate::support::open_directory(&mut plan, directory.path());
    let fd = plan.slot();
    plan.push("open", open(Dir::Slot(dir), "file", fd));
    plan.push(
        "check",
        Op::Verify {
            fd,
            expect: Expect {
                file_type: Some(libc::S_IFREG),
                ..Expect::default()
            },
        },
    );
    plan.push(
        "write",
        Op::Write {
            fd,
            bytes: b"written by the stub".to_vec(),
        },
    );
    plan.push("close", Op::Close(fd));
    shell(&mut plan, "exit 0");
    run(plan).output();
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "written by the stub"
    );
}

#[test]
fn a_descriptor_that_is_something_else_is_refused() {
    let null = crate::support::null();
    for (expect, right) in [
        (
            Expect {
                device: Some((1, 3)),
                file_type: Some(libc::S_IFCHR),
                ..Expect::default()
            },
            true,
        ),
        (
            Expect {
                device: Some((1, 5)),
                ..Expect::default()
            },
            false,
        ),
        (
            Expect {
                file_type: Some(libc::S_IFREG),
                ..Expect::default()
            },
            false,
        ),
        (
            Expect {
                inode: Some(1),
                ..Expect::default()
            },
            false,
        ),
        (
            Expect {
                magic: Some(0x9fa0),
                ..Expect::default()
            },
            false,
        ),
        (
            Expect {
                magic: rustix::fs::fstatfs(&null)
                    .ok()
                    .and_then(|fs| u64::try_from(fs.f_type).ok()),
                ..Expect::default()
            },
            true,
        ),
    ] {
        let mut plan = PlanBuilder::new();
        let fd = plan.input("null");
        plan.push("check the null device", Op::Verify { fd, expect });
        shell(&mut plan, "exit 0");
        let outcome = run_with(plan, vec![(fd, null.as_fd())], &mut ());
        if right {
            outcome.output();
        } else {
            assert_eq!(
                outcome.error().raw_os_error(),
                Some(libc::EBADMSG),
                "{expect:?}"
            );
        }
    }
}

#[test]
fn a_failure_names_the_step() {
    let mut plan = PlanBuilder::new();
    let fd = plan.slot();
    plan.push("set the mask", Op::Umask(0o22));
    plan.push("open what is not there", open(Dir::Cwd, "/nonexistent", fd));
    shell(&mut plan, "exit 0");
    let error = run(plan).error();
    assert_eq!(error.kind(), ErrorKind::Step);
    let failure = error.failure().unwrap();
    assert_eq!((failure.index(), failure.errno()), (1, libc::ENOENT));
    assert_eq!(failure.context(), "open what is not there");
    assert!(matches!(failure.op(), Op::Open { .. }));
    assert_eq!(error.to_string(), "open what is not there");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("No such file or directory"), "{source}");
}

#[test]
fn a_tolerated_failure_is_reported_and_the_plan_goes_on() {
    let mut plan = PlanBuilder::new();
    let fd = plan.slot();
    plan.push_tolerating(
        "open",
        open(Dir::Cwd, "/nonexistent", fd),
        &[libc::EPERM, libc::ENOENT],
    );
    plan.push("ready", Op::AskReady);
    shell(&mut plan, "echo alive");
    let mut recorder = Recorder::default();
    assert_eq!(
        run_with(plan, Vec::new(), &mut recorder).output(),
        "alive\n"
    );
    assert_eq!(recorder.warnings.tolerated(), [(0, libc::ENOENT)]);
    assert_eq!(recorder.warnings.unlisted(), 0);
}

#[test]
fn an_errno_that_is_not_listed_is_a_failure() {
    let mut plan = PlanBuilder::new();
    let fd = plan.slot();
    plan.push_tolerating("open", open(Dir::Cwd, "/nonexistent", fd), &[libc::EPERM]);
    shell(&mut plan, "exit 0");
    assert_eq!(run(plan).error().raw_os_error(), Some(libc::ENOENT));
}

#[test]
fn more_tolerated_failures_than_the_list_holds_are_counted() {
    let mut plan = PlanBuilder::new();
    for _ in 0..40 {
        let fd = plan.slot();
        plan.push_tolerating("open", open(Dir::Cwd, "/nonexistent", fd), &[libc::ENOENT]);
    }
    shell(&mut plan, "exit 0");
    let served = run(plan).served.unwrap();
    assert_eq!(
        (
            served.warnings().tolerated().len(),
            served.warnings().unlisted()
        ),
        (32, 8)
    );
}

/// The first file that exists is written: the one that is missing is jumped over.
#[test]
fn a_step_can_have_an_alternative() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("second");
    std::fs::write(&file, "").unwrap();
    let mut plan = PlanBuilder::new();
    let fd = plan.slot();
    let (second, done) = (plan.label(), plan.label());
    plan.push_or(
        "open the first",
        open(Dir::Cwd, "/nonexistent", fd),
        &[libc::ENOENT],
        second,
    );
    plan.push(
        "write the first",
        Op::Write {
            fd,
            bytes: b"first".to_vec(),
        },
    );
    plan.push("skip the second", Op::Jump(done));
    plan.bind(second);
    plan.push(
        "open the second",
        open(Dir::Cwd, path(&file).to_str().unwrap(), fd),
    );
    plan.push(
        "write the second",
        Op::Write {
            fd,
            bytes: b"second".to_vec(),
        },
    );
    plan.bind(done);
    shell(&mut plan, "exit 0");
    run(plan).output();
    assert_eq!(std::fs::read_to_string(file).unwrap(), "second");
}

#[test]
fn reading_a_slot_that_a_tolerated_step_left_empty_is_a_failure() {
    let mut plan = PlanBuilder::new();
    let fd = plan.slot();
    plan.push_tolerating("open", open(Dir::Cwd, "/nonexistent", fd), &[libc::ENOENT]);
    plan.push(
        "write",
        Op::Write {
            fd,
            bytes: b"x".to_vec(),
        },
    );
    shell(&mut plan, "exit 0");
    let error = run(plan).error();
    assert_eq!(
        error.failure().map(|f| (f.index(), f.errno())),
        Some((1, libc::EBADF))
    );
}

#[test]
fn a_short_write_is_a_failure() {
    let (read, write) = std::io::pipe().unwrap();
    rustix::fs::fcntl_setfl(&write, rustix::fs::OFlags::NONBLOCK).unwrap();
    let mut plan = PlanBuilder::new();
    let fd = plan.input("pipe");
    plan.push(
        "fill the pipe",
        Op::Write {
            fd,
            bytes: vec![0; 1 << 20],
        },
    );
    shell(&mut plan, "exit 0");
    assert_eq!(
        run_with(plan, vec![(fd, write.as_fd())], &mut ())
            .error()
            .raw_os_error(),
        Some(libc::EIO)
    );
    drop(read);
}

/// What the stub is done with may be open for a while, but no path of the container's leads through
/// it.
#[test]
fn no_working_directory_leads_through_what_was_open() {
    let directory = tempfile::tempdir().unwrap();
    let place = |plan: &mut PlanBuilder| {
        let dir = crate::support::open_directory(plan, directory.path());
        let place = plan.slot();
        let open = Op::Open {
            dir: Dir::Slot(dir),
            path: c("."),
            flags: (libc::O_PATH | libc::O_DIRECTORY) as u32,
            mode: 0,
            resolve: 0,
            into: place,
        };
        plan.push("open a place", open);
        plan.push("close it", Op::Close(place));
        plan.push("close the directory", Op::Close(dir));
    };
    for number in 3..48 {
        let mut plan = PlanBuilder::new();
        place(&mut plan);
        plan.push(
            "enter",
            Op::ChangeDirectory {
                path: c(&format!("/proc/self/fd/{number}")),
                retry_later: false,
            },
        );
        shell(&mut plan, "pwd");
        let error = run(plan).error();
        assert!(error.to_string().contains("enter"), "{number}: {error}");
    }
}
