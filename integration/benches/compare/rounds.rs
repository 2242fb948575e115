//! How often everything is measured.

/// The value of `--rounds`.
pub(crate) fn from_argument(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|rounds| *rounds > 0)
        .ok_or_else(|| format!("--rounds {text}: not a positive number"))
}
