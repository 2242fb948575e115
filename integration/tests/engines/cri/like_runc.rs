//! What a container of a pod has and may do: the same as one of Debian's runc that is asked for
//! alike.

use std::collections::HashMap;

use cofferdam_integration::cri::messages::{
    Capability, ContainerConfig, IdMapping, Int64Value, KeyValue, LinuxContainerSecurityContext,
    Mount, MountPropagation, NamespaceMode, PodSandboxConfig, ProfileType, SecurityProfile,
    UserNamespace,
};
use cofferdam_integration::engine::{Node, Pod, RunBy, container_config};
use cofferdam_integration::need;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};

use super::SLEEP;

/// What a process sees of itself and of its surroundings. What names a container or counts its
/// processes is left out.
const LOOK: &str = r#"
grep -E '^(Uid|Gid|Groups|NoNewPrivs|Seccomp|Seccomp_filters|Cap[A-Z][a-z]+):' /proc/1/status
awk '{ kind = "?"; for (i = 7; i < NF; i++) if ($i == "-") kind = $(i + 1); else if ($i ~ /^(shared|master)/ && kind == "?") sub(/:.*/, "", $i);
       line = $5 " " $6; for (i = 7; i <= NF && $i != "-"; i++) line = line " " $i; print line, kind }' /proc/self/mountinfo | sort
ls -l /dev | awk '{ print $1, $3, $4, $NF }'
cat /proc/1/limits /proc/1/oom_score_adj /proc/1/uid_map /proc/1/gid_map
env | grep -v '^HOSTNAME=' | sort
readlink /proc/self/cwd
for file in /proc/kcore /proc/timer_list /proc/keys; do stat -c '%n %a %F' $file; done
touch /new 2>&1; cat /proc/sys/kernel/shm_rmid_forced
echo 0 2>&1 >/proc/sys/kernel/shm_rmid_forced; mkdir /sys/fs/cgroup/new 2>&1
mount -t tmpfs none /tmp 2>&1; unshare 2>&1; chown 7 /tmp 2>&1; mknod /tmp/null c 1 3 2>&1
"#;

/// A security context as most clusters ask for: `restricted` of the pod security standards.
fn restricted() -> LinuxContainerSecurityContext {
    LinuxContainerSecurityContext {
        capabilities: Some(Capability {
            drop_capabilities: vec!["ALL".to_owned()],
            ..Capability::default()
        }),
        run_as_user: Some(Int64Value { value: 1000 }),
        run_as_group: Some(Int64Value { value: 2000 }),
        supplemental_groups: vec![3000, 3001],
        readonly_rootfs: true,
        no_new_privs: true,
        ..hidden_paths()
    }
}

/// What the kubelet asks for unless `procMount` is `Unmasked`, with its profile of system calls.
fn hidden_paths() -> LinuxContainerSecurityContext {
    let paths = |list: &str| list.split_whitespace().map(str::to_owned).collect();
    LinuxContainerSecurityContext {
        seccomp: Some(SecurityProfile {
            profile_type: ProfileType::RuntimeDefault.into(),
            ..SecurityProfile::default()
        }),
        masked_paths: paths("/proc/acpi /proc/kcore /proc/keys /proc/timer_list /sys/firmware"),
        readonly_paths: paths("/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger"),
        ..LinuxContainerSecurityContext::default()
    }
}

/// A container with a security context.
fn with(security: LinuxContainerSecurityContext) -> ContainerConfig {
    let mut config = container_config("looks", SLEEP);
    config.linux.as_mut().unwrap().security_context = Some(security);
    config
}

/// What a container shows under a runtime.
fn looked(
    node: &Node,
    runtime: RunBy,
    pod: &PodSandboxConfig,
    container: &ContainerConfig,
) -> String {
    let pod = node.try_pod(node.handler(runtime), pod.clone()).unwrap();
    let container = pod.run(container.clone());
    // Some of it is refused, and how is a part of the answer.
    let answer = container.exec(LOOK);
    pod.remove();
    [answer.stdout, answer.stderr]
        .map(|said| String::from_utf8(said).unwrap())
        .concat()
}

/// Lines in which runc 1.1 is known to differ, by their beginning.
const KNOWN: [&str; 5] = [
    // A bind with `rw` has the flags that it asks for since runc 1.2, and no more those of its
    // source.
    "/dev/shm ",
    // Masks of directories are `nosuid,nodev,noexec` as well (docs/compatibility.md).
    "/proc/acpi ",
    "/sys/firmware ",
    // The directory of the hierarchies of cgroup v1, which is to be read-only, is so.
    "/sys/fs/cgroup ",
    "mkdir: ",
];

/// Under volumes that follow the host's mounts runc 1.1 lets the root and the cgroups of the
/// container follow, too. Here they are private (docs/compatibility.md).
fn following(line: &str) -> String {
    let private = line.starts_with("/ ") || line.starts_with("/sys/fs/cgroup/");
    if private {
        line.replace(" master ", " ")
    } else {
        line.to_owned()
    }
}

/// What a container shows; the same with either runtime.
#[track_caller]
fn look(node: &Node, pod: &PodSandboxConfig, container: &ContainerConfig) -> String {
    let [ours, theirs] =
        [RunBy::UnderTest, RunBy::Runc].map(|runtime| looked(node, runtime, pod, container));
    let alone = |shown: &str, other: &str| -> Vec<String> {
        let unknown = |line: &&str| !KNOWN.iter().any(|known| line.starts_with(known));
        let lines = shown.lines().filter(unknown).map(following);
        lines
            .filter(|line| !other.lines().any(|other| following(other) == *line))
            .collect()
    };
    let difference = [alone(&ours, &theirs), alone(&theirs, &ours)];
    assert_eq!(difference, [const { Vec::<String>::new() }; 2], "{ours}");
    ours
}

