//! Tests of whole plans. None needs privileges: a plan is data.

mod budget;
#[cfg(feature = "explain")]
mod explained;
mod golden;
mod kernel;
mod properties;
mod rules;

use configs::config::{
    Capabilities, Command, Config, Device, IdMap, Mount, MountFlags, NamespaceType, Namespaces,
    Network,
};
use nsenter::plan::{Op, Plan, Step};

use super::host::HostFacts;
use super::output::BuiltPlan;
use super::request::{
    CgroupPlacement, CgroupView, Filter, InitRequest, LegacyHierarchy, ProcessRequest,
};
use crate::Process;

/// A request whose parts a test changes before it builds the plan.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) config: Config,
    pub(super) process: Process,
    pub(super) host: HostFacts,
    pub(super) cgroup: CgroupPlacement,
    pub(super) view: CgroupView,
    pub(super) filter: Option<Filter>,
    pub(super) late_limits: bool,
    pub(super) waits_for_start: bool,
}

impl Case {
    /// Nothing but a root file system in its own mount and pid namespaces.
    pub(super) fn bare() -> Self {
        Self {
            id: "c1".to_owned(),
            config: Config {
                rootfs: "/bundle/rootfs".to_owned(),
                version: "1.3.0".to_owned(),
                no_new_keyring: true,
                namespaces: private(&[NamespaceType::Mount, NamespaceType::Pid]),
                labels: vec!["bundle=/bundle".to_owned()],
                ..Config::default()
            },
            process: Process::new(["/bin/sh"]),
            host: HostFacts {
                last_capability: 40,
                grantable_capabilities: u64::MAX,
                effective_uid: 0,
                effective_gid: 0,
                filtered: false,
                in_user_namespace: false,
                setgroups_denied: false,
                kcore: true,
                procfs_pidns: false,
                nosymfollow: true,
                umask: None,
                full_proc_mounts: Vec::new(),
            },
            cgroup: CgroupPlacement {
                unified: true,
                ..CgroupPlacement::default()
            },
            view: CgroupView::Unified {
                directory: "/sys/fs/cgroup/c".into(),
            },
            filter: None,
            late_limits: false,
            waits_for_start: true,
        }
    }

