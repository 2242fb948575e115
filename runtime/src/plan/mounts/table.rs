//! The mounts made so far, and by which handle a path below one is reached.
//!
//! Names of the root file system may be exchanged by another process while the steps run: another
//! container on the same directory, say. What lies on a mount that was just made is therefore
//! reached from that mount, and not by its path.

use std::collections::{BTreeMap, BTreeSet};

use nsenter::plan::Slot;

use super::entry::{Entry, inside_clean, is_remount};
use crate::plan::devices::leaves_dev;
use crate::plan::params::ProcessParams;
use crate::plan::steps::{Steps, clean, seen_from};

/// One mount.
#[derive(Debug)]
struct Mounted {
    /// Its root, if it is kept open and paths may be resolved from there.
    slot: Option<Slot>,
    /// Its root, if it is kept open.
    handle: Option<Slot>,
    /// What it shows is the kernel's, so a procfs.
    proc: bool,
    /// A new tmpfs: what is in it was made by earlier steps.
    fresh: bool,
}

/// The mounts of the container that are in sight, by their mount points. Of several at one point
/// only the last is.
#[derive(Debug, Default)]
pub(in crate::plan) struct MountTable {
    mounts: BTreeMap<String, Mounted>,
    /// The mount points of the configuration.
    points: Vec<String>,
    /// Everything that is open, in sight or not.
    open: Vec<Slot>,
    wanted: Wanted,
}

/// A handle, and the path from there.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::plan) struct Place {
    pub(in crate::plan) root: Slot,
    pub(in crate::plan) path: String,
    /// The root is that of a new tmpfs, in which nothing is but what earlier steps have made.
    pub(in crate::plan) fresh: bool,
}

/// What the configuration will look up, and until when: the index of the last mount that does.
#[derive(Debug, Default)]
struct Wanted {
    /// Mount points.
    mounted: BTreeMap<String, usize>,
    /// Mount points of mounts that are changed by a later entry.
    changed: BTreeMap<String, usize>,
    /// What is hidden or made read-only in the end.
    paths: BTreeSet<String>,
}

impl Wanted {
    fn by(params: &ProcessParams<'_>, points: &[String]) -> Self {
        let config = params.config;
        let mut wanted = Self::default();
        for ((index, mount), point) in config.mounts.iter().enumerate().zip(points) {
            if is_remount(mount) {
                wanted.changed.insert(point.clone(), index);
            }
            wanted.mounted.insert(point.clone(), index);
        }
        let paths = config.mask_paths.iter().chain(&config.readonly_paths);
        wanted.paths.extend(paths.map(|path| clean(path)));
        if params.process.terminal.is_some() {
            wanted.paths.insert("/dev/pts".to_owned());
        }
        wanted
    }

    /// Whether something is looked up on a mount after the entry that makes it.
    fn on(&self, point: &str, index: usize) -> bool {
        let prefix = format!("{point}/");
        self.paths.contains(point)
            || first_below(&prefix, self.paths.range(prefix.clone()..)).is_some()
            || self
                .mounted
                .range(prefix.clone()..)
                .take_while(|(path, _)| path.starts_with(&prefix))
                .any(|(_, last)| *last > index)
    }
}

fn first_below<'a>(
    prefix: &str,
    mut paths: impl Iterator<Item = &'a String>,
) -> Option<&'a String> {
    paths.next().filter(|path| path.starts_with(prefix))
}

impl MountTable {
    /// An empty table for what is requested.
    pub(in crate::plan) fn of(params: &ProcessParams<'_>) -> Self {
        let rootfs = clean(&params.config.rootfs);
        let mounts = params.config.mounts.iter();
        let points: Vec<String> = mounts
            .map(|mount| inside_clean(&rootfs, &mount.destination))
            .collect();
        Self {
            wanted: Wanted::by(params, &points),
            points,
            ..Self::default()
        }
    }

    /// The mount points of the configuration, in its order.
    pub(in crate::plan) fn take_points(&mut self) -> Vec<String> {
        std::mem::take(&mut self.points)
    }

