//! Annotations with which other runtimes take protections away or act on the host (CVE-2024-3154,
//! CVE-2026-94603): an image can bring them, and here they do nothing.

use cofferdam_integration::{Case, need};
use serde_json::json;

use crate::host::Host;

/// Of crun, Podman, Kata Containers, gVisor and `CRI-O`, with values that would have an effect
/// there; and properties of a systemd unit, which count only where a caller asks for systemd.
const ANNOTATIONS: [(&str, &str); 22] = [
    ("run.oci.handler", "krun"),
    ("run.oci.hooks.stdout", "/proc/sys/kernel/core_pattern"),
    ("run.oci.hooks.stderr", "/proc/sys/kernel/core_pattern"),
    ("run.oci.keep_original_groups", "1"),
    ("run.oci.pidfd_receiver", "/run/no-such-socket"),
    ("run.oci.mount_context_type", "rootcontext"),
    ("run.oci.seccomp_fail_unknown_syscall", "0"),
    ("run.oci.seccomp_bpf_data", "AAAAAAAAAAA="),
    ("run.oci.systemd.force_cgroup_v1", "/sys/fs/cgroup"),
    ("run.oci.systemd.subgroup", "../../.."),
    ("run.oci.delegate-cgroup", "../other"),
    ("run.oci.timens_offset", "monotonic:1000"),
    ("io.podman.annotations.privileged", "TRUE"),
    ("io.podman.annotations.seccomp", "unconfined"),
    ("io.podman.annotations.apparmor", "unconfined"),
    ("io.podman.annotations.init", "TRUE"),
    ("io.katacontainers.config.hypervisor.path", "/bin/sh"),
    (
        "io.katacontainers.config.runtime.disable_guest_seccomp",
        "true",
    ),
    ("io.kubernetes.cri-o.userns-mode", "host"),
    ("dev.gvisor.spec.mount.x.source", "/"),
    ("org.systemd.property.Delegate", "true"),
    ("org.systemd.property.DeviceAllow", "[('block-*', 'rwm')]"),
];

/// What the kernel shows of a container: identity, capabilities, filter, mounts, environment.
const REPORT: &str = "grep -v -e ctxt -e Vm -e Rss -e Sig -e Seccomp_filters -e allowed /proc/self/status; \
     cut -d' ' -f4-7 /proc/self/mountinfo | grep -v /cofferdam/; cat /proc/self/environ; cat /proc/self/cgroup | grep -c .; \
     cat /proc/self/timens_offsets; ls -l /proc/self/ns | cut -c1-10; ls /proc/self/fd";

#[test]
fn no_annotation_changes_what_a_container_is() {
    need!(Root, Busybox, Cofferdam);
    let host = Host::new();
    let mut case = Case::new();
    let plain = case.inside(REPORT);
    for (key, value) in ANNOTATIONS {
        case.bundle.config["annotations"] = json!({ key: value });
        let output = case.run().ok();
        assert_eq!(output.stdout, plain.stdout, "{key}");
        // What crun would act on is told: somebody may rely on it.
        assert_eq!(
            output.stderr.contains(key),
            key.starts_with("run.oci."),
            "{key}: {output}"
        );
        host.unchanged(key);
        case.nothing_left();
    }
    let every: serde_json::Map<_, _> = ANNOTATIONS
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    case.bundle.config["annotations"] = every.into();
    let output = case.run().ok();
    assert_eq!(output.stdout, plain.stdout);
    for (key, _) in ANNOTATIONS {
        let told = output.stderr.contains(key);
        assert_eq!(told, key.starts_with("run.oci."), "{key}: {output}");
    }
    host.unchanged("annotations");
    case.finish();
}

#[test]
fn annotations_with_an_effect_are_listed_as_unsafe() {
    need!(Cofferdam);
    let case = Case::new();
    let features = case.call(&["features"]).ok().json();
    let listed = features["potentiallyUnsafeConfigAnnotations"].to_string();
    assert!(listed.contains("org.systemd.property."), "{listed}");
    case.finish();
}
