//! The dump of a running container.

mod directories;
mod mount_points;

use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd};

use cgroups::{Cgroup, FreezerState, Mode};
use criu::{BoxError, DumpStatistics, Features, Notification, Options, Session, Stage, Version};
use rustix::fs::OFlags;

use self::directories::Directories;
use self::mount_points::MountPoints;
use super::criu_process::failure;
use super::external_mounts::external_mounts;
use super::options::{CheckpointOptions, config_file};
use super::{descriptors, namespaces, require_privileges};
use crate::cgroup;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::network;
use crate::launch::placement::cgroup_view;
use crate::state::directory::StateDirectory;
use crate::state::dump_process::DumpProcess;
use crate::state::record::State;
use crate::system::System;

/// The log of CRIU, in the work directory.
const LOG: &str = "dump.log";

/// The first CRIU that answers for its version.
const OLDEST: Version = Version::new(3, 0, 0);
/// The first that freezes a cgroup of version 2.
const FREEZES_V2: Version = Version::new(3, 14, 0);
/// The first that notifies of [`Stage::StatusReady`].
const NOTIFIES_STATUS: Version = Version::new(3, 15, 0);

/// What is dumped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Everything.
    Dump,
    /// The memory, for a later dump to build on.
    PreDump,
}

/// The container to dump, under its lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) id: &'a ContainerId,
    pub(crate) state: &'a State,
    pub(crate) group: &'a Cgroup,
    pub(crate) system: &'a System,
    pub(crate) directory: &'a StateDirectory,
}

/// Dumps a container, and gives CRIU's statistics, if it has written some. If that fails the
/// processes go on, or stay paused, as they were before, and the images are not complete.
pub(crate) fn dump(
    subject: &Subject<'_>,
    mut options: CheckpointOptions,
    kind: Kind,
) -> Result<Option<DumpStatistics>> {
    require_privileges()?;
    let criu = options.criu.criu();
    // It then waits for the request. If this process ends before, so does it.
    let session = criu.start(Vec::new()).map_err(failure)?;
    let version = session.require(OLDEST).map_err(failure)?;
    let directories = Directories::prepare(&options.criu)?;
    if let Some(parent) = &options.parent_path {
        directories.check_parent(&options.criu.image_directory, parent)?;
    }
    let status = status_descriptor(&mut options)?;
    let features = Features {
        mem_track: (kind == Kind::PreDump).then_some(true),
        lazy_pages: options.criu.lazy_pages.then_some(true),
        pidfd_store: None,
    };
    if features != Features::default() {
        criu.require_features(features).map_err(failure)?;
    }
    let mut request = request(subject, &options, &directories, version)?;
    let mount_points = match kind {
        Kind::PreDump => None,
        Kind::Dump => Some(subject.find_mount_points()?),
    };
    if let Some(mount_points) = &mount_points {
        request.ext_mnt = mount_points.to_criu();
    }
    if version < NOTIFIES_STATUS {
        request.status_fd = status.as_ref().map(AsRawFd::as_raw_fd);
    }
    let before = subject.freezer_state()?;
    let _record = DumpProcess::record(subject.directory, subject.system, session.pid())?;
    let log = directories.criu_log();
    log.renew()?;
    if kind == Kind::Dump {
        descriptors::write(&directories.images, &subject.state.external_descriptors)?;
    }
    directories.invalidate()?;
    let mut handler = Handler {
        subject,
        mount_points,
        status,
        detached: false,
    };
    let done = run(session, kind, request, &mut handler);
    done.map(|()| directories.statistics()).map_err(|error| {
        let error = log.explain(error, directories.images.as_fd());
        let undone = directories
            .discard()
            .and_then(|()| handler.attach_network())
            .and_then(|()| subject.restore_freezer(before));
        match undone {
            Ok(()) => error,
            Err(again) => {
                log::debug!("after a dump that failed: {}", again.chain());
                error.context(again.chain())
            }
        }
    })
}

fn run(
    session: Session,
    kind: Kind,
    request: Options,
    handler: &mut Handler<'_>,
) -> criu::Result<()> {
    let handle = |notification| handler.handle(&notification);
    match kind {
        Kind::Dump => session.dump(request, handle),
        Kind::PreDump => session.pre_dump(request, handle),
    }
}

