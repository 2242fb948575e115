//! The bundle of a container: the directory with its `config.json`.

use std::path::Path;

use configs::Config;
use configs::oci::{self, Spec};
use configs::specconv::{self, Options};
#[cfg(feature = "cli")]
use rustix::fs::CWD;
use rustix::fs::{Mode, OFlags};

use crate::error::{Error, Result};
use crate::host_info;
use crate::id::ContainerId;
use crate::process::Process;
use crate::system::System;
use crate::validation::{Validated, refused};

/// An OCI bundle: a directory with a `config.json` that describes a root file system and a process.
///
/// [`Runtime::create_bundle`](crate::Runtime::create_bundle) makes a container from it, with all
/// that the command line does: facts about this machine are gathered, the configuration is
/// converted and validated, and whether this process may manage cgroups is found out.
///
/// ```no_run
/// use cofferdam::{Bundle, Runtime, Stdio};
///
/// let runtime = Runtime::new("/run/example")?;
/// let mut bundle = Bundle::load("/srv/web")?;
/// bundle.process().stdin(Stdio::Null);
/// let container = runtime.run_bundle(&"web-1".parse()?, bundle)?;
/// println!("{}", container.wait()?);
/// container.destroy()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Bundle {
    directory: String,
    spec: Spec,
    process: Process,
    systemd_cgroup: bool,
    no_pivot_root: bool,
    no_new_keyring: bool,
    rootless_cgroups: Option<bool>,
}

impl Bundle {
    /// Reads the `config.json` in this directory.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if it is missing, or is not
    /// one of a bundle with a process; [`ErrorKind::System`](crate::ErrorKind::System) if it
    /// cannot be read.
    pub fn load(directory: impl AsRef<Path>) -> Result<Self> {
        let given = directory.as_ref();
        // Links on the way are resolved once and for all, so that every later use means the same
        // directory.
        let directory = given
            .canonicalize()
            .map_err(|error| Error::system(format!("open {}", given.display()), error))?;
        Self::new(&directory, read(&directory)?)
    }

    /// A bundle in this directory, which must be absolute, with a specification that the calling
    /// program has made or changed.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig) if the specification has no
    /// process, or one that cannot be used.
    pub fn new(directory: impl AsRef<Path>, spec: Spec) -> Result<Self> {
        let directory = directory.as_ref();
        if !directory.is_absolute() {
            return Err(Error::config(format!(
                "bundle {}: not an absolute path",
                directory.display()
            )));
        }
        let directory = directory
            .to_str()
            .ok_or_else(|| Error::config("the path of the bundle is not UTF-8"))?
            .to_owned();
        let process = Process::from_oci(described(&spec)?)?;
        Ok(Self {
            directory,
            spec,
            process,
            systemd_cgroup: false,
            no_pivot_root: false,
            no_new_keyring: false,
            rootless_cgroups: None,
        })
    }

    /// What `config.json` says.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The directory.
    #[cfg(feature = "explain")]
    pub(crate) fn directory(&self) -> &str {
        &self.directory
    }

    /// Whether the bundle asks for a terminal.
    #[cfg(feature = "cli")]
    pub(crate) fn has_terminal(&self) -> bool {
        self.process.terminal.is_some()
    }

    /// The process that the bundle describes, to be connected with the calling program: its
    /// streams, its terminal, more descriptors.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Has systemd make the cgroup; `linux.cgroupsPath` is then `slice:prefix:name`. Needs feature
    /// `systemd`.
    pub fn systemd_cgroup(&mut self, on: bool) -> &mut Self {
        self.systemd_cgroup = on;
        self
    }

    /// Changes the root without `pivot_root(2)`: for a root file system on a ramdisk, where that
    /// cannot work.
    pub fn no_pivot_root(&mut self, on: bool) -> &mut Self {
        self.no_pivot_root = on;
        self
    }

    /// Keeps the session keyring of the calling program; the container gets no new one.
    pub fn no_new_keyring(&mut self, on: bool) -> &mut Self {
        self.no_new_keyring = on;
        self
    }

