//! Mounts of the file, and those that every container had.

use super::reading::{Reading, below, keys, number, refused};
use super::{Loaded, MountCommands, Relabel, Revision, Warning};
use crate::config::{self, Command, MountAttr, MountFlags, MountIdMapping};
use crate::{Result, lexical};

keys! {
    /// A mount: a bind mount until 2015.
    struct Mount {
        kind as "type": String, "BCDE";
        source: String, "0ABCDEF";
        destination: String, "0ABCDEF";
        writable: bool, "0ABCDE";
        private: bool, "0ABCDE";
        slave: bool, "E";
        relabel: String, "EF";
        device: String, "F";
        flags: i64, "F";
        cleared_flags: u32, "F";
        propagation_flags: Vec<u32>, "F";
        data: String, "F";
        rec_attr: MountAttr, "F";
        extensions: u32, "F";
        id_mapping: MountIdMapping, "F";
        before as "premount_cmds": Vec<Command>, "F";
        after as "postmount_cmds": Vec<Command>, "F";
    }
}

/// No program, device or setuid bit of these mounts counts.
const RESTRICTED: MountFlags = MountFlags::NOSUID
    .union(MountFlags::NODEV)
    .union(MountFlags::NOEXEC);

/// The propagation types, which exclude each other.
const PROPAGATION: MountFlags = MountFlags::PRIVATE
    .union(MountFlags::SLAVE)
    .union(MountFlags::SHARED)
    .union(MountFlags::UNBINDABLE);

/// Paths that are never relabelled, since the whole host would be.
const NEVER_RELABELLED: [&str; 3] = ["/", "/usr", "/etc"];

/// The mounts that a container had whatever its file said, then those of the file.
pub(super) fn mounts(
    list: Vec<Mount>,
    place: &str,
    sys_readonly: bool,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) -> Result<()> {
    let has = |kind: &str| list.iter().any(|mount| mount.kind.as_deref() == Some(kind));
    let (sysfs, devtmpfs) = (has("sysfs"), has("devtmpfs"));
    system_mounts(sysfs, devtmpfs, sys_readonly, loaded, reading);
    for (index, mut mount) in list.into_iter().enumerate() {
        let place = format!("{place}[{index}]");
        mount.only_known(&place, reading);
        let kind = mount.kind.take().unwrap_or_default();
        match (kind.as_str(), reading.revision) {
            ("bind", _) => bind(mount, &place, loaded, reading)?,
            // Until types were asked for, all were bind mounts.
            ("", revision) if revision < Revision::E => bind(mount, &place, loaded, reading)?,
            ("sysfs" | "devtmpfs", revision) if revision < Revision::E => {}
            ("tmpfs", Revision::D | Revision::E) => loaded.config.mounts.push(config::Mount {
                source: "tmpfs".to_owned(),
                destination: destination(&mount, &place)?,
                device: "tmpfs".to_owned(),
                flags: RESTRICTED,
                ..config::Mount::default()
            }),
            (kind, _) => {
                let message = format!("unsupported mount type {kind:?}");
                return Err(refused(below(&place, "type"), message));
            }
        }
    }
    Ok(())
}

/// `/proc`, `/sys`, `/dev` and what is below it.
fn system_mounts(
    has_sysfs: bool,
    has_devtmpfs: bool,
    sys_readonly: bool,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) {
    let revision = reading.revision;
    let mut add = |destination: &str, device: &str, flags: MountFlags, data: &str| {
        loaded.config.mounts.push(config::Mount {
            source: device.to_owned(),
            destination: destination.to_owned(),
            device: device.to_owned(),
            flags,
            data: data.to_owned(),
            ..config::Mount::default()
        });
    };
    let sys_flags = if sys_readonly {
        RESTRICTED | MountFlags::RDONLY
    } else {
        RESTRICTED
    };
    let shared_memory = if revision <= Revision::A {
        "mode=1755,size=65536k"
    } else {
        "mode=1777,size=65536k"
    };
    let terminals = "newinstance,ptmxmode=0666,mode=620,gid=5";
    add("/proc", "proc", RESTRICTED, "");
    add(
        "/dev",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::STRICTATIME,
        "mode=755",
    );
    add(
        "/dev/pts",
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        terminals,
    );
    add("/dev/shm", "tmpfs", RESTRICTED, shared_memory);
    add("/dev/mqueue", "mqueue", RESTRICTED, "");
    if revision != Revision::B || has_sysfs {
        add("/sys", "sysfs", sys_flags, "");
    }
    let had_dev = revision >= Revision::D || has_devtmpfs;
    for (destination, is_added) in [("/dev", !had_dev), ("/dev/mqueue", revision < Revision::E)] {
        if is_added {
            let destination = destination.to_owned();
            reading.warnings.push(Warning::AddedMount { destination });
        }
    }
}

fn destination(mount: &Mount, place: &str) -> Result<String> {
    let destination = mount.destination.as_deref().unwrap_or_default();
    if destination.is_empty() {
        return Err(refused(
            below(place, "destination"),
            "a mount needs a destination",
        ));
    }
    Ok(if destination.starts_with('/') {
        destination.to_owned()
    } else {
        format!("/{destination}")
    })
}

