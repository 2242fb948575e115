//! The table of mount options and their effect on a mount.

use super::id_map_option;
use crate::config::{Mount, MountAttr, MountFlags, MountIdMapping};
use crate::oci;

/// What an option does.
#[derive(Clone, Copy)]
enum Effect {
    /// Sets a flag of `mount(2)`.
    Set(MountFlags),
    /// Clears a flag of `mount(2)`, and remembers that it was asked for.
    Clear(MountFlags),
    /// Changes the propagation once the mount is made.
    Propagation(MountFlags),
    /// Sets an attribute for the whole tree.
    SetAll(u64),
    /// Clears an attribute for the whole tree.
    ClearAll(u64),
    /// Fills the new tmpfs with what the destination contains.
    CopyUp,
    /// Makes the mount id-mapped; with true, the mounts below as well.
    IdMap(bool),
    /// Does nothing.
    Nothing,
}

use Effect::{Clear, ClearAll, CopyUp, IdMap, Nothing, Propagation, Set, SetAll};

const R_BIND: MountFlags = MountFlags::BIND.union(MountFlags::REC);

/// Every option that is not for the file system itself, sorted by name.
const OPTIONS: &[(&str, Effect)] = &[
    ("async", Clear(MountFlags::SYNCHRONOUS)),
    ("atime", Clear(MountFlags::NOATIME)),
    ("bind", Set(MountFlags::BIND)),
    ("defaults", Nothing),
    ("dev", Clear(MountFlags::NODEV)),
    ("diratime", Clear(MountFlags::NODIRATIME)),
    ("dirsync", Set(MountFlags::DIRSYNC)),
    ("exec", Clear(MountFlags::NOEXEC)),
    ("idmap", IdMap(false)),
    ("iversion", Set(MountFlags::I_VERSION)),
    ("lazytime", Set(MountFlags::LAZYTIME)),
    ("loud", Clear(MountFlags::SILENT)),
    ("mand", Set(MountFlags::MANDLOCK)),
    ("noatime", Set(MountFlags::NOATIME)),
    ("nodev", Set(MountFlags::NODEV)),
    ("nodiratime", Set(MountFlags::NODIRATIME)),
    ("noexec", Set(MountFlags::NOEXEC)),
    ("noiversion", Clear(MountFlags::I_VERSION)),
    ("nolazytime", Clear(MountFlags::LAZYTIME)),
    ("nomand", Clear(MountFlags::MANDLOCK)),
    ("norelatime", Clear(MountFlags::RELATIME)),
    ("nostrictatime", Clear(MountFlags::STRICTATIME)),
    ("nosuid", Set(MountFlags::NOSUID)),
    ("nosymfollow", Set(MountFlags::NOSYMFOLLOW)),
    ("private", Propagation(MountFlags::PRIVATE)),
    ("ratime", ClearAll(MountAttr::NOATIME)),
    ("rbind", Set(R_BIND)),
    ("rdev", ClearAll(MountAttr::NODEV)),
    ("rdiratime", ClearAll(MountAttr::NODIRATIME)),
    ("relatime", Set(MountFlags::RELATIME)),
    ("remount", Set(MountFlags::REMOUNT)),
    ("rexec", ClearAll(MountAttr::NOEXEC)),
    ("ridmap", IdMap(true)),
    ("rnoatime", SetAll(MountAttr::NOATIME)),
    ("rnodev", SetAll(MountAttr::NODEV)),
    ("rnodiratime", SetAll(MountAttr::NODIRATIME)),
    ("rnoexec", SetAll(MountAttr::NOEXEC)),
    ("rnorelatime", ClearAll(MountAttr::RELATIME)),
    ("rnostrictatime", ClearAll(MountAttr::STRICTATIME)),
    ("rnosuid", SetAll(MountAttr::NOSUID)),
    ("rnosymfollow", SetAll(MountAttr::NOSYMFOLLOW)),
    ("ro", Set(MountFlags::RDONLY)),
    (
        "rprivate",
        Propagation(MountFlags::PRIVATE.union(MountFlags::REC)),
    ),
    ("rrelatime", SetAll(MountAttr::RELATIME)),
    ("rro", SetAll(MountAttr::RDONLY)),
    ("rrw", ClearAll(MountAttr::RDONLY)),
    (
        "rshared",
        Propagation(MountFlags::SHARED.union(MountFlags::REC)),
    ),
    (
        "rslave",
        Propagation(MountFlags::SLAVE.union(MountFlags::REC)),
    ),
    ("rstrictatime", SetAll(MountAttr::STRICTATIME)),
    ("rsuid", ClearAll(MountAttr::NOSUID)),
    ("rsymfollow", ClearAll(MountAttr::NOSYMFOLLOW)),
    (
        "runbindable",
        Propagation(MountFlags::UNBINDABLE.union(MountFlags::REC)),
    ),
    ("rw", Clear(MountFlags::RDONLY)),
    ("shared", Propagation(MountFlags::SHARED)),
    ("silent", Set(MountFlags::SILENT)),
    ("slave", Propagation(MountFlags::SLAVE)),
    ("strictatime", Set(MountFlags::STRICTATIME)),
    ("suid", Clear(MountFlags::NOSUID)),
    ("symfollow", Clear(MountFlags::NOSYMFOLLOW)),
    ("sync", Set(MountFlags::SYNCHRONOUS)),
    ("tmpcopyup", CopyUp),
    ("unbindable", Propagation(MountFlags::UNBINDABLE)),
];

