//! A host that changes from runc to the program under test and back while containers are there:
//! the path that the engine knows leads to the other one.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use cofferdam_integration::cri::messages::{
    LinuxContainerResources, UpdateContainerResourcesRequest,
};
use cofferdam_integration::engine::{
    Containerd, Docker, DockerCommandLine, IMAGE, Node, Podman, RunBy, container_config,
};
use cofferdam_integration::limited::Output;
use cofferdam_integration::need;

/// The runtime of a host, at a path that stays the same.
struct Installed(PathBuf);

impl Installed {
    fn new(path: PathBuf, runtime: RunBy) -> Self {
        let installed = Self(path);
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
        let installed = Installed::new(containerd.installed_runtime(), before);
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
        let installed = Installed::new(docker.containerd().installed_runtime(), before);
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

/// `podman init` is the `create` of a runtime without its `start`, which is why a container made so
/// is started in one direction only: docs/upgrade.md has what to do before the other.
#[test]
fn containers_of_podman_go_on_under_the_other_runtime() {
    need!(Root, Busybox, Controllers, Podman, Runc, Cofferdam);
    let podman = Podman::new();
    for (before, after) in [
        (RunBy::Runc, RunBy::UnderTest),
        (RunBy::UnderTest, RunBy::Runc),
    ] {
        let installed = Installed::new(podman.installed_runtime(), before);
        let make = |verb: &str, flags: &[&str], id: &str| {
            let line = [flags, &["--name", id, IMAGE, "/bin/sleep", "1000"]].concat();
            let _ = podman.make(verb, &installed.0, &line).ok();
        };
        make("run", &["--detach"], "earlier");
        make("create", &[], "made");
        make("create", &[], "initialized");
        let _ = podman.call(&["init", "initialized"]).ok();
        installed.replace(after);
        make("run", &["--detach"], "later");
        let _ = podman.call(&["start", "made"]).ok();
        if before == RunBy::Runc {
            let _ = podman.call(&["start", "initialized"]).ok();
            podman_lives_on(&podman, "initialized");
        }
        for id in ["earlier", "made", "later"] {
            podman_lives_on(&podman, id);
        }
        let _ = podman.call(&["rm", "--all", "--force", "--time", "0"]).ok();
    }
}

/// The commands of a running container of podman, until it is gone.
fn podman_lives_on(podman: &Podman, id: &str) {
    let exec = ["exec", id, "/bin/echo", "hello"];
    assert_eq!(podman.call(&exec).ok().stdout, "hello\n", "{id}");
    for line in [
        &["pause", id][..],
        &["unpause", id],
        &["top", id],
        &["update", "--memory", "96m", id],
        &["restart", "--time", "0", id],
    ] {
        let _ = podman.call(line).ok();
    }
    assert_eq!(podman.call(&exec).ok().stdout, "hello\n", "{id}");
    let _ = podman.call(&["rm", "--force", "--time", "0", id]).ok();
}

/// A container that `CreateContainer` has made does not exist for the runtime yet.
#[test]
fn pods_of_containerd_go_on_under_the_other_runtime() {
    need!(Root, Busybox, Controllers, Containerd, Runc, Cofferdam);
    let node = Node::of_installed_runtime();
    for (before, after) in [
        (RunBy::Runc, RunBy::UnderTest),
        (RunBy::UnderTest, RunBy::Runc),
    ] {
        let installed = Installed::new(node.installed_runtime(), before);
        let pod = node.pod(node.pod_config());
        let sleeps = |name: &str| container_config(name, "exec sleep 1000");
        let earlier = pod.run(sleeps("earlier"));
        let made = pod.try_create(sleeps("made")).unwrap();
        installed.replace(after);
        made.start().unwrap();
        let later = pod.run(sleeps("later"));
        for container in [earlier, made, later] {
            assert_eq!(container.shows("echo hello"), "hello\n");
            let _ = node.call(&UpdateContainerResourcesRequest {
                container_id: container.id().to_owned(),
                linux: Some(LinuxContainerResources {
                    memory_limit_in_bytes: 96 << 20,
                    ..LinuxContainerResources::default()
                }),
            });
            container.stop(0);
            assert_eq!(container.status().exit_code, 137);
            container.remove();
        }
        pod.remove();
    }
}
