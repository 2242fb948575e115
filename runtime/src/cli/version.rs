//! The version, as `--version` and the help show it.

/// The version of this package.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of runc whose command line and behaviour this program has.
pub(crate) const RUNC: &str = "1.5.0";

/// The commit this program was built from, as the build said in the environment variable
/// `COFFERDAM_COMMIT`.
pub(crate) const COMMIT: &str = match option_env!("COFFERDAM_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

/// What follows the words `NAME version `: the number, then a line for each thing engines and bug
/// reports ask for.
pub(crate) fn lines() -> String {
    let mut text = format!("{VERSION}\n");
    text.push_str(&format!("commit: {COMMIT}\n"));
    text.push_str(&format!("spec: {}\n", configs::oci::VERSION));
    if let Some(version) = seccomp::features().libseccomp_version {
        text.push_str(&format!("libseccomp: {version}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_engines_look_for_are_there_in_order() {
        let text = lines();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(VERSION));
        assert_eq!(lines.next(), Some(format!("commit: {COMMIT}").as_str()));
        assert_eq!(lines.next(), Some("spec: 1.3.0"));
    }
}
