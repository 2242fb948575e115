//! Kubernetes' way in: pods by the CRI of containerd.

mod like_runc;
mod limits;
mod networks;
mod streams;

use std::path::{Path, PathBuf};

use cofferdam_integration::cri::messages::{
    ContainerState, ContainerStatsRequest, ExecSyncRequest, ListContainersRequest, NamespaceMode,
    PodSandboxConfig, PodSandboxState, VersionRequest,
};
use cofferdam_integration::engine::{Container, Node, Pod, RunBy, container_config};
use cofferdam_integration::{cgroup, eventually, need};

/// A program that goes on until it is killed.
const SLEEP: &str = "exec sleep 1000";

/// Where the shim of containerd keeps the state of a runtime's containers.
fn runtime_state(id: &str) -> PathBuf {
    Path::new("/run/containerd/runc/k8s.io").join(id)
}

/// A pod's configuration in which containers see each other's processes.
fn with_shared_processes(node: &Node) -> PodSandboxConfig {
    let mut config = node.pod_config();
    let linux = config.linux.as_mut().unwrap();
    let security = linux.security_context.as_mut().unwrap();
    let namespaces = security.namespace_options.as_mut().unwrap();
    namespaces.set_pid(NamespaceMode::Pod);
    config
}

#[test]
fn a_pod_of_the_runtime_class_lives_and_ends() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let version = node.call(&VersionRequest {});
    assert_eq!(version.runtime_name, "containerd", "{version:?}");
    let pod = node.pod(node.pod_config());
    let status = pod.status();
    assert_eq!(status.state(), PodSandboxState::Ready);
    assert_eq!(status.runtime_handler, node.handler(RunBy::UnderTest));

    let script = format!("echo out; echo err >&2; {SLEEP}");
    let container = pod.try_create(container_config("one", &script)).unwrap();
    assert_eq!(container.status().state(), ContainerState::Created);
    container.start().unwrap();
    assert_eq!(container.status().state(), ContainerState::Running);
    let listed = node.call(&ListContainersRequest {}).containers;
    assert!(listed.iter().any(|listed| listed.id == container.id()));
    has_logged(&node, "one", &[("stdout", "out"), ("stderr", "err")]);

    answers_commands(&node, &container);
    let stats = node.call(&ContainerStatsRequest {
        container_id: container.id().to_owned(),
    });
    let stats = stats.stats.unwrap();
    assert!(stats.cpu.unwrap().usage_core_nano_seconds.unwrap().value > 0);
    assert!(stats.memory.unwrap().working_set_bytes.unwrap().value > 0);

    // `sh` has become `sleep`, which does nothing about SIGTERM as the first process.
    container.stop(1);
    let status = container.status();
    assert_eq!(
        (status.state(), status.exit_code),
        (ContainerState::Exited, 137)
    );
    let (id, cgroup) = (container.id().to_owned(), container.cgroup());
    container.remove();
    assert_gone(&id, &cgroup);
    is_stopped_and_removed(&node, pod);
}

/// Output, errors and exit codes of commands, and an end to those that take too long.
fn answers_commands(node: &Node, container: &Container<'_>) {
    let answer = container.exec("echo out; echo err >&2; exit 7");
    assert_eq!(
        (&answer.stdout[..], &answer.stderr[..], answer.exit_code),
        (&b"out\n"[..], &b"err\n"[..], 7)
    );
    let probe = ExecSyncRequest {
        container_id: container.id().to_owned(),
        cmd: ["/bin/sleep", "1000"].map(str::to_owned).into(),
        timeout: 1,
    };
    let status = node.client().call(&probe).unwrap_err();
    // DEADLINE_EXCEEDED, or UNKNOWN with these words.
    assert!(
        status.message.contains("timeout") || status.code == 4,
        "{status}"
    );
    assert_eq!(container.shows("ps | grep -c '[s]leep 1000'"), "1\n");
}

/// A line of a log has the time, the stream, and whether it is a whole line.
fn has_logged(node: &Node, container: &str, expected: &[(&str, &str)]) {
    let file = node.directory().join("logs").join(container);
    let file = file.with_extension("log");
    eventually("the output is in the log", || {
        let log = std::fs::read_to_string(&file).unwrap_or_default();
        expected.iter().all(|(stream, text)| {
            let end = format!(" {stream} F {text}");
            log.lines().any(|line| line.ends_with(&end))
        })
    });
}

fn is_stopped_and_removed(node: &Node, pod: Pod<'_>) {
    pod.stop();
    assert_eq!(pod.status().state(), PodSandboxState::NotReady);
    let id = pod.id().to_owned();
    pod.remove();
    assert_gone(&id, &format!("{}/{id}", node.cgroup()));
}

/// Neither the runtime nor the kernel has anything of a container.
fn assert_gone(id: &str, cgroup: &str) {
    assert!(!runtime_state(id).exists(), "the state of {id}");
    let left = cgroup::directories(cgroup);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn how_a_container_ended_is_said_as_of_runc() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let [ours, theirs] = [RunBy::UnderTest, RunBy::Runc].map(|runtime| {
        let pod = node.try_pod(node.handler(runtime), node.pod_config());
        let pod = pod.unwrap();
        let ends = ["exit 0", "exit 3", "sh -c 'kill -KILL $$'; exit $?"].map(|script| {
            let container = pod.run(container_config("ends", script));
            let status = container.ended();
            container.remove();
            (status.exit_code, status.reason)
        });
        let mut missing = container_config("missing", "");
        missing.command = vec!["/no/such/program".to_owned()];
        let container = pod.try_create(missing).unwrap();
        let refused = container.start().unwrap_err();
        let status = container.status();
        let missing = (
            refused.code,
            refused.message.contains("no such file or directory"),
            status.exit_code,
            status.reason,
        );
        pod.remove();
        (ends, missing)
    });
    let ends = [(0, "Completed"), (3, "Error"), (137, "Error")];
    assert_eq!(ours.0, ends.map(|(code, reason)| (code, reason.to_owned())));
    assert!(ours.1.1, "{ours:?}");
    assert_eq!(ours, theirs);
}

#[test]
fn containers_of_a_pod_may_see_each_others_processes() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let pod = node.pod(with_shared_processes(&node));
    let first = pod.run(container_config("first", "exec sleep 1001"));
    let second = pod.run(container_config("second", "exec sleep 1002"));
    let processes = second.shows("ps -o args");
    for seen in ["/bin/sleep 100000", "sleep 1001", "sleep 1002"] {
        assert!(processes.lines().any(|line| line == seen), "{processes}");
    }
    let namespaces = |container: &Container<'_>, kinds: &str| {
        container.shows(&format!(
            "for kind in {kinds}; do readlink /proc/self/ns/$kind; done"
        ))
    };
    let shared = "ipc net pid uts";
    assert_eq!(namespaces(&first, shared), namespaces(&second, shared));
    assert_ne!(namespaces(&first, "mnt"), namespaces(&second, "mnt"));
    pod.remove();
}

#[test]
fn a_handler_without_a_runtime_is_refused() {
    need!(Root, Busybox, Containerd, Runc);
    let node = Node::start();
    let refused = node.try_pod("no-such-handler", node.pod_config());
    let status = refused.unwrap_err();
    assert!(status.message.contains("no-such-handler"), "{status}");
}
