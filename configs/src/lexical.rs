//! Paths as text: no symlink is followed, no file system asked.

/// The shortest equal path: no empty, `.` or resolvable `..` parts, no trailing slash; "." for
/// nothing at all.
///
/// `..` at the root is dropped; in a relative path leading `..` parts stay.
pub(crate) fn clean(path: &str) -> String {
    if path.starts_with('/') {
        return rooted(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") | None => parts.push(".."),
                _ => {
                    parts.pop();
                }
            },
            name => parts.push(name),
        }
    }
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

/// The path without `.`, `..` and doubled slashes, as the kernel would see it below a root without
/// symbolic links: absolute, never above the root.
///
/// ```
/// use cofferdam_configs::lexical::rooted;
///
/// assert_eq!(rooted("proc/./self//attr"), "/proc/self/attr");
/// assert_eq!(rooted("../../proc"), "/proc");
/// assert_eq!(rooted(""), "/");
/// ```
#[must_use]
pub fn rooted(path: &str) -> String {
    if is_rooted(path) {
        return path.to_owned();
    }
    let mut cleaned = String::with_capacity(path.len() + 1);
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => cleaned.truncate(cleaned.rfind('/').unwrap_or(0)),
            part => {
                cleaned.push('/');
                cleaned.push_str(part);
            }
        }
    }
    if cleaned.is_empty() {
        cleaned.push('/');
    }
    cleaned
}

/// Whether a path is already what [`rooted`] makes of it. May be false for one that is, if a name
/// in it begins with a dot.
fn is_rooted(path: &str) -> bool {
    let names = path.strip_prefix('/').map(str::as_bytes);
    names.is_some_and(|names| {
        let mut before = b'/';
        let plain = names.iter().all(|byte| {
            let of_name = before != b'/' || !matches!(byte, b'/' | b'.');
            before = *byte;
            of_name
        });
        plain && (before != b'/' || names.is_empty())
    })
}

/// Cleans a path and keeps it below whatever it will be joined to: `..` cannot lead out. Empty
/// stays empty.
pub(crate) fn clean_inside(path: &str) -> String {
    if path.is_empty() || path.starts_with('/') {
        return if path.is_empty() {
            String::new()
        } else {
            clean(path)
        };
    }
    let inside = rooted(path);
    match inside.strip_prefix('/') {
        Some("") | None => ".".to_owned(),
        Some(relative) => relative.to_owned(),
    }
}

/// `path` below `base` unless it is absolute; cleaned either way.
pub(crate) fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') {
        clean(path)
    } else {
        clean(&format!("{base}/{path}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cleaning() {
        for (path, cleaned) in [
            ("", "."),
            ("/", "/"),
            ("//a//b/", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../../a", "/a"),
            ("../../a", "../../a"),
            ("a/..", "."),
            ("a/../..", ".."),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }

    #[test]
    fn rooted_paths_stay_below_the_root() {
        for (path, cleaned) in [
            ("", "/"),
            ("/", "/"),
            ("/proc/", "/proc"),
            ("//proc", "/proc"),
            ("/proc/.", "/proc"),
            ("/a/../proc", "/proc"),
            ("../../proc", "/proc"),
            ("proc/./self//attr", "/proc/self/attr"),
        ] {
            assert_eq!(rooted(path), cleaned, "{path}");
        }
    }

    #[test]
    fn inside_cannot_climb() {
        for (path, cleaned) in [
            ("", ""),
            ("../../a", "a"),
            ("/../../a/../b", "/b"),
            ("a/../../b", "b"),
            ("..", "."),
            ("/..", "/"),
        ] {
            assert_eq!(clean_inside(path), cleaned, "{path}");
        }
    }

    #[test]
    fn joining() {
        assert_eq!(join("/bundle", "rootfs"), "/bundle/rootfs");
        assert_eq!(join("/bundle", "."), "/bundle");
        assert_eq!(join("/bundle", "../x"), "/x");
        assert_eq!(join("/bundle", "/srv/root/"), "/srv/root");
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(path in "[/.ab]{0,16}") {
            let once = clean(&path);
            prop_assert_eq!(clean(&once), once.clone());
            prop_assert_eq!(once.starts_with('/'), path.starts_with('/'));
        }

        #[test]
        fn inside_never_has_dotdot(path in "[/.ab]{0,16}") {
            prop_assert!(!clean_inside(&path).split('/').any(|part| part == ".."));
        }
    }
}
