//! The mounts of the configuration, in its order. Each is made detached, gets its attributes, and
//! is then attached to a target that was resolved once, inside the root.

pub(in crate::plan) mod attach;
pub(in crate::plan) mod bind;
pub(in crate::plan) mod cgroup;
pub(in crate::plan) mod entry;
pub(in crate::plan) mod file_system;
pub(in crate::plan) mod options;
pub(in crate::plan) mod remount;
pub(in crate::plan) mod source;
pub(in crate::plan) mod table;

use configs::config::Mount;
use nsenter::plan::{Dir, Expect, Op};

use self::entry::{Entry, is_remount};
use super::params::ProcessParams;
use super::procfs::{PROC_MAGIC, PROC_ROOT_INODE};
use super::request::CgroupView;
use super::rootfs::Rootfs;
use super::steps::{Steps, c_string};
use crate::{Error, Result};

/// Most mounts. Each takes five steps or more, of which a plan has 65536; the index of a mount in a
/// tag has 16 bits.
const MOST: u32 = 10_000;

/// Files of a procfs that may be replaced: those that lxcfs provides, and two that container
/// managers set.
const PROC_FILES: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// The steps of all mounts.
pub(super) fn all(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
) -> Result<()> {
    let mounts = &params.config.mounts;
    let points = root.mounts.take_points();
    for ((index, mount), point) in mounts.iter().enumerate().zip(&points) {
        let index = u32::try_from(index)
            .ok()
            .filter(|index| *index < MOST)
            .ok_or_else(|| Error::config(format!("mounts has more than {MOST} entries")))?;
        let entry = Entry {
            index,
            mount,
            point,
            name: &entry::name(mount),
        };
        check_destination(&entry)?;
        if is_remount(mount) {
            remount::remount(steps, params, view, root, &entry)?;
            continue;
        }
        one(steps, params, view, root, &entry)?;
        if !root.mount_namespace {
            steps.host_mount(entry.point.into());
        }
    }
    check_proc(steps, mounts, &points, root)
}

/// Looks whether `/proc` ended up as what the configuration says: a mount that was made before it,
/// through a symbolic link of the image, may have come to lie there. After the procfs nothing can:
/// no path that is not written as one below `/proc` may lead onto a procfs.
fn check_proc(steps: &mut Steps, mounts: &[Mount], points: &[String], root: &Rootfs) -> Result<()> {
    let mut of_proc = mounts
        .iter()
        .zip(points)
        .map(|(mount, point)| point == "/proc" && !is_remount(mount));
    if of_proc.next() == Some(true) || !of_proc.any(|is_proc| is_proc) {
        return Ok(());
    }
    let into = steps.slot();
    steps.push(
        "open the container's /proc",
        Op::Open {
            dir: Dir::Slot(root.slot),
            path: c_string("path", "proc")?,
            flags: (libc::O_PATH | libc::O_DIRECTORY).cast_unsigned(),
            mode: 0,
            resolve: libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_SYMLINKS,
            into,
        },
    );
    steps.push(
        "check that the container's /proc is a procfs",
        Op::Verify {
            fd: into,
            expect: Expect {
                magic: Some(PROC_MAGIC),
                inode: Some(PROC_ROOT_INODE),
                ..Expect::default()
            },
        },
    );
    steps.close(into);
    Ok(())
}

fn one(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    view: &CgroupView,
    root: &mut Rootfs,
    entry: &Entry<'_>,
) -> Result<()> {
    if entry.mount.is_bind() {
        return bind::bind(steps, params, root, entry);
    }
    if entry.mount.id_mapping.is_some() {
        return Err(Error::config(format!(
            "mounts[{}]: only bind mounts can be id-mapped",
            entry.index
        )));
    }
    match entry.mount.device.as_str() {
        "proc" | "sysfs" => file_system::kernel_view(steps, params, root, entry),
        "cgroup" => cgroup::mount(steps, params, view, root, entry),
        _ => file_system::file_system(steps, params, root, entry),
    }
}

/// The rules for destinations that need no look at the file system.
fn check_destination(entry: &Entry<'_>) -> Result<()> {
    let (mount, point) = (entry.mount, entry.point);
    if mount.destination.contains('\0')
        || mount.source.contains('\0')
        || mount.device.contains('\0')
    {
        return Err(Error::config("mount field contains null byte"));
    }
    if point == "/" {
        return Err(Error::config(format!(
            "mountpoint {:?} is on the top of rootfs",
            mount.destination
        )));
    }
    if point == "/proc" {
        // A bind is looked at when its source is open.
        if mount.device != "proc" && !mount.is_bind() {
            return Err(Error::config(format!(
                "{point:?} cannot be mounted because it is not of type proc"
            )));
        }
    } else if point.starts_with("/proc/") && !PROC_FILES.contains(&point) {
        return Err(Error::config(format!(
            "{point:?} cannot be mounted because it is inside /proc"
        )));
    }
    Ok(())
}