/// What CRIU is asked for, but for the external mounts.
fn request(
    subject: &Subject<'_>,
    options: &CheckpointOptions,
    directories: &Directories,
    version: Version,
) -> Result<Options> {
    let config = &subject.state.config;
    let pid = subject.state.init_process_pid;
    let common = &options.criu;
    let mut external = Vec::new();
    for namespace in namespaces::external(&config.namespaces) {
        namespace.require(version)?;
        external.push(namespace.dumped(&format!("/proc/{pid}"))?);
    }
    let page_server = options
        .page_server
        .as_ref()
        .filter(|server| !server.address.is_empty() && server.port != 0);
    let parent = options.parent_path.as_ref().map(|parent| {
        parent
            .to_str()
            .map(str::to_owned)
            .ok_or_else(|| Error::config(format!("{}: CRIU needs UTF-8", parent.display())))
    });
    let parent = parent.transpose()?;
    Ok(Options {
        images_dir_fd: directories.images.as_raw_fd(),
        work_dir_fd: directories.work.as_ref().map(AsRawFd::as_raw_fd),
        log_level: Some(4),
        log_file: Some(LOG.to_owned()),
        root: Some(config.rootfs.clone()),
        pid: Some(pid),
        notify_scripts: Some(true),
        manage_cgroups: Some(true),
        manage_cgroups_mode: Some(common.cgroups.to_criu().into()),
        shell_job: Some(common.shell_job),
        leave_running: Some(options.leave_running),
        tcp_established: Some(common.tcp_established),
        tcp_skip_in_flight: Some(options.tcp_skip_in_flight),
        link_remap: Some(options.link_remap),
        ext_unix_sk: Some(common.external_unix_sockets),
        file_locks: Some(common.file_locks),
        empty_ns: Some(common.empty_namespaces()),
        orphan_pts_master: Some(true),
        auto_dedup: Some(common.auto_dedup),
        lazy_pages: Some(common.lazy_pages),
        track_mem: parent.is_some().then_some(true),
        parent_img: parent,
        ps: page_server.map(|server| criu::PageServer {
            address: Some(server.address.clone()),
            port: Some(server.port.into()),
            ..criu::PageServer::default()
        }),
        freeze_cgroup: subject.freeze_cgroup(version),
        config_file: config_file(&config.labels),
        external,
        ..Options::default()
    })
}

/// The descriptor that waits for lazy pages, if they are asked for.
fn status_descriptor(options: &mut CheckpointOptions) -> Result<Option<OwnedFd>> {
    let status = options.status_descriptor.take();
    let Some(status) = status.filter(|_| options.criu.lazy_pages) else {
        return Ok(None);
    };
    let failed = |errno| Error::system("look at the status descriptor", errno);
    let flags = rustix::fs::fcntl_getfl(&status).map_err(failed)?;
    if !flags.intersects(OFlags::WRONLY | OFlags::RDWR) {
        return Err(Error::config("the status descriptor is not writable"));
    }
    Ok(Some(status))
}

impl Subject<'_> {
    fn find_mount_points(&self) -> Result<MountPoints> {
        let config = &self.state.config;
        let mounts = external_mounts(config, &cgroup_view(self.group)?);
        let root = format!("/proc/{}/root", self.state.init_process_pid);
        MountPoints::find(&root, &mounts, &config.devices)
    }

    /// The directory whose cgroup CRIU freezes. Otherwise it stops one process after the other.
    fn freeze_cgroup(&self, version: Version) -> Option<String> {
        let unified = self.group.hierarchy().mode() == Mode::V2;
        if unified && version < FREEZES_V2 {
            return None;
        }
        let controller = if unified { "" } else { "freezer" };
        let path = self.group.path(controller)?;
        path.to_str().map(str::to_owned)
    }

    fn freezer_state(&self) -> Result<Option<FreezerState>> {
        match self.group.freezer_state() {
            Err(error) if error.kind() == cgroups::ErrorKind::NotFound => Ok(None),
            state => state.map_err(cgroup::failed("read the state of the freezer")),
        }
    }

    /// CRIU that was killed leaves the cgroup as it happened to be by then.
    fn restore_freezer(&self, before: Option<FreezerState>) -> Result<()> {
        let restored = match before {
            Some(FreezerState::Frozen) => self.group.freeze(),
            Some(_) => self.group.thaw(),
            None => return Ok(()),
        };
        match restored {
            // The container ended meanwhile.
            Err(error) if error.kind() == cgroups::ErrorKind::NotFound => Ok(()),
            restored => restored.map_err(cgroup::failed(
                "restore the state of the container's freezer",
            )),
        }
    }

    /// Fails if the init process is not the one on record.
    fn require_alive(&self) -> Result<()> {
        let (pid, start) = (self.state.init_process_pid, self.state.init_process_start);
        if self.system.is_alive(pid, start)? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotRunning, "container not running"))
    }
}

/// What is done when CRIU says how far it is.
struct Handler<'a> {
    subject: &'a Subject<'a>,
    mount_points: Option<MountPoints>,
    status: Option<OwnedFd>,
    /// The network interfaces are off their bridges.
    detached: bool,
}

impl Handler<'_> {
    fn handle(&mut self, notification: &Notification) -> Result<(), BoxError> {
        match notification.stage {
            // All processes are stopped: what is seen now is what was dumped.
            Stage::PostDump => {
                self.subject.require_alive()?;
                if let Some(mount_points) = &self.mount_points {
                    mount_points.check()?;
                }
            }
            Stage::NetworkLock => {
                network::detach(self.subject.id, &self.subject.state.config.networks)?;
                self.detached = true;
            }
            // After a dump that ends the container there is none.
            Stage::NetworkUnlock => self.attach_network()?,
            Stage::StatusReady => self.report_ready(),
            _ => {}
        }
        Ok(())
    }

    /// Undoes what was done when the network was locked.
    fn attach_network(&mut self) -> Result<()> {
        if !self.detached {
            return Ok(());
        }
        network::attach(self.subject.id, &self.subject.state.config.networks)?;
        self.detached = false;
        Ok(())
    }

    /// That its reader has gone does not matter to the dump.
    fn report_ready(&mut self) {
        use std::io::Write as _;
        if let Some(status) = self.status.take()
            && let Err(error) = File::from(status).write_all(&[0])
        {
            log::debug!("write to the status descriptor: {error}");
        }
    }
}
