//! From the configuration of the cgroup to the types of crate `cgroups`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cgroups::{Cgroup, CgroupSpec, Resources};
use configs::config;
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};
use crate::state::record::ConfigRecord;

/// How long a cgroup may take to become empty.
pub(crate) const EMPTY_TIMEOUT: Duration = Duration::from_secs(10);

/// Which cgroup to make.
pub(crate) fn spec(from: &config::Cgroup, rootless: bool) -> CgroupSpec {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    CgroupSpec {
        name: text(&from.name),
        parent: text(&from.parent).map(PathBuf::from),
        path: text(&from.path).map(PathBuf::from),
        rootless: rootless || from.rootless,
        systemd: from.systemd,
        scope_prefix: from.scope_prefix.clone(),
        owner_uid: from.owner_uid,
        systemd_properties: from
            .systemd_properties
            .iter()
            .map(systemd_property)
            .collect(),
    }
}

/// What the record says of the cgroup of an existing container: enough to find the unit of systemd
/// that it is.
pub(crate) fn recorded(config: &ConfigRecord) -> CgroupSpec {
    let rootless = config.rootless_cgroups;
    let cgroup = &config.cgroups;
    if !cgroup.systemd {
        return CgroupSpec {
            rootless,
            ..CgroupSpec::default()
        };
    }
    CgroupSpec {
        name: Some(cgroup.name.clone()),
        parent: Some(PathBuf::from(&cgroup.parent)),
        scope_prefix: cgroup.scope_prefix.clone(),
        systemd: true,
        rootless: rootless || cgroup.rootless,
        ..CgroupSpec::default()
    }
}

fn systemd_property(from: &config::SystemdProperty) -> (String, String) {
    (from.name.clone(), from.value.clone())
}

/// The limits. Where the configuration says 0, the limit is left as it is.
pub(crate) fn resources(from: &config::Resources) -> Result<Resources> {
    if !from.devices.iter().all(|rule| rule.kind.can_cgroup()) {
        return Err(Error::config("device rules are not about fifos"));
    }
    Ok(Resources {
        devices: from.devices.clone(),
        skip_devices: from.skip_devices,
        skip_freeze_on_set: from.skip_freeze_on_set,
        memory: some(from.memory),
        memory_reservation: some(from.memory_reservation),
        memory_swap: some(from.memory_swap),
        memory_swappiness: from.memory_swappiness,
        oom_kill_disable: from.oom_kill_disable,
        memory_check_before_update: from.memory_check_before_update,
        cpu_shares: some(from.cpu_shares),
        cpu_weight: some(from.cpu_weight),
        cpu_quota: some(from.cpu_quota),
        cpu_burst: from.cpu_burst,
        cpu_period: some(from.cpu_period),
        cpu_rt_runtime: some(from.cpu_rt_runtime),
        cpu_rt_period: some(from.cpu_rt_period),
        cpu_idle: from.cpu_idle,
        cpuset_cpus: some(from.cpuset_cpus.clone()),
        cpuset_mems: some(from.cpuset_mems.clone()),
        pids_limit: from.pids_limit,
        blkio_weight: some(from.blkio_weight),
        blkio_leaf_weight: some(from.blkio_leaf_weight),
        blkio_weight_device: from.blkio_weight_device.iter().map(weight_device).collect(),
        blkio_throttle_read_bps_device: throttles(&from.blkio_throttle_read_bps_device),
        blkio_throttle_write_bps_device: throttles(&from.blkio_throttle_write_bps_device),
        blkio_throttle_read_iops_device: throttles(&from.blkio_throttle_read_iops_device),
        blkio_throttle_write_iops_device: throttles(&from.blkio_throttle_write_iops_device),
        freezer: match from.freezer {
            config::FreezerState::Undefined => None,
            config::FreezerState::Frozen => Some(cgroups::FreezerState::Frozen),
            config::FreezerState::Thawed => Some(cgroups::FreezerState::Thawed),
        },
        hugetlb_limit: from
            .hugetlb_limit
            .iter()
            .map(|limit| cgroups::HugepageLimit {
                page_size: limit.page_size.clone(),
                limit: limit.limit,
            })
            .collect(),
        rdma: from
            .rdma
            .iter()
            .map(|(device, limit)| {
                (
                    device.clone(),
                    cgroups::Rdma {
                        hca_handles: limit.hca_handles,
                        hca_objects: limit.hca_objects,
                    },
                )
            })
            .collect(),
        net_prio_ifpriomap: from
            .net_prio_ifpriomap
            .iter()
            .map(|entry| cgroups::IfPriority {
                interface: entry.interface.clone(),
                priority: entry.priority,
            })
            .collect(),
        net_cls_classid: some(from.net_cls_classid),
        unified: from.unified.clone(),
    })
}