    /// What the `spec` command writes: the mounts, masks and capabilities that nearly every engine
    /// starts from.
    pub(super) fn standard() -> Self {
        let mut case = Self::bare();
        let config = &mut case.config;
        config.namespaces = private(&[
            NamespaceType::Pid,
            NamespaceType::Network,
            NamespaceType::Ipc,
            NamespaceType::Uts,
            NamespaceType::Mount,
            NamespaceType::Cgroup,
        ]);
        config.no_new_keyring = false;
        config.readonlyfs = true;
        config.hostname = "cofferdam".to_owned();
        config.networks = vec![Network::loopback()];
        config.no_new_privileges = true;
        config.mounts = standard_mounts();
        config.devices = standard_devices();
        config.mask_paths = ["/proc/acpi", "/proc/kcore", "/sys/firmware"]
            .map(str::to_owned)
            .to_vec();
        config.readonly_paths = ["/proc/bus", "/proc/sys"].map(str::to_owned).to_vec();
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        let set = names(&["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
        config.capabilities = Some(Capabilities {
            bounding: set.clone(),
            effective: set.clone(),
            permitted: set,
            ..Capabilities::default()
        });
        case.process = Process::new(["sh"]);
        case.process
            .env(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]);
        case
    }

    /// What an engine adds to that: volumes, another user, a filter without `no_new_privs`,
    /// sysctls, hooks.
    pub(super) fn engine() -> Self {
        let mut case = Self::standard();
        let config = &mut case.config;
        config.readonlyfs = false;
        config.no_new_privileges = false;
        config.oom_score_adj = Some(0);
        config.mounts.push(volume(
            "/var/lib/engine/v1",
            "/data",
            MountFlags::REC,
            MountFlags::PRIVATE | MountFlags::REC,
        ));
        config.mounts.push(volume(
            "/var/lib/engine/hosts",
            "/etc/hosts",
            MountFlags::REC | MountFlags::RDONLY,
            MountFlags::PRIVATE | MountFlags::REC,
        ));
        config.sysctl = [
            ("net.ipv4.ip_unprivileged_port_start", "0"),
            ("net.ipv4.ping_group_range", "0 2147483647"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        config.apparmor_profile = "docker-default".to_owned();
        config.hooks.prestart = vec![command("/usr/bin/network-hook")];
        case.process
            .user(1000, 1000)
            .cwd("/home/user")
            .additional_gids([10, 20]);
        case.filter = Some(Filter {
            flags: 4,
            ..allowing()
        });
        case
    }

    /// In a user namespace of its own.
    pub(super) fn user_namespace() -> Self {
        let mut case = Self::standard();
        case.config.namespaces.set(NamespaceType::User, "");
        let map = IdMap {
            container_id: 0,
            host_id: 100_000,
            size: 65_536,
        };
        case.config.uid_mappings = vec![map];
        case.config.gid_mappings = vec![map];
        case.config.mounts.push(volume(
            "/private/dir",
            "/data",
            MountFlags::RDONLY,
            MountFlags::PRIVATE,
        ));
        case
    }

    pub(super) fn init(&self) -> crate::Result<BuiltPlan> {
        super::init(&InitRequest {
            request: self.request(),
            cgroup_view: &self.view,
            late_limits: self.late_limits,
            waits_for_start: self.waits_for_start,
        })
    }

    pub(super) fn exec(&self) -> crate::Result<BuiltPlan> {
        super::exec(&self.request())
    }

    fn request(&self) -> ProcessRequest<'_> {
        ProcessRequest {
            container_id: &self.id,
            config: &self.config,
            process: &self.process,
            host: &self.host,
            cgroup: self.cgroup.clone(),
            seccomp: self.filter.clone(),
        }
    }

    /// The text of the error that building the plan of an init gives.
    pub(super) fn refusal(&self) -> String {
        self.init()
            .expect_err("the plan must be refused")
            .to_string()
    }
}

pub(super) fn private(kinds: &[NamespaceType]) -> Namespaces {
    let mut namespaces = Namespaces::new();
    for kind in kinds {
        namespaces.set(*kind, "");
    }
    namespaces
}

pub(super) fn mount(device: &str, destination: &str, flags: MountFlags, data: &str) -> Mount {
    Mount {
        source: device.to_owned(),
        destination: destination.to_owned(),
        device: device.to_owned(),
        flags,
        data: data.to_owned(),
        ..Mount::default()
    }
}

pub(super) fn volume(
    source: &str,
    destination: &str,
    flags: MountFlags,
    propagation: MountFlags,
) -> Mount {
    Mount {
        source: source.to_owned(),
        destination: destination.to_owned(),
        device: "bind".to_owned(),
        flags: flags | MountFlags::BIND,
        propagation_flags: if propagation.is_empty() {
            Vec::new()
        } else {
            vec![propagation]
        },
        ..Mount::default()
    }
}

pub(super) fn command(path: &str) -> Command {
    Command {
        path: path.to_owned(),
        ..Command::default()
    }
}

fn standard_mounts() -> Vec<Mount> {
    let safe = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    vec![
        mount("proc", "/proc", MountFlags::NONE, ""),
        mount(
            "tmpfs",
            "/dev",
            MountFlags::NOSUID | MountFlags::STRICTATIME,
            "mode=755,size=65536k",
        ),
        mount(
            "devpts",
            "/dev/pts",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            "newinstance,ptmxmode=0666,mode=0620,gid=5",
        ),
        mount("tmpfs", "/dev/shm", safe, "mode=1777,size=65536k"),
        mount("mqueue", "/dev/mqueue", safe, ""),
        mount("sysfs", "/sys", safe | MountFlags::RDONLY, ""),
        mount(
            "cgroup",
            "/sys/fs/cgroup",
            safe | MountFlags::RELATIME | MountFlags::RDONLY,
            "",
        ),
    ]
}

fn standard_devices() -> Vec<Device> {
    [
        ("null", 1, 3),
        ("random", 1, 8),
        ("full", 1, 7),
        ("tty", 5, 0),
        ("zero", 1, 5),
        ("urandom", 1, 9),
    ]
    .map(|(name, major, minor)| Device {
        kind: ::devices::Kind::Char,
        major,
        minor,
        access: ::devices::Access::ALL,
        allow: true,
        path: format!("/dev/{name}"),
        file_mode: 0o666,
        uid: 0,
        gid: 0,
    })
    .to_vec()
}

pub(super) fn hierarchies() -> CgroupView {
    let hierarchy = |directory: &str, links: &[&str]| LegacyHierarchy {
        directory: directory.to_owned(),
        source: if directory == "systemd" {
            "systemd"
        } else {
            "cgroup"
        }
        .to_owned(),
        data: if directory == "systemd" {
            "name=systemd"
        } else {
            directory
        }
        .to_owned(),
        links: links.iter().map(|&link| link.to_owned()).collect(),
        own: format!("/sys/fs/cgroup/{directory}/c").into(),
        of_caller: false,
    };
    CgroupView::Legacy(vec![
        hierarchy("memory", &[]),
        hierarchy("cpu,cpuacct", &["cpu", "cpuacct"]),
        hierarchy("systemd", &[]),
    ])
}

/// A filter that allows everything.
pub(super) fn allowing() -> Filter {
    Filter {
        flags: 0,
        program: instructions(&[(0x06, 0, 0, 0x7fff_0000)]),
        listener: false,
    }
}

/// A filter that refuses these system calls with an errno each and allows everything else.
pub(super) fn refusing(calls: &[(libc::c_long, i32)]) -> Filter {
    let mut program = vec![(0x20, 0, 0, 0)];
    for (number, errno) in calls {
        program.push((0x15, 0, 1, u32::try_from(*number).unwrap()));
        program.push((0x06, 0, 0, 0x0005_0000 | errno.cast_unsigned()));
    }
    program.push((0x06, 0, 0, 0x7fff_0000));
    Filter {
        flags: 0,
        program: instructions(&program),
        listener: false,
    }
}

fn instructions(list: &[(u16, u8, u8, u32)]) -> Vec<u8> {
    list.iter()
        .flat_map(|(code, jt, jf, k)| {
            [&code.to_ne_bytes()[..], &[*jt, *jf], &k.to_ne_bytes()].concat()
        })
        .collect()
}

/// The operations of a plan, in order.
pub(super) fn ops(plan: &Plan) -> Vec<&Op> {
    plan.steps().iter().map(Step::op).collect()
}

/// Where the only operation of a kind is.
pub(super) fn position(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> Option<usize> {
    ops(plan).into_iter().position(wanted)
}

/// How many operations of a kind there are.
pub(super) fn count(plan: &Plan, wanted: impl Fn(&Op) -> bool) -> usize {
    ops(plan).into_iter().filter(|op| wanted(op)).count()
}

/// Where the step with this context is.
pub(super) fn named(plan: &Plan, context: &str) -> usize {
    plan.steps()
        .iter()
        .position(|step| step.context() == context)
        .unwrap_or_else(|| panic!("no step {context:?} in\n{plan}"))
}
