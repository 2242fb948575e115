//! `/etc/passwd` and `/etc/group` that never end (CVE-2026-47262), or are not files at all.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use cofferdam_integration::{Case, Limited, Output, need};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;

use crate::host::Host;
use crate::victim;

/// The address space that a command may use: more than any needs, much less than the files have.
const MEMORY: &str = "262144";

/// How long a command may take. It does not read what it does not need, and waits for no process;
/// no machine reads all that is offered here in this time.
const LIMIT: Duration = Duration::from_secs(60);

fn run(case: &Case) -> Output {
    case.bundle.write();
    let line = format!(
        "ulimit -v {MEMORY}; exec '{}' --root '{}' run {}",
        case.program.display(),
        case.root().display(),
        case.id
    );
    let started = Instant::now();
    let output = Limited::new("/bin/sh")
        .args(["-c", &line])
        .directory(case.bundle.path())
        .output();
    assert!(
        started.elapsed() < LIMIT,
        "took {:?}: {output}",
        started.elapsed()
    );
    output
}

fn make(kind: &str, path: &Path) {
    let node = |kind, device| mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), device).unwrap();
    let text = |text: &[u8]| std::fs::write(path, text).unwrap();
    match kind {
        "fifo" => node(FileType::Fifo, 0),
        "zero device" => node(FileType::CharacterDevice, makedev(1, 5)),
        "terminal" => node(FileType::CharacterDevice, makedev(5, 0)),
        "directory" => std::fs::create_dir(path).unwrap(),
        "loop" => symlink(path.file_name().unwrap(), path).unwrap(),
        "kernel log" => symlink("/proc/kmsg", path).unwrap(),
        "sparse" => File::create(path).unwrap().set_len(8 << 40).unwrap(),
        "long line" => text(&vec![b'x'; 16 << 20]),
        "many lines" => text(&b"u:x:1:1::/:\n".repeat(1 << 20)),
        "zeros" => text(&[0; 10_000]),
        "returns" => {
            text(b"root:x:0:0:root:/evil:/bin/sh\r\nuser:x:1000:1000::/home/user:/bin/sh\r\n")
        }
        "not UTF-8" => text(b"\xff\xfe:x:1000:1000::/\xff\xfe:/bin/sh\n"),
        "no newline" => text(b"user:x:1000:1000::/home/user:/bin/sh"),
        "fields missing" => text(b"user:x:1000\n:::::\nx\n"),
        "relative home" => text(b"user:x:1000:1000::../../home:/bin/sh\n"),
        _ => unreachable!("{kind}"),
    }
}

#[test]
fn a_password_file_that_cannot_be_read_is_as_good_as_none() {
    need!(Root, Busybox);
    let host = Host::new();
    let kinds = [
        "fifo",
        "zero device",
        "terminal",
        "directory",
        "loop",
        "kernel log",
        "sparse",
        "long line",
        "many lines",
        "zeros",
        "returns",
        "not UTF-8",
        "no newline",
        "fields missing",
        "relative home",
    ];
    for kind in kinds {
        let mut case = Case::new();
        for name in ["passwd", "group"] {
            let path = case.bundle.rootfs().join("etc").join(name);
            std::fs::remove_file(&path).unwrap();
            make(kind, &path);
        }
        case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        case.bundle
            .script("echo \"$HOME\"; grep ^Uid: /proc/self/status");
        let output = run(&case);
        victim::sane(&output);
        assert_eq!(output.code, 0, "{kind}: {output}");
        assert!(output.lines()[1].ends_with("\t1000"), "{kind}: {output}");
        let home = output.lines()[0];
        let known: &[&str] = match kind {
            "no newline" | "returns" => &["/home/user"],
            "not UTF-8" => &["/\u{fffd}\u{fffd}", "/"],
            "relative home" => &["../../home", "/"],
            _ => &["/"],
        };
        assert!(known.contains(&home), "{kind}: {home:?}");
        host.unchanged(kind);
        case.finish();
    }
}

#[test]
fn exec_reads_no_fifo_either() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    let path = case.bundle.rootfs().join("etc/passwd");
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    for kind in ["fifo", "zero device", "sparse"] {
        std::fs::remove_file(&path).unwrap();
        make(kind, &path);
        let started = Instant::now();
        let output = case
            .exec_before(&["--user", "1000:1000", "/bin/sh", "-c", "echo \"$HOME\""])
            .ok();
        assert!(
            started.elapsed() < LIMIT,
            "took {:?}: {output}",
            started.elapsed()
        );
        assert_eq!(output.stdout, "/\n", "{kind}");
    }
    host.unchanged("exec");
    case.delete();
}
