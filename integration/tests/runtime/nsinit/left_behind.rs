//! What was made for a container is gone with it, and nothing else.

use std::fs;
use std::path::PathBuf;

use cofferdam_integration::{cgroup, eventually, need};
use serde_json::json;

use super::subject::{Subject, WAIT, end};

/// A file of 2015 with a cgroup of this name below that of the test.
fn file(subject: &Subject, name: &str) -> PathBuf {
    let path = subject.root().with_extension(name);
    let mut config = subject.call(&["config"]).ok().json();
    config["cgroups"]["parent"] = json!(format!("/{}/deep", subject.name()));
    config["cgroups"]["name"] = json!(name);
    fs::write(&path, config.to_string()).unwrap();
    path
}

/// The directories of the outer cgroup of the test.
fn outer(subject: &Subject) -> Vec<PathBuf> {
    cgroup::directories(&format!("/{}", subject.name()))
}

#[test]
fn cgroups_above_are_removed_if_they_were_made_for_the_container() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let path = file(&subject, "one");
    let config = ["--config", path.to_str().unwrap()];
    let seen = subject.exec(&config, "true").ok();
    assert!(outer(&subject).is_empty(), "{seen}");
    // Where it fails as well.
    let _ = subject
        .call(&[&["exec"][..], &config, &["/no/such"]].concat())
        .failed(1, "no such");
    assert!(outer(&subject).is_empty());
    // One that was there before stays.
    let hierarchy = cgroup::mounts().into_iter().next().unwrap();
    let own = hierarchy.join(subject.name());
    fs::create_dir(&own).unwrap();
    let _ = subject.exec(&config, "true").ok();
    assert_eq!(outer(&subject), [own.as_path()]);
    fs::remove_dir(&own).unwrap();
    fs::remove_file(path).unwrap();
    subject.finish();
}

#[test]
fn cgroups_above_of_two_containers_end_with_the_second_one() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    let [one, two] = ["one", "two"].map(|name| file(&subject, name));
    let first = subject.start(&["--config", one.to_str().unwrap()], WAIT);
    let second = subject.start(&["--id=two", "--config", two.to_str().unwrap()], WAIT);
    assert_eq!(end(first), Some(3));
    assert!(!outer(&subject).is_empty());
    assert_eq!(end(second), Some(3));
    assert!(outer(&subject).is_empty());
    // Also of one whose exec was killed: the next one removes it.
    let mut killed = subject.start(
        &["--config", one.to_str().unwrap()],
        ">/tmp/ready; sleep 0.1; exit 3",
    );
    killed.kill().unwrap();
    killed.wait().unwrap();
    eventually("the container has ended", || subject.state().is_none());
    let _ = subject.exec(&[], "true").ok();
    assert!(outer(&subject).is_empty());
    for path in [one, two] {
        fs::remove_file(path).unwrap();
    }
    subject.finish();
}

/// One removes the cgroup in which another is about to make its own.
#[test]
fn containers_that_come_and_go_do_not_take_the_cgroups_above_from_each_other() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    std::thread::scope(|scope| {
        for name in ["one", "two", "three", "four"] {
            let subject = &subject;
            scope.spawn(move || {
                let path = file(subject, name);
                let id = format!("--id={name}");
                for _ in 0..10 {
                    let flags = [&id, "--config", path.to_str().unwrap()];
                    let _ = subject.exec(&flags, "true").ok();
                }
                fs::remove_file(path).unwrap();
            });
        }
    });
    subject.finish();
}

/// Without a signal it goes on, as with runc, and ends with the container.
#[test]
fn a_process_that_was_added_ends_with_its_exec_if_a_signal_is_asked_for() {
    need!(Root, Busybox, Cofferdam);
    let script = "echo $$ >/tmp/added; >/tmp/ready; exec sleep 1000";
    for (of_container, of_process, stays) in [
        (&[][..], &[][..], true),
        (&[], &["--parent-death-signal=9"], false),
        (&["--parent-death-signal=15"], &[], false),
    ] {
        let subject = Subject::new();
        let first = subject.start(of_container, WAIT);
        let mut added = subject.start(of_process, script);
        added.kill().unwrap();
        added.wait().unwrap();
        let is_there = || subject.exec(&[], "kill -0 $(cat /tmp/added)").code == 0;
        if stays {
            assert!(is_there());
        } else {
            eventually("the added process has ended", || !is_there());
        }
        assert_eq!(end(first), Some(3));
        subject.finish();
    }
}
