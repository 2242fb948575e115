//! `checkpoint` and `restore`.

use std::fs;
use std::process::Stdio;

use cofferdam_integration::{eventually, need};

use super::subject::{Subject, end, ended};

const COUNT: &str = ">/tmp/ready; i=0; while [ ! -e /end ]; do echo $i >>/count; i=$((i+1)); sleep 0.1; done; exit 7";

fn count(subject: &Subject) -> usize {
    let text = fs::read_to_string(subject.rootfs().join("count")).unwrap_or_default();
    text.lines().count()
}

/// Waits until a restore is complete: then its creator is not on record any more. An `exec` before
/// would make a container.
fn restored(subject: &Subject) {
    eventually("the restore is complete", || {
        subject
            .state()
            .is_some_and(|state| state["creator"].is_null())
    });
}

#[test]
fn images_have_to_be_named_and_a_container_has_to_run() {
    need!(Root, Busybox, Cofferdam);
    let subject = Subject::new();
    for command in ["checkpoint", "restore"] {
        let _ = subject
            .call(&[command])
            .failed(1, "The --image-path option isn't specified");
    }
    let none = subject.call(&["checkpoint", "--image-path=/tmp/none"]);
    let _ = none.failed(1, "container does not exist");
    let first = subject.start(&[], super::subject::WAIT);
    let wrong = subject.call(&["checkpoint", "--image-path=x", "--page-server=x"]);
    let _ = wrong.failed(1, "Use --page-server ADDRESS:PORT");
    let running = subject.call(&["restore", "--image-path=x"]);
    let _ = running.failed(1, "container nsinit is still running");
    // Without the program nothing is dumped, and the container goes on.
    let line = ["--criu=/no/such/criu", "checkpoint", "--image-path=images"];
    let _ = subject.call(&line).failed(1, "criu");
    assert_eq!(end(first), Some(3));
    // Its first process would end with the thread that restores it.
    let first = subject.start(&["--parent-death-signal=9"], super::subject::WAIT);
    let refused = subject.call(&["checkpoint", "--image-path=images"]);
    let _ = refused.failed(1, "parent death signal");
    assert_eq!(end(first), Some(3));
    subject.finish();
}

#[test]
fn a_container_that_is_checkpointed_goes_on_where_it_was() {
    need!(Root, Busybox, Cofferdam, Checkpoints);
    let subject = Subject::new();
    let images = tempfile::tempdir().unwrap();
    let images = format!("--image-path={}", images.path().to_str().unwrap());
    let mut first = subject.start(&["--hostname=kept"], COUNT);
    eventually("it counts", || count(&subject) > 3);
    let _ = subject
        .call(&["checkpoint", "--leave-running", &images])
        .ok();
    let before = count(&subject);
    eventually("it goes on counting", || count(&subject) > before);
    let _ = subject.call(&["checkpoint", &images]).ok();
    assert_eq!(ended(&mut first), Some(128 + 9));
    assert!(subject.root().join("nsinit/criu.work/dump.log").exists());
    let before = count(&subject);
    let mut second = subject.command(&["restore", &images]);
    let mut second = second
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it goes on counting", || count(&subject) > before);
    restored(&subject);
    assert_eq!(subject.exec(&[], "hostname").ok().stdout, "kept\n");
    fs::write(subject.rootfs().join("end"), "").unwrap();
    assert_eq!(ended(&mut second), Some(7));
    let text = fs::read_to_string(subject.rootfs().join("count")).unwrap();
    let numbers: Vec<usize> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>());
    // The configuration is beside the images: what is on record may be lost.
    fs::remove_file(subject.rootfs().join("end")).unwrap();
    let mut third = subject.command(&["restore", &images]);
    let mut third = third
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    restored(&subject);
    assert_eq!(subject.exec(&[], "hostname").ok().stdout, "kept\n");
    fs::write(subject.rootfs().join("end"), "").unwrap();
    assert_eq!(ended(&mut third), Some(7));
    subject.finish();
}