/// The source of a bind mount. A relative one was relative to the rootfs, the current directory.
fn bind_source(mount: &Mount, place: &str, reading: &Reading<'_>) -> Result<String> {
    let source = mount.source.as_deref().unwrap_or_default();
    let base = &reading.options.rootfs;
    if source.is_empty() || !source.starts_with('/') && base.is_empty() {
        let message = format!("{source:?} is not an absolute path");
        return Err(refused(below(place, "source"), message));
    }
    Ok(if source.starts_with('/') {
        source.to_owned()
    } else {
        lexical::join(base, source)
    })
}

fn bind(mount: Mount, place: &str, loaded: &mut Loaded, reading: &Reading<'_>) -> Result<()> {
    let source = bind_source(&mount, place, reading)?;
    let mut flags = MountFlags::BIND | MountFlags::REC;
    if mount.writable != Some(true) {
        flags |= MountFlags::RDONLY;
    }
    let propagation = [
        (mount.slave, MountFlags::SLAVE),
        (mount.private, MountFlags::PRIVATE),
    ];
    relabel(mount.relabel.as_deref(), &source, place, loaded)?;
    loaded.config.mounts.push(config::Mount {
        source,
        destination: destination(&mount, place)?,
        device: "bind".to_owned(),
        flags,
        propagation_flags: propagation
            .into_iter()
            .filter(|(is_set, _)| *is_set == Some(true))
            .map(|(_, flag)| flag)
            .collect(),
        ..config::Mount::default()
    });
    Ok(())
}

/// `z`, `Z` or nothing. Without a label of the mounts nothing is relabelled.
fn relabel(word: Option<&str>, path: &str, place: &str, loaded: &mut Loaded) -> Result<()> {
    let word = word.unwrap_or_default();
    let place = below(place, "relabel");
    let shared = match (word.contains('z'), word.contains('Z')) {
        (false, false) => return Ok(()),
        (true, true) => {
            let message = "a mount cannot be both shared (z) and private (Z)";
            return Err(refused(place, message));
        }
        (shared, _) => shared,
    };
    let cleaned = lexical::clean(path);
    if NEVER_RELABELLED.contains(&cleaned.as_str()) {
        return Err(refused(
            place,
            format_args!("{cleaned} must not be relabelled"),
        ));
    }
    if !loaded.config.mount_label.is_empty() {
        loaded.relabels.push(Relabel {
            path: path.to_owned(),
            shared,
        });
    }
    Ok(())
}

/// The mounts of a file from 2015 on: none but these is made.
pub(super) fn typed_mounts(
    list: Vec<Mount>,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) -> Result<()> {
    for (index, mut mount) in list.into_iter().enumerate() {
        let place = format!("mounts[{index}]");
        mount.only_known(&place, reading);
        typed(mount, &place, loaded, reading)?;
    }
    for needed in ["/proc", "/dev"] {
        let mounts = &loaded.config.mounts;
        if !mounts
            .iter()
            .any(|it| lexical::rooted(&it.destination) == needed)
        {
            let destination = needed.to_owned();
            reading.warnings.push(Warning::MissingMount { destination });
        }
    }
    Ok(())
}

fn typed(
    mut mount: Mount,
    place: &str,
    loaded: &mut Loaded,
    reading: &mut Reading<'_>,
) -> Result<()> {
    let flags: u32 = number(mount.flags.unwrap_or_default(), &below(place, "flags"))?;
    let mut flags = MountFlags::from_bits(flags);
    let device = mount.device.take().unwrap_or_default();
    let is_bind = device == "bind" || flags.contains(MountFlags::BIND);
    let mut source = mount.source.clone().unwrap_or_default();
    if is_bind {
        flags |= MountFlags::BIND;
        source = bind_source(&mount, place, reading)?;
        relabel(mount.relabel.as_deref(), &source, place, loaded)?;
    } else if device.is_empty() {
        let message = "a mount needs the type of its file system";
        return Err(refused(below(place, "device"), message));
    }
    let listed = mount.propagation_flags.take().unwrap_or_default();
    let mut propagation: Vec<_> = listed.into_iter().map(MountFlags::from_bits).collect();
    // Until propagation had a list of its own, it was among the flags.
    if flags.intersects(PROPAGATION) {
        let recursive = flags.bits() & MountFlags::REC.bits();
        let types = flags.bits() & PROPAGATION.bits();
        propagation.push(MountFlags::from_bits(types | recursive));
        flags = flags.difference(PROPAGATION);
    }
    let before = mount.before.take().unwrap_or_default();
    let after = mount.after.take().unwrap_or_default();
    if !before.is_empty() || !after.is_empty() {
        loaded.mount_commands.push(MountCommands {
            mount: loaded.config.mounts.len(),
            before,
            after,
        });
    }
    loaded.config.mounts.push(config::Mount {
        source,
        destination: {
            if mount
                .destination
                .as_deref()
                .is_some_and(|it| !it.starts_with('/'))
            {
                let place = below(place, "destination");
                reading
                    .warnings
                    .push(Warning::RelativeDestination { place });
            }
            destination(&mount, place)?
        },
        device: if is_bind { "bind".to_owned() } else { device },
        flags,
        cleared_flags: MountFlags::from_bits(mount.cleared_flags.unwrap_or_default()),
        propagation_flags: propagation,
        data: mount.data.unwrap_or_default(),
        rec_attr: mount.rec_attr,
        extensions: mount.extensions.unwrap_or_default(),
        id_mapping: mount.id_mapping,
    });
    Ok(())
}
