//! Restoring a container.
//!
//! It is created as any other one, up to the point where the init process would be started; in
//! place of that, CRIU makes the processes from the images. So a failure at any point leaves
//! nothing, and what a kill leaves is on record.

use std::path::Path;

use configs::config::NamespaceType;
use criu::{Criu, JoinNamespace, Session};

use super::rollback::Left;
use super::transaction::{self, CreateTransaction, Limits};
use super::{Container, annotations, create};
use crate::checkpoint::criu_process;
use crate::checkpoint::descriptors::Pipe;
use crate::checkpoint::options::RestoreOptions;
use crate::checkpoint::restore::images::Images;
use crate::checkpoint::restore::namespaces::{self, Inherited};
use crate::checkpoint::restore::notifications::{Outcome, Restoring};
use crate::checkpoint::restore::request::{self, Request};
use crate::checkpoint::restore::root;
use crate::checkpoint::stages::RestoreStage;
use crate::checkpoint::{refuse_parent_death_signal, require_privileges};
use crate::error::{Error, ErrorKind, Result};
use crate::id::ContainerId;
use crate::launch::record::RecordCreated;
use crate::launch::streams::{Receivers, Streams};
use crate::launch::{connections, error_messages, notify_mount, placement};
use crate::process::Process;
use crate::process::child::Child;
use crate::runtime::Runtime;
use crate::state::record::Record;
use crate::validation::Validated;
use crate::{cgroup, rdt};

/// Restores a container.
pub(crate) fn restore(
    runtime: &Runtime,
    id: &ContainerId,
    checked: Validated,
    mut process: Process,
    options: &RestoreOptions,
) -> Result<Container> {
    let left = Left::new();
    let mut warnings = checked.warnings;
    warnings.append(&mut process.warnings);
    let config = checked.config;
    let made = (|| {
        create::check(&config, &process)?;
        refuse_parent_death_signal(&config)?;
        require_privileges()?;
        if !process.passed.is_empty() {
            return Err(Error::config(
                "a restored process has the descriptors of the images, and gets no other",
            ));
        }
        if !config.namespaces.contains(NamespaceType::Mount) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "a container without a mount namespace cannot be restored",
            ));
        }
        let restore = Restore {
            criu: options.criu.criu(),
            images: Images::open(&options.criu)?,
            options,
        };
        restore.make(runtime, id, config, &mut process, &left, &mut warnings)
    })();
    create::conclude(id, made, left, warnings)
}

/// What a container is restored from, and how.
struct Restore<'a> {
    criu: Criu,
    images: Images,
    options: &'a RestoreOptions,
}

/// What is connected with the container from outside.
struct Outside {
    receivers: Receivers,
    /// The container has a terminal.
    terminal: bool,
    inherited: Inherited,
    joined: Vec<JoinNamespace>,
}

