//! Mount flags of the old interface (`mount(2)`) as attributes and options of the new one
//! (`mount_setattr(2)`, `fsconfig(2)`).

use std::borrow::Cow;
use std::ffi::{CStr, CString};

use configs::config::{Mount, MountAttr, MountFlags};
use nsenter::plan::FsOption;

use crate::plan::steps::c_string;
use crate::{Error, ErrorKind, Result};

const ACCESS_TIME: MountFlags = MountFlags::NOATIME
    .union(MountFlags::NODIRATIME)
    .union(MountFlags::RELATIME)
    .union(MountFlags::STRICTATIME);

/// The flags that are one attribute each.
const PLAIN: [(MountFlags, u64); 5] = [
    (MountFlags::RDONLY, MountAttr::RDONLY),
    (MountFlags::NOSUID, MountAttr::NOSUID),
    (MountFlags::NODEV, MountAttr::NODEV),
    (MountFlags::NOEXEC, MountAttr::NOEXEC),
    (MountFlags::NOSYMFOLLOW, MountAttr::NOSYMFOLLOW),
];

fn plain(flags: MountFlags) -> u64 {
    PLAIN
        .iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .fold(0, |bits, (_, attribute)| bits | attribute)
}

fn access_time(flags: MountFlags) -> u64 {
    let mode = if flags.contains(MountFlags::STRICTATIME) {
        MountAttr::STRICTATIME
    } else if flags.contains(MountFlags::NOATIME) {
        MountAttr::NOATIME
    } else {
        MountAttr::RELATIME
    };
    mode | if flags.contains(MountFlags::NODIRATIME) {
        MountAttr::NODIRATIME
    } else {
        0
    }
}

/// The attributes of a new mount (`fsmount(2)`).
pub(in crate::plan) fn attributes(flags: MountFlags) -> u64 {
    plain(flags) | access_time(flags)
}

/// The attributes of a new mount with the recursive ones on top: a new mount has none below it, so
/// they are its own.
pub(in crate::plan) fn attributes_of(mount: &Mount, flags: MountFlags) -> u64 {
    let own = attributes(flags);
    let Some(change) = mount.rec_attr else {
        return own;
    };
    let field = if change.attr_set & MountAttr::ATIME == 0 {
        0
    } else {
        MountAttr::ATIME
    };
    own & !(change.attr_clr | field) | change.attr_set
}

/// The recursive attributes, if the mount has any.
pub(in crate::plan) fn recursive_change(mount: &Mount) -> Change {
    mount
        .rec_attr
        .map_or_else(Change::default, |change| Change {
            set: change.attr_set,
            clear: change.attr_clr,
        })
}

/// One `mount_setattr(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::plan) struct Change {
    pub(in crate::plan) set: u64,
    pub(in crate::plan) clear: u64,
}

impl Change {
    pub(in crate::plan) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// What makes the attributes of a bind mount exactly those asked for, as a bind remount would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::plan) struct BindChange {
    /// Flags that the bundle cleared by name: it is an error if the kernel has one of them locked.
    pub(in crate::plan) explicit: Change,
    /// All others.
    pub(in crate::plan) rest: Change,
}

/// The change for a bind mount; nothing if no flag was mentioned, for then the mount keeps those of
/// its source.
///
/// Access time modes are left alone unless one is asked for, as `mount(2)` does on a remount.
/// Without `nosymfollow` the kernel does not know that attribute, so it is not cleared either.
pub(in crate::plan) fn bind_change(mount: &Mount, nosymfollow: bool) -> BindChange {
    let structural = MountFlags::BIND | MountFlags::REC;
    if mount.flags.difference(structural).is_empty() && mount.cleared_flags.is_empty() {
        return BindChange::default();
    }
    exact_change(mount, nosymfollow)
}

/// The change that gives a mount the flags of an entry and no others, as a remount does.
pub(in crate::plan) fn exact_change(mount: &Mount, nosymfollow: bool) -> BindChange {
    let mut set = plain(mount.flags);
    let mut clear = PLAIN
        .iter()
        .fold(0, |bits, (_, attribute)| bits | attribute)
        & !set;
    if !nosymfollow {
        clear &= !MountAttr::NOSYMFOLLOW;
    }
    let explicit = plain(mount.cleared_flags) & clear;
    clear &= !explicit;
    if mount.flags.intersects(ACCESS_TIME) {
        set |= access_time(mount.flags);
        clear |= MountAttr::ATIME | (MountAttr::NODIRATIME & !set);
    }
    BindChange {
        explicit: Change {
            set: 0,
            clear: explicit,
        },
        rest: Change { set, clear },
    }
}

