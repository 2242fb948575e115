//! What of the runtime others can reach (CVE-2020-15257, CVE-2021-41103): no abstract socket, no
//! file of the state.

use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use cofferdam_integration::{Case, Limited, need};

use crate::host::Host;
use crate::victim;

/// The abstract sockets of this thread's network namespace.
fn abstract_sockets() -> BTreeSet<String> {
    let text = std::fs::read_to_string("/proc/thread-self/net/unix").unwrap();
    text.lines()
        .filter_map(|line| line.split_whitespace().nth(7))
        .filter(|name| name.starts_with('@'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_abstract_socket_is_made() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.without_namespace("network");
    // The network namespace is this test's own: whatever appears there is the runtime's.
    assert_eq!(abstract_sockets(), BTreeSet::new());
    case.bundle.args(&["/bin/sleep", "1000"]);
    let mut child = case.spawn(&["run", &case.id]);
    case.wait_until_running();
    assert_eq!(abstract_sockets(), BTreeSet::new(), "while run waits");
    let inside = case.exec(&["/bin/cat", "/proc/net/unix"]).ok();
    assert!(!inside.stdout.contains('@'), "{inside}");
    let _ = case.call(&["kill", &case.id, "KILL"]).ok();
    child.wait().unwrap();
    case.nothing_left();
    let created = victim::create(&case).unwrap_or_else(|output| panic!("{output}"));
    assert!(created > 0);
    assert_eq!(abstract_sockets(), BTreeSet::new(), "created");
    host.unchanged("sockets");
    case.delete();
}

trait Running {
    fn wait_until_running(&self);
}

impl Running for Case {
    fn wait_until_running(&self) {
        cofferdam_integration::eventually("the container runs", || {
            let output = self.call(&["state", &self.id]);
            output.code == 0 && output.json()["status"] == "running"
        });
    }
}

fn private(path: &Path) {
    let metadata = path.symlink_metadata().unwrap();
    let mode = metadata.mode() & 0o7777;
    assert_eq!(
        (metadata.uid(), metadata.gid()),
        (0, 0),
        "{}",
        path.display()
    );
    let forbidden = if metadata.is_dir() { 0o7066 } else { 0o7077 };
    assert_eq!(
        mode & forbidden,
        0,
        "{} has mode {mode:o} ({})",
        path.display(),
        if metadata.file_type().is_fifo() {
            "fifo"
        } else {
            "file"
        }
    );
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            private(&entry.unwrap().path());
        }
    }
}

#[test]
fn the_state_is_for_root_only() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.bundle.write();
    // A state root that the program makes itself, for a caller without a mask.
    let above = tempfile::tempdir().unwrap();
    std::fs::set_permissions(
        above.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let root = above.path().join("state/root");
    let call = |arguments: &str| {
        let line = format!(
            "umask 0; exec '{}' --root '{}' {arguments} </dev/null >/dev/null 2>'{}/said'",
            case.program.display(),
            root.display(),
            above.path().display()
        );
        let output = Limited::new("/bin/sh")
            .args(["-c", &line])
            .directory(case.bundle.path())
            .output();
        assert_eq!(
            output.code,
            0,
            "{arguments}: {}",
            std::fs::read_to_string(above.path().join("said")).unwrap()
        );
    };
    call(&format!("create {}", case.id));
    private(&root);
    // Another user of the host cannot read the copy of the configuration.
    let file = root.join(&case.id).join("state.json");
    assert!(file.exists(), "{}", file.display());
    let reading = Limited::new("setpriv")
        .args([
            "--reuid=65534".into(),
            "--regid=65534".into(),
            "--clear-groups".into(),
            "cat".into(),
            file.into_os_string(),
        ])
        .output();
    assert_ne!(reading.code, 0, "{reading}");
    call(&format!("start {}", case.id));
    private(&root);
    call(&format!("delete --force {}", case.id));
    private(&root);
    host.unchanged("the state");
    case.finish();
}
