//! The value of the options `idmap=` and `ridmap=`, as podman and crun write it:
//! `uids=0-1-10#10-11-10;gids=0-100-10`.
//!
//! Each range is an id of the file system, the id that it becomes on the host, and a count. After a
//! `@` the second id is one inside the user namespace of the container.

use crate::config::{IdMap, MountIdMapping};
use crate::oci;

/// The mappings of a value. `linux` has those of the container's user namespace, which ranges after
/// a `@` refer to.
///
/// # Errors
/// What is wrong with the value.
pub(super) fn parse(
    value: &str,
    recursive: bool,
    linux: Option<&oci::Linux>,
) -> Result<MountIdMapping, String> {
    let mut mapping = MountIdMapping {
        recursive,
        ..MountIdMapping::default()
    };
    for part in value.split(';').filter(|part| !part.is_empty()) {
        let (list, ranges, inside) = if let Some(ranges) = part.strip_prefix("uids=") {
            let inside = linux.map_or(&[][..], |linux| &linux.uid_mappings);
            (&mut mapping.uid_mappings, ranges, inside)
        } else if let Some(ranges) = part.strip_prefix("gids=") {
            let inside = linux.map_or(&[][..], |linux| &linux.gid_mappings);
            (&mut mapping.gid_mappings, ranges, inside)
        } else {
            return Err(format!("{part:?} is neither uids= nor gids="));
        };
        for text in ranges.split('#').filter(|text| !text.is_empty()) {
            list.push(range(text, inside)?);
        }
    }
    Ok(mapping)
}

fn range(text: &str, inside: &[IdMap]) -> Result<IdMap, String> {
    let (numbers, relative) = match text.strip_prefix('@') {
        Some(numbers) => (numbers, true),
        None => (text, false),
    };
    let mut parsed = numbers.split('-').map(number);
    let (Some(Some(container_id)), Some(Some(id)), Some(Some(size)), None) =
        (parsed.next(), parsed.next(), parsed.next(), parsed.next())
    else {
        return Err(format!("{text:?} is not of the form ID-ID-COUNT"));
    };
    if size == 0 {
        return Err(format!("{text:?} has no ids"));
    }
    let host_id = if relative {
        outside(id, size, inside).ok_or_else(|| {
            format!("{text:?} is in no single range of the container's user namespace")
        })?
    } else {
        id
    };
    Ok(IdMap {
        container_id,
        host_id,
        size,
    })
}

/// Digits only: no sign, no blanks.
fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// The host's id for the first of `size` ids inside, which have to lie in one range.
fn outside(id: u32, size: u32, inside: &[IdMap]) -> Option<u32> {
    inside.iter().find_map(|range| {
        let offset = id.checked_sub(range.container_id)?;
        let fits = offset < range.size && size <= range.size - offset;
        fits.then(|| range.host_id.checked_add(offset))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triplets(maps: &[IdMap]) -> Vec<(u32, u32, u32)> {
        maps.iter()
            .map(|map| (map.container_id, map.host_id, map.size))
            .collect()
    }

    #[test]
    fn ranges_of_both_kinds_are_read() {
        let mapping = parse("uids=0-1-10#10-11-20;gids=0-100-10", true, None).unwrap();
        assert!(mapping.recursive);
        assert_eq!(triplets(&mapping.uid_mappings), [(0, 1, 10), (10, 11, 20)]);
        assert_eq!(triplets(&mapping.gid_mappings), [(0, 100, 10)]);
    }

    #[test]
    fn a_relative_range_is_one_of_the_containers_user_namespace() {
        let map = |container_id, host_id, size| IdMap {
            container_id,
            host_id,
            size,
        };
        let linux = oci::Linux {
            uid_mappings: vec![map(0, 0, 1), map(1, 2, 1000)],
            ..oci::Linux::default()
        };
        let mapping = parse("uids=@1-3-10;gids=", false, Some(&linux)).unwrap();
        assert_eq!(triplets(&mapping.uid_mappings), [(1, 4, 10)]);
        assert!(mapping.gid_mappings.is_empty());
        for wrong in [
            "uids=@0-0-2",
            "uids=@0-2000-1",
            "uids=@0-999-3",
            "gids=@0-0-1",
        ] {
            assert!(parse(wrong, false, Some(&linux)).is_err(), "{wrong}");
        }
        assert!(parse("uids=@0-0-1", false, None).is_err());
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "uids",
            "0-0-1",
            "uids=0-0",
            "uids=0-0-1-2",
            "uids=0-0-0",
            "uids=a-0-1",
            "uids=+0-0-1",
            "uids=--1",
            "uids=4294967296-0-1",
            "pids=0-0-1",
            "uids=0-0-1,gids=0-0-1",
        ] {
            assert!(parse(wrong, false, None).is_err(), "{wrong}");
        }
    }
}
