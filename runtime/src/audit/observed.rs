//! A running container, looked at from outside, as the configuration that it would have.

mod limits;
mod process_files;

use std::os::fd::{AsFd as _, BorrowedFd};

use configs::Config;
use configs::config::{HookPoint, NamespaceType, Resources};
use configs::oci::{
    Hook, Hooks, IdMap, Linux, LinuxCapabilities, Mount, Namespace, Process, Root, Spec, User,
};
use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::capabilities;
use super::subject::{Filter, clean, is_within};
use crate::container::Container;
use crate::error::{Error, ErrorKind, Result};
use process_files::{MountPoint, ProcessFiles, Status};

/// What was seen of a container, and has no place in a configuration.
pub(super) struct Seen {
    pub(super) resources: Resources,
    pub(super) filter: Filter,
    /// Mounts beyond these are not of the configuration.
    pub(super) configured_mounts: usize,
    /// Fields, and how what was seen differs from what is on record.
    pub(super) differences: Vec<(String, String)>,
    pub(super) callers_keyring: bool,
    pub(super) no_pivot: bool,
}

/// Looks at a running container.
pub(super) fn observe(container: &Container) -> Result<(Spec, Seen)> {
    let state = container.state()?;
    let not_running = || Error::new(ErrorKind::NotRunning, "container not running");
    let pid = container.pid().ok_or_else(not_running)?;
    let procfs = container.system().procfs()?;
    let files = ProcessFiles {
        proc: procfs.as_fd(),
        pid: pid.to_string(),
    };
    let config = &state.config;
    let mut differences = Vec::new();
    let status = files.status()?;
    let mounts = files.mounts()?;
    let mut linux = Linux {
        namespaces: namespaces(&files, config, &mut differences)?,
        sysctl: config.sysctl.clone(),
        net_devices: config.net_devices.clone(),
        ..Linux::default()
    };
    if linux.namespaces.iter().any(|it| it.kind == "user") {
        linux.uid_mappings = id_map(&files.read("uid_map")?);
        linux.gid_mappings = id_map(&files.read("gid_map")?);
    }
    linux.masked_paths = still_there(
        &files,
        &config.mask_paths,
        "linux.maskedPaths",
        |path| mounts.iter().any(|mount| mount.path == path),
        &mut differences,
    )?;
    linux.readonly_paths = still_there(
        &files,
        &config.readonly_paths,
        "linux.readonlyPaths",
        |path| {
            mounts
                .iter()
                .any(|mount| mount.path == path && mount.is_read_only())
        },
        &mut differences,
    )?;
    let root = mounts.iter().rfind(|mount| mount.path == "/");
    if root.is_some_and(|root| root.shared) {
        linux.rootfs_propagation = "shared".to_owned();
    }
    let mut resources = config.cgroups.resources.clone();
    limits::replace(&state.cgroup_paths, &mut resources, &mut differences)?;
    let mut process = process(&status, config, &mut differences);
    process.apparmor_profile = files.security_label()?;
    process.terminal = state
        .external_descriptors
        .iter()
        .any(|stream| stream.starts_with("/dev/pts/"));
    let spec = Spec {
        process: Some(process),
        root: Some(Root {
            path: config.rootfs.clone(),
            readonly: root.is_some_and(MountPoint::is_read_only),
        }),
        mounts: described(config, &mounts, &mut differences),
        hooks: Some(hooks(config)),
        linux: Some(linux),
        ..Spec::default()
    };
    let seen = Seen {
        resources,
        filter: filter(&status, config, &mut differences),
        configured_mounts: config.mounts.len(),
        differences,
        callers_keyring: config.no_new_keyring,
        no_pivot: config.no_pivot_root,
    };
    // It is alive, so all of this was about this process: its pid has not been given to another.
    if container.pid() != Some(pid) {
        return Err(not_running());
    }
    Ok((spec, seen))
}

