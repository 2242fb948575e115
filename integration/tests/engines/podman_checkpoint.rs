//! `podman container checkpoint` and `restore`, in place and by way of an archive.

use cofferdam_integration::engine::{DockerCommandLine, Podman};
use cofferdam_integration::{eventually, need};

use crate::promises::{self, NAME};

/// Counts in the memory of one process, which has a name that no other has.
const COUNTER: &str = "read -r name </proc/sys/kernel/random/uuid; count=0; while :; do \
                       count=$((count + 1)); echo $name $count >/new; mv /new /count; sleep 1; done";

/// What the counter has written last.
fn counted(podman: &Podman) -> Option<(String, u64)> {
    let read = podman.call(&["exec", NAME, "/bin/cat", "/count"]);
    let (name, count) = read.stdout.trim_end().split_once(' ')?;
    Some((name.to_owned(), count.parse().ok()?))
}

/// Waits until more is counted than `before`, and says how much that is.
#[track_caller]
fn counts_on(podman: &Podman, before: &(String, u64)) -> (String, u64) {
    let mut last = None;
    eventually("the process goes on counting", || {
        last = counted(podman);
        last.as_ref().is_some_and(|(_, count)| *count > before.1)
    });
    let now = last.unwrap();
    if !before.0.is_empty() {
        assert_eq!(now.0, before.0, "another process counts");
    }
    now
}

fn status(podman: &Podman) -> String {
    podman.inspect(NAME, "{{.State.Status}} {{.State.Checkpointed}}")
}

#[test]
fn a_container_goes_on_where_it_was() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup, Checkpoints);
    let podman = Podman::under_systemd();
    promises::start(&podman, &[], &["/bin/sh", "-c", COUNTER]);
    let counted = counts_on(&podman, &(String::new(), 0));
    let _ = podman.call(&["container", "checkpoint", NAME]).ok();
    assert_eq!(status(&podman), "exited true");
    let _ = podman.call(&["container", "restore", NAME]).ok();
    let counted = counts_on(&podman, &counted);
    let running = ["container", "checkpoint", "--leave-running", NAME];
    let _ = podman.call(&running).ok();
    let _ = counts_on(&podman, &counted);
    promises::end(&podman);
}

#[test]
fn a_container_comes_back_from_archives() {
    need!(Busybox, Podman, Systemd, DelegatedCgroup, Checkpoints);
    let podman = Podman::under_systemd();
    let archives = tempfile::tempdir().unwrap();
    let [before, last] = ["before", "last"].map(|name| {
        let path = archives.path().join(name).with_extension("tar.gz");
        path.into_os_string().into_string().unwrap()
    });
    promises::start(&podman, &["--tty"], &["/bin/sh", "-c", COUNTER]);
    let counted = counts_on(&podman, &(String::new(), 0));
    let checkpoint = ["container", "checkpoint", NAME, "--export"];
    let _ = podman
        .call(&[&checkpoint[..], &[&before, "--pre-checkpoint"]].concat())
        .ok();
    let _ = podman
        .call(&[&checkpoint[..], &[&last, "--with-previous"]].concat())
        .ok();
    let _ = podman.call(&["rm", NAME]).ok();
    let import = ["--import", &last, "--import-previous", &before];
    let _ = podman
        .call(&[&["container", "restore", "--name", NAME], &import[..]].concat())
        .ok();
    let _ = counts_on(&podman, &counted);
    promises::end(&podman);
}
