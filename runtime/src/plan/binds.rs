//! Bind mounts: a tree cloned from what a path shows at that moment.

use configs::config::{Mount, MountAttr, MountFlags, NamespaceType};
use nsenter::plan::{Dir, Expect, Leaf, Op, Slot};

use super::Tag;
use super::mount_options::{BindChange, Change, bind_change};
use super::mounts::{
    Entry, PROC_MAGIC, PROC_ROOT_INODE, Pending, attach, enter, flags_now, target,
};
use super::requested::Requested;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string};
use crate::{Error, Result};

/// A bind mount: of the source as it is at this point, which may be what an earlier mount made.
pub(super) fn bind(
    steps: &mut Steps,
    requested: &Requested<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    let mount = entry.mount;
    if !mount.data.is_empty() {
        return Err(Error::config(
            "bind mounts cannot have any filesystem-specific options applied",
        ));
    }
    if !mount.source.starts_with('/') {
        return Err(Error::config(format!(
            "mounts[{}].source {:?} is not absolute",
            entry.index, mount.source
        )));
    }
    let tree = source(steps, requested, entry)?;
    if entry.point == "/proc" {
        steps.push(
            format!("check that {:?} is a whole procfs", mount.source),
            Op::Verify {
                fd: tree,
                expect: Expect {
                    magic: Some(PROC_MAGIC),
                    inode: Some(PROC_ROOT_INODE),
                    ..Expect::default()
                },
            },
        );
    }
    if mount.id_mapping.is_some() {
        if requested.config.rootless_euid {
            return Err(Error::config(
                "id-mapped mounts are not supported for rootless containers",
            ));
        }
        steps.push(
            entry.context("map ids"),
            Op::LendDescriptor {
                tag: Tag::IdMap(entry.index).number(),
                fd: tree,
            },
        );
    }
    let target = target(steps, root, entry, Leaf::Like(tree))?;
    let wanted = Mount {
        flags: flags_now(entry),
        ..mount.clone()
    };
    let change = bind_change(&wanted, requested.host.nosymfollow);
    let lockable = requested.in_user_namespace();
    let (explicit, rest) = if lockable {
        unlockable_first(change)
    } else {
        // Nothing is locked, so one call does it.
        let all = Change {
            set: change.rest.set,
            clear: change.rest.clear | change.explicit.clear,
        };
        (Change::default(), all)
    };
    if !explicit.is_nothing() {
        attributes_of(
            steps,
            entry.context("cannot clear locked flags"),
            tree,
            explicit,
            false,
            false,
        );
    }
    let mut pending = Pending {
        change: rest,
        keep_locked: lockable,
    };
    if let Some(recursive) = &mount.rec_attr {
        // The attributes of the top mount come first: the recursive ones are on top of them.
        let Pending {
            change: top,
            keep_locked,
        } = std::mem::take(&mut pending);
        if !top.is_nothing() {
            attributes_of(
                steps,
                entry.context("set flags"),
                tree,
                top,
                false,
                keep_locked,
            );
        }
        let change = Change {
            set: recursive.attr_set,
            clear: recursive.attr_clr,
        };
        if !change.is_nothing() {
            attributes_of(
                steps,
                entry.context("set recursive attributes"),
                tree,
                change,
                true,
                false,
            );
        }
    }
    attach(steps, root, entry, tree, target, pending);
    enter(steps, requested, root, entry, tree);
    Ok(())
}

/// Moves what can never be locked to the change that keeps nothing.
fn unlockable_first(change: BindChange) -> (Change, Change) {
    let never = change.rest.clear & MountAttr::NOSYMFOLLOW;
    let (mut explicit, mut rest) = (change.explicit, change.rest);
    explicit.clear |= never;
    rest.clear &= !never;
    (explicit, rest)
}

fn attributes_of(
    steps: &mut Steps,
    context: String,
    mount: Slot,
    change: Change,
    recursive: bool,
    keep_locked: bool,
) {
    steps.push(
        context,
        Op::MountAttributes {
            mount,
            set: change.set,
            clear: change.clear,
            propagation: 0,
            recursive,
            keep_locked,
        },
    );
}

/// The detached tree of a bind source.
///
/// In a user namespace the process may lack the right to reach the source although the parent has it: then the parent
/// opens it, below this process' root, so that it sees the mounts made so far.
fn source(steps: &mut Steps, requested: &Requested<'_>, entry: &Entry<'_>) -> Result<Slot> {
    let recursive = entry.mount.flags.contains(MountFlags::REC);
    let path = c_string("mounts.source", entry.mount.source.as_str())?;
    let tree = steps.slot();
    let own = Op::CloneTree {
        dir: Dir::Cwd,
        path,
        recursive,
        into: tree,
    };
    if !(requested.has(NamespaceType::User) && requested.host.effective_uid == 0) {
        steps.push(entry.context("open the source"), own);
        return Ok(tree);
    }
    let (ask, opened) = (steps.label(), steps.label());
    steps.push_or(
        entry.context("open the source"),
        own,
        &[libc::EACCES, libc::EPERM],
        ask,
    );
    steps.jump(opened);
    steps.bind(ask);
    let handle = steps.slot();
    steps.push(
        "open the root for the parent",
        Op::Open {
            dir: Dir::Cwd,
            path: c"/".to_owned(),
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: 0,
            into: handle,
        },
    );
    steps.push(
        "show the parent the root",
        Op::SendDescriptor {
            tag: Tag::Root.number(),
            fd: handle,
        },
    );
    steps.close(handle);
    let found = steps.slot();
    steps.push(
        entry.context("ask the parent for the source"),
        Op::AskDescriptor {
            tag: Tag::Source(entry.index).number(),
            into: found,
        },
    );
    steps.push(
        entry.context("clone the source"),
        Op::CloneTree {
            dir: Dir::Slot(found),
            path: c"".to_owned(),
            recursive,
            into: tree,
        },
    );
    steps.close(found);
    steps.bind(opened);
    Ok(tree)
}