fn weight_device(device: &config::WeightDevice) -> cgroups::WeightDevice {
    cgroups::WeightDevice {
        major: device.major,
        minor: device.minor,
        weight: device.weight,
        leaf_weight: device.leaf_weight,
    }
}

fn throttles(devices: &[config::ThrottleDevice]) -> Vec<cgroups::ThrottleDevice> {
    let convert = |device: &config::ThrottleDevice| cgroups::ThrottleDevice {
        major: device.major,
        minor: device.minor,
        rate: device.rate,
    };
    devices.iter().map(convert).collect()
}

/// 0 and the empty string mean "not set".
fn some<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

/// Maps a failure of crate `cgroups` to this crate's kinds.
pub(crate) fn failed(operation: &str) -> impl Fn(cgroups::Error) -> Error {
    let operation = operation.to_owned();
    move |error| {
        let kind = match error.kind() {
            cgroups::ErrorKind::NotEmpty | cgroups::ErrorKind::Frozen => ErrorKind::CgroupInUse,
            cgroups::ErrorKind::NotFound => ErrorKind::CgroupNotFound,
            cgroups::ErrorKind::Unsupported | cgroups::ErrorKind::NotMounted => {
                ErrorKind::Unsupported
            }
            cgroups::ErrorKind::InvalidConfig | cgroups::ErrorKind::InvalidPath => {
                ErrorKind::InvalidConfig
            }
            cgroups::ErrorKind::Timeout => ErrorKind::Timeout,
            _ => ErrorKind::System,
        };
        Error::with(kind, operation.clone(), error)
    }
}

/// How many processes of the cgroup the kernel killed for lack of memory; 0 if that is unknown.
pub(crate) fn oom_kills(cgroup: &Cgroup) -> u64 {
    cgroup.oom_kill_count().unwrap_or(0)
}

/// Whether a process can be started in the cgroup's v2 directory. Without one, although the cgroup
/// has such a path, it would stay in the cgroup of the caller: only a container that may do without
/// (`optional`) goes on then.
pub(crate) fn unified_directory(group: &Cgroup, optional: bool) -> Result<bool> {
    if group.path("").is_none() || group.needs_first_process() {
        return Ok(false);
    }
    match open_unified(group) {
        Ok(_) => Ok(true),
        Err(error) if optional && error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The v2 directory of a cgroup, to start a process in.
pub(crate) fn open_unified(group: &Cgroup) -> Result<std::os::fd::BorrowedFd<'_>> {
    let directory = group.dir().map_err(failed("can't open cgroup"))?;
    directory.ok_or_else(|| {
        let path = group.path("").unwrap_or(Path::new("")).display();
        Error::system(format!("can't open cgroup {path}"), Errno::NOENT)
    })
}

/// One controller for each v1 hierarchy of the cgroup: those whose `tasks` file a process joins by.
pub(crate) fn joined_controllers(group: &Cgroup) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let named = group
        .paths()
        .into_iter()
        .filter(|(name, _)| !name.is_empty());
    named
        .filter_map(|(name, path)| seen.insert(path).then_some(name))
        .collect()
}

/// Everything but the limit on the number of processes, and that alone if there is one: it would
/// count a first stage, too.
pub(crate) fn split_process_limit(from: &Resources) -> (Resources, Option<Resources>) {
    let mut others = from.clone();
    let processes = Resources {
        pids_limit: others.pids_limit.take(),
        unified: others
            .unified
            .remove_entry("pids.max")
            .into_iter()
            .collect(),
        skip_devices: true,
        ..Resources::default()
    };
    let limited = processes.pids_limit.is_some() || !processes.unified.is_empty();
    (others, limited.then_some(processes))
}

