//! Mounts of type `cgroup`: the container's view of its control groups.

use std::path::Path;

use configs::config::{MountAttr, MountFlags, NamespaceType};
use nsenter::plan::{Dir, Expect, FsOption, Leaf, Op, Slot};

use super::attach::{Pending, attach, enter, target};
use super::bind::attributes_of as attributes_on;
use super::entry::Entry;
use super::file_system::empty_directory;
use super::options::{Change, attributes_of, bind_change, options, recursive_change};
use crate::plan::params::ProcessParams;
use crate::plan::request::{CgroupView, LegacyHierarchy};
use crate::plan::rootfs::Rootfs;
use crate::plan::steps::{Steps, c_path, c_string};
use crate::{Error, Result};

/// Where the host has its cgroup file systems.
const HOST: &str = "/sys/fs/cgroup";
/// The attributes of the tmpfs for the hierarchies of cgroup v1.
const RESTRICTED: u64 = MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOEXEC;
/// `CGROUP2_SUPER_MAGIC` of `statfs(2)`.
const CGROUP2_MAGIC: u64 = 0x6367_7270;

/// One mount of type `cgroup`.
pub(in crate::plan) fn mount(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    match view {
        CgroupView::Unified { directory } => unified(steps, params, root, entry, directory),
        CgroupView::Legacy(hierarchies) => legacy(steps, params, root, entry, hierarchies),
    }
}

/// cgroup v2. With a cgroup namespace a new mount, whose root is the container's cgroup. Without
/// one, a clone of the host's mount: it shows the same, and a new mount of a live cgroup2
/// costs milliseconds.
fn unified(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
    own: &Path,
) -> Result<()> {
    let target = target(steps, root, entry, Leaf::Directory)?;
    let tree = steps.slot();
    let own_namespace = params.has(NamespaceType::Cgroup);
    let given = options(
        "cgroup2",
        entry.mount.flags.difference(MountFlags::RDONLY),
        &entry.mount.data,
    )?;
    let shown = if own_namespace { own } else { Path::new(HOST) };
    // The container's root may own cgroups of the host's user here.
    let forced = params.config.rootless_cgroups && !own_namespace;
    let (bind, done) = (steps.label(), steps.label());
    if own_namespace {
        steps.push_or(
            entry.context("mount"),
            Op::NewMount {
                fstype: c"cgroup2".to_owned(),
                source: Some(c"cgroup".to_owned()),
                options: given.clone(),
                mode_of: None,
                attributes: attributes_of(entry.mount, entry.mount.flags),
                into: tree,
            },
            &[libc::EPERM, libc::EBUSY],
            bind,
        );
        steps.jump(done);
        steps.bind(bind);
    } else if !given.is_empty() {
        // They are settings of the whole host, which a container only may know.
        steps.push(
            entry.context("mount"),
            Op::CheckOptions {
                fstype: c"cgroup2".to_owned(),
                options: given,
            },
        );
    }
    if shown.is_absolute() {
        bound(steps, params, entry, forced, shown, tree)?;
    } else {
        empty_directory(steps, entry, tree);
    }
    steps.bind(done);
    attach(steps, root, entry, tree, target, Pending::default());
    enter(steps, params, root, entry, tree);
    Ok(())
}

/// A directory of the host's cgroup v2 mount with the flags of the container's.
fn bound(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    entry: &Entry<'_>,
    forced: bool,
    directory: &Path,
    tree: Slot,
) -> Result<()> {
    let clone = Op::CloneTree {
        dir: Dir::Cwd,
        path: c_path("cgroup directory", directory)?,
        recursive: true,
        into: tree,
    };
    let (hide, done) = (steps.label(), steps.label());
    let context = entry.context("bind the host's cgroup directory");
    if params.config.rootless_cgroups {
        steps.push_or(context, clone, &[libc::ENOENT], hide);
    } else {
        steps.push(context, clone);
    }
    if directory == Path::new(HOST) {
        steps.push(
            format!("check that {HOST} is a cgroup2 file system"),
            Op::Verify {
                fd: tree,
                expect: Expect {
                    magic: Some(CGROUP2_MAGIC),
                    ..Expect::default()
                },
            },
        );
    }
    restrict(steps, params, entry, forced, tree);
    if params.config.rootless_cgroups {
        steps.jump(done);
        steps.bind(hide);
        empty_directory(steps, entry, tree);
    }
    steps.bind(done);
    Ok(())
}

