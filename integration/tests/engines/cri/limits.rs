//! Limits of containers and of whole pods.

use cofferdam_integration::cri::messages::{
    ContainerConfig, LinuxContainerResources, UpdateContainerResourcesRequest,
};
use cofferdam_integration::engine::{Container, Node, RunBy, container_config};
use cofferdam_integration::{cgroup, eventually, need};

use super::SLEEP;

/// A container of half a processor and this much memory.
fn limited(name: &str, script: &str, memory: i64) -> ContainerConfig {
    let mut config = container_config(name, script);
    config.linux.as_mut().unwrap().resources = Some(resources(memory, 50_000));
    config
}

fn resources(memory: i64, quota: i64) -> LinuxContainerResources {
    LinuxContainerResources {
        cpu_period: 100_000,
        cpu_quota: quota,
        cpu_shares: 512,
        memory_limit_in_bytes: memory,
        oom_score_adj: 900,
        ..LinuxContainerResources::default()
    }
}

/// What the kernel has as limits of memory and of processor time.
fn limits(container: &Container<'_>) -> [String; 2] {
    let path = container.cgroup();
    if cgroup::is_unified() {
        [("memory", "memory.max"), ("cpu", "cpu.max")]
    } else {
        [
            ("memory", "memory.limit_in_bytes"),
            ("cpu", "cpu.cfs_quota_us"),
        ]
    }
    .map(|(controller, file)| cgroup::read(controller, &path, file))
}

fn expected(memory: &str, quota: &str) -> [String; 2] {
    let period = if cgroup::is_unified() { " 100000" } else { "" };
    [memory.to_owned(), format!("{quota}{period}")]
}

#[test]
fn limits_reach_the_kernel_and_are_updated() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let pod = node.pod(node.pod_config());
    let container = pod.run(limited("one", SLEEP, 64 << 20));
    assert_eq!(limits(&container), expected("67108864", "50000"));
    assert_eq!(container.shows("cat /proc/1/oom_score_adj"), "900\n");
    let _ = node.call(&UpdateContainerResourcesRequest {
        container_id: container.id().to_owned(),
        linux: Some(resources(96 << 20, 25_000)),
    });
    assert_eq!(limits(&container), expected("100663296", "25000"));
    pod.remove();
}

/// Its kubelet gives a pod a cgroup with the limits of the pod as a whole.
#[test]
fn a_limit_of_the_pod_holds_for_its_containers() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let pod = node.pod(node.pod_config());
    let container = pod.run(container_config("one", SLEEP));
    let group = cgroup::processes(&container.cgroup());
    assert!(!group.is_empty(), "no process in {}", container.cgroup());
    let limit = |value: &str| {
        let written = cgroup::directories(node.cgroup())
            .into_iter()
            .map(|directory| directory.join("pids.max"))
            .filter(|file| file.exists())
            .map(|file| std::fs::write(file, value).unwrap());
        assert_eq!(written.count(), 1, "cgroups with a limit of processes");
    };
    limit("12");
    let many = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1003 >/dev/null 2>&1 & done";
    let answer = container.exec(many);
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(said.contains("Resource temporarily unavailable"), "{said}");
    limit("max");
    assert_eq!(container.exec("true").exit_code, 0);
    pod.remove();
}

#[test]
fn a_container_out_of_memory_is_said_to_be() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    assert!(
        is_said(&node, RunBy::UnderTest) || !is_said(&node, RunBy::Runc),
        "the engine says so of runc's containers only"
    );
}

/// Whether the engine says of a container, in ten tries, that the kernel killed it for memory. The
/// shim learns that from a file of the cgroup, beside the end of the container: it may be late with
/// any runtime.
fn is_said(node: &Node, runtime: RunBy) -> bool {
    (0..10).any(|_| {
        let pod = node.try_pod(node.handler(runtime), node.pod_config());
        let pod = pod.unwrap();
        let hog = "exec dd if=/dev/zero of=/dev/null bs=100M count=1";
        let container = pod.run(limited("hog", hog, 16 << 20));
        let status = container.ended();
        assert_eq!(status.exit_code, 137, "{status:?}");
        let mut looks = 0;
        eventually("the reason is said, or not", || {
            looks += 1;
            container.status().reason == "OOMKilled" || looks > 100
        });
        let said = container.status().reason == "OOMKilled";
        pod.remove();
        said
    })
}