/// The flags of a file system: their option, and the one that takes it back, if there is one.
const OF_FILE_SYSTEM: [(MountFlags, &CStr, Option<&CStr>); 5] = [
    (MountFlags::RDONLY, c"ro", Some(c"rw")),
    (MountFlags::SYNCHRONOUS, c"sync", Some(c"async")),
    (MountFlags::DIRSYNC, c"dirsync", None),
    (MountFlags::MANDLOCK, c"mand", Some(c"nomand")),
    (MountFlags::LAZYTIME, c"lazytime", Some(c"nolazytime")),
];

/// The options of a new file system: those of the flags, then the data of the mount.
///
/// `mount(2)` knows `MS_I_VERSION` for every file system, and those without change counters ignore
/// it. `fsconfig(2)` only knows the option of ext4; all others that count changes do so without
/// one.
///
/// # Errors
/// An option has a null byte, or is longer than `fsconfig(2)` takes.
pub(in crate::plan) fn options(kind: &str, flags: MountFlags, data: &str) -> Result<Vec<FsOption>> {
    let mut options: Vec<FsOption> = OF_FILE_SYSTEM
        .iter()
        .filter(|(flag, ..)| flags.contains(*flag))
        .map(|(_, name, _)| FsOption::Flag((*name).to_owned()))
        .collect();
    if kind == "ext4" && flags.contains(MountFlags::I_VERSION) {
        options.push(FsOption::Flag(c"i_version".to_owned()));
    }
    parse(&mut options, kind, data)?;
    Ok(options)
}

/// The options of a remount: as `mount(2)` with `MS_REMOUNT` it takes back the flags that are not
/// mentioned, and leaves other options alone.
///
/// # Errors
/// As [`options`].
pub(in crate::plan) fn remount_options(flags: MountFlags, data: &str) -> Result<Vec<FsOption>> {
    let mut options: Vec<FsOption> = OF_FILE_SYSTEM
        .iter()
        .filter_map(|(flag, name, back)| {
            if flags.contains(*flag) {
                Some(*name)
            } else {
                *back
            }
        })
        .map(|name| FsOption::Flag(name.to_owned()))
        .collect();
    // What the file system is does not matter for what is left as it is.
    parse(&mut options, "", data)?;
    Ok(options)
}

fn parse(options: &mut Vec<FsOption>, kind: &str, data: &str) -> Result<()> {
    for option in split(kind, data) {
        push(options, kind, &option)?;
    }
    Ok(())
}

/// One key or `key=value`.
fn push(options: &mut Vec<FsOption>, kind: &str, option: &str) -> Result<()> {
    // fstab's word for "nothing special".
    if option.is_empty() || option == "defaults" {
        return Ok(());
    }
    let Some((key, value)) = option.split_once('=') else {
        options.push(FsOption::Flag(limited(option)?));
        return Ok(());
    };
    let name = limited(key)?;
    if kind == "overlay" && key == "lowerdir" && value.len() > MAX_VALUE {
        // Layer by layer (Linux 6.7), since one string cannot hold them all.
        let name = c"lowerdir+";
        for layer in layers(value) {
            options.push(FsOption::String(name.to_owned(), limited(&layer)?));
        }
        return Ok(());
    }
    options.push(FsOption::String(name, limited(value)?));
    Ok(())
}

/// `fsconfig(2)` takes strings of up to 255 bytes.
const MAX_VALUE: usize = 255;

/// The source of a new file system.
///
/// # Errors
/// It has a null byte, or is longer than `fsconfig(2)` takes.
pub(in crate::plan) fn source(index: u32, source: &str) -> Result<CString> {
    if source.len() > MAX_VALUE {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!("mounts[{index}].source is longer than the {MAX_VALUE} bytes the kernel takes"),
        ));
    }
    c_string("mounts.source", source)
}

fn limited(text: &str) -> Result<CString> {
    if text.len() > MAX_VALUE {
        let start: String = text.chars().take(32).collect();
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "mount option \"{start}…\" is longer than the {MAX_VALUE} bytes the kernel takes"
            ),
        ));
    }
    c_string("mount option", text)
}

/// Splits at commas, but neither inside double quotes (SELinux contexts) nor after a backslash
/// (overlay). Quotes are taken off, backslashes are kept: the file system reads them. In a tmpfs,
/// or if the file system is not known, a comma before a digit belongs to the value: `mpol=bind:0,2`
/// (`tmpfs(5)`).
fn split<'a>(kind: &str, data: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
    let lists_numbers = matches!(kind, "tmpfs" | "");
    let mut rest = Some(data);
    std::iter::from_fn(move || {
        let text = rest?;
        let comma = first_separator(text, lists_numbers);
        rest = comma.and_then(|at| text.get(at + 1..));
        Some(without_quotes(text.get(..comma.unwrap_or(text.len()))?))
    })
}