/// Fails if a process that is started in the cgroup would not run.
pub(crate) fn require_thawed(cgroup: &Cgroup) -> Result<()> {
    let failed = failed("read the state of the container's freezer");
    if cgroup.is_frozen().map_err(failed)? {
        return Err(frozen_from_above());
    }
    Ok(())
}

/// Why nothing can be started in a cgroup that was made just now.
pub(crate) fn frozen_from_above() -> Error {
    Error::new(
        ErrorKind::CgroupInUse,
        "container's cgroup unexpectedly frozen: a cgroup above it is frozen",
    )
}

/// Says of a process that made no progress why, if its cgroup is frozen by now.
pub(crate) fn explain_standstill(error: Error, cgroup: &Cgroup) -> Error {
    if error.kind() == ErrorKind::Timeout && cgroup.is_frozen().unwrap_or(false) {
        return error.context("the container's cgroup is frozen");
    }
    error
}

/// What was asked for and is not in force, as text.
pub(crate) fn warnings(applied: cgroups::Applied) -> impl Iterator<Item = String> {
    applied
        .warnings
        .into_iter()
        .map(|warning| format!("{}: {}", warning.setting, warning.reason))
}

#[cfg(test)]
mod tests {
    use cgroups::{Hierarchy, Mode};
    use devices::{Access, Kind, Rule};

    use super::*;

    #[test]
    fn zero_and_empty_mean_not_set() {
        let wanted = resources(&config::Resources::default()).unwrap();
        assert_eq!(wanted, Resources::default());
        let from = config::Resources {
            memory: -1,
            cpu_shares: 1024,
            cpuset_cpus: "0-1".to_owned(),
            pids_limit: Some(0),
            freezer: config::FreezerState::Frozen,
            devices: vec!["c 1:* m".parse().unwrap()],
            ..config::Resources::default()
        };
        let wanted = resources(&from).unwrap();
        assert_eq!(wanted.memory, Some(-1));
        assert_eq!(wanted.memory_swap, None);
        assert_eq!(wanted.cpu_shares, Some(1024));
        assert_eq!(wanted.cpuset_cpus.as_deref(), Some("0-1"));
        assert_eq!(wanted.pids_limit, Some(0), "a limit of 0 is a limit");
        assert_eq!(wanted.freezer, Some(cgroups::FreezerState::Frozen));
        assert_eq!(
            wanted.devices.first().map(ToString::to_string).as_deref(),
            Some("c 1:* m")
        );
    }

    #[test]
    fn a_device_rule_cannot_be_about_a_fifo() {
        let rule = Rule::allow(Kind::Fifo, None, None, Access::ALL);
        let from = config::Resources {
            devices: vec![rule],
            ..config::Resources::default()
        };
        assert_eq!(
            resources(&from).unwrap_err().kind(),
            ErrorKind::InvalidConfig
        );
    }

    #[test]
    fn shares_have_the_same_weight_in_the_state_and_in_the_cgroup() {
        for shares in (1..=262_145).chain([u64::MAX]) {
            assert_eq!(
                configs::specconv::cpu_weight(shares),
                cgroups::cpu_weight(shares),
                "{shares}"
            );
        }
    }

    #[test]
    fn the_intended_place_is_where_it_is_made() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let hierarchy = Hierarchy::system().unwrap();
        let name = format!("cofferdam-intended-{}", std::process::id());
        for spec in [
            CgroupSpec::at(format!("/{name}")),
            CgroupSpec::named(name.as_str()),
        ] {
            let intended = Cgroup::intended(&hierarchy, &spec).unwrap();
            let made = Cgroup::prepare(&hierarchy, &spec, &Resources::default()).unwrap();
            let paths = made.paths();
            let tasks = made.self_join_files().map(|files| files.len());
            made.delete(Duration::from_secs(5)).unwrap();
            assert_eq!(intended.paths(), paths);
            if hierarchy.mode() != Mode::V2 {
                assert_eq!(joined_controllers(&intended).len(), tasks.unwrap());
            }
        }
    }
}
