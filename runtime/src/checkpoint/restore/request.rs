//! The options of CRIU for a restore.

use std::path::Path;

use configs::Config;
use configs::config::{NamespaceType, Namespaces};
use criu::{CgroupRoot, ExternalMount, JoinNamespace, Options, Session, Version, VethPair};

use super::images::Images;
use super::namespaces::Inherited;
use crate::checkpoint::namespaces::external;
use crate::checkpoint::options::{CriuOptions, RestoreOptions, config_file};
use crate::checkpoint::{criu_process, external_mounts};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::CgroupView;

/// The oldest CRIU that says its version.
const OLDEST: Version = Version::new(3, 0, 0);

/// Since when a profile other than that of the images can be set.
const LSM_OPTIONS: Version = Version::new(3, 16, 0);

/// What the restore of a container is made of.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) config: &'a Config,
    pub(crate) options: &'a RestoreOptions,
    pub(crate) images: &'a Images,
    /// The mount of the root file system.
    pub(crate) root: &'a Path,
    pub(crate) inherited: &'a Inherited,
    /// The container has a terminal of its own.
    pub(crate) terminal: bool,
    pub(crate) joined: Vec<JoinNamespace>,
    pub(crate) mounts: Vec<ExternalMount>,
    /// The cgroups that CRIU is in.
    pub(crate) cgroups: Vec<CgroupRoot>,
}

/// Fails if this CRIU cannot do what is asked for. The one that is going to restore is asked: to
/// start another one for that takes longer than the question.
pub(crate) fn check_version(
    session: &Session,
    namespaces: &Namespaces,
    options: &RestoreOptions,
) -> Result<()> {
    let version = session.require(OLDEST).map_err(criu_process::failure)?;
    let asked = [
        ("--lsm-profile", &options.lsm_profile),
        ("--lsm-mount-context", &options.lsm_mount_context),
    ];
    for (flag, _) in asked.iter().filter(|(_, asked)| asked.is_some()) {
        if version < LSM_OPTIONS {
            let message = format!("{flag} requires at least CRIU {LSM_OPTIONS}");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
    }
    let mut joined = external(namespaces).into_iter();
    joined.try_for_each(|namespace| namespace.require(version))
}

impl Request<'_> {
    /// Whether terminals whose masters are outside of the images become the standard input of CRIU.
    /// Otherwise CRIU opens a new master in the devpts file system of the container, which it looks
    /// for in vain where the terminal is one of the host: `mntns_get_root_by_mnt_id` then aborts.
    fn inherits_terminal(&self) -> bool {
        self.options.criu.shell_job && !self.terminal
    }

    /// The options.
    pub(crate) fn into_options(self) -> Result<Options> {
        let (config, criu) = (self.config, &self.options.criu);
        let root = self.root.to_str();
        let root = root.ok_or_else(|| Error::config("the path of the state root is not UTF-8"))?;
        Ok(Options {
            images_dir_fd: self.images.number(),
            work_dir_fd: self.images.work_number(),
            log_level: Some(4),
            log_file: Some(self.images.log().name.to_owned()),
            config_file: config_file(&config.labels),
            root: Some(root.to_owned()),
            rst_sibling: Some(true),
            notify_scripts: Some(true),
            evasive_devices: Some(true),
            orphan_pts_master: Some(!self.inherits_terminal()),
            manage_cgroups: Some(true),
            manage_cgroups_mode: Some(criu.cgroups.to_criu().into()),
            cg_root: self.cgroups,
            shell_job: Some(criu.shell_job),
            ext_unix_sk: Some(criu.external_unix_sockets),
            tcp_established: Some(criu.tcp_established),
            file_locks: Some(criu.file_locks),
            auto_dedup: Some(criu.auto_dedup),
            lazy_pages: Some(criu.lazy_pages),
            empty_ns: Some(criu.empty_namespaces()),
            ext_mnt: self.mounts,
            join_ns: self.joined,
            inherit_fd: self.inherited.names.clone(),
            veths: veths(config, criu),
            lsm_profile: self.options.lsm_profile.clone(),
            lsm_mount_context: self.options.lsm_mount_context.clone(),
            ..Options::default()
        })
    }
}