/// Where the first comma is that separates options.
fn first_separator(text: &str, lists_numbers: bool) -> Option<usize> {
    let mut quoted = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' => {
                let _ = bytes.next();
            }
            b',' if quoted => {}
            b',' => {
                let next = text.as_bytes().get(at + 1);
                if !(lists_numbers && next.is_some_and(u8::is_ascii_digit)) {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The text without its quotes, except for those after a backslash.
fn without_quotes(text: &str) -> Cow<'_, str> {
    if !text.contains('"') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {}
            '\\' => {
                plain.push(c);
                plain.extend(chars.next());
            }
            c => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// The directories of a `lowerdir` value, whose colons may be escaped.
fn layers(value: &str) -> Vec<String> {
    let mut layers = Vec::new();
    let mut current = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' => layers.push(std::mem::take(&mut current)),
            '\\' => current.extend(chars.next()),
            c => current.push(c),
        }
    }
    layers.push(current);
    layers.retain(|layer| !layer.is_empty());
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(flags: MountFlags, cleared: MountFlags) -> BindChange {
        let mount = Mount {
            flags: flags | MountFlags::BIND,
            cleared_flags: cleared,
            ..Mount::default()
        };
        bind_change(&mount, true)
    }

    const ALL: u64 = MountAttr::RDONLY
        | MountAttr::NOSUID
        | MountAttr::NODEV
        | MountAttr::NOEXEC
        | MountAttr::NOSYMFOLLOW;

    #[test]
    fn a_plain_bind_keeps_the_flags_of_its_source() {
        assert_eq!(
            bind(MountFlags::REC, MountFlags::NONE),
            BindChange::default()
        );
    }

    #[test]
    fn any_flag_makes_the_others_exact() {
        let change = bind(MountFlags::RDONLY, MountFlags::NONE);
        assert_eq!(
            change.rest,
            Change {
                set: MountAttr::RDONLY,
                clear: ALL & !MountAttr::RDONLY
            }
        );
        assert!(change.explicit.is_nothing());
    }

    #[test]
    fn a_cleared_flag_alone_clears_the_others_too_and_is_explicit() {
        let change = bind(MountFlags::NONE, MountFlags::NOEXEC);
        assert_eq!(
            change.explicit,
            Change {
                set: 0,
                clear: MountAttr::NOEXEC
            }
        );
        assert_eq!(
            change.rest,
            Change {
                set: 0,
                clear: ALL & !MountAttr::NOEXEC
            }
        );
    }

    #[test]
    fn an_attribute_that_the_kernel_does_not_know_is_not_cleared() {
        let mount = Mount {
            flags: MountFlags::BIND | MountFlags::RDONLY,
            ..Mount::default()
        };
        let known = bind_change(&mount, true).rest.clear;
        let unknown = bind_change(&mount, false).rest.clear;
        assert_eq!(known & !unknown, MountAttr::NOSYMFOLLOW);
    }

    #[test]
    fn access_time_is_only_touched_when_asked_for() {
        assert_eq!(
            bind(MountFlags::NONE, MountFlags::NODIRATIME).rest.clear & MountAttr::NODIRATIME,
            0
        );
        let change = bind(MountFlags::NODIRATIME, MountFlags::NONE).rest;
        assert_eq!(change.set, MountAttr::NODIRATIME);
        assert_eq!(change.clear, ALL | MountAttr::ATIME);
        let change = bind(MountFlags::NOATIME, MountFlags::NONE).rest;
        assert_eq!(change.set, MountAttr::NOATIME);
        assert_eq!(change.clear, ALL | MountAttr::ATIME | MountAttr::NODIRATIME);
        // relatime has the value 0: it is asked for by clearing the field.
        let change = bind(MountFlags::RELATIME, MountFlags::NONE).rest;
        assert_eq!(change.set, 0);
        assert_eq!(change.clear & MountAttr::ATIME, MountAttr::ATIME);
    }

    #[test]
    fn strict_wins_over_no_access_times() {
        assert_eq!(
            attributes(MountFlags::STRICTATIME | MountFlags::NOATIME),
            MountAttr::STRICTATIME
        );
        assert_eq!(attributes(MountFlags::NOATIME), MountAttr::NOATIME);
        assert_eq!(attributes(MountFlags::NONE), 0);
    }

    fn strings(options: &[FsOption]) -> Vec<String> {
        options
            .iter()
            .map(|option| match option {
                FsOption::Flag(key) => key.to_str().unwrap().to_owned(),
                FsOption::String(key, value) => {
                    format!("{}={}", key.to_str().unwrap(), value.to_str().unwrap())
                }
                FsOption::Descriptor(key, slot) => format!("{}={slot}", key.to_str().unwrap()),
            })
            .collect()
    }

    #[test]
    fn data_is_split_at_commas_outside_of_quotes() {
        let data =
            "mode=755,context=\"system_u:object_r:x_t:s0:c1,c2\",size=65536k,newinstance,defaults,";
        assert_eq!(
            strings(&options("tmpfs", MountFlags::NONE, data).unwrap()),
            [
                "mode=755",
                "context=system_u:object_r:x_t:s0:c1,c2",
                "size=65536k",
                "newinstance"
            ]
        );
    }

    #[test]
    fn escaped_commas_of_overlay_stay_in_the_value() {
        let data = r"lowerdir=/a\,b:/c\:d,upperdir=/u";
        assert_eq!(
            strings(&options("overlay", MountFlags::NONE, data).unwrap()),
            [r"lowerdir=/a\,b:/c\:d", "upperdir=/u"]
        );
    }

    #[test]
    fn a_long_lowerdir_is_given_layer_by_layer() {
        let layer = "/l".repeat(100);
        let data = format!(r"lowerdir={layer}:/b\:c:{layer}");
        assert_eq!(
            strings(&options("overlay", MountFlags::NONE, &data).unwrap()),
            [
                format!("lowerdir+={layer}"),
                "lowerdir+=/b:c".to_owned(),
                format!("lowerdir+={layer}")
            ]
        );
    }

    #[test]
    fn an_option_that_fits_no_string_is_refused_by_name() {
        let error =
            options("fuse", MountFlags::NONE, &format!("x={}", "y".repeat(256))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_list_of_numbers_stays_in_the_value() {
        let data = "mpol=bind:0,2-3,size=1m";
        assert_eq!(
            strings(&options("tmpfs", MountFlags::NONE, data).unwrap()),
            ["mpol=bind:0,2-3", "size=1m"]
        );
        assert_eq!(
            strings(&remount_options(MountFlags::RDONLY, data).unwrap()),
            [
                "ro",
                "async",
                "nomand",
                "nolazytime",
                "mpol=bind:0,2-3",
                "size=1m"
            ]
        );
        assert_eq!(
            strings(&options("9p", MountFlags::NONE, "a,9p").unwrap()),
            ["a", "9p"]
        );
    }

    #[test]
    fn change_counters_are_an_option_of_one_file_system_only() {
        let named = |kind| strings(&options(kind, MountFlags::I_VERSION, "").unwrap());
        for kind in ["tmpfs", "proc", "sysfs", "xfs", "overlay"] {
            assert!(named(kind).is_empty(), "{kind}");
        }
        assert_eq!(named("ext4"), ["i_version"]);
        assert_eq!(
            strings(&remount_options(MountFlags::I_VERSION, "").unwrap()),
            ["rw", "async", "nomand", "nolazytime"]
        );
    }

    #[test]
    fn recursive_attributes_of_a_new_mount_are_its_own() {
        let mut mount = Mount {
            flags: MountFlags::NOSUID | MountFlags::RDONLY | MountFlags::NOATIME,
            ..Mount::default()
        };
        let own = MountAttr::NOSUID | MountAttr::RDONLY | MountAttr::NOATIME;
        assert_eq!(attributes_of(&mount, mount.flags), own);
        mount.rec_attr = Some(MountAttr {
            attr_set: MountAttr::NODEV | MountAttr::STRICTATIME,
            attr_clr: MountAttr::RDONLY | MountAttr::ATIME,
            ..MountAttr::default()
        });
        assert_eq!(
            attributes_of(&mount, mount.flags),
            MountAttr::NOSUID | MountAttr::NODEV | MountAttr::STRICTATIME
        );
        // The field of access times is one value, also where the old one is not cleared.
        mount.rec_attr = Some(MountAttr {
            attr_set: MountAttr::STRICTATIME,
            ..MountAttr::default()
        });
        assert_eq!(
            attributes_of(&mount, mount.flags) & MountAttr::ATIME,
            MountAttr::STRICTATIME
        );
    }

    #[test]
    fn a_source_that_fits_no_string_is_refused_by_the_name_of_its_field() {
        assert_eq!(source(3, "/dev/x").unwrap().as_bytes(), b"/dev/x");
        let error = source(3, &"x".repeat(256)).unwrap_err().to_string();
        assert!(error.starts_with("mounts[3].source"), "{error}");
    }

    #[test]
    fn flags_of_the_file_system_are_options_as_well() {
        let flags = MountFlags::RDONLY | MountFlags::SYNCHRONOUS | MountFlags::NOSUID;
        assert_eq!(
            strings(&options("ext4", flags, "x").unwrap()),
            ["ro", "sync", "x"]
        );
    }
}