    /// Enters a mount that was attached. It stays open if something will be looked up on it, else
    /// it is closed.
    pub(in crate::plan) fn enter(
        &mut self,
        steps: &mut Steps,
        entry: &Entry<'_>,
        mount: Slot,
        wanted: bool,
    ) {
        let trusted = has_no_foreign_links(entry);
        let keep = wanted || self.is_looked_up_later(entry);
        if keep {
            self.open.push(mount);
        } else {
            steps.close(mount);
        }
        self.cover(entry, Some(mount).filter(|_| keep), trusted);
    }

    /// Enters a mount that is attached and that nothing looks anything up on.
    pub(in crate::plan) fn enter_closed(&mut self, entry: &Entry<'_>) {
        self.cover(entry, None, false);
    }

    fn cover(&mut self, entry: &Entry<'_>, handle: Option<Slot>, trusted: bool) {
        // What was below, or at the same place, is covered.
        let prefix = format!("{}/", entry.point);
        while let Some(covered) = first_below(
            &prefix,
            self.mounts.range(prefix.clone()..).map(|(point, _)| point),
        ) {
            let covered = covered.clone();
            self.mounts.remove(&covered);
        }
        let mounted = Mounted {
            slot: handle.filter(|_| trusted),
            handle,
            proc: entry.point == "/proc",
            fresh: is_new_tmpfs(entry),
        };
        self.mounts.insert(entry.point.to_owned(), mounted);
    }

    /// Whether something will be looked up on the mount, with the mount as root.
    pub(in crate::plan) fn is_looked_up_later(&self, entry: &Entry<'_>) -> bool {
        let index = usize::try_from(entry.index).unwrap_or(usize::MAX);
        has_no_foreign_links(entry) && self.wanted.on(entry.point, index)
    }

    /// Whether a later entry of the configuration changes the mount that is made at this one's
    /// destination.
    pub(in crate::plan) fn is_changed_later(&self, entry: &Entry<'_>) -> bool {
        let last = self.wanted.changed.get(entry.point);
        last.is_some_and(|last| u32::try_from(*last).is_ok_and(|last| last > entry.index))
    }

    /// The root of the mount at exactly this point, if it is open, whatever is on it.
    pub(in crate::plan) fn handle_of(&self, point: &str) -> Option<Slot> {
        self.mounts.get(point)?.handle
    }

    /// Keeps one more descriptor until the end.
    pub(in crate::plan) fn keep(&mut self, slot: Slot) {
        self.open.push(slot);
    }

    /// How something on or below the mounts is reached; `root` is the root of the container. The
    /// links that `/dev` gets lead out of it.
    pub(in crate::plan) fn place(&self, root: Slot, path: &str) -> Place {
        self.nearest(root, path, |_, _| !leaves_dev(path))
    }

    /// How a mount point is reached: from a mount above it. Not from a procfs, below which the path
    /// as written decides what may be mounted.
    pub(in crate::plan) fn place_of_mount_point(&self, root: Slot, point: &str) -> Place {
        self.nearest(root, point, |at, mounted| at != point && !mounted.proc)
    }

    /// The root of the mount at exactly this point, if it is open.
    pub(in crate::plan) fn root_of(&self, point: &str) -> Option<Slot> {
        self.mounts.get(point)?.slot
    }

    fn nearest(&self, root: Slot, path: &str, allowed: impl Fn(&str, &Mounted) -> bool) -> Place {
        // From the path upwards: the first mount is the one that the path is on.
        let mut point = path.trim_end_matches('/');
        let nearest = loop {
            if let Some(mounted) = self.mounts.get(point)
                && allowed(point, mounted)
            {
                break Some((point, mounted));
            }
            match point.rfind('/') {
                Some(at) => point = point.get(..at).unwrap_or_default(),
                None => break None,
            }
        };
        let on_handle = nearest.and_then(|(point, mounted)| {
            Some(Place {
                root: mounted.slot?,
                path: seen_from(point, path)?.to_owned(),
                fresh: mounted.fresh,
            })
        });
        on_handle.unwrap_or_else(|| Place {
            root,
            path: path.to_owned(),
            fresh: false,
        })
    }

