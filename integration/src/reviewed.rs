//! Reviewed lists in the tree: a line for each thing that may be, with its
//! reason. Empty lines and those that begin with `#` say nothing.

/// The lines of a list, each with so many columns, which ` | ` divides.
///
/// # Panics
/// A line has another number of columns.
pub fn lines<const COLUMNS: usize>(list: &'static str) -> Vec<[&'static str; COLUMNS]> {
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let columns: Vec<&str> = line.split(" | ").collect();
            columns
                .try_into()
                .unwrap_or_else(|_| panic!("not {COLUMNS} columns: {line}"))
        })
        .collect()
}

/// Whether a column that is a list of words has this one.
pub fn names(column: &str, word: &str) -> bool {
    column.split(' ').any(|one| one == word)
}

/// Whether a pattern is for this path: `*` is any name in it, `**` at the end one name or more.
pub fn matches(pattern: &str, path: &str) -> bool {
    let mut names = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, names.next()) {
            ("**", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(name)) if wanted == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_whole_paths() {
        assert!(matches("/proc/PID/*", "/proc/PID/comm"));
        assert!(!matches("/proc/PID/*", "/proc/PID/attr/exec"));
        assert!(!matches("/proc/PID/*", "/proc/PID"));
        assert!(matches("/sys/**", "/sys/fs/cgroup"));
        assert!(!matches("/sys/**", "/sys"));
        assert!(!matches("/proc/sys", "/proc/sys/vm"));
    }
}