/// The namespaces that are not those of this process.
fn namespaces(
    files: &ProcessFiles<'_>,
    config: &Config,
    differences: &mut Vec<(String, String)>,
) -> Result<Vec<Namespace>> {
    let own = ProcessFiles {
        proc: files.proc,
        pid: "self".to_owned(),
    };
    // In the order of the configuration, so that places in it are right.
    let recorded = config.namespaces.iter().map(|namespace| namespace.kind);
    let others = NamespaceType::ALL
        .into_iter()
        .filter(|kind| !config.namespaces.contains(*kind));
    let mut found = Vec::new();
    for kind in recorded.chain(others) {
        let name = kind.oci_name();
        let theirs = files.namespace(kind.file_name())?;
        let is_shared = theirs == own.namespace(kind.file_name())?;
        let path = config.namespaces.path_of(kind).unwrap_or_default();
        let mut differs =
            |detail: String| differences.push(("linux.namespaces".to_owned(), detail));
        match (config.namespaces.contains(kind), is_shared) {
            (true, true) if path.is_empty() => {
                differs(format!("the {name} namespace is that of the host"));
            }
            (false, false) => differs(format!("a {name} namespace of its own is not on record")),
            _ => {}
        }
        // A type that is shared keeps its place, and is no namespace of the container.
        let kind = if is_shared { "" } else { name };
        found.push(Namespace {
            kind: kind.to_owned(),
            path: path.to_owned(),
        });
    }
    Ok(found)
}

/// The process as it is now, with what is on record where it is about more.
fn process(status: &Status, config: &Config, differences: &mut Vec<(String, String)>) -> Process {
    let set = |set: u64| Some(capabilities::names(set));
    if config.no_new_privileges && !status.no_new_privileges {
        let detail = "no_new_privs is not set".to_owned();
        differences.push(("process.noNewPrivileges".to_owned(), detail));
    }
    let recorded = config.capabilities.as_ref();
    let recorded = recorded.map_or(0, |sets| capabilities::set(&sets.bounding));
    let more = status.bounding & !recorded;
    if more != 0 {
        let detail = format!("also has {}", capabilities::names(more).join(", "));
        differences.push(("process.capabilities.bounding".to_owned(), detail));
    }
    Process {
        user: User {
            uid: inside(status.uid, config),
            ..User::default()
        },
        no_new_privileges: status.no_new_privileges,
        capabilities: Some(LinuxCapabilities {
            bounding: set(status.bounding),
            effective: set(status.effective),
            inheritable: set(status.inheritable),
            permitted: set(status.permitted),
            ambient: set(status.ambient),
        }),
        oom_score_adj: config.oom_score_adj,
        ..Process::default()
    }
}

/// The id inside of the container of one that this process sees.
fn inside(uid: u32, config: &Config) -> u32 {
    let mut maps = config.uid_mappings.iter();
    let of = maps.find_map(|map| {
        let offset = uid.checked_sub(map.host_id)?;
        (offset < map.size).then(|| map.container_id.saturating_add(offset))
    });
    of.unwrap_or(uid)
}

fn filter(status: &Status, config: &Config, differences: &mut Vec<(String, String)>) -> Filter {
    match (&config.seccomp, status.seccomp) {
        (None, 0) => Filter::None,
        (Some(_), 0) => {
            let detail = "the process has no filter".to_owned();
            differences.push(("linux.seccomp".to_owned(), detail));
            Filter::None
        }
        (Some(recorded), _) => Filter::Profile(recorded.profile()),
        (None, _) => Filter::Unknown,
    }
}

/// Lines of `uid_map` and `gid_map` (`user_namespaces(7)`).
fn id_map(text: &[u8]) -> Vec<IdMap> {
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        Some(IdMap {
            container_id: numbers.next()?.ok()?,
            host_id: numbers.next()?.ok()?,
            size: numbers.next()?.ok()?,
        })
    };
    text.lines().filter_map(line).collect()
}

/// Of paths that were protected, those that still are, or that the kernel does not have.
fn still_there(
    files: &ProcessFiles<'_>,
    recorded: &[String],
    field: &str,
    is_mounted: impl Fn(&str) -> bool,
    differences: &mut Vec<(String, String)>,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for path in recorded {
        let is_protected = clean(path).is_none_or(|path| is_mounted(&path));
        if is_protected || !exists(files.proc, path)? {
            found.push(path.clone());
        } else {
            differences.push((field.to_owned(), format!("{path} is not protected")));
        }
    }
    Ok(found)
}