    /// Whether failing to write cgroups is tolerated. With `None`, the default, it is where this
    /// process is not root, or is root of a user namespace.
    pub fn rootless_cgroups(&mut self, tolerated: Option<bool>) -> &mut Self {
        self.rootless_cgroups = tolerated;
        self
    }

    /// The configuration of a container with this id, converted and validated against this machine,
    /// and what is questionable about it: for programs that change the configuration before
    /// they give it to [`Runtime::create`](crate::Runtime::create), which validates it again.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig), with the text of crate
    /// `configs`.
    pub fn configuration(&self, id: &ContainerId) -> Result<(Config, Vec<String>)> {
        let checked = self.check(&System::default(), id)?;
        Ok((checked.config, checked.warnings))
    }

    /// Converts and validates.
    pub(crate) fn check(&self, system: &System, id: &ContainerId) -> Result<Validated> {
        let host = host_info::for_spec(system, &self.spec, &self.directory)?;
        let options = Options {
            id: id.as_str().to_owned(),
            bundle: self.directory.clone(),
            use_systemd_cgroup: self.systemd_cgroup,
            no_pivot_root: self.no_pivot_root,
            no_new_keyring: self.no_new_keyring,
            rootless_euid: !rustix::process::geteuid().is_root(),
            rootless_cgroups: rootless_cgroups(system, self.rootless_cgroups, self.systemd_cgroup),
        };
        let (config, warnings) = specconv::convert(&self.spec, &host, &options).map_err(refused)?;
        Validated::against(&host, config, warnings)
    }

    pub(crate) fn into_process(self) -> Process {
        self.process
    }
}

/// Reads the configuration of the bundle in `directory`.
pub(crate) fn read(directory: &Path) -> Result<Spec> {
    // A FIFO in its place would let this process wait for a writer.
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, Mode::empty())
        .map_err(|errno| Error::system(format!("open {}", directory.display()), errno))?;
    Spec::load(opened).map_err(refused)
}

/// Reads the configuration of the bundle in the current directory.
#[cfg(feature = "cli")]
pub(crate) fn read_current() -> Result<Spec> {
    Spec::load(CWD).map_err(refused)
}

/// The process of a bundle, checked.
fn described(spec: &Spec) -> Result<&oci::Process> {
    // Only a label makes it necessary to know.
    let labelled = |process: &oci::Process| !process.selinux_label.is_empty();
    let selinux = spec.process.as_ref().is_some_and(labelled) && host_info::selinux_enabled();
    spec.checked_process(selinux).map_err(refused)
}

/// Whether failing to write cgroups is tolerated: what was asked for, else whether this process
/// lacks the privilege.
///
/// Root of a user namespace that uses systemd has it when the session bus belongs to root of that
/// namespace too.
fn rootless_cgroups(system: &System, asked: Option<bool>, systemd: bool) -> bool {
    asked.unwrap_or_else(|| {
        if !rustix::process::geteuid().is_root() {
            return true;
        }
        system.in_user_namespace().unwrap_or(false)
            && !(systemd && std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_was_asked_for_decides() {
        for asked in [true, false] {
            for systemd in [true, false] {
                let system = System::default();
                assert_eq!(rootless_cgroups(&system, Some(asked), systemd), asked);
            }
        }
    }

    #[test]
    fn a_bundle_without_configuration_is_named_as_engines_expect() {
        let directory = tempfile::tempdir().unwrap();
        let error = Bundle::load(directory.path()).unwrap_err();
        assert_eq!(
            error.chain(),
            "JSON specification file config.json not found"
        );
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }

    #[test]
    fn a_bundle_needs_a_process_and_an_absolute_directory() {
        let error = Bundle::new("/srv/web", Spec::default()).unwrap_err();
        assert_eq!(error.chain(), "process property must not be empty");
        let error = Bundle::new("web", Spec::example()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }
}
