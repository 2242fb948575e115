//! The sources of bind mounts.

use configs::config::{MountFlags, NamespaceType};
use nsenter::plan::{Dir, Label, Op, Slot};

use super::entry::Entry;
use crate::Result;
use crate::plan::output::Tag;
use crate::plan::params::ProcessParams;
use crate::plan::steps::{Steps, c_string};

/// The detached tree of a bind source.
///
/// In a user namespace the process may lack the right to reach the source although the supervisor
/// has it: then the supervisor opens it, below this process' root, so that it sees the mounts made
/// so far. And what is mounted below the source is locked there, so that the kernel clones it only
/// as a whole (`EINVAL`): a tree without that is cloned by the supervisor, in the mount namespace
/// of the host.
pub(in crate::plan) fn source(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    entry: &Entry<'_>,
) -> Result<Slot> {
    let recursive = entry.mount.flags.contains(MountFlags::REC);
    let path = c_string("mounts.source", entry.mount.source.as_str())?;
    let tree = steps.slot();
    let own = Op::CloneTree {
        dir: Dir::Cwd,
        path,
        recursive,
        into: tree,
    };
    if !(params.has(NamespaceType::User) && params.host.effective_uid == 0) {
        steps.push(entry.context("open the source"), own);
        return Ok(tree);
    }
    let (ask, opened) = (steps.label(), steps.label());
    let refusals = [libc::EACCES, libc::EPERM, libc::EINVAL];
    let refusals = refusals.get(..if recursive { 2 } else { 3 });
    steps.push_or(
        entry.context("open the source"),
        own,
        refusals.unwrap_or_default(),
        ask,
    );
    steps.jump(opened);
    steps.bind(ask);
    from_parent(steps, entry, recursive, tree, opened);
    steps.bind(opened);
    Ok(tree)
}

/// The tree with the help of the supervisor; continues at `opened`.
fn from_parent(steps: &mut Steps, entry: &Entry<'_>, recursive: bool, tree: Slot, opened: Label) {
    let handle = steps.slot();
    steps.push(
        "open the root for the supervisor",
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
        "send the root to the supervisor",
        Op::SendDescriptor {
            tag: Tag::Root.number(),
            fd: handle,
        },
    );
    steps.close(handle);
    let found = steps.slot();
    steps.push(
        entry.context("ask the supervisor for the source"),
        Op::AskDescriptor {
            tag: Tag::Source(entry.index).number(),
            into: found,
        },
    );
    let clone = Op::CloneTree {
        dir: Dir::Slot(found),
        path: c"".to_owned(),
        recursive,
        into: tree,
    };
    if recursive {
        steps.push(entry.context("clone the source"), clone);
        steps.close(found);
        return;
    }
    let locked = steps.label();
    steps.push_or(
        entry.context("clone the source"),
        clone,
        &[libc::EINVAL],
        locked,
    );
    steps.push("close a descriptor", Op::Close(found));
    steps.jump(opened);
    steps.bind(locked);
    steps.close(found);
    steps.push(
        entry.context("ask the supervisor for the tree"),
        Op::AskDescriptor {
            tag: Tag::Tree(entry.index).number(),
            into: tree,
        },
    );
}
