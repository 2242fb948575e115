//! What a sandbox is, as the specification of a bundle.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use configs::oci::{self, Spec};

use super::host_root::{self, HostRoot};
use super::{Command, Filter, Mount, Network, filter};
use crate::error::{Error, Result};

/// Where engines, too, look for programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

impl Command {
    /// The specification of the container that the program would run in, for programs that run it
    /// in another way or want to see it. Directories of the quick sandbox that are missing are made
    /// in the [directory for the state](Self::state_directory).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) for what cannot be; it names
    /// the method. [`ErrorKind::System`](crate::ErrorKind::System).
    pub fn spec(&self) -> Result<Spec> {
        self.described(&host_root::shared(&self.state()))
    }

    /// The same, with this directory as the root of a quick sandbox.
    pub(super) fn described(&self, host_root: &Path) -> Result<Spec> {
        let root = rustix::process::geteuid().is_root();
        let (rootfs, mut mounts) = self.root(host_root)?;
        let private = own_mounts(&rootfs, self.rootfs.is_none());
        // A mount of the host's could be in the way of what is mounted first.
        mounts.extend(private);
        for mount in &self.mounts {
            mounts.push(mount.described()?);
            self.check_mount_point(mount)?;
        }
        self.check_hostname()?;
        let mut spec = Spec {
            version: oci::VERSION.to_owned(),
            process: Some(self.process(root)?),
            root: Some(oci::Root {
                path: text("rootfs", &rootfs)?,
                readonly: self.read_only || self.rootfs.is_none(),
            }),
            hostname: self.hostname.clone(),
            mounts,
            ..Spec::example()
        };
        let linux = spec.linux.get_or_insert_default();
        // Rules for devices would ask for a cgroup; in a user namespace no device can be made.
        let resources = self.resources()?;
        linux.resources = (root || self.has_limits()).then_some(resources);
        linux.namespaces = self.namespaces(root)?;
        if !root {
            let (uid, gid) = self.user.unwrap_or((0, 0));
            linux.uid_mappings = vec![map(uid, rustix::process::geteuid().as_raw())];
            linux.gid_mappings = vec![map(gid, rustix::process::getegid().as_raw())];
        }
        linux.seccomp = self.filter()?;
        Ok(spec)
    }

    /// The root directory, and what is mounted on it before everything else.
    fn root(&self, host_root: &Path) -> Result<(PathBuf, Vec<oci::Mount>)> {
        let Some(directory) = &self.rootfs else {
            return Ok((host_root.to_owned(), HostRoot::prepare(host_root)?.mounts));
        };
        let absolute = directory
            .canonicalize()
            .map_err(|error| refused("rootfs", directory.display(), error))?;
        if !absolute.is_dir() {
            return Err(refused("rootfs", directory.display(), "not a directory"));
        }
        if absolute.parent().is_none() {
            let why = "without a root file system the host's / is there, read-only";
            return Err(refused("rootfs", directory.display(), why));
        }
        Ok((absolute, Vec::new()))
    }

    /// Whether the root of a quick sandbox gets mount points that the host's does not have.
    pub(super) fn adds_to_host_root(&self) -> bool {
        let mounted = self.mounts.iter().map(Mount::destination);
        let mut paths = mounted.chain([Path::new(&self.current_dir)]);
        self.rootfs.is_none() && paths.any(host_root::makes_entries)
    }

    /// No mount point can be made in the directories of the host's.
    fn check_mount_point(&self, mount: &Mount) -> Result<()> {
        let path = mount.destination();
        let others = self.mounts.iter().map(Mount::destination);
        let mut above = others.filter(|other| *other != path);
        let lacks = self.rootfs.is_none() && host_root::lacks(path);
        if lacks && !above.any(|other| path.starts_with(other)) {
            let why = "the host has nothing there, and its directories are read-only";
            return Err(refused(mount.method(), path.display(), why));
        }
        Ok(())
    }

    /// The working directory is there, or will be: the runtime makes one that is missing, but
    /// a program that is started by [`std::process::Command`] fails.
    fn check_current_dir(&self) -> Result<()> {
        let refused = |why| Err(refused("current_dir", &self.current_dir, why));
        let path = Path::new(&self.current_dir);
        if !path.is_absolute() {
            return refused("not an absolute path");
        }
        no_nul("current_dir", &self.current_dir)?;
        let mut mounted = self.mounts.iter().map(Mount::destination);
        let absent =
            host_root::makes_entries(path) && !mounted.any(|there| path.starts_with(there));
        if self.rootfs.is_none() && absent {
            return refused("the sandbox has no such directory");
        }
        Ok(())
    }

