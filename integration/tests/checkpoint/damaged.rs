//! Images that are not whole: a copy that was interrupted, or a full disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cofferdam_integration::need;

use crate::restore::{Fake, REFUSE};
use crate::subject::{Runtime, Subject};

/// Cuts a file in half.
fn cut(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length / 2).unwrap();
}

#[test]
fn a_restore_without_an_inventory_is_refused_before_criu_begins() {
    need!(Root, Busybox);
    let fake = Fake::new(&format!("echo began >\"$0.began\"; {REFUSE}"));
    for (name, why) in [
        (
            "inventory.img",
            "the dump was not completed, or not all of it was copied",
        ),
        ("pstree.img", "not all of the images were copied"),
    ] {
        let path = fake.images().join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..7]).unwrap();
        fake.fails(&[], &format!("{} is cut off", path.display()));
        fs::remove_file(&path).unwrap();
        fake.fails(&[], &format!("{} is missing: {why}", path.display()));
        fs::write(&path, whole).unwrap();
    }
    assert!(
        !fake
            .images()
            .with_file_name("bin")
            .join("criu.began")
            .exists()
    );
    fake.case.finish();
}

/// By the CRIU of the machine. It would read the end of a file with memory pages for ever.
#[test]
fn every_image_that_is_cut_off_fails_the_restore_in_one_line() {
    need!(Root, Busybox, Checkpoints);
    let mut subject = Subject::counter();
    subject.start(Runtime::Ours);
    subject.counts_beyond(0);
    subject.dump(Runtime::Ours, &[]);
    let images = subject.images();
    let mut names: Vec<String> = fs::read_dir(&images)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".img") || name == "descriptors.json")
        .collect();
    names.sort();
    for name in names {
        let path = images.join(&name);
        let whole = fs::read(&path).unwrap();
        cut(&path);
        let restored = subject
            .command("restore", &[])
            .directory(subject.case.bundle.path())
            .timeout(Duration::from_secs(60))
            .output()
            .failed(1, "");
        let line = restored.stderr.lines().last().unwrap();
        // The contents of a file system are an archive, which has no name in what CRIU says, and
        // of mounts CRIU takes those that it can read.
        let expected = if name.starts_with("tmpfs-") {
            "Can't restore tmpfs content"
        } else if name.starts_with("mountpoints-") {
            "No parent found for mountpoint"
        } else if name == "seccomp.img" {
            "Img trimmed"
        } else {
            &name
        };
        assert!(line.contains(expected), "{name}: {restored}");
        if name.starts_with("pages-") {
            let said = format!("{} is cut off: it has ", path.display());
            assert!(line.contains(&said), "{restored}");
        }
        subject.case.nothing_left();
        fs::write(&path, whole).unwrap();
    }
    let count = subject.count();
    subject.restore(Runtime::Ours, &[]);
    subject.counts_beyond(count);
    subject.case.delete();
}
