//! Names of units (systemd.unit(5), systemd.slice(5)).

use std::path::PathBuf;

use super::{Error, ErrorKind, Result};

/// The unit of a cgroup called `name`: a slice if it says so, else a scope with a prefix.
pub(super) fn unit(name: &str, prefix: &str) -> String {
    if is_slice(name) {
        name.to_owned()
    } else {
        format!("{prefix}-{name}.scope")
    }
}

pub(super) fn is_slice(unit: &str) -> bool {
    unit.ends_with(".slice")
}

/// The path of a slice below the root: each dash is a level, `a-b.slice` is `a.slice/a-b.slice`.
pub(super) fn slice_path(slice: &str) -> Result<PathBuf> {
    let invalid = || {
        Error::new(
            ErrorKind::InvalidConfig,
            format_args!("invalid slice name: {slice}"),
        )
    };
    let name = slice.strip_suffix(".slice").ok_or_else(invalid)?;
    if name.is_empty() || name.contains('/') {
        return Err(invalid());
    }
    if name == "-" {
        return Ok(PathBuf::new());
    }
    let mut path = PathBuf::new();
    let mut level = String::new();
    for part in name.split('-') {
        if part.is_empty() {
            return Err(invalid());
        }
        if !level.is_empty() {
            level.push('-');
        }
        level.push_str(part);
        path.push(format!("{level}.slice"));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn units() {
        assert_eq!(unit("c1", "runc"), "runc-c1.scope");
        assert_eq!(unit("c1", ""), "-c1.scope");
        assert_eq!(unit("pod.slice", "runc"), "pod.slice");
    }

    #[test]
    fn slices() {
        for (slice, path) in [
            ("-.slice", ""),
            ("system.slice", "system.slice"),
            ("a-b-c.slice", "a.slice/a-b.slice/a-b-c.slice"),
        ] {
            assert_eq!(slice_path(slice).unwrap(), Path::new(path));
        }
        for slice in [
            "",
            "-",
            "a",
            ".slice",
            "a/b.slice",
            "-a.slice",
            "a-.slice",
            "a--b.slice",
            "--.slice",
        ] {
            let error = slice_path(slice).unwrap_err();
            assert_eq!(error.to_string(), format!("invalid slice name: {slice}"));
        }
    }
}