    fn process(&self, root: bool) -> Result<oci::Process> {
        let default = if root { (NOBODY, NOBODY) } else { (0, 0) };
        let (uid, gid) = self.user.unwrap_or(default);
        if uid == u32::MAX || gid == u32::MAX {
            return Err(refused("user", format!("{uid}, {gid}"), "no id"));
        }
        self.check_current_dir()?;
        if self.program().is_empty() {
            return Err(refused("new", "\"\"", "no program"));
        }
        for argument in &self.args {
            no_nul("arg", argument)?;
        }
        Ok(oci::Process {
            args: self.args.clone(),
            env: Some(self.environment()?),
            cwd: self.current_dir.clone(),
            user: oci::User {
                uid,
                gid,
                ..oci::User::default()
            },
            capabilities: Some(self.capability_sets(uid)?),
            rlimits: vec![limit("RLIMIT_CORE", 0), limit("RLIMIT_NOFILE", 1024)],
            no_new_privileges: self.no_new_privileges,
            ..oci::Process::default()
        })
    }

    /// As sethostname(2) takes it.
    fn check_hostname(&self) -> Result<()> {
        no_nul("hostname", &self.hostname)?;
        if self.hostname.len() > 64 {
            return Err(refused("hostname", &self.hostname, "longer than 64 bytes"));
        }
        Ok(())
    }

    fn environment(&self) -> Result<Vec<String>> {
        let has_path = self.env.iter().any(|(name, _)| name == "PATH");
        let path = (!self.clear_env && !has_path).then(|| format!("PATH={PATH}"));
        let mut environment: Vec<String> = path.into_iter().collect();
        for (name, value) in &self.env {
            if name.is_empty() || name.contains('=') {
                return Err(refused(
                    "env",
                    format!("{name:?}"),
                    "not the name of a variable",
                ));
            }
            let variable = format!("{name}={value}");
            no_nul("env", &variable)?;
            environment.push(variable);
        }
        Ok(environment)
    }

    /// The names of the capabilities as the kernel writes them.
    fn capability_names(&self) -> Result<Vec<String>> {
        let full = |given: &String| {
            let name = given.to_uppercase();
            let name = match name.starts_with("CAP_") {
                true => name,
                false => format!("CAP_{name}"),
            };
            match name.parse::<caps::Capability>() {
                Ok(_) => Ok(name),
                Err(_) => Err(refused("capabilities", given, "no such capability")),
            }
        };
        self.capabilities.iter().map(full).collect()
    }

    fn capability_sets(&self, uid: u32) -> Result<oci::LinuxCapabilities> {
        let names = Some(self.capability_names()?);
        // A program keeps those of another user than root only if they are ambient.
        let ambient = (uid != 0).then(|| names.clone()).flatten();
        Ok(oci::LinuxCapabilities {
            bounding: names.clone(),
            effective: names.clone(),
            permitted: names,
            inheritable: ambient.clone(),
            ambient,
        })
    }

    fn namespaces(&self, root: bool) -> Result<Vec<oci::Namespace>> {
        let mut namespaces: Vec<_> = ["pid", "ipc", "uts", "mount", "cgroup"]
            .map(|kind| namespace(kind, ""))
            .into();
        match &self.network {
            Network::None => namespaces.push(namespace("network", "")),
            Network::Host => {}
            Network::Namespace(path) => {
                if let Err(error) = path.metadata() {
                    return Err(refused("network", path.display(), error));
                }
                namespaces.push(namespace("network", &text("network", path)?));
            }
        }
        if !root {
            namespaces.push(namespace("user", ""));
        }
        Ok(namespaces)
    }

    fn filter(&self) -> Result<Option<oci::Seccomp>> {
        match &self.filter {
            Filter::Default => filter::default(&self.capability_names()?)
                .map(Some)
                .map_err(|error| Error::system("read the system call filter of sandboxes", error)),
            Filter::Profile(profile) => Ok(Some((**profile).clone())),
            Filter::Unconfined => Ok(None),
        }
    }
}

impl Mount {
    fn destination(&self) -> &Path {
        match self {
            Self::Bind { destination, .. } | Self::Tmpfs { destination, .. } => destination,
        }
    }