#[track_caller]
fn assert_shows(shown: &str, lines: &[&str]) {
    let shown: Vec<String> = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for expected in lines {
        let there = shown.iter().any(|line| line == expected);
        assert!(there, "{expected:?} is missing: {shown:#?}");
    }
}

#[test]
fn a_restricted_container_has_nothing() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let shown = look(&node, &node.pod_config(), &with(restricted()));
    assert_shows(
        &shown,
        &[
            "Uid: 1000 1000 1000 1000",
            "Gid: 2000 2000 2000 2000",
            "Groups: 2000 3000 3001",
            "CapEff: 0000000000000000",
            "CapBnd: 0000000000000000",
            "NoNewPrivs: 1",
            "Seccomp: 2",
            "touch: /new: Read-only file system",
            "/proc/keys 666 character special file",
        ],
    );
}

#[test]
fn a_container_of_no_wishes_is_that_of_runc() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let shown = look(&node, &node.pod_config(), &with(hidden_paths()));
    assert_shows(
        &shown,
        &[
            "Uid: 0 0 0 0",
            "CapEff: 00000000a80425fb",
            "Seccomp: 2",
            "/proc/sys ro,nosuid,nodev,noexec,relatime proc",
        ],
    );
    // `procMount: Unmasked`: the kubelet names no paths.
    let unmasked = LinuxContainerSecurityContext {
        seccomp: hidden_paths().seccomp,
        ..LinuxContainerSecurityContext::default()
    };
    let shown = look(&node, &node.pod_config(), &with(unmasked));
    assert!(!shown.contains("/proc/sys ro"), "{shown}");
    assert!(!shown.contains("/proc/keys 666"), "{shown}");
}

#[test]
fn a_privileged_container_is_that_of_runc() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let mut pod = node.pod_config();
    let linux = pod.linux.as_mut().unwrap();
    linux.security_context.as_mut().unwrap().privileged = true;
    let privileged = LinuxContainerSecurityContext {
        privileged: true,
        ..LinuxContainerSecurityContext::default()
    };
    let shown = look(&node, &pod, &with(privileged));
    assert_shows(&shown, &["Seccomp: 0", "NoNewPrivs: 0"]);
}

#[test]
fn volumes_environment_and_sysctls_are_those_of_runc() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    // Of mounts that the host does not share a container cannot follow what comes upon them.
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let all = MountPropagationFlags::REC;
    for kind in [
        MountPropagationFlags::PRIVATE,
        MountPropagationFlags::SHARED,
    ] {
        mount_change("/", kind | all).unwrap();
    }
    let node = Node::start();
    let volume = tempfile::tempdir().unwrap();
    std::fs::write(volume.path().join("file"), "kept\n").unwrap();
    let mount = |container_path: &str, readonly, propagation: MountPropagation| Mount {
        container_path: container_path.to_owned(),
        host_path: volume.path().to_str().unwrap().to_owned(),
        readonly,
        propagation: propagation.into(),
    };
    let mut container = with(LinuxContainerSecurityContext {
        capabilities: Some(Capability {
            add_capabilities: vec!["NET_ADMIN".to_owned(), "SYS_PTRACE".to_owned()],
            drop_capabilities: vec!["MKNOD".to_owned()],
        }),
        ..hidden_paths()
    });
    container.mounts = vec![
        mount("/data", false, MountPropagation::Private),
        mount("/config", true, MountPropagation::Private),
        mount("/follows", true, MountPropagation::HostToContainer),
    ];
    container.working_dir = "/data".to_owned();
    container.envs = vec![KeyValue {
        key: "KUBERNETES_SERVICE_HOST".to_owned(),
        value: "10.0.0.1".to_owned(),
    }];
    let mut pod = node.pod_config();
    let linux = pod.linux.as_mut().unwrap();
    linux.sysctls = HashMap::from([("kernel.shm_rmid_forced".to_owned(), "1".to_owned())]);
    let shown = look(&node, &pod, &container);
    assert_shows(&shown, &["/data", "1", "KUBERNETES_SERVICE_HOST=10.0.0.1"]);
    assert!(shown.contains("\n/config ro,"), "{shown}");
    assert!(shown.contains("\n/follows ro,"), "{shown}");
}

/// Users of the pod's own (`hostUsers: false`), as far as this containerd knows of them: what it
/// does with the wish is the same for both runtimes, and what it asks of them is done.
#[test]
fn users_of_a_pods_own_are_as_the_engine_asks() {
    need!(Root, Busybox, Controllers, Containerd, Runc);
    let node = Node::start();
    let range = || IdMapping {
        host_id: 1_000_000,
        container_id: 0,
        length: 65_536,
    };
    let mut config = node.pod_config();
    let linux = config.linux.as_mut().unwrap();
    let security = linux.security_context.as_mut().unwrap();
    let namespaces = security.namespace_options.as_mut().unwrap();
    namespaces.userns_options = Some(UserNamespace {
        mode: NamespaceMode::Pod.into(),
        uids: vec![range()],
        gids: vec![range()],
    });
    let [ours, theirs] = [RunBy::UnderTest, RunBy::Runc].map(|runtime| {
        let pod = node.try_pod(node.handler(runtime), config.clone());
        pod.map(|pod| id_map(&pod))
    });
    println!("a pod with users of its own: {ours:?}");
    assert_eq!(ours, theirs);
}

fn id_map(pod: &Pod<'_>) -> String {
    let container = pod.run(with(hidden_paths()));
    container.shows("cat /proc/self/uid_map")
}