    /// Closes everything.
    pub(in crate::plan) fn close(&mut self, steps: &mut Steps) {
        for slot in self.open.drain(..) {
            steps.close(slot);
        }
        self.mounts.clear();
    }
}

/// Whether paths on the mount may be resolved with the mount as root: it has no symbolic links, or
/// none that were made with the container's root as the root.
fn has_no_foreign_links(entry: &Entry<'_>) -> bool {
    let mount = entry.mount;
    if mount.is_bind() {
        // The host's own, bound as a whole.
        return matches!(
            (clean(&mount.source).as_str(), entry.point),
            ("/proc", "/proc") | ("/sys", "/sys")
        );
    }
    match mount.device.as_str() {
        "proc" | "sysfs" | "devpts" | "devtmpfs" | "mqueue" | "cgroup" | "cgroup2" => true,
        _ => is_new_tmpfs(entry),
    }
}

fn is_new_tmpfs(entry: &Entry<'_>) -> bool {
    let mount = entry.mount;
    !mount.is_bind() && mount.device == "tmpfs" && !mount.is_copy_up()
}

#[cfg(test)]
mod tests {
    use nsenter::plan::PlanBuilder;

    use super::*;

    /// A table of points, each with a handle or without.
    fn table(points: &[(&str, bool)]) -> (MountTable, Slot, Vec<Slot>) {
        let mut slots = PlanBuilder::new();
        let root = slots.slot();
        let handles: Vec<Slot> = points.iter().map(|_| slots.slot()).collect();
        let mounts = points
            .iter()
            .zip(&handles)
            .map(|((point, open), slot)| {
                let mounted = Mounted {
                    slot: open.then_some(*slot),
                    handle: open.then_some(*slot),
                    proc: *point == "/proc",
                    fresh: false,
                };
                ((*point).to_owned(), mounted)
            })
            .collect();
        (
            MountTable {
                mounts,
                ..MountTable::default()
            },
            root,
            handles,
        )
    }

    #[test]
    fn a_path_is_reached_from_the_mount_it_is_on() {
        let (table, root, handles) = table(&[
            ("/proc", true),
            ("/data", false),
            ("/dev", true),
            ("/dev/pts", true),
        ]);
        let place = |path: &str| table.place(root, path);
        let at = |root: Slot, path: &str| Place {
            root,
            path: path.to_owned(),
            fresh: false,
        };
        assert_eq!(place("/proc/kcore"), at(handles[0], "/kcore"));
        assert_eq!(place("/proc"), at(handles[0], "/"));
        assert_eq!(place("/processes"), at(root, "/processes"));
        assert_eq!(place("/data/x"), at(root, "/data/x"));
        assert_eq!(place("/dev/pts/0"), at(handles[3], "/0"));
        // Its target is not on that mount.
        for link in ["/dev/core", "/dev/fd", "/dev/fd/1", "/dev/stdin"] {
            assert_eq!(place(link), at(root, link));
        }
        assert_eq!(place("/dev/cores"), at(handles[2], "/cores"));
        assert_eq!(place("/dev/null"), at(handles[2], "/null"));
        assert_eq!(place("/etc"), at(root, "/etc"));
    }

    #[test]
    fn a_mount_point_is_reached_from_above_and_below_proc_from_the_root() {
        let (table, root, handles) = table(&[("/proc", true), ("/dev", true), ("/dev/pts", true)]);
        let place = |path: &str| table.place_of_mount_point(root, path);
        let at = |root: Slot, path: &str| Place {
            root,
            path: path.to_owned(),
            fresh: false,
        };
        assert_eq!(place("/dev/pts"), at(handles[1], "/pts"));
        assert_eq!(place("/dev"), at(root, "/dev"));
        assert_eq!(place("/proc/cpuinfo"), at(root, "/proc/cpuinfo"));
    }

    #[test]
    fn a_mount_without_a_handle_is_not_reached_from_the_one_above_it() {
        let (table, root, _) = table(&[("/run", true), ("/run/volume", false)]);
        assert_eq!(table.place(root, "/run/volume/x").root, root);
    }
}
