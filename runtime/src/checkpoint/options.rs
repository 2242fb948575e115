//! What can be chosen for a checkpoint and for a restore.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::stages::RestoreObserver;
use crate::error::{Error, Result};

/// What a checkpoint and a restore have in common. Whatever has to be restored in a special way has
/// to be chosen for both.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CriuOptions {
    /// The CRIU program; `None` is `criu` in `PATH`.
    pub program: Option<PathBuf>,
    /// The directory with the images.
    pub image_directory: PathBuf,
    /// The directory for logs and statistics; `None` is the one with the images.
    pub work_directory: Option<PathBuf>,
    /// Allows established TCP connections. The address must still be there at the restore, and the
    /// other end is cut off in between.
    pub tcp_established: bool,
    /// Allows Unix sockets whose other end is outside of the container.
    pub external_unix_sockets: bool,
    /// Allows processes in a session, or on a terminal, of a process outside of the container. At a
    /// restore the standard input of the calling process, a terminal, takes the place of that one.
    pub shell_job: bool,
    /// Allows file locks, which are taken again at the restore.
    pub file_locks: bool,
    /// What CRIU does with the cgroups of the processes.
    pub cgroups: CgroupsMode,
    /// Leaves out what is in the network namespace: devices, addresses, routes, rules of the
    /// firewall. Restored processes find an empty one, that hooks and engines fill as they do for
    /// a new container. On by default, since all engines work that way.
    pub empty_network: bool,
    /// Takes memory pages out of the parent images that these images replace, or that were
    /// restored.
    pub auto_dedup: bool,
    /// Leaves memory pages behind; restored processes fetch each when they use it
    /// (`userfaultfd(2)`).
    pub lazy_pages: bool,
}

/// What CRIU does with the cgroups of the processes (`criu(8)`, `--manage-cgroups`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CgroupsMode {
    /// CRIU's own default, which is [`Soft`](Self::Soft).
    #[default]
    Default,
    /// Limits are restored in those cgroups that the restore makes.
    Soft,
    /// Limits are restored in all cgroups.
    Full,
    /// No cgroup may exist before the restore, which makes them all.
    Strict,
    /// Cgroups are left alone: restored processes are in the cgroup that the runtime makes.
    Ignore,
}

/// Options of [`Container::checkpoint`](crate::Container::checkpoint) and
/// [`Container::pre_dump`](crate::Container::pre_dump).
#[derive(Debug)]
#[non_exhaustive]
pub struct CheckpointOptions {
    /// Those that the restore has as well.
    pub criu: CriuOptions,
    /// Lets the processes go on after the dump; otherwise they are ended. A pre-dump always lets
    /// them go on.
    pub leave_running: bool,
    /// Leaves out TCP connections that are not accepted yet.
    pub tcp_skip_in_flight: bool,
    /// Gives open files that were removed a name again, next to where they were.
    pub link_remap: bool,
    /// The images of the pre-dump before this one, relative to the directory of these images:
    /// memory pages that have not changed since are not written again.
    pub parent_path: Option<PathBuf>,
    /// Sends memory pages there instead of writing them.
    ///
    /// With [`lazy_pages`](CriuOptions::lazy_pages) it is where *this* dump listens for the restore
    /// to fetch them.
    pub page_server: Option<PageServer>,
    /// Gets one NUL byte, and is closed, when the restore can begin to fetch
    /// [`lazy_pages`](CriuOptions::lazy_pages). Must be open for writing.
    pub status_descriptor: Option<OwnedFd>,
}

/// A TCP address of memory pages.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PageServer {
    /// An IP address.
    pub address: String,
    /// A port, not 0.
    pub port: u16,
}

/// Options of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// Those that the checkpoint has as well.
    pub criu: CriuOptions,
    /// An LSM profile instead of the one in the images: `apparmor:NAME` or `selinux:LABEL`. CRIU
    /// 3.16.
    pub lsm_profile: Option<String>,
    /// An SELinux context for mounts instead of the one in the images. CRIU 3.16.
    pub lsm_mount_context: Option<String>,
    /// Is called at each stage of the restore.
    pub observer: Option<RestoreObserver>,
}

impl CriuOptions {
    /// Nothing special, with images in this directory.
    #[must_use]
    pub fn new(image_directory: impl Into<PathBuf>) -> Self {
        Self {
            program: None,
            image_directory: image_directory.into(),
            work_directory: None,
            tcp_established: false,
            external_unix_sockets: false,
            shell_job: false,
            file_locks: false,
            cgroups: CgroupsMode::Default,
            empty_network: true,
            auto_dedup: false,
            lazy_pages: false,
        }
    }

