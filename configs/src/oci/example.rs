//! The template that the `spec` command writes.

use super::{
    DeviceCgroup, IdMap, Linux, LinuxCapabilities, Mount, Namespace, PosixRlimit, Process,
    Resources, Root, Spec, VERSION,
};

impl Spec {
    /// A bundle that runs a shell on a terminal, as root of a read-only `rootfs`.
    ///
    /// On a cgroup v2 host add [`Spec::with_cgroup_namespace`].
    #[must_use]
    pub fn example() -> Self {
        let capabilities = || {
            Some(strings(&[
                "CAP_AUDIT_WRITE",
                "CAP_KILL",
                "CAP_NET_BIND_SERVICE",
            ]))
        };
        Self {
            version: VERSION.to_owned(),
            process: Some(Process {
                terminal: true,
                args: strings(&["sh"]),
                env: Some(strings(&[
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "TERM=xterm",
                ])),
                cwd: "/".to_owned(),
                capabilities: Some(LinuxCapabilities {
                    bounding: capabilities(),
                    effective: capabilities(),
                    permitted: capabilities(),
                    ..LinuxCapabilities::default()
                }),
                rlimits: vec![PosixRlimit {
                    kind: "RLIMIT_NOFILE".to_owned(),
                    hard: 1024,
                    soft: 1024,
                }],
                no_new_privileges: true,
                ..Process::default()
            }),
            root: Some(Root {
                path: "rootfs".to_owned(),
                readonly: true,
            }),
            hostname: "runc".to_owned(),
            mounts: example_mounts(),
            linux: Some(Linux {
                resources: Some(Resources {
                    devices: vec![DeviceCgroup {
                        access: "rwm".to_owned(),
                        ..DeviceCgroup::default()
                    }],
                    ..Resources::default()
                }),
                namespaces: ["pid", "network", "ipc", "uts", "mount"]
                    .map(namespace)
                    .into(),
                masked_paths: strings(&[
                    "/proc/acpi",
                    "/proc/asound",
                    "/proc/kcore",
                    "/proc/keys",
                    "/proc/latency_stats",
                    "/proc/timer_list",
                    "/proc/timer_stats",
                    "/proc/sched_debug",
                    "/sys/firmware",
                    "/proc/scsi",
                ]),
                readonly_paths: strings(&[
                    "/proc/bus",
                    "/proc/fs",
                    "/proc/irq",
                    "/proc/sys",
                    "/proc/sysrq-trigger",
                ]),
                ..Linux::default()
            }),
            ..Self::default()
        }
    }

    /// Adds a new cgroup namespace.
    #[must_use]
    pub fn with_cgroup_namespace(mut self) -> Self {
        self.linux
            .get_or_insert_default()
            .namespaces
            .push(namespace("cgroup"));
        self
    }

    /// Changes a bundle so that a user without privileges can run it: a user namespace in which
    /// this user is root, the host's network and `/sys`, no cgroup limits, and no ids in mount
    /// options that would not be mapped.
    #[must_use]
    pub fn into_rootless(mut self, euid: u32, egid: u32) -> Self {
        let linux = self.linux.get_or_insert_default();
        linux
            .namespaces
            .retain(|ns| ns.kind != "network" && ns.kind != "user");
        linux.namespaces.push(namespace("user"));
        linux.uid_mappings = vec![IdMap {
            container_id: 0,
            host_id: euid,
            size: 1,
        }];
        linux.gid_mappings = vec![IdMap {
            container_id: 0,
            host_id: egid,
            size: 1,
        }];
        linux.resources = None;
        for mount in &mut self.mounts {
            if mount.destination == "/sys" {
                *mount = example_mount(
                    "/sys",
                    "none",
                    "/sys",
                    &["rbind", "nosuid", "noexec", "nodev", "ro"],
                );
            } else {
                mount
                    .options
                    .retain(|option| !option.starts_with("uid=") && !option.starts_with("gid="));
            }
        }
        self
    }
}

fn example_mounts() -> Vec<Mount> {
    vec![
        example_mount("/proc", "proc", "proc", &[]),
        example_mount(
            "/dev",
            "tmpfs",
            "tmpfs",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        example_mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        example_mount(
            "/dev/shm",
            "tmpfs",
            "shm",
            &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
        ),
        example_mount(
            "/dev/mqueue",
            "mqueue",
            "mqueue",
            &["nosuid", "noexec", "nodev"],
        ),
        example_mount(
            "/sys",
            "sysfs",
            "sysfs",
            &["nosuid", "noexec", "nodev", "ro"],
        ),
        example_mount(
            "/sys/fs/cgroup",
            "cgroup",
            "cgroup",
            &["nosuid", "noexec", "nodev", "relatime", "ro"],
        ),
    ]
}

fn example_mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.to_owned(),
        kind: kind.to_owned(),
        source: source.to_owned(),
        options: strings(options),
        ..Mount::default()
    }
}

fn namespace(kind: &str) -> Namespace {
    Namespace {
        kind: kind.to_owned(),
        path: String::new(),
    }
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}
