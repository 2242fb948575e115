//! What a container is made of: read from a file or put together from flags.

use std::io;
use std::path::Path;

use configs::config::{Capabilities, NamespaceType};
use configs::{Config, json, legacy};
use netlink::InterfaceName;
use rustix::fs::{Mode, OFlags};
use selinux::{Label, RelabelLimits, Share};
use serde_json::{Value, json};

use super::STRICT_LEGACY;
use super::create_flags;
use super::interface_names;
use super::mount_commands;
use super::template::{CGROUP_PARENT, terminals};
use super::terms::{Origin, Terms};
use crate::cli::command::Invocation;
use crate::cli::failure::{Failure, describe};
use crate::cli::flag::Parsed;
use crate::cli::logging::Log;
use crate::cli::output;
use crate::process::Process;

/// The file beside the images of a checkpoint.
const KEPT: &str = "container.json";
/// The label of a configuration that names the supplementary groups of every process.
const GROUPS: &str = "nsinit.additional_groups";
/// The key that they have in a file.
const GROUPS_KEY: &str = "additional_groups";

/// A container to be made, and what its processes are started with.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) config: Config,
    pub(crate) process: legacy::Process,
    mount_commands: Vec<legacy::MountCommands>,
    relabels: Vec<legacy::Relabel>,
    slice: Option<String>,
    origin: Origin,
    warnings: Vec<String>,
}

impl Definition {
    /// Of a configuration that is on record.
    pub(crate) fn of(config: Config) -> Self {
        let groups = config.label(GROUPS).unwrap_or_default().split(',');
        let groups = groups.filter(|name| !name.is_empty()).map(str::to_owned);
        Self {
            process: legacy::Process {
                additional_groups: groups.collect(),
                ..legacy::Process::default()
            },
            config,
            mount_commands: Vec::new(),
            relabels: Vec::new(),
            slice: None,
            origin: Origin::File,
            warnings: Vec::new(),
        }
    }

    /// The template, changed as the flags say.
    pub(crate) fn from_flags(parsed: &Parsed) -> Result<Self, Failure> {
        let (config, groups) = create_flags::described(parsed)?;
        let mut definition = Self::of(config);
        definition.process.additional_groups = groups;
        definition.origin = Origin::Flags;
        Ok(definition)
    }

    /// A file of any year.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let loaded = load(path)?;
        check_mount_namespace(&loaded)
            .map_err(|message| Failure::new(format!("{}: {message}", path.display())))?;
        let mut config = loaded.config;
        if config.cgroups.name.is_empty() && config.cgroups.path.is_empty() {
            // Every container has a cgroup here: it is how its processes are found.
            let rootfs = Path::new(&config.rootfs).file_name();
            let name = rootfs.unwrap_or("root".as_ref()).to_string_lossy();
            config.cgroups.name = name.into_owned();
            if config.cgroups.parent.is_empty() {
                CGROUP_PARENT.clone_into(&mut config.cgroups.parent);
            }
        }
        Ok(Self {
            config,
            process: loaded.process,
            mount_commands: loaded.mount_commands,
            relabels: loaded.relabels,
            slice: loaded.slice,
            origin: Origin::File,
            warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
        })
    }

    /// The file beside the images of a checkpoint, if it is there.
    pub(crate) fn kept_beside(images: &Path) -> Result<Option<Self>, Failure> {
        let path = images.join(KEPT);
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Self::read(&path).map(Some),
        }
    }

    /// Writes the container beside the images of a checkpoint.
    pub(crate) fn keep_beside(&self, images: &Path) -> Result<(), Failure> {
        let path = images.join(KEPT);
        std::fs::write(&path, self.to_json()?)
            .map_err(|error| Failure::io(format!("write {}", path.display()), error))
    }

    /// As JSON that [`read`](Self::read) takes.
    pub(crate) fn to_json(&self) -> Result<String, Failure> {
        let mut value = serde_json::to_value(&self.config)
            .map_err(|error| Failure::new(format!("write JSON: {error}")))?;
        let groups = &self.process.additional_groups;
        if let Value::Object(object) = &mut value
            && !groups.is_empty()
        {
            object.insert(GROUPS_KEY.to_owned(), json!(groups));
        }
        output::pretty(&value, "\t")
    }

    /// Makes the cgroup a unit of systemd, if that runs.
    pub(crate) fn use_systemd(&mut self, log: &Log) {
        if !Path::new("/run/systemd/system").is_dir() {
            log.warn("systemd does not run: the cgroup is made without it");
            return;
        }
        let cgroup = &mut self.config.cgroups;
        cgroup.systemd = true;
        cgroup.scope_prefix = std::mem::take(&mut cgroup.parent);
        let slice = self.slice.take();
        cgroup.parent = slice.unwrap_or_else(|| "system.slice".to_owned());
    }

    /// Mounts what a terminal is made in, unless the file does. The samples of 2015 do not: the
    /// terminal was one of the host's.
    pub(crate) fn need_terminals(&mut self) {
        let config = &mut self.config;
        let mut mounts = config.mounts.iter();
        if !mounts.any(|mount| Path::new(&mount.destination) == Path::new("/dev/pts")) {
            config.mounts.push(terminals(&config.gid_mappings));
            let message = "no mount has the destination /dev/pts: it is mounted for the terminal";
            self.warnings.push(message.to_owned());
        }
    }

    /// The names for messages about the container.
    pub(crate) fn terms(&self) -> Terms {
        Terms::of(&self.config, self.origin)
    }

    /// What is left to be done before the container is made: warnings are logged, files are
    /// labelled, the commands before mounts are run. Gives what the library makes a container of,
    /// and the names for messages about it.
    pub(crate) fn prepare(
        mut self,
        invocation: &Invocation<'_>,
        process: &mut Process,
    ) -> Result<(Config, Terms), Failure> {
        for warning in &self.warnings {
            invocation.log.warn(warning);
        }
        if invocation.global.switch(STRICT_LEGACY.name) {
            self.config.capabilities.iter_mut().for_each(inheritable);
        }
        let groups = &self.process.additional_groups;
        if !groups.is_empty() {
            process.group_names(groups.iter().cloned());
            let label = format!("{GROUPS}={}", groups.join(","));
            if !self.config.labels.contains(&label) {
                self.config.labels.push(label);
            }
        }
        for relabel in &self.relabels {
            label_files(relabel, &self.config.mount_label)?;
        }
        mount_commands::prepare(&self.mount_commands, &mut self.config)?;
        let terms = self.terms();
        Ok((self.config, terms))
    }
}

