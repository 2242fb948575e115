//! FIFOs where another file is expected: opening one waits for its other end, and nothing here
//! does.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use cofferdam_integration::{Case, need};
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

fn fifo(case: &Case) -> PathBuf {
    let path = case.bundle.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    path
}

#[test]
fn one_for_a_namespace_is_refused_by_its_name() {
    need!(Containers, Busybox);
    for kind in ["network", "ipc", "uts", "pid", "mount", "cgroup", "user"] {
        let mut case = Case::new();
        let path = fifo(&case);
        case.bundle.without_namespace(kind);
        case.bundle
            .namespace(json!({ "type": kind, "path": path.to_str().unwrap() }));
        for command in ["run", "create"] {
            let output = case
                .command(&[command, &case.id])
                .timeout(SOON)
                .output()
                .failed(1, path.to_str().unwrap());
            assert!(!output.stderr.contains("panic"), "{output}");
            case.nothing_left();
        }
        case.finish();
    }
}

#[test]
fn one_for_the_log_needs_a_reader() {
    need!(Containers, Busybox, Cofferdam);
    let case = Case::new();
    let path = fifo(&case);
    let log = path.to_str().unwrap();
    let run = |more: &[&str]| {
        let line = [&["--log", log], more, &["run", &case.id]].concat();
        case.command(&line).timeout(SOON).output()
    };
    let said = format!("open {log}: a FIFO that no process reads");
    let _ = run(&[]).failed(1, &said);
    let mut reader = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&path)
        .unwrap();
    let _ = run(&["--debug"]).ok();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(text.contains("level=debug"), "{text}");
    // A reader that does not read: the log is full in the end, and the container runs all the same.
    let _ = rustix::pipe::fcntl_setpipe_size(&reader, 4096);
    for _ in 0..3 {
        let _ = run(&["--debug"]).ok();
    }
    case.finish();
}

#[test]
fn one_for_the_bundle_or_its_configuration_is_refused() {
    need!(Containers, Busybox);
    let case = Case::new();
    let path = fifo(&case);
    let bundle = path.to_str().unwrap();
    let _ = case
        .command(&["run", "--bundle", bundle, &case.id])
        .timeout(SOON)
        .output()
        .failed(1, bundle);
    let folder = case.bundle.path().join("other");
    std::fs::create_dir(&folder).unwrap();
    mkfifoat(CWD, folder.join("config.json"), Mode::RUSR | Mode::WUSR).unwrap();
    let _ = case
        .command(&["run", "--bundle", folder.to_str().unwrap(), &case.id])
        .timeout(SOON)
        .output()
        .failed(1, "config.json");
    case.finish();
}