/// Whether the kernel has this file. Of another file system than procfs and sysfs, nothing can be
/// said from outside, and it counts as absent.
fn exists(proc: BorrowedFd<'_>, path: &str) -> Result<bool> {
    let found = match path.strip_prefix("/proc/") {
        Some(below) => rustix::fs::statat(proc, below, AtFlags::SYMLINK_NOFOLLOW),
        None if path.starts_with("/sys/") => {
            rustix::fs::statat(rustix::fs::CWD, path, AtFlags::SYMLINK_NOFOLLOW)
        }
        None => return Ok(false),
    };
    match found {
        Ok(_) => Ok(true),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(errno) => Err(Error::system(format!("stat {path}"), errno)),
    }
}

/// The mounts of the configuration as they are now, and behind them those that it does not have.
fn described(
    config: &Config,
    mounts: &[MountPoint],
    differences: &mut Vec<(String, String)>,
) -> Vec<Mount> {
    let mut described: Vec<Mount> = Vec::with_capacity(config.mounts.len());
    for (index, recorded) in config.mounts.iter().enumerate() {
        let path = clean(&recorded.destination).unwrap_or_else(|| recorded.destination.clone());
        let found = mounts.iter().rfind(|mount| mount.path == path);
        if found.is_none() && config.namespaces.contains(NamespaceType::Mount) {
            let detail = format!("nothing is mounted on {path}");
            differences.push((format!("mounts[{index}]"), detail));
        }
        let mut options = found.map_or_else(Vec::new, |mount| mount.options.clone());
        // Each hierarchy of cgroup v1 is a mount of its own below.
        let is_cgroup = recorded.device == "cgroup";
        let mut below = mounts.iter().filter(|mount| is_within(&mount.path, &path));
        if is_cgroup && below.any(|mount| !mount.is_read_only()) {
            options.retain(|option| option != "ro");
        }
        if found.is_some_and(|mount| mount.shared) {
            options.push("shared".to_owned());
        }
        if recorded.is_bind() {
            options.push("bind".to_owned());
        }
        described.push(Mount {
            destination: path,
            kind: recorded.device.clone(),
            source: recorded.source.clone(),
            options,
            ..Mount::default()
        });
    }
    let known = |mount: &MountPoint| {
        let protected = config.mask_paths.iter().chain(&config.readonly_paths);
        let own = protected.filter_map(|path| clean(path));
        mount.path == "/"
            || own.into_iter().any(|path| path == mount.path)
            || is_within(&mount.path, "/dev")
            || described.iter().any(|known| {
                known.destination == mount.path
                    || is_within(&mount.path, &known.destination)
                        && (known.kind == "cgroup" || known.options.iter().any(|it| it == "bind"))
            })
    };
    // Without a mount namespace of its own, all of the host's mounts are there.
    let additional: Vec<&MountPoint> = if config.namespaces.contains(NamespaceType::Mount) {
        mounts.iter().filter(|mount| !known(mount)).collect()
    } else {
        Vec::new()
    };
    for mount in additional {
        let detail = format!("{} ({}) is not on record", mount.path, mount.kind);
        differences.push(("mounts".to_owned(), detail));
        described.push(Mount {
            destination: mount.path.clone(),
            kind: mount.kind.clone(),
            options: mount.options.clone(),
            ..Mount::default()
        });
    }
    described
}

/// The hooks that run on the host.
fn hooks(config: &Config) -> Hooks {
    let of = |point: HookPoint| {
        let commands = config.hooks.at(point).iter();
        let hook = |path: &String| Hook {
            path: path.clone(),
            ..Hook::default()
        };
        commands.map(|command| hook(&command.path)).collect()
    };
    Hooks {
        prestart: of(HookPoint::Prestart),
        create_runtime: of(HookPoint::CreateRuntime),
        poststart: of(HookPoint::Poststart),
        poststop: of(HookPoint::Poststop),
        ..Hooks::default()
    }
}
