//! A host that changes from runc to the program under test and back while containers are there:
//! the path that the engine knows leads to the other one.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use cofferdam_integration::engine::{Containerd, Docker, DockerCommandLine, IMAGE, RunBy};
use cofferdam_integration::limited::Output;
use cofferdam_integration::need;

/// The runtime of a host, at a path that stays the same.
struct Installed(PathBuf);

impl Installed {
    fn new(containerd: &Containerd, runtime: RunBy) -> Self {
        let installed = Self(containerd.installed_runtime());
        installed.replace(runtime);
        installed
    }

    /// As a package manager does: at each moment one of the two is there.
    fn replace(&self, runtime: RunBy) {
        let next = self.0.with_file_name("runc.new");
        symlink(runtime.program(), &next).unwrap();
        std::fs::rename(&next, &self.0).unwrap();
    }
}

/// `ctr run` with the runtime of the host.
fn run(containerd: &Containerd, installed: &Installed, id: &str) -> Output {
    let rootfs = containerd.rootfs();
    let runtime = installed.0.to_str().unwrap();
    containerd.call(&[
        "run",
        "--detach",
        "--rootfs",
        "--runc-binary",
        runtime,
        rootfs.to_str().unwrap(),
        id,
        "/bin/sleep",
        "1000",
    ])
}

/// The commands of a running container, until it is gone.
fn live_on(containerd: &Containerd, id: &str) {
    let exec = ["task", "exec", "--exec-id", "e", id, "/bin/echo", "hello"];
    assert_eq!(containerd.call(&exec).ok().stdout, "hello\n", "{id}");
    let _ = containerd.call(&["task", "pause", id]).ok();
    let _ = containerd.call(&["task", "resume", id]).ok();
    let processes = containerd.call(&["task", "ps", id]).ok();
    assert_eq!(processes.lines().len(), 2, "{processes}");
    let _ = containerd.call(&["task", "rm", "--force", id]).ok();
    let _ = containerd.call(&["container", "rm", id]).ok();
    assert!(!containerd.call(&["task", "ls"]).ok().stdout.contains(id));
}

#[test]
fn containers_of_containerd_go_on_under_the_other_runtime() {
    need!(Root, Busybox, Containerd, Runc, Cofferdam);
    let containerd = Containerd::start();
    for (before, after) in [
        (RunBy::Runc, RunBy::UnderTest),
        (RunBy::UnderTest, RunBy::Runc),
    ] {
        let installed = Installed::new(&containerd, before);
        let _ = run(&containerd, &installed, "earlier").ok();
        installed.replace(after);
        let _ = run(&containerd, &installed, "later").ok();
        live_on(&containerd, "earlier");
        live_on(&containerd, "later");
    }
}

#[test]
fn containers_of_docker_go_on_under_the_other_runtime() {
    need!(Root, Busybox, Docker, Containerd, Runc, Cofferdam);
    let docker = Docker::start();
    let sleep = [IMAGE, "/bin/sleep", "1000"];
    let make = |verb: &[&str], id: &str| {
        let flags = ["--network", "none", "--runtime", "installed", "--name", id];
        let _ = docker.call(&[verb, &flags, &sleep].concat()).ok();
    };
    for (before, after) in [
        (RunBy::Runc, RunBy::UnderTest),
        (RunBy::UnderTest, RunBy::Runc),
    ] {
        let installed = Installed::new(docker.containerd(), before);
        make(&["run", "--detach"], "earlier");
        make(&["create"], "made");
        installed.replace(after);
        make(&["run", "--detach"], "later");
        let _ = docker.call(&["start", "made"]).ok();
        for id in ["earlier", "made", "later"] {
            let exec = ["exec", id, "/bin/echo", "hello"];
            assert_eq!(docker.call(&exec).ok().stdout, "hello\n", "{id}");
            for line in [
                &["pause", id][..],
                &["unpause", id],
                &["top", id],
                &["restart", "--time", "0", id],
            ] {
                let _ = docker.call(line).ok();
            }
            assert_eq!(docker.call(&exec).ok().stdout, "hello\n", "{id}");
            let _ = docker.call(&["rm", "--force", id]).ok();
        }
    }
}