/// Gives a bound cgroup directory the flags of the mount, and if `forced` makes it read-only
/// whatever they are.
fn restrict(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    entry: &Entry<'_>,
    forced: bool,
    tree: Slot,
) {
    let change = bind_change(entry.mount, params.host.nosymfollow);
    let (set, clear) = (change.rest.set, change.rest.clear | change.explicit.clear);
    let forced = if forced { MountAttr::RDONLY } else { 0 };
    let (set, clear) = (set | forced, clear & !forced);
    steps.push(
        entry.context("set flags"),
        Op::MountAttributes {
            mount: tree,
            set,
            clear,
            // The host's mount may be shared; a new one, which this replaces, has no peers.
            propagation: libc::MS_PRIVATE,
            recursive: false,
            keep_locked: params.in_user_namespace(),
        },
    );
    let all = recursive_change(entry.mount);
    let clear = all.clear & !forced;
    if all.set | clear != 0 {
        let context = entry.context("set recursive attributes");
        attributes_on(
            steps,
            context,
            tree,
            Change {
                set: all.set,
                clear,
            },
            true,
            false,
        );
    }
}

/// cgroup v1: a small tmpfs with one directory a hierarchy, and links for the controllers that
/// share one.
fn legacy(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    root: &mut Rootfs,
    entry: &Entry<'_>,
    hierarchies: &[LegacyHierarchy],
) -> Result<()> {
    if !entry.mount.data.is_empty() {
        return Err(Error::config(format!(
            "mounts[{}]: cgroup v1 takes no options of the file system: {:?}",
            entry.index, entry.mount.data
        )));
    }
    let point = target(steps, root, entry, Leaf::Directory)?;
    let tmpfs = steps.slot();
    let mut options = vec![FsOption::String(c"mode".to_owned(), c"755".to_owned())];
    let label = params.config.mount_label.as_str();
    if !label.is_empty() {
        options.push(FsOption::String(
            c"context".to_owned(),
            c_string("linux.mountLabel", label)?,
        ));
    }
    steps.push(
        entry.context("mount a tmpfs"),
        Op::NewMount {
            fstype: c"tmpfs".to_owned(),
            source: Some(c"tmpfs".to_owned()),
            options,
            mode_of: None,
            attributes: RESTRICTED,
            into: tmpfs,
        },
    );
    attach(steps, root, entry, tmpfs, point, Pending::default());
    let together = restricted_together(params, entry, hierarchies);
    for hierarchy in hierarchies {
        if together.is_some() {
            let name = hierarchy.directory.as_str();
            steps.push(
                format!("bind the {name} cgroup"),
                Op::BindDirectory {
                    dir: tmpfs,
                    name: c_string("cgroup hierarchy", name)?,
                    source: c_path("cgroup directory", &hierarchy.own)?,
                },
            );
        } else {
            one_hierarchy(steps, params, entry, tmpfs, hierarchy)?;
        }
    }
    links(steps, tmpfs, hierarchies)?;
    restrict_all(steps, entry, tmpfs, hierarchies, together)?;
    enter(steps, params, root, entry, tmpfs);
    Ok(())
}

/// The links by which the controllers of hierarchies with more than one are found.
fn links(steps: &mut Steps, tmpfs: Slot, hierarchies: &[LegacyHierarchy]) -> Result<()> {
    for hierarchy in hierarchies {
        for link in hierarchy
            .links
            .iter()
            .filter(|link| **link != hierarchy.directory)
        {
            steps.push(
                ["link the ", link, " cgroup"].concat(),
                Op::Symlink {
                    dir: tmpfs,
                    name: c_string("cgroup controller", link.as_str())?,
                    target: c_string("cgroup hierarchy", hierarchy.directory.as_str())?,
                },
            );
        }
    }
    Ok(())
}

