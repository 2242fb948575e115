//! How a process gets into its cgroup.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use cgroups::{Cgroup, Mode};
use configs::Config;

use super::error_messages;
use crate::cgroup;
use crate::error::Result;
use crate::plan::{CgroupPlacement, CgroupView, LegacyHierarchy};

/// The `tasks` file of the cgroup in the v1 hierarchy of a controller.
pub(crate) type TasksFile = (String, OwnedFd);

/// The placement of the init process of a new container, with the `tasks` files that it needs open.
pub(crate) fn of_init(
    group: &Cgroup,
    config: &Config,
) -> Result<(Vec<TasksFile>, CgroupPlacement)> {
    let rootless = config.rootless_cgroups;
    // By name where that is safe, and where no hierarchy may be left out: it takes far fewer
    // descriptors.
    let by_name = group.is_new() && !rootless;
    let gate = group.needs_first_process();
    let tasks = if gate || by_name {
        Vec::new()
    } else {
        group
            .self_join_files()
            .map_err(cgroup::failed(error_messages::APPLY_CGROUP))
            .map_err(error_messages::not_started)?
    };
    let mut placement = placement(group, &tasks, rootless)?;
    if by_name && !gate {
        placement.task_paths = group.self_join_paths();
    }
    Ok((tasks, placement))
}

/// The placement of the init process of a container whose cgroup is not made.
pub(crate) fn of_preview(group: &Cgroup, config: &Config) -> CgroupPlacement {
    let gate = group.needs_first_process();
    let (tasks, task_paths) = match (gate, config.rootless_cgroups) {
        (true, _) => (Vec::new(), Vec::new()),
        (false, true) => (cgroup::joined_controllers(group), Vec::new()),
        (false, false) => (Vec::new(), group.self_join_paths()),
    };
    CgroupPlacement {
        unified: !gate && group.hierarchy().mode() != Mode::V1,
        tasks,
        task_paths,
        gate,
        outside: false,
    }
}

/// How a process joins the cgroup of a container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joined {
    /// The process must be in it; only an ordinary user's container may be without.
    pub(crate) needed: bool,
    /// The caller has named it. Otherwise it is the container's, which has been seen.
    pub(crate) chosen: bool,
    /// The process is frozen as soon as it is there.
    pub(crate) paused: bool,
}

/// The placement of a process that joins a container.
pub(crate) fn of_exec(
    group: &Cgroup,
    config: &Config,
    joined: Joined,
) -> Result<(Vec<TasksFile>, CgroupPlacement)> {
    let Joined {
        needed,
        chosen,
        paused,
    } = joined;
    let gate = moved_by_systemd(config);
    // The process opens them by name, which takes fewer descriptors, and looks whether they are of
    // cgroupfs.
    let by_name = !config.rootless_cgroups && !gate;
    let mut tasks = if gate || (by_name && !chosen) {
        Vec::new()
    } else {
        match group.self_join_files() {
            // Without permission there may be no cgroup to join.
            Err(error) if !needed && error.kind() == cgroups::ErrorKind::NotFound => Vec::new(),
            other => other
                .map_err(cgroup::failed(cannot_join(group)))
                .map_err(error_messages::not_started)?,
        }
    };
    let mut placement =
        placement(group, &tasks, !needed || gate).map_err(error_messages::not_started)?;
    if gate {
        placement.unified = false;
        placement.gate = true;
    }
    placement.outside = paused;
    if by_name {
        tasks.clear();
        placement.tasks.clear();
        placement.task_paths = group.self_join_paths();
    }
    Ok((tasks, placement))
}

/// Between two units only the user's systemd can move a process of an ordinary user.
pub(crate) fn moved_by_systemd(config: &Config) -> bool {
    config.cgroups.systemd && config.rootless_cgroups
}

/// What a process that cannot join the cgroup is a failure of.
pub(crate) fn cannot_join(group: &Cgroup) -> &'static str {
    match group.hierarchy().mode() {
        Mode::V2 => "can't open cgroup",
        _ => error_messages::JOIN_CGROUP,
    }
}

/// How the process gets into the cgroup: a v2 directory may only be missing if that is `optional`.
fn placement(group: &Cgroup, tasks: &[TasksFile], optional: bool) -> Result<CgroupPlacement> {
    Ok(CgroupPlacement {
        unified: cgroup::unified_directory(group, optional)?,
        tasks: tasks
            .iter()
            .map(|(controller, _)| controller.clone())
            .collect(),
        task_paths: Vec::new(),
        gate: group.needs_first_process(),
        outside: false,
    })
}

/// The cgroups as a mount of type `cgroup` shows them in the container.
pub(crate) fn cgroup_view(group: &Cgroup) -> Result<CgroupView> {
    if group.hierarchy().mode() == Mode::V2 {
        return Ok(CgroupView::Unified {
            directory: group.path("").map(PathBuf::from).unwrap_or_default(),
        });
    }
    let mounts = group.mounts();
    // Where the container has no cgroup of its own, it is in that of this process.
    let callers = if mounts.iter().any(|mount| mount.path.as_os_str().is_empty()) {
        match Cgroup::of_process(group.hierarchy(), std::process::id()) {
            Ok(caller) => caller.mounts(),
            Err(error) if error.kind() == cgroups::ErrorKind::Io => {
                return Err(cgroup::failed("find the cgroups of this process")(error));
            }
            // It is in one that this cgroup namespace does not show.
            Err(_) => Vec::new(),
        }
    } else {
        Vec::new()
    };
    let convert = |mount: cgroups::HierarchyMount| {
        let of_caller = mount.path.as_os_str().is_empty();
        let caller = callers
            .iter()
            .find(|caller| of_caller && caller.directory == mount.directory);
        LegacyHierarchy {
            directory: mount.directory,
            source: mount.source.to_owned(),
            data: mount.data,
            links: mount.links,
            own: caller.map_or(mount.path, |caller| caller.path.clone()),
            of_caller,
        }
    };
    Ok(CgroupView::Legacy(
        mounts.into_iter().map(convert).collect(),
    ))
}
