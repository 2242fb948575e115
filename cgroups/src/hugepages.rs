//! Huge pages: the sizes of the machine, as cgroup file names spell them, and the limits.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::dir::Dir;
use crate::{HugepageLimit, Result};

/// The sizes, read once: they are fixed when the machine boots.
pub(crate) fn sizes() -> &'static [String] {
    static SIZES: OnceLock<Vec<String>> = OnceLock::new();
    SIZES.get_or_init(|| sizes_in(Path::new("/sys/kernel/mm/hugepages")))
}

fn sizes_in(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut sizes: Vec<_> = names.filter_map(|name| size(&name)).collect();
    sizes.sort();
    sizes
}

/// `hugepages-2048kB` is `2MB`.
fn size(directory: &str) -> Option<String> {
    let kilobytes = directory.strip_prefix("hugepages-")?.strip_suffix("kB")?;
    let kilobytes: u64 = kilobytes.parse().ok()?;
    Some(match kilobytes {
        1_048_576.. => format!("{}GB", kilobytes / 1_048_576),
        1024.. => format!("{}MB", kilobytes / 1024),
        _ => format!("{kilobytes}KB"),
    })
}

/// Writes the limits to `hugetlb.SIZE.FILE` and, so that no more is reserved than may be used, to
/// `hugetlb.SIZE.rsvd.FILE` (Linux 5.7).
pub(crate) fn set(dir: &Dir, limits: &[HugepageLimit], file: &str) -> Result<()> {
    let mut reservations = true;
    for limit in limits {
        let (size, bytes) = (&limit.page_size, limit.limit.to_string());
        dir.write(&format!("hugetlb.{size}.{file}"), &bytes)?;
        reservations =
            reservations && dir.write_if_present(&format!("hugetlb.{size}.rsvd.{file}"), &bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (directory, name) in [
            ("hugepages-64kB", Some("64KB")),
            ("hugepages-2048kB", Some("2MB")),
            ("hugepages-32768kB", Some("32MB")),
            ("hugepages-1048576kB", Some("1GB")),
            ("hugepages-16777216kB", Some("16GB")),
            ("hugepages-2048", None),
            ("hugepages-xkB", None),
        ] {
            assert_eq!(size(directory).as_deref(), name, "{directory}");
        }
    }

    #[test]
    fn directories() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["hugepages-2048kB", "other", "hugepages-1048576kB"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        assert_eq!(sizes_in(directory.path()), ["1GB", "2MB"]);
        assert!(sizes_in(&directory.path().join("none")).is_empty());
    }
}