/// The attributes of the tmpfs, and of what is bound in it if they are changed `together`.
fn restrict_all(
    steps: &mut Steps,
    entry: &Entry<'_>,
    tmpfs: Slot,
    hierarchies: &[LegacyHierarchy],
    together: Option<Change>,
) -> Result<()> {
    if let Some(Change { set, clear }) = together {
        steps.push(
            entry.context("set flags"),
            // The host's mounts may be shared; new ones, which these replace, have no peers.
            Op::MountAttributesOfAll {
                mount: tmpfs,
                names: hierarchies
                    .iter()
                    .map(|one| c_string("cgroup hierarchy", one.directory.as_str()))
                    .collect::<Result<_>>()?,
                set,
                clear,
            },
        );
    } else if attributes_of(entry.mount, entry.mount.flags) & MountAttr::RDONLY != 0 {
        steps.push(
            entry.context("make the tmpfs read-only"),
            Op::MountAttributes {
                mount: tmpfs,
                set: MountAttr::RDONLY,
                clear: 0,
                propagation: 0,
                recursive: false,
                keep_locked: false,
            },
        );
    }
    Ok(())
}

/// The change of attributes that makes of the host's directories, bound into the tmpfs, what the
/// configuration asks for, if it is the same for all of them and right for the tmpfs as well: the
/// usual case, in which one call changes all. Before it they are writable where the host's mounts
/// are, in a mount namespace in which nothing but the stub runs.
fn restricted_together(
    params: &ProcessParams<'_>,
    entry: &Entry<'_>,
    hierarchies: &[LegacyHierarchy],
) -> Option<Change> {
    let change = bind_change(entry.mount, params.host.nosymfollow);
    let (set, clear) = (change.rest.set, change.rest.clear | change.explicit.clear);
    let all = recursive_change(entry.mount);
    let possible = !params.has(NamespaceType::Cgroup)
        && !params.in_user_namespace()
        && set == RESTRICTED | MountAttr::RDONLY
        && all.set | all.clear == 0
        && hierarchies
            .iter()
            .all(|one| one.own.is_absolute() && !one.of_caller);
    possible.then_some(Change { set, clear })
}

fn one_hierarchy(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    entry: &Entry<'_>,
    tmpfs: Slot,
    hierarchy: &LegacyHierarchy,
) -> Result<()> {
    let name = hierarchy.directory.as_str();
    let tree = steps.slot();
    if params.has(NamespaceType::Cgroup) {
        let options = hierarchy
            .data
            .split(',')
            .map(|option| match option.split_once('=') {
                Some((key, value)) => Ok(FsOption::String(
                    c_string("cgroup hierarchy", key)?,
                    c_string("cgroup hierarchy", value)?,
                )),
                None => Ok(FsOption::Flag(c_string("cgroup hierarchy", option)?)),
            })
            .collect::<Result<_>>()?;
        steps.push(
            ["mount the ", name, " cgroup"].concat(),
            Op::NewMount {
                fstype: c"cgroup".to_owned(),
                source: Some(c_string("cgroup hierarchy", hierarchy.source.as_str())?),
                options,
                mode_of: None,
                attributes: attributes_of(entry.mount, entry.mount.flags),
                into: tree,
            },
        );
    } else if !hierarchy.own.is_absolute() {
        empty_directory(steps, entry, tree);
    } else {
        steps.push(
            ["bind the ", name, " cgroup"].concat(),
            Op::CloneTree {
                dir: Dir::Cwd,
                path: c_path("cgroup directory", &hierarchy.own)?,
                recursive: true,
                into: tree,
            },
        );
        restrict(steps, params, entry, hierarchy.of_caller, tree);
    }
    let target = steps.slot();
    steps.push(
        ["create the directory of the ", name, " cgroup"].concat(),
        Op::MakePath {
            root: tmpfs,
            path: c_string("cgroup hierarchy", name)?,
            leaf: Leaf::Directory,
            into: target,
        },
    );
    steps.push(
        ["attach the ", name, " cgroup"].concat(),
        Op::Attach {
            mount: tree,
            target,
        },
    );
    steps.close(target);
    steps.close(tree);
    Ok(())
}