    /// The one of [`Command`] that it was asked for with.
    fn method(&self) -> &'static str {
        match self {
            Self::Bind {
                read_only: true, ..
            } => "bind_ro",
            Self::Bind { .. } => "bind",
            Self::Tmpfs { .. } => "tmpfs",
        }
    }

    fn described(&self) -> Result<oci::Mount> {
        let method = self.method();
        match self {
            Self::Bind {
                source,
                destination,
                read_only,
            } => {
                let absolute = source
                    .canonicalize()
                    .map_err(|error| refused(method, source.display(), error))?;
                absolute_destination(method, destination)?;
                bind(&absolute, destination, *read_only)
            }
            Self::Tmpfs { destination, size } => {
                absolute_destination(method, destination)?;
                let destination = text(method, destination)?;
                let mut mount = tmpfs(&destination, "1777");
                mount
                    .options
                    .extend(size.map(|bytes| format!("size={bytes}")));
                Ok(mount)
            }
        }
    }
}

/// A recursive bind mount.
pub(super) fn bind(source: &Path, destination: &Path, read_only: bool) -> Result<oci::Mount> {
    let method = if read_only { "bind_ro" } else { "bind" };
    let options: &[&str] = match read_only {
        true => &["rbind", "rprivate", "rro", "rnosuid", "rnodev"],
        false => &["rbind", "rprivate", "rnosuid", "rnodev"],
    };
    Ok(oci::Mount {
        destination: text(method, destination)?,
        kind: "bind".to_owned(),
        source: text(method, source)?,
        options: options.iter().map(ToString::to_string).collect(),
        ..oci::Mount::default()
    })
}

/// What every sandbox has of its own.
fn own_mounts(rootfs: &Path, all: bool) -> Vec<oci::Mount> {
    let engines = ["/proc", "/dev", "/dev/pts", "/dev/shm"];
    let example = Spec::example().mounts;
    let mut mounts: Vec<_> = example
        .into_iter()
        .filter(|mount| engines.contains(&mount.destination.as_str()))
        .collect();
    for mount in &mut mounts {
        match mount.destination.as_str() {
            "/proc" => mount.options = ["nosuid", "noexec", "nodev"].map(String::from).into(),
            // The group of terminals need not exist in a user namespace.
            "/dev/pts" => mount.options.retain(|option| !option.starts_with("gid=")),
            _ => {}
        }
    }
    for (name, mode) in [("/tmp", "1777"), ("/run", "755")] {
        // Nothing is made in a directory of the caller for it.
        if all || rootfs.join(name.trim_start_matches('/')).is_dir() {
            mounts.push(tmpfs(name, mode));
        }
    }
    mounts
}

fn tmpfs(destination: &str, mode: &str) -> oci::Mount {
    oci::Mount {
        destination: destination.to_owned(),
        kind: "tmpfs".to_owned(),
        source: "tmpfs".to_owned(),
        options: vec![
            "nosuid".to_owned(),
            "nodev".to_owned(),
            format!("mode={mode}"),
        ],
        ..oci::Mount::default()
    }
}

fn namespace(kind: &str, path: &str) -> oci::Namespace {
    oci::Namespace {
        kind: kind.to_owned(),
        path: path.to_owned(),
    }
}

fn map(container_id: u32, host_id: u32) -> oci::IdMap {
    oci::IdMap {
        container_id,
        host_id,
        size: 1,
    }
}

fn limit(kind: &str, value: u64) -> oci::PosixRlimit {
    oci::PosixRlimit {
        kind: kind.to_owned(),
        hard: value,
        soft: value,
    }
}

fn absolute_destination(method: &str, destination: &Path) -> Result<()> {
    if destination.is_absolute() {
        return Ok(());
    }
    Err(refused(
        method,
        destination.display(),
        "not an absolute path",
    ))
}

fn no_nul(method: &str, given: &str) -> Result<()> {
    if given.contains('\0') {
        return Err(refused(method, format!("{given:?}"), "has a zero byte"));
    }
    Ok(())
}

fn text(method: &str, path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| refused(method, path.display(), "not UTF-8"))
}

/// What was given to a method and cannot be.
pub(super) fn refused(method: &str, given: impl Display, why: impl Display) -> Error {
    Error::config(format!("Command::{method}({given}): {why}"))
}
