//! Dumps and restores that `delete --force` ends, and what is left of those that were killed.

use std::fs;
use std::process::Stdio;

use cofferdam_integration::{eventually, need};

use crate::outside::Ended;
use crate::stand_in::{REFUSE, SUCCEED, StandIn, notify};
use crate::subject::{Runtime, Subject};

/// Says that it has come so far.
fn reaches(at: &str) -> String {
    format!("echo $$ >\"$here/pid.new\"; mv \"$here/pid.new\" \"$here/{at}\"\n")
}

/// The same, and does not go on: as a CRIU that waits for another host to fetch memory.
fn stays(at: &str) -> String {
    reaches(at) + "exec sleep 1000\n"
}

/// The pid that the program has written, as soon as it has come so far.
fn waits_at(dump: &StandIn, at: &str) -> u32 {
    let path = dump.images().with_file_name("bin").join(at);
    eventually("the dump has begun", || path.exists());
    fs::read_to_string(path).unwrap().trim().parse().unwrap()
}

/// Whether a process has not ended yet. Its command line does not say so: that is empty, too, for a
/// moment while the process executes another program.
fn lives(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let state = status
        .lines()
        .find_map(|line| line.strip_prefix("State:\t"));
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}

#[test]
fn a_forced_deletion_ends_a_dump_that_does_not_end() {
    need!(Root);
    let dump = StandIn::new(&stays("dumps"));
    dump.case.start();
    let mut checkpoint = Ended(dump.command(&[]).spawn(Stdio::null()));
    let criu = waits_at(&dump, "dumps");
    // Without force the container is left alone.
    let refused = dump.case.call(&["delete", &dump.case.id]);
    let _ = refused.failed(1, "");
    assert!(lives(criu));
    let forced = ["delete", "--force", &dump.case.id];
    let _ = dump.case.call(&forced).ok();
    assert!(!lives(criu));
    assert_eq!(checkpoint.0.wait().unwrap().code(), Some(1));
    assert!(!dump.images().join("inventory.img").exists());
    dump.case.finish();
}

/// Frozen by another process CRIU would wait for ever, and what a dump thaws at its end would not
/// be paused any more.
#[test]
fn a_pause_waits_for_the_end_of_a_dump() {
    need!(Root);
    let begun = reaches("begun");
    let script = format!("mkfifo \"$here/go\"\n{begun}read go <\"$here/go\"\n{REFUSE}");
    let dump = StandIn::new(&script);
    dump.case.start();
    let mut checkpoint = Ended(dump.command(&[]).spawn(Stdio::null()));
    let _ = waits_at(&dump, "begun");
    let pause = dump.case.command(&["pause", &dump.case.id]);
    let mut pause = Ended(pause.spawn(Stdio::null()));
    let directory = dump.case.root().join(&dump.case.id);
    let files = format!("/proc/{}/fd", pause.0.id());
    eventually("the pause has come to the lock", || {
        let open = fs::read_dir(&files).unwrap().flatten();
        open.filter(|file| fs::read_link(file.path()).is_ok_and(|path| path == directory))
            .count()
            > 1
    });
    assert_eq!(dump.case.status(), "running");
    fs::write(dump.images().with_file_name("bin/go"), "go\n").unwrap();
    assert_eq!(checkpoint.0.wait().unwrap().code(), Some(1));
    assert_eq!(pause.0.wait().unwrap().code(), Some(0));
    assert_eq!(dump.case.status(), "paused");
    let _ = dump.case.call(&["resume", &dump.case.id]).ok();
    dump.case.delete();
}

/// CRIU outlives the process that has started it, and the processes of the container do not go away
/// as long as it traces them.
#[test]
fn a_forced_deletion_ends_what_a_killed_dump_has_left() {
    need!(Root);
    for (at, script) in [
        ("begun", stays("begun")),
        ("dumped", notify("post-dump") + &stays("dumped")),
    ] {
        let dump = StandIn::new(&script);
        dump.case.start();
        let mut checkpoint = Ended(dump.command(&[]).spawn(Stdio::null()));
        let criu = waits_at(&dump, at);
        checkpoint.end();
        assert!(lives(criu), "{at}");
        assert_eq!(dump.case.status(), "running");
        let forced = ["delete", "--force", &dump.case.id];
        let _ = dump.case.call(&forced).ok();
        assert!(!lives(criu), "{at}");
        dump.case.finish();
    }
}

/// CRIU tries out on a child of its own what the kernel can do, and stops it for that.
#[test]
fn a_forced_deletion_ends_stopped_children_of_criu() {
    need!(Root);
    let script = "sleep 1000 <&- >&- 2>&- 3>&- & child=$!\n\
                  kill -STOP $child; echo $child >\"$here/child\"\n";
    for killed in [true, false] {
        let dump = StandIn::new(&format!("{script}{}", stays("begun")));
        dump.case.start();
        let mut checkpoint = Ended(dump.command(&[]).spawn(Stdio::null()));
        let criu = waits_at(&dump, "begun");
        let child = fs::read_to_string(dump.program().with_file_name("child")).unwrap();
        let child = child.trim().parse().unwrap();
        if killed {
            checkpoint.end();
        }
        assert!(lives(criu) && lives(child));
        let forced = ["delete", "--force", &dump.case.id];
        let _ = dump.case.call(&forced).ok();
        assert!(!lives(criu), "{killed}");
        eventually("the child has ended", || !lives(child));
        dump.case.finish();
    }
}

/// After a pre-dump CRIU waits for the next request, and complains when there is none.
#[test]
fn nothing_is_said_when_a_pre_dump_ends() {
    need!(Root);
    let complain = "dd bs=65536 count=1 <&3 >/dev/null 2>&1; echo \"Can't recv request\" >&2";
    let dump = StandIn::new(&format!("{SUCCEED}\n{complain}"));
    dump.case.start();
    let done = dump.command(&["--pre-dump"]).output().ok();
    assert_eq!((&*done.stdout, &*done.stderr), ("", ""));
    dump.case.delete();
}

/// Kills the command when the log of CRIU has this, and deletes the container by force.
fn killed_at(subject: &Subject, command: &str, flags: &[&str], log: &str, line: &str) {
    let log = subject.images().join(log);
    let _ = fs::remove_file(&log);
    let mut command = Ended(subject.command(command, flags).spawn(Stdio::null()));
    eventually(line, || {
        fs::read_to_string(&log).is_ok_and(|text| text.contains(line))
    });
    command.end();
    let forced = ["delete", "--force", &subject.case.id];
    let _ = subject.case.call(&forced).ok();
    subject.case.nothing_left();
}

/// By the CRIU of the machine: when it begins, in the midst of it, and when it is almost done.
#[test]
fn what_is_killed_at_any_point_can_be_deleted() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    subject.start(Runtime::Ours);
    subject.counts_beyond(0);
    subject.dump(Runtime::Ours, &[]);
    for line in ["Preparing cgroups yard", "mnt-v2: ", "pie: "] {
        killed_at(&subject, "restore", &[], "restore.log", line);
    }
    for line in ["Seized task", "Dumping pages", "Unlock network"] {
        let _ = fs::remove_file(subject.case.bundle.rootfs().join("count"));
        subject.start(Runtime::Ours);
        subject.counts_beyond(0);
        killed_at(
            &subject,
            "checkpoint",
            &["--leave-running"],
            "dump.log",
            line,
        );
    }
    subject.case.finish();
}
