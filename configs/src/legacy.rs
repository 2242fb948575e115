//! The older forms of libcontainer's configuration file, `container.json`.
//!
//! From February 2014 on libcontainer was configured by a JSON file without a schema and without a
//! version in it. Its form changed seven times; [`Revision`] names the forms. [`load`] tells them
//! apart by what is in the file, and gives today's [`Config`] and what a process is started with.
//!
//! A file is read as its own time read it: keys in any case, `null` for an absent key, nothing
//! after the first JSON value, and unknown keys ignored. Each unknown key becomes a [`Warning`].
//! What is refused today is refused, with the place in the file's own terms. Beyond that a key
//! given twice and a NUL in a string are refused, as everywhere in this crate: two readers could
//! take different values, and nothing that wrote these files wrote a key twice.
//!
//! ```
//! use cofferdam_configs::legacy::{self, Options, Revision};
//!
//! let text = br#"{
//!     "hostname": "web",
//!     "namespaces": ["NEWNS", "NEWUTS", "NEWPID"],
//!     "capabilities_mask": ["SYS_ADMIN"],
//!     "environment": ["PATH=/bin"]
//! }"#;
//! let options = Options { rootfs: "/srv/web".into(), ..Options::default() };
//! let loaded = legacy::load(text, &options)?;
//! assert_eq!(loaded.revision, Revision::A);
//! assert_eq!(loaded.config.rootfs, "/srv/web");
//! assert_eq!(loaded.process.env, ["PATH=/bin"]);
//! # Ok::<(), cofferdam_configs::Error>(())
//! ```

mod cgroup;
mod checks;
mod current;
mod device;
mod early;
mod mount;
mod names;
mod network;
mod options;
mod reading;
mod restrictions;
mod revision;
mod rlimits;
mod seccomp;
mod shapes;
mod to_oci;
mod warning;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::config::Command;
use crate::{Config, Error, ErrorKind, Result, json, oci};

use reading::Reading;

pub use options::{CAPABILITIES, Options};
pub use revision::Revision;
pub use to_oci::to_oci;
pub use warning::Warning;

/// A file that was read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// Which form the file has.
    pub revision: Revision,
    /// The configuration of the container, to be [validated](crate::validate::validate).
    ///
    /// It always has device rules: without a `cgroups` object in the file they allow everything,
    /// for nothing was restricted then.
    pub config: Config,
    /// What a process is started with.
    pub process: Process,
    /// Whether the file has a `cgroups` object. Without one no cgroup was made.
    pub has_cgroup: bool,
    /// The systemd slice of the container, if the file names one. It counts when the cgroup is a
    /// unit of systemd, `SLICE/PARENT-NAME.scope`; otherwise the cgroup is `PARENT/NAME`.
    pub slice: Option<String>,
    /// Programs to run around mounts, in the order of the mounts. Nothing in a [`Config`] runs
    /// them.
    pub mount_commands: Vec<MountCommands>,
    /// Files to give an SELinux label before the container starts.
    pub relabels: Vec<Relabel>,
    /// What is questionable, in the order in which it was found.
    pub warnings: Vec<Warning>,
}

/// What a process of the container is started with. Its capabilities, limits and labels are those
/// of the [`Config`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// The argument vector. Empty but for the first files of [`Revision::Zero`]: later it was
    /// given on the command line.
    pub args: Vec<String>,
    /// The whole environment. Files of [`Revision::F`] have none.
    pub env: Vec<String>,
    /// Absolute working directory inside the container.
    pub cwd: String,
    /// `user[:group]`, names or ids, to be looked up in the container's accounts; empty is root.
    pub user: String,
    /// Groups besides those of the user, names or ids.
    pub additional_groups: Vec<String>,
    /// Give the process a pseudo terminal.
    pub terminal: bool,
}

/// Programs to run around one mount ([`Revision::F`], until 2022).
///
/// They run with the runtime's privileges: a configuration that is not trusted must not have any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountCommands {
    /// Index of the mount in [`Config::mounts`].
    pub mount: usize,
    /// Run before the mount is made. One that fails is an error of the mount.
    pub before: Vec<Command>,
    /// Run after the mount is made, likewise.
    pub after: Vec<Command>,
}

/// Files that get the container's mount label.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relabel {
    /// The source of a bind mount; everything below it is relabelled, too.
    pub path: String,
    /// Shared with other containers (`z`): without the categories of the label. Else private
    /// (`Z`).
    pub shared: bool,
}

/// Reads the text of a file of any revision.
///
/// # Errors
/// The text is not JSON or not a configuration, or asks for something that is refused today:
/// [`Error::json_path`](crate::Error::json_path) is the place in the file.
pub fn load(text: &[u8], options: &Options) -> Result<Loaded> {
    if text.trim_ascii().is_empty() {
        return Err(Error::new(ErrorKind::Syntax, "the file is empty"));
    }
    let text = json::first_value(text);
    let (file, _) = json::from_foreign::<Map<String, Value>>(text)?;
    let (revision, is_guess) = revision::detect(&file);
    let mut loaded = Loaded {
        revision,
        config: Config {
            version: oci::VERSION.to_owned(),
            ..Config::default()
        },
        process: Process {
            cwd: "/".to_owned(),
            ..Process::default()
        },
        has_cgroup: false,
        slice: None,
        mount_commands: Vec::new(),
        relabels: Vec::new(),
        warnings: Vec::new(),
    };
    let mut reading = Reading {
        revision,
        is_of_2015: false,
        options,
        warnings: Vec::new(),
    };
    if is_guess {
        reading.warnings.push(Warning::Revision { revision });
    }
    if revision == Revision::F {
        let file = read(text, &mut reading)?;
        current::convert(file, &mut loaded, &mut reading)?;
    } else {
        let file = read(text, &mut reading)?;
        early::convert(file, &mut loaded, &mut reading)?;
    }
    checks::check(&loaded)?;
    loaded.warnings = reading.warnings;
    Ok(loaded)
}

fn read<T: DeserializeOwned>(text: &[u8], reading: &mut Reading<'_>) -> Result<T> {
    let (file, unknown) = json::from_foreign(text)?;
    let unknown = unknown.into_iter();
    reading
        .warnings
        .extend(unknown.map(|place| Warning::UnknownKey { place }));
    Ok(file)
}
