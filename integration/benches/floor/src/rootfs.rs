//! The file systems of the container: everything the bundle mounts, in its order.
//!
//! The root is changed first and the rest is mounted from inside: links in the image cannot lead
//! out, and no path has to be looked up by a descriptor.

use core::ffi::CStr;

use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mkdir, mknodat, open, symlink};
use rustix::io::{Errno, Result as Io};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, unmount,
};
use rustix::process::{chdir, fchdir, pivot_root, umask};

use crate::cgroup::{Hierarchies, MOUNT};
use crate::failure::{At as _, Result};
use crate::sys;
use crate::text::Text;

// Of linux/mount.h.
const READ_ONLY: u64 = 1;
const NO_SUID: u64 = 2;
const NO_DEVICES: u64 = 4;
const NO_EXECUTION: u64 = 8;

const CGROUP: &CStr = c"/sys/fs/cgroup";

const NODES: [(&CStr, u32, u32); 6] = [
    (c"/dev/null", 1, 3),
    (c"/dev/zero", 1, 5),
    (c"/dev/full", 1, 7),
    (c"/dev/random", 1, 8),
    (c"/dev/urandom", 1, 9),
    (c"/dev/tty", 5, 0),
];

const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
    (c"pts/ptmx", c"/dev/ptmx"),
];

const READ_ONLY_PATHS: [&CStr; 5] = [
    c"/proc/bus",
    c"/proc/fs",
    c"/proc/irq",
    c"/proc/sys",
    c"/proc/sysrq-trigger",
];

const MASKED_PATHS: [&CStr; 10] = [
    c"/proc/acpi",
    c"/proc/asound",
    c"/proc/kcore",
    c"/proc/keys",
    c"/proc/latency_stats",
    c"/proc/timer_list",
    c"/proc/timer_stats",
    c"/proc/sched_debug",
    c"/sys/firmware",
    c"/proc/scsi",
];

/// Makes the mount namespace of this process the container's.
pub(crate) fn build(root: &CStr, hierarchies: &Hierarchies, id: &[u8]) -> Result<()> {
    change_root(root)?;
    umask(Mode::empty());
    file_system(c"proc", c"proc", c"/proc", MountFlags::empty(), None)?;
    devices()?;
    let unused = MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::NODEV;
    file_system(
        c"sysfs",
        c"sysfs",
        c"/sys",
        unused | MountFlags::RDONLY,
        None,
    )?;
    cgroups(hierarchies, id)?;
    read_only_paths()?;
    masked_paths()?;
    // The working directory is the old root, which covers the new one.
    unmount(c".", UnmountFlags::DETACH).at("unmount the old root")?;
    chdir(c"/").at("enter the root")?;
    sys::add_mount_attributes(c"/", READ_ONLY, false).at("make the root read-only")?;
    umask(Mode::from_raw_mode(0o022));
    Ok(())
}

/// The working directory is the old root then.
fn change_root(root: &CStr) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let old = open(c"/", flags, Mode::empty()).at("open the root of the host")?;
    let propagation = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change(c"/", propagation).at("keep mounts from the host")?;
    mount_bind_recursive(root, root).at("bind the root")?;
    chdir(root).at("enter the root")?;
    pivot_root(c".", c".").at("change the root")?;
    fchdir(&old).at("enter the old root")
}

/// Mounts it; its mount point is made if there is none.
fn file_system(
    source: &CStr,
    kind: &CStr,
    path: &CStr,
    flags: MountFlags,
    options: Option<&CStr>,
) -> Result<()> {
    on(path, || mount(source, path, kind, flags, options)).at("mount a file system")
}

/// Mounts, on a directory that is made if there is none.
fn on(path: &CStr, mount: impl Fn() -> Io<()>) -> Io<()> {
    match mount() {
        Err(Errno::NOENT) => {
            mkdir(path, Mode::from_raw_mode(0o755))?;
            mount()
        }
        mounted => mounted,
    }
}

fn devices() -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::STRICTATIME;
    file_system(
        c"tmpfs",
        c"tmpfs",
        c"/dev",
        flags,
        Some(c"mode=755,size=65536k"),
    )?;
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    let options = c"newinstance,ptmxmode=0666,mode=0620,gid=5";
    file_system(c"devpts", c"devpts", c"/dev/pts", flags, Some(options))?;
    let flags = flags | MountFlags::NODEV;
    file_system(
        c"shm",
        c"tmpfs",
        c"/dev/shm",
        flags,
        Some(c"mode=1777,size=65536k"),
    )?;
    file_system(c"mqueue", c"mqueue", c"/dev/mqueue", flags, None)?;
    let mode = Mode::from_raw_mode(0o666);
    for (path, major, minor) in NODES {
        mknodat(
            CWD,
            path,
            FileType::CharacterDevice,
            mode,
            makedev(major, minor),
        )
        .at("make a device")?;
    }
    for (target, path) in LINKS {
        symlink(target, path).at("make a link")?;
    }
    Ok(())
}

/// Without a cgroup namespace the container sees the whole hierarchy of v2, and its own part of
/// those of v1. Mounting cgroup2 anew would wait for a grace period of the kernel.
fn cgroups(hierarchies: &Hierarchies, id: &[u8]) -> Result<()> {
    let attributes = READ_ONLY | NO_SUID | NO_DEVICES | NO_EXECUTION;
    if hierarchies.unified {
        let host = Text::of(&[MOUNT]);
        on(CGROUP, || mount_bind(host.as_c(), CGROUP)).at("bind the cgroups")?;
        return sys::add_mount_attributes(CGROUP, attributes, false)
            .at("make the cgroups read-only");
    }
    file_system(
        c"tmpfs",
        c"tmpfs",
        CGROUP,
        MountFlags::empty(),
        Some(c"mode=755"),
    )?;
    for hierarchy in hierarchies.each() {
        let host = hierarchy.folder(b"", id);
        let path = Text::of(&[CGROUP.to_bytes(), b"/", hierarchy.name]);
        mkdir(path.as_c(), Mode::from_raw_mode(0o755)).at("make a mount point")?;
        mount_bind(host.as_c(), path.as_c()).at("bind a cgroup")?;
    }
    sys::add_mount_attributes(CGROUP, attributes, true).at("make the cgroups read-only")
}

fn read_only_paths() -> Result<()> {
    for path in READ_ONLY_PATHS {
        match mount_bind_recursive(path, path) {
            Err(Errno::NOENT) => continue,
            bound => bound.at("bind a read-only path")?,
        }
        sys::add_mount_attributes(path, READ_ONLY, true).at("make a path read-only")?;
    }
    Ok(())
}

/// A file becomes /dev/null, a directory an empty one: the first of them is mounted, the others are
/// its copies.
fn masked_paths() -> Result<()> {
    let mut empty = None;
    for path in MASKED_PATHS {
        match mount_bind(c"/dev/null", path) {
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR) => match empty {
                Some(first) => mount_bind(first, path).at("mask a directory")?,
                None => {
                    let flags = MountFlags::RDONLY
                        | MountFlags::NOSUID
                        | MountFlags::NODEV
                        | MountFlags::NOEXEC;
                    mount(
                        c"tmpfs",
                        path,
                        c"tmpfs",
                        flags,
                        Some(c"nr_blocks=1,nr_inodes=1"),
                    )
                    .at("mask a directory")?;
                    empty = Some(path);
                }
            },
            masked => masked.at("mask a file")?,
        }
    }
    Ok(())
}