/// The mounts that come from outside: each key that the images may have, and the source that this
/// configuration has for it. Masks share one.
pub(crate) fn mounts(config: &Config, view: &CgroupView) -> Result<Vec<ExternalMount>> {
    let mut mounts: Vec<ExternalMount> = Vec::new();
    for external_mounts::ExternalMount { key, source, .. } in
        external_mounts::external_mounts(config, view)
    {
        let source = source.into_os_string().into_string().map_err(|source| {
            let source = source.display();
            Error::config(format!("mount source {source} is not UTF-8"))
        })?;
        match mounts.iter().find(|mount| mount.key == key) {
            None => mounts.push(ExternalMount { key, val: source }),
            Some(same) if same.val == source => {}
            Some(other) => {
                let other = &other.val;
                return Err(Error::config(format!(
                    "mounts of {other} and of {source} have one name in the images, {key}"
                )));
            }
        }
    }
    Ok(mounts)
}

/// Whether the images have what was in the network namespace, of which the container had one of its
/// own. Otherwise it is set up as that of a new container.
pub(crate) fn restores_network(config: &Config, options: &CriuOptions) -> bool {
    !options.empty_network && config.namespaces.is_private(NamespaceType::Network)
}

/// The veth pairs that CRIU makes again.
fn veths(config: &Config, options: &CriuOptions) -> Vec<VethPair> {
    if !restores_network(config, options) {
        return Vec::new();
    }
    let networks = config.networks.iter();
    let pairs = networks.filter(|network| network.kind == "veth");
    pairs
        .map(|network| VethPair {
            if_in: network.name.clone(),
            if_out: network.host_interface_name.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use configs::config::Network;

    use super::*;
    use crate::checkpoint::options::CgroupsMode;

    fn request(config: &Config, options: &RestoreOptions) -> Options {
        let images = Images::open(&options.criu).unwrap();
        let request = Request {
            config,
            options,
            images: &images,
            root: Path::new("/state/x/criu-root"),
            inherited: &Inherited::default(),
            terminal: false,
            joined: Vec::new(),
            mounts: Vec::new(),
            cgroups: Vec::new(),
        };
        request.into_options().unwrap()
    }

    #[test]
    fn every_option_reaches_criu() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = RestoreOptions::new(directory.path());
        let plain = request(&Config::default(), &options);
        let flags = |request: &Options| {
            [
                request.shell_job,
                request.ext_unix_sk,
                request.tcp_established,
                request.file_locks,
                request.auto_dedup,
                request.lazy_pages,
            ]
        };
        assert_eq!(flags(&plain), [Some(false); 6]);
        assert_eq!(
            plain.manage_cgroups_mode,
            Some(criu::CgroupMode::Default.into())
        );
        assert_eq!(plain.root.as_deref(), Some("/state/x/criu-root"));
        assert_eq!(plain.log_file.as_deref(), Some("restore.log"));
        assert_eq!((plain.work_dir_fd, plain.lsm_profile), (None, None));
        assert_eq!(plain.rst_sibling, Some(true));
        options.criu = CriuOptions {
            work_directory: Some(directory.path().join("work")),
            tcp_established: true,
            external_unix_sockets: true,
            shell_job: true,
            file_locks: true,
            cgroups: CgroupsMode::Ignore,
            auto_dedup: true,
            lazy_pages: true,
            ..options.criu
        };
        options.lsm_profile = Some("apparmor:x".to_owned());
        options.lsm_mount_context = Some("y".to_owned());
        let full = request(&Config::default(), &options);
        assert_eq!(flags(&full), [Some(true); 6]);
        assert_eq!(
            full.manage_cgroups_mode,
            Some(criu::CgroupMode::Ignore.into())
        );
        assert!(full.work_dir_fd.is_some());
        assert_eq!(full.lsm_profile.as_deref(), Some("apparmor:x"));
        assert_eq!(full.lsm_mount_context.as_deref(), Some("y"));
    }

    #[test]
    fn veth_pairs_are_restored_with_a_network_of_the_containers_own() {
        let directory = tempfile::tempdir().unwrap();
        let mut options = RestoreOptions::new(directory.path());
        let veth = Network {
            kind: "veth".to_owned(),
            name: "eth0".to_owned(),
            host_interface_name: "veth1".to_owned(),
            ..Network::default()
        };
        let mut config = Config {
            networks: vec![Network::loopback(), veth],
            ..Config::default()
        };
        config.namespaces.set(NamespaceType::Network, "");
        assert_eq!(request(&config, &options).veths, []);
        options.criu.empty_network = false;
        let pair = VethPair {
            if_in: "eth0".to_owned(),
            if_out: "veth1".to_owned(),
        };
        assert_eq!(request(&config, &options).veths, [pair]);
        let joined = "/run/netns/x";
        config.namespaces.set(NamespaceType::Network, joined);
        assert_eq!(request(&config, &options).veths, []);
    }
}