/// The mount options the runtime interprets itself, sorted, as the `features` output lists them.
///
/// Id mapping has its own place there and is not in the list.
pub fn known_mount_options() -> impl Iterator<Item = &'static str> {
    OPTIONS
        .iter()
        .filter(|(_, effect)| !matches!(effect, IdMap(_)))
        .map(|(name, _)| *name)
}

/// The propagation of a `rootfsPropagation` value; `None` for an unknown word.
pub(super) fn propagation(word: &str) -> Option<MountFlags> {
    match effect_of(word) {
        Some(Propagation(flags)) => Some(flags),
        _ => None,
    }
}

/// The `rootfsPropagation` value of a propagation; `None` for flags that are not one.
#[cfg(feature = "legacy")]
pub(crate) fn propagation_name(flags: MountFlags) -> Option<&'static str> {
    let is_it = |effect: &Effect| matches!(effect, Propagation(other) if *other == flags);
    OPTIONS
        .iter()
        .find(|(_, effect)| is_it(effect))
        .map(|(name, _)| *name)
}

/// The options from which a mount becomes what it is, and whether they are all of it: flags may be
/// set that no option sets. Mappings are not among them.
#[cfg(feature = "legacy")]
pub(crate) fn options_of(mount: &Mount) -> (Vec<String>, bool) {
    let mut options: Vec<&str> = Vec::new();
    // What only matters together with others, or not at all once the mount is made.
    let mut left = mount.flags.difference(MountFlags::REC);
    if mount.is_bind() {
        let is_recursive = mount.flags.contains(MountFlags::REC);
        options.push(if is_recursive { "rbind" } else { "bind" });
        left = left.difference(MountFlags::BIND);
    }
    let mut cleared = mount.cleared_flags;
    for (name, effect) in OPTIONS {
        match effect {
            Set(flags) if left.contains(*flags) => {
                options.push(name);
                left = left.difference(*flags);
            }
            Clear(flags) if cleared.contains(*flags) => {
                options.push(name);
                cleared = cleared.difference(*flags);
            }
            CopyUp if mount.is_copy_up() => options.push(name),
            _ => {}
        }
    }
    let mut complete = left.is_empty() && cleared.is_empty();
    for flags in &mount.propagation_flags {
        let name = propagation_name(*flags);
        complete &= name.is_some();
        options.extend(name);
    }
    let attributes = mount.rec_attr.unwrap_or_default();
    options.extend(attribute_options(attributes));
    let known = attributes.attr_set | attributes.attr_clr;
    complete &= known & !KNOWN_ATTRIBUTES == 0;
    complete &= mount.extensions & !Mount::COPY_UP == 0;
    let mut options: Vec<String> = options.into_iter().map(str::to_owned).collect();
    if !mount.data.is_empty() {
        options.push(mount.data.clone());
    }
    (options, complete)
}

