use std::path::Path;
use std::sync::OnceLock;

use crate::file::read_trusted;
use crate::idmap::IdMaps;

/// Whether this process runs in a user namespace other than the initial one, found out once.
///
/// Decided by `/proc/self/uid_map` as [`is_userns_map`] says; a file that is absent or cannot be
/// read (a kernel without user namespaces) means no.
#[must_use]
pub fn running_in_userns() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        read_trusted(Path::new("/proc/self/uid_map"))
            .ok()
            .flatten()
            .is_some_and(|text| is_userns_map(&text))
    })
}

/// Whether the text of a `/proc/PID/uid_map` is that of a user namespace other than the initial
/// one.
///
/// The first line decides: anything but `0 0 4294967295` means yes. No line at all means yes too: a
/// namespace whose map is not written yet. Text that is not a map means no.
#[must_use]
pub fn is_userns_map(text: &[u8]) -> bool {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    IdMaps::parse(line).is_ok_and(|map| !map.is_initial())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_decides() {
        assert!(!is_userns_map(b"         0          0 4294967295\n"));
        assert!(is_userns_map(b""));
        assert!(is_userns_map(b"0 1000 1\n"));
        assert!(is_userns_map(b"0 0 65536\n"));
        assert!(is_userns_map(b"0 0 1\n0 0 4294967295\n"));
        assert!(!is_userns_map(b"what is this\n") && !is_userns_map(b"0 0\n"));
    }

    #[test]
    fn agrees_with_the_kernel() {
        let text = std::fs::read("/proc/self/uid_map").unwrap();
        assert_eq!(running_in_userns(), is_userns_map(&text));
    }
}
