//! Bind mounts: a tree cloned from what a path shows at that moment.

use configs::config::{Mount, MountAttr};
use nsenter::plan::{Expect, Leaf, Op, Slot};

use super::attach::{Pending, attach, enter, isolate, target};
use super::entry::{Entry, flags_now};
use super::options::{BindChange, Change, bind_change, recursive_change};
use super::source::source;
use crate::plan::output::Tag;
use crate::plan::params::ProcessParams;
use crate::plan::procfs::{PROC_MAGIC, PROC_ROOT_INODE};
use crate::plan::rootfs::Rootfs;
use crate::plan::steps::Steps;
use crate::{Error, Result};

/// The action of a step that clears flags which may be locked.
pub(crate) const LOCKED_FLAGS: &str = "clear locked flags";

/// A bind mount: of the source as it is at this point, which may be what an earlier mount made.
pub(in crate::plan) fn bind(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
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
    let tree = source(steps, params, entry)?;
    if entry.point == "/proc" {
        steps.push(
            entry.context(&format!(
                "{:?} cannot be mounted because it is not of type proc",
                entry.point
            )),
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
    let isolated = isolate(steps, root, entry, tree);
    if mount.id_mapping.is_some() {
        if params.config.rootless_euid {
            return Err(Error::config(
                "id-mapped mounts are not supported for rootless containers",
            ));
        }
        steps.push(
            entry.context("map ids"),
            Op::SendDescriptorAndWait {
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
    let change = bind_change(&wanted, params.host.nosymfollow);
    let mut pending = Pending {
        isolated,
        ..explicit_first(steps, params, entry, tree, change)
    };
    if mount.rec_attr.is_some() {
        // The attributes of the top mount come first: the recursive ones are on top of them.
        let top = std::mem::take(&mut pending.change);
        if !top.is_nothing() {
            let keep = pending.keep_locked;
            attributes_of(steps, entry.context("set flags"), tree, top, false, keep);
        }
        set_recursive(steps, entry, tree);
    }
    attach(steps, root, entry, tree, target, pending);
    enter(steps, params, root, entry, tree);
    Ok(())
}

/// Sets the recursive attributes on a tree.
pub(in crate::plan) fn set_recursive(steps: &mut Steps, entry: &Entry<'_>, tree: Slot) {
    let change = recursive_change(entry.mount);
    if !change.is_nothing() {
        let context = entry.context("set recursive attributes");
        attributes_of(steps, context, tree, change, true, false);
    }
}

/// Takes flags away that the bundle cleared by name, where a user namespace may have them locked:
/// that has to work. Gives the rest of the change, which keeps what is locked.
pub(super) fn explicit_first(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    entry: &Entry<'_>,
    mount: Slot,
    change: BindChange,
) -> Pending {
    if !params.in_user_namespace() {
        // Nothing is locked, so one call does it.
        return Pending {
            change: Change {
                set: change.rest.set,
                clear: change.rest.clear | change.explicit.clear,
            },
            ..Pending::default()
        };
    }
    let (explicit, rest) = unlockable_first(change);
    if !explicit.is_nothing() {
        let context = entry.context(LOCKED_FLAGS);
        attributes_of(steps, context, mount, explicit, false, false);
    }
    Pending {
        change: rest,
        keep_locked: true,
        isolated: false,
    }
}

/// Moves what can never be locked to the change that keeps nothing.
fn unlockable_first(change: BindChange) -> (Change, Change) {
    let never = change.rest.clear & MountAttr::NOSYMFOLLOW;
    let (mut explicit, mut rest) = (change.explicit, change.rest);
    explicit.clear |= never;
    rest.clear &= !never;
    (explicit, rest)
}

pub(in crate::plan) fn attributes_of(
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