/// The attributes of whole trees that an option sets or clears.
#[cfg(feature = "legacy")]
const KNOWN_ATTRIBUTES: u64 = MountAttr::RDONLY
    | MountAttr::NOSUID
    | MountAttr::NODEV
    | MountAttr::NOEXEC
    | MountAttr::ATIME
    | MountAttr::NODIRATIME
    | MountAttr::NOSYMFOLLOW;

/// The options that set and clear the attributes of a whole tree.
#[cfg(feature = "legacy")]
fn attribute_options(attributes: MountAttr) -> impl Iterator<Item = &'static str> {
    OPTIONS
        .iter()
        .filter(move |(_, effect)| match effect {
            // The access time is one field, of which relatime is the value 0.
            SetAll(flag) if flag & !MountAttr::ATIME == 0 => {
                attributes.attr_clr & MountAttr::ATIME != 0
                    && attributes.attr_set & MountAttr::ATIME == *flag
            }
            SetAll(flag) => attributes.attr_set & flag != 0,
            ClearAll(flag) if flag & !MountAttr::ATIME == 0 => false,
            ClearAll(flag) => attributes.attr_clr & flag != 0,
            _ => false,
        })
        .map(|(name, _)| *name)
}

/// Applies options to a mount, one after the other: a later option overrides an earlier one.
///
/// What is not in the table is for the file system and goes to `data`. `linux` is what an id
/// mapping may refer to.
///
/// # Errors
/// What is wrong with the value of an option.
pub(super) fn apply(
    options: &[String],
    mount: &mut Mount,
    linux: Option<&oci::Linux>,
) -> Result<(), String> {
    for option in options {
        if let Some((name @ ("idmap" | "ridmap"), value)) = option.split_once('=') {
            let mapping = id_map_option::parse(value, name == "ridmap", linux);
            mount.id_mapping = Some(mapping.map_err(|what| format!("option {name}: {what}"))?);
            continue;
        }
        match effect_of(option) {
            Some(Set(flags)) => {
                mount.flags |= flags;
                mount.cleared_flags = mount.cleared_flags.difference(flags);
            }
            Some(Clear(flags)) => {
                mount.flags = mount.flags.difference(flags);
                mount.cleared_flags |= flags;
            }
            Some(Propagation(flags)) => mount.propagation_flags.push(flags),
            Some(SetAll(attribute)) => {
                let attr = mount.rec_attr.get_or_insert_default();
                let field = attribute_field(attribute);
                attr.attr_set = attr.attr_set & !field | attribute;
                // The kernel wants the whole access time field cleared whenever a part of it
                // changes.
                if field == MountAttr::ATIME {
                    attr.attr_clr |= field;
                } else {
                    attr.attr_clr &= !field;
                }
            }
            Some(ClearAll(attribute)) => {
                let attr = mount.rec_attr.get_or_insert_default();
                attr.attr_set &= !attribute;
                attr.attr_clr |= attribute_field(attribute);
            }
            Some(CopyUp) => mount.extensions |= Mount::COPY_UP,
            Some(IdMap(recursive)) => {
                mount.id_mapping = Some(MountIdMapping {
                    recursive,
                    ..MountIdMapping::default()
                });
            }
            Some(Nothing) => {}
            None => {
                if !mount.data.is_empty() {
                    mount.data.push(',');
                }
                mount.data.push_str(option);
            }
        }
    }
    Ok(())
}

/// The bits that belong together: the three access time modes are one field (and relatime is its
/// value 0).
const fn attribute_field(attribute: u64) -> u64 {
    if attribute & !MountAttr::ATIME == 0 {
        MountAttr::ATIME
    } else {
        attribute
    }
}

fn effect_of(option: &str) -> Option<Effect> {
    let index = OPTIONS
        .binary_search_by(|(name, _)| (*name).cmp(option))
        .ok()?;
    OPTIONS.get(index).map(|(_, effect)| *effect)
}

#[cfg(test)]
mod tests;