/// What a file of any year says.
pub(crate) fn load(path: &Path) -> Result<legacy::Loaded, Failure> {
    let text = json::read_file(path).map_err(|error| Failure::new(describe(&error)))?;
    load_text(&text, &path.display().to_string())
}

/// What such a text says; `name` is what messages call it.
pub(crate) fn load_text(text: &[u8], name: &str) -> Result<legacy::Loaded, Failure> {
    let load = || {
        legacy::load(text, &options()?)
            .map_err(|error| Failure::new(format!("{name}: {}", describe(&error))))
    };
    interface_names::until_free(load, |loaded| interface_names::any_is_taken(&loaded.config))
}

/// Without a mount namespace, the mounts of a container would be made on the host.
fn check_mount_namespace(loaded: &legacy::Loaded) -> Result<(), &'static str> {
    let config = &loaded.config;
    if config.namespaces.contains(NamespaceType::Mount) {
        return Ok(());
    }
    if loaded.revision < legacy::Revision::F {
        return Err("a container needs NEWNS among its namespaces: it has mounts of its own");
    }
    if !config.mounts.is_empty() {
        return Err("mounts need NEWNS among the namespaces");
    }
    if !config.root_propagation.is_empty() {
        return Err("rootPropagation and privatefs need NEWNS among the namespaces");
    }
    Ok(())
}

/// The supplementary groups of every process of a container.
pub(crate) fn groups_of(config: Config) -> Vec<String> {
    Definition::of(config).process.additional_groups
}

/// What a program then did with the sets: a program with inheritable file capabilities gets these.
fn inheritable(sets: &mut Capabilities) {
    sets.inheritable.clone_from(&sets.permitted);
}

/// What a file does not say.
fn options() -> Result<legacy::Options, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::io("getcwd", error))?;
    let mut options = legacy::Options {
        rootfs: here.to_string_lossy().into_owned(),
        interface_suffix: random()?,
        ..legacy::Options::default()
    };
    if let Some(native) = seccomp::Architecture::native() {
        options.architecture = native;
    }
    Ok(options)
}

/// Twenty-eight random bits.
fn random() -> Result<u32, Failure> {
    let name = InterfaceName::random("n")
        .map_err(|error| Failure::new(format!("draw a random number: {error:#}")))?;
    let digits = name.as_str().get(1..).unwrap_or_default();
    u32::from_str_radix(digits, 16)
        .map_err(|error| Failure::new(format!("draw a random number: {error}")))
}

/// Gives the files of a mount the label of the container's mounts.
fn label_files(relabel: &legacy::Relabel, label: &str) -> Result<(), Failure> {
    let path = &relabel.path;
    let failed = |why: &dyn std::fmt::Display| Failure::new(format!("relabel {path}: {why}"));
    let label: Label = label.parse().map_err(|error| failed(&error))?;
    let start = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| failed(&errno))?;
    let share = if relabel.shared {
        Share::Shared
    } else {
        Share::Private
    };
    selinux::relabel(start, &label, share, RelabelLimits::default())
        .map_err(|error| Failure::new(format!("relabel {path}: {}", describe(&error))))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = super::super::template::template(directory.path());
        config.hostname = "h".to_owned();
        let mut definition = Definition::of(config);
        definition.process.additional_groups = vec!["adm".to_owned()];
        // Of a node this says nothing, and is not read.
        let nodes = definition.config.devices.iter_mut();
        nodes.for_each(|node| node.allow = false);
        definition.keep_beside(directory.path()).unwrap();
        let read = Definition::kept_beside(directory.path()).unwrap().unwrap();
        assert_eq!(read.config, definition.config);
        assert_eq!(read.process.additional_groups, ["adm"]);
        let empty = tempfile::tempdir().unwrap();
        assert!(Definition::kept_beside(empty.path()).unwrap().is_none());
    }

    #[test]
    fn groups_stay_with_the_configuration() {
        let config = Config {
            labels: vec![format!("{GROUPS}=adm,7")],
            ..Config::default()
        };
        assert_eq!(groups_of(config), ["adm", "7"]);
        assert!(groups_of(Config::default()).is_empty());
    }

    #[test]
    fn a_random_number_has_twenty_eight_bits() {
        assert!(random().unwrap() < 1 << 28);
    }
}
