//! The `cpuset` controller. A new cpuset is empty, and no process can join an empty one.

use std::path::Path;

use crate::dir::{Below, Dir};
use crate::group_dir::GroupDir;
use crate::{Hierarchy, Resources, Result};

/// The files, which have no prefix in a hierarchy mounted with option `noprefix`.
struct Names {
    cpus: &'static str,
    mems: &'static str,
}

const PREFIXED: Names = Names {
    cpus: "cpuset.cpus",
    mems: "cpuset.mems",
};
const BARE: Names = Names {
    cpus: "cpus",
    mems: "mems",
};

fn names(dir: &Dir) -> Result<Names> {
    Ok(if dir.exists(PREFIXED.cpus)? || !dir.exists(BARE.cpus)? {
        PREFIXED
    } else {
        BARE
    })
}

/// Gives the cpuset its CPUs and memory nodes: what was asked for, and the parent's for the rest.
/// Empty ancestors are filled from theirs.
pub(super) fn prepare(
    hierarchy: &Hierarchy,
    group_dir: &GroupDir,
    resources: &Resources,
) -> Result<()> {
    let dir = group_dir.dir(hierarchy)?;
    let names = names(dir)?;
    let parent = group_dir.relative().parent().unwrap_or(Path::new(""));
    if resources.sets_cpuset() && !parent.as_os_str().is_empty() {
        // Nothing can be asked for that the parent does not have.
        let above = parent.parent().unwrap_or(Path::new(""));
        fill(
            hierarchy,
            &hierarchy.root().descend(parent, Below::V1)?,
            above,
            &names,
        )?;
        write_requested(dir, &names, resources)?;
    }
    // A new one is empty, or (`cgroup.clone_children`) has what its parent has.
    let own = if group_dir.is_made() && !resources.sets_cpuset() {
        Content::default()
    } else {
        read(dir, &names)?
    };
    fill_from(hierarchy, dir, parent, &names, own).map(drop)
}

/// What one directory has.
#[derive(Default)]
struct Content {
    cpus: String,
    mems: String,
}

fn read(dir: &Dir, names: &Names) -> Result<Content> {
    Ok(Content {
        cpus: dir.read(names.cpus)?.trim().to_owned(),
        mems: dir.read(names.mems)?.trim().to_owned(),
    })
}

fn fill(hierarchy: &Hierarchy, dir: &Dir, parent: &Path, names: &Names) -> Result<Content> {
    fill_from(hierarchy, dir, parent, names, read(dir, names)?)
}

fn fill_from(
    hierarchy: &Hierarchy,
    dir: &Dir,
    parent: &Path,
    names: &Names,
    own: Content,
) -> Result<Content> {
    // The mount point itself has no parent to take from.
    if (!own.cpus.is_empty() && !own.mems.is_empty()) || parent.as_os_str().is_empty() {
        return Ok(own);
    }
    let parent_dir = hierarchy.root().descend(parent, Below::V1)?;
    let above = parent.parent().unwrap_or(Path::new(""));
    let from = fill(hierarchy, &parent_dir, above, names)?;
    let take = |name: &str, own: String, from: String| {
        if !own.is_empty() || from.is_empty() {
            return Ok(own);
        }
        dir.write(name, &from).map(|()| from)
    };
    Ok(Content {
        cpus: take(names.cpus, own.cpus, from.cpus)?,
        mems: take(names.mems, own.mems, from.mems)?,
    })
}

pub(super) fn set(dir: &Dir, resources: &Resources) -> Result<()> {
    write_requested(dir, &names(dir)?, resources)
}

fn write_requested(dir: &Dir, names: &Names, resources: &Resources) -> Result<()> {
    for (name, list) in [
        (names.cpus, &resources.cpuset_cpus),
        (names.mems, &resources.cpuset_mems),
    ] {
        if let Some(list) = list {
            dir.write(name, list)?;
        }
    }
    Ok(())
}
