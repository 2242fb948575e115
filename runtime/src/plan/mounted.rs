//! The mounts made so far, and by which handle a path below one is reached.
//!
//! Names of the root file system may be exchanged by somebody else while the steps run: another container on the same
//! directory, say. What lies on a mount that was just made is therefore reached from that mount, and not by its path.

use configs::config::Mount;
use nsenter::plan::Slot;

use super::mounts::{Entry, inside};
use super::requested::Requested;
use super::steps::{Steps, clean, seen_from};

/// One mount.
#[derive(Debug)]
struct Mounted {
    point: String,
    /// Its root, if it is kept open.
    slot: Option<Slot>,
    /// What it shows is the kernel's, so a procfs.
    proc: bool,
}

/// The mounts of the container that are in sight, in their order.
#[derive(Debug, Default)]
pub(super) struct MountTable {
    mounts: Vec<Mounted>,
    /// Everything that is open, in sight or not.
    open: Vec<Slot>,
}

/// A handle, and the path from there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) root: Slot,
    pub(super) path: String,
}

impl MountTable {
    /// Enters a mount that was attached. It stays open if something will be looked up on it, else it is closed.
    pub(super) fn enter(
        &mut self,
        steps: &mut Steps,
        requested: &Requested<'_>,
        entry: &Entry<'_>,
        mount: Slot,
        wanted: bool,
    ) {
        // What was below, or at the same place, is covered.
        self.mounts
            .retain(|covered| seen_from(entry.point, &covered.point).is_none());
        let trusted = has_no_foreign_links(entry);
        let keep = wanted || trusted && is_needed(requested, entry);
        if keep {
            self.open.push(mount);
        } else {
            steps.close(mount);
        }
        self.mounts.push(Mounted {
            point: entry.point.to_owned(),
            slot: (keep && trusted).then_some(mount),
            proc: entry.point == "/proc",
        });
    }

    /// Keeps one more descriptor until the end.
    pub(super) fn keep(&mut self, slot: Slot) {
        self.open.push(slot);
    }

    /// How something on or below the mounts is reached; `root` is the root of the container.
    pub(super) fn place(&self, root: Slot, path: &str) -> Place {
        self.nearest(root, path, |_| true)
    }

    /// How a mount point is reached: from a mount above it. Not from a procfs, below which the path as written decides
    /// what may be mounted.
    pub(super) fn place_of_mount_point(&self, root: Slot, point: &str) -> Place {
        self.nearest(root, point, |mounted| {
            mounted.point != point && !mounted.proc
        })
    }

    /// The root of the mount at exactly this point, if it is open.
    pub(super) fn root_of(&self, point: &str) -> Option<Slot> {
        self.mounts
            .iter()
            .rev()
            .find(|mounted| mounted.point == point)?
            .slot
    }

    fn nearest(&self, root: Slot, path: &str, allowed: impl Fn(&Mounted) -> bool) -> Place {
        let below =
            |mounted: &&Mounted| seen_from(&mounted.point, path).is_some() && allowed(mounted);
        // Of mounts at one point only the last is in the list, so the longest one is the one that the path is on.
        let nearest = self
            .mounts
            .iter()
            .filter(below)
            .max_by_key(|mounted| mounted.point.len());
        let on_handle = nearest.and_then(|mounted| {
            Some(Place {
                root: mounted.slot?,
                path: seen_from(&mounted.point, path)?.to_owned(),
            })
        });
        on_handle.unwrap_or_else(|| Place {
            root,
            path: path.to_owned(),
        })
    }

    /// Closes everything.
    pub(super) fn close(&mut self, steps: &mut Steps) {
        for slot in self.open.drain(..) {
            steps.close(slot);
        }
        self.mounts.clear();
    }
}

/// Whether paths on the mount may be resolved with the mount as root: it has no symbolic links, or none that were made by
/// somebody who took the container's root for the root.
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
        "tmpfs" => !mount.is_copy_up(),
        _ => false,
    }
}

/// Whether a later step looks something up on or below the mount.
fn is_needed(requested: &Requested<'_>, entry: &Entry<'_>) -> bool {
    let config = requested.config;
    let covers = |path: &str| seen_from(entry.point, &clean(path)).is_some();
    let later = config.mounts.iter().skip(entry.index as usize + 1);
    let below = |mount: &Mount| {
        let destination = inside(&config.rootfs, &mount.destination);
        destination != entry.point && seen_from(entry.point, &destination).is_some()
    };
    config
        .mask_paths
        .iter()
        .chain(&config.readonly_paths)
        .any(|path| covers(path))
        || later.into_iter().any(below)
        || requested.process.terminal.is_some() && covers("/dev/pts")
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
            .map(|((point, open), slot)| Mounted {
                point: (*point).to_owned(),
                slot: open.then_some(*slot),
                proc: *point == "/proc",
            })
            .collect();
        (
            MountTable {
                mounts,
                open: Vec::new(),
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
        };
        assert_eq!(place("/proc/kcore"), at(handles[0], "/kcore"));
        assert_eq!(place("/proc"), at(handles[0], "/"));
        assert_eq!(place("/processes"), at(root, "/processes"));
        assert_eq!(place("/data/x"), at(root, "/data/x"));
        assert_eq!(place("/dev/pts/0"), at(handles[3], "/0"));
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
