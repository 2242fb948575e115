//! Dumps by the CRIU of the machine.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use cofferdam_integration::{Case, eventually, need};
use serde_json::json;

use crate::subject::{Runtime, Subject};

/// A subject whose container has a program of its own.
fn subject(script: &str) -> Subject {
    let mut case = Case::new();
    case.bundle.config["root"]["readonly"] = false.into();
    case.bundle.script(script);
    Subject::of(case)
}

/// Sum of the sizes of the files with memory pages.
pub(crate) fn pages(images: &Path) -> u64 {
    let entries = fs::read_dir(images).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("pages-"))
        .map(|entry| entry.metadata().unwrap().len())
        .sum()
}

#[test]
fn a_container_goes_on_after_a_dump_that_leaves_it_running() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    subject.start(Runtime::Ours);
    subject.dump(Runtime::Ours, &["--leave-running"]);
    assert!(subject.images().join("inventory.img").exists());
    let count = subject.count();
    subject.counts_beyond(count + 1);
    // The next one, into the same directory, ends and removes it.
    subject.dump(Runtime::Ours, &[]);
    subject.case.finish();
}

/// Disk space of the files with memory pages, in bytes.
fn space(images: &Path) -> u64 {
    let entries = fs::read_dir(images).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("pages-"))
        .map(|entry| entry.metadata().unwrap().blocks() * 512)
        .sum()
}

/// The script keeps some megabytes in memory and changes little. Pages that are written again or
/// were restored leave no second copy where that is asked for.
#[test]
fn a_dump_after_pre_dumps_writes_what_has_changed() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = subject(
        "text=$(yes 0123456789abcdef | head -c 6000000); \
         i=0; while true; do i=$((i+1)); echo $i >>/count; sleep 0.1; done",
    );
    subject.start(Runtime::Ours);
    subject.counts_beyond(1);
    let images = subject.images();
    let before = |name: &str| images.with_file_name(name);
    for (name, flags) in [
        ("first", vec!["--pre-dump"]),
        (
            "second",
            vec!["--pre-dump", "--parent-path", "../first", "--auto-dedup"],
        ),
    ] {
        let whole = before("first").exists().then(|| space(&before("first")));
        subject.dump(Runtime::Ours, &flags);
        fs::rename(&images, before(name)).unwrap();
        if let Some(whole) = whole {
            let left = space(&before("first"));
            assert!(left < whole, "{left} of {whole}");
        }
        let count = subject.count();
        subject.counts_beyond(count + 1);
    }
    let whole = space(&before("second"));
    subject.dump(Runtime::Ours, &["--parent-path", "../second"]);
    assert_eq!(space(&before("second")), whole);
    assert_eq!(
        fs::read_link(images.join("parent")).unwrap(),
        Path::new("../second")
    );
    let (first, last) = (pages(&before("first")), pages(&images));
    assert!(first > 6_000_000, "{first}");
    assert!(last < first / 2, "{last} of {first}");
    assert!(!before("first").join("descriptors.json").exists());
    let (count, whole) = (subject.count(), space(&before("first")));
    subject.restore(Runtime::Ours, &["--auto-dedup"]);
    subject.counts_beyond(count);
    let left = space(&before("first"));
    assert!(left < whole / 2, "{left} of {whole}");
    subject.case.delete();
}

#[test]
fn a_paused_container_is_dumped_and_stays_paused() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    subject.start(Runtime::Ours);
    let _ = subject.case.call(&["pause", &subject.case.id]).ok();
    subject.dump(Runtime::Ours, &["--leave-running"]);
    assert_eq!(subject.case.status(), "paused");
    let _ = subject.case.call(&["resume", &subject.case.id]).ok();
    let count = subject.count();
    subject.counts_beyond(count + 1);
    subject.case.delete();
}

#[test]
fn mounts_and_namespaces_from_outside_are_left_out() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    let name = subject.case.id.clone();
    let ip = |arguments: &[&str]| {
        let line = arguments.iter().copied().map(str::to_owned);
        let _ = cofferdam_integration::Limited::new("ip")
            .args(line)
            .output()
            .ok();
    };
    ip(&["netns", "add", &name]);
    let bundle = &mut subject.case.bundle;
    bundle.without_namespace("network");
    bundle.namespace(json!({ "type": "network", "path": format!("/run/netns/{name}") }));
    let file = bundle.path().join("a file");
    fs::write(&file, "").unwrap();
    bundle
        .mount(json!({ "source": file, "destination": "/etc/a:file", "options": ["bind", "ro"] }));
    subject.volume();
    subject.start(Runtime::Ours);
    eventually("it counts", || subject.count() > 0);
    subject.dump(Runtime::Ours, &[]);
    ip(&["netns", "del", &name]);
    let log = fs::read_to_string(subject.images().join("dump.log")).unwrap();
    for found in [
        "Found /volume mapping for ./volume mountpoint",
        "Found /etc/a:file mapping for ./etc/a:file mountpoint",
        "Found /dev/null mapping for ./proc/",
    ] {
        assert!(log.contains(found), "{found}: {log}");
    }
    subject.case.finish();
}