    /// The program to drive.
    pub(crate) fn criu(&self) -> criu::Criu {
        self.program
            .as_ref()
            .map(criu::Criu::new)
            .unwrap_or_default()
    }

    /// The `CLONE_NEW*` flags of the namespaces whose content is left out.
    pub(crate) fn empty_namespaces(&self) -> u32 {
        if self.empty_network {
            libc::CLONE_NEWNET.unsigned_abs()
        } else {
            0
        }
    }
}

impl CgroupsMode {
    /// By the name that command lines use; the empty one is [`Default`](Self::Default).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidConfig`](crate::ErrorKind::InvalidConfig).
    pub fn from_name(name: &str) -> Result<Self> {
        Ok(match name {
            "" => Self::Default,
            "soft" => Self::Soft,
            "full" => Self::Full,
            "strict" => Self::Strict,
            "ignore" => Self::Ignore,
            _ => return Err(Error::config("invalid manage-cgroups-mode value")),
        })
    }

    pub(crate) fn to_criu(self) -> criu::CgroupMode {
        match self {
            Self::Default => criu::CgroupMode::Default,
            Self::Soft => criu::CgroupMode::Soft,
            Self::Full => criu::CgroupMode::Full,
            Self::Strict => criu::CgroupMode::Strict,
            Self::Ignore => criu::CgroupMode::Ignore,
        }
    }
}

impl CheckpointOptions {
    /// Nothing special, with images in this directory.
    #[must_use]
    pub fn new(image_directory: impl Into<PathBuf>) -> Self {
        Self {
            criu: CriuOptions::new(image_directory),
            leave_running: false,
            tcp_skip_in_flight: false,
            link_remap: false,
            parent_path: None,
            page_server: None,
            status_descriptor: None,
        }
    }
}

impl RestoreOptions {
    /// Nothing special, from images in this directory.
    #[must_use]
    pub fn new(image_directory: impl Into<PathBuf>) -> Self {
        Self {
            criu: CriuOptions::new(image_directory),
            lsm_profile: None,
            lsm_mount_context: None,
            observer: None,
        }
    }
}

/// The configuration file of CRIU for a container with these labels (`KEY=VALUE`): the annotation
/// `org.criu.config` names it, and none if it is empty. What is set there overrules the options.
pub(crate) fn config_file(labels: &[String]) -> Option<String> {
    let annotation = labels
        .iter()
        .find_map(|label| label.strip_prefix("org.criu.config="));
    let file = annotation.unwrap_or("/etc/criu/runc.conf");
    (!file.is_empty()).then(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_modes_have_the_names_of_the_command_line() {
        assert_eq!(CgroupsMode::from_name("").unwrap(), CgroupsMode::Default);
        for (name, mode) in [
            ("soft", criu::CgroupMode::Soft),
            ("full", criu::CgroupMode::Full),
            ("strict", criu::CgroupMode::Strict),
            ("ignore", criu::CgroupMode::Ignore),
        ] {
            assert_eq!(CgroupsMode::from_name(name).unwrap().to_criu(), mode);
        }
        let error = CgroupsMode::from_name("Soft").unwrap_err();
        assert_eq!(error.to_string(), "invalid manage-cgroups-mode value");
    }

    #[test]
    fn an_annotation_names_the_configuration_file_of_criu() {
        let labels = |text: &str| vec!["a=b".to_owned(), text.to_owned()];
        let none: &[String] = &[];
        assert_eq!(config_file(none).as_deref(), Some("/etc/criu/runc.conf"));
        let given = labels("org.criu.config=/etc/x.conf");
        assert_eq!(config_file(&given).as_deref(), Some("/etc/x.conf"));
        assert_eq!(config_file(&labels("org.criu.config=")), None);
        let other = labels("org.criu.configuration=/x");
        assert_eq!(config_file(&other).as_deref(), Some("/etc/criu/runc.conf"));
    }

    #[test]
    fn the_network_is_left_out_unless_it_is_asked_for() {
        let mut options = CriuOptions::new("/images");
        assert_eq!(options.empty_namespaces(), 0x4000_0000);
        options.empty_network = false;
        assert_eq!(options.empty_namespaces(), 0);
    }
}
