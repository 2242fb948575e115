//! What is shown on a terminal while a dump or a restore goes on.

use std::path::Path;

use cofferdam_integration::limited::{Limited, Output};
use cofferdam_integration::need;

use crate::restore::{self, Fake};
use crate::stand_in::{REFUSE, StandIn, notify};

/// Runs a command on a terminal of its own, with what is seen there in a file as well.
fn on_a_terminal(command: &str, screen: &Path) -> Limited {
    Limited::new("script").args(["-qefc", command, screen.to_str().unwrap()])
}

fn checkpoint(dump: &StandIn, screen: &Path) -> Output {
    let program = dump.case.program.display();
    let (root, images) = (dump.case.root().display(), dump.images());
    let command = format!(
        "{program} --root {root} checkpoint --image-path {} {}",
        images.display(),
        dump.case.id
    );
    let bin = images.with_file_name("bin");
    on_a_terminal(&command, screen)
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", bin.display()))
        .env("IMAGES", &images)
        .env("SCREEN", screen)
        .output()
}

/// The program in the place of CRIU goes on when what it has written is on the screen.
#[test]
fn a_dump_shows_how_much_is_written() {
    need!(Root, Script);
    let wait = "head -c 3145728 /dev/zero >\"$IMAGES/pages-1.img\"\n\
                until grep -qE '3 (of [0-9]+ )?MiB of memory' \"$SCREEN\"; do sleep 0.1; done\n";
    let dump = StandIn::new(&format!("{wait}{REFUSE}"));
    dump.case.start();
    let screen = dump.images().with_file_name("screen");
    let shown = checkpoint(&dump, &screen).failed(1, "").stdout;
    // "3 of N MiB", or "3 MiB" where the cgroup does not count memory.
    let (_, line) = shown.split_once("\r3 ").expect(&shown);
    let (line, after) = line.split_once("MiB of memory written").expect(&shown);
    assert!(line.is_empty() || line.starts_with("of "), "{shown:?}");
    // It is gone before the error is shown.
    let blanks = format!("\r{}\r", " ".repeat(line.len() + 2 + 21));
    assert!(after.contains(&blanks), "{shown:?}");
    let (_, error) = after.rsplit_once(&blanks).unwrap();
    assert!(error.contains("criu failed: type DUMP"), "{shown:?}");
    dump.case.delete();
}

/// Each stage is shown in the place of the one before, and the last is gone before the error is
/// shown.
#[test]
fn a_restore_shows_its_stages() {
    need!(Root, Busybox, Script);
    let stage = notify("post-setup-namespaces");
    let fake = Fake::new(&format!(
        "here=$(dirname \"$0\")\n{stage}{}",
        restore::REFUSE
    ));
    fake.case.bundle.write();
    let images = fake.images();
    let command = format!(
        "{} --root {} restore --image-path {} {}",
        fake.case.program.display(),
        fake.case.root().display(),
        images.display(),
        fake.case.id
    );
    let bin = images.with_file_name("bin");
    let restored = on_a_terminal(&command, &images.with_file_name("screen"))
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", bin.display()))
        .directory(fake.case.bundle.path())
        .output()
        .failed(1, "");
    let blanks = " ".repeat("restoring processes and memory".len());
    let lines = format!("\rrestoring namespaces\rrestoring processes and memory\r{blanks}\r");
    let (_, after) = restored.stdout.split_once(&lines).expect(&restored.stdout);
    assert!(after.contains("criu failed: type RESTORE"), "{restored}");
    fake.case.nothing_left();
    // Nothing of that where there is no terminal.
    let said = fake.fails(&[], "criu failed: type RESTORE");
    assert!(!said.contains("restoring"), "{said}");
    fake.case.finish();
}