impl Restore<'_> {
    fn make(
        &self,
        runtime: &Runtime,
        id: &ContainerId,
        mut config: configs::Config,
        process: &mut Process,
        left: &Left,
        warnings: &mut Vec<String>,
    ) -> Result<Container> {
        // Dropped after everything else here: rolling back needs descriptors that the others hold.
        let mut transaction;
        self.images.check_integrity(&self.options.criu)?;
        warnings.extend(annotations::ignored(&config.labels));
        let receivers = Receivers::connect(process)?;
        let owner = connections::root_user(&config)?;
        let mut streams = Streams::open(process, owner)?;
        let mut inherited = self.inherited(&streams)?;
        let joined = namespaces::join(&config.namespaces, &mut inherited)?;
        let mut outside = Outside {
            receivers,
            terminal: process.terminal.is_some(),
            inherited,
            joined,
        };
        let notify = process.notify_socket.is_some();
        if notify {
            notify_mount::add(&mut config, process, runtime.path().join(id))?;
        }
        let mut limits = Limits::of(&config)?;
        // CRIU is in the cgroup as well, and not to be counted.
        let process_limit = cgroup::split_process_limit(&limits.resources).1;
        limits.resources = with_room_for_criu(&limits.resources);
        limits.late = false;

        let state = transaction::intent(id, config, &streams, runtime)?;
        transaction = CreateTransaction::begin(runtime, id, state, left, warnings, None)?;
        if notify {
            let directory = &transaction.directory;
            directory.make_notify_directory(notify_mount::DIRECTORY)?;
        }
        let root = transaction.directory.make_criu_root()?;
        transaction.make_groups(&limits)?;
        cgroup::require_thawed(transaction.rollback.group()?)?;
        transaction.expect_hooks_and_networks();

        let config = transaction.state.config.shared();
        let _searchable = match config.namespaces.contains(NamespaceType::User) {
            true => self.images.searchable_by(owner.1)?,
            false => None,
        };
        let descriptors = std::mem::take(&mut outside.inherited.descriptors);
        let prepare = || {
            root::prepare(&config, &root)?;
            self.images.reopen(&self.options.criu)
        };
        let outcome =
            criu_process::restore_with(&self.criu, descriptors, prepare, |session, images| {
                // CRIU starts up meanwhile.
                join(&mut transaction, &limits, session.pid())?;
                let namespaces = &transaction.state.config.namespaces;
                request::check_version(&session, namespaces, self.options)?;
                self.drive(&mut transaction, session, &images, outside, &root)
            })?;
        let Some((pid, pidfd)) = outcome.init else {
            return Err(Error::new(
                ErrorKind::System,
                "restore: CRIU did not tell that the container is restored",
            ));
        };
        if let Some(limit) = &process_limit {
            transaction.set_limits(limit)?;
        }
        transaction.directory.remove_criu_root();
        transaction.rollback.finish();
        let pid = i32::try_from(pid).unwrap_or_default();
        let child = Child::new(pid, pidfd, id, runtime.system().children())
            .with_streams(outcome.console, std::mem::take(&mut streams.ours));
        Ok(Container {
            child: Some(child),
            ..Container::of_record(
                runtime.clone(),
                id,
                transaction.directory,
                Record::from(transaction.state),
            )
        })
    }

    /// The standard streams for the pipes in the images.
    fn inherited(&self, streams: &Streams) -> Result<Inherited> {
        let mut inherited = Inherited::default();
        let ours = streams.theirs();
        for Pipe { stream, key } in self.images.pipes()? {
            if let Some(stream) = ours.get(stream) {
                let stream = stream
                    .try_clone_to_owned()
                    .map_err(|error| Error::system("duplicate a standard stream", error))?;
                inherited.add(key, stream)?;
            }
        }
        Ok(inherited)
    }

    /// Has CRIU restore the processes, and does what there is to do at its stages.
    fn drive(
        &self,
        transaction: &mut CreateTransaction<'_>,
        session: Session,
        images: &Images,
        outside: Outside,
        root: &Path,
    ) -> Result<Outcome> {
        let config = &transaction.state.config;
        let group = transaction.rollback.group()?;
        let request = Request {
            config,
            options: self.options,
            images,
            root,
            inherited: &outside.inherited,
            terminal: outside.terminal,
            joined: outside.joined,
            mounts: request::mounts(config, &placement::cgroup_view(group)?)?,
            cgroups: criu_process::cgroup_roots(session.pid())?,
        };
        let request = request.into_options()?;
        let with_network = request::restores_network(config, &self.options.criu);
        let mut restoring = Restoring {
            id: transaction.id,
            system: transaction.system,
            record: RecordCreated {
                directory: &transaction.directory,
                state: &mut transaction.state,
            },
            receivers: &outside.receivers,
            terminal: outside.terminal,
            with_network,
            observer: self.options.observer.as_ref(),
            outcome: Outcome::default(),
        };
        let ooms = cgroup::oom_kills(group);
        images.log().renew()?;
        restoring.reached(RestoreStage::Begun);
        let restored = session.restore(request, |notification| restoring.handle(notification));
        let mut outcome = restoring.outcome;
        transaction.warnings.append(&mut outcome.warnings);
        match (restored, outcome.failure.take()) {
            (_, Some(failure)) => Err(failure),
            (Err(error), None) => {
                let error = images.log().explain(error, images.directory());
                Err(match cgroup::oom_kills(group) > ooms {
                    true => out_of_memory(error),
                    false => error,
                })
            }
            (Ok(_), None) => Ok(outcome),
        }
    }
}

/// The error of a restore in which the kernel has killed a process of the container's cgroup, where
/// CRIU is, too.
fn out_of_memory(error: Error) -> Error {
    let message = format!(
        "the restore ran out of memory and was OOM-killed (memory limit too low?): {}",
        error.chain()
    );
    Error::new(ErrorKind::OomKilled, message).with_warnings(error.warnings().to_vec())
}

/// Puts CRIU into the groups of the container, where all that it starts is then.
fn join(transaction: &mut CreateTransaction<'_>, limits: &Limits, pid: u32) -> Result<()> {
    let group = transaction.rollback.group()?;
    let starts_unit = group.needs_first_process();
    group
        .add(pid)
        .map_err(cgroup::failed(error_messages::APPLY_CGROUP))?;
    if starts_unit {
        transaction.set_limits(&limits.resources)?;
    }
    match &limits.rdt {
        Some(settings) => rdt::join_first(transaction.system, settings, transaction.id, pid),
        None => Ok(()),
    }
}

/// The same limits, but for that of the number of processes, which CRIU and its helpers count for.
fn with_room_for_criu(limits: &cgroups::Resources) -> cgroups::Resources {
    const ROOM: u32 = 32;
    let mut wider = limits.clone();
    if let Some(limit @ 0..) = &mut wider.pids_limit {
        *limit = limit.saturating_add(ROOM.into());
    }
    if let Some(limit) = wider.unified.get_mut("pids.max")
        && let Ok(number) = limit.trim().parse::<u64>()
    {
        *limit = number.saturating_add(ROOM.into()).to_string();
    }
    wider
}

#[cfg(test)]
mod tests;
