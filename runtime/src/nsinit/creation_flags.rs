//! The flags with which a container was made, as labels of its configuration.
//!
//! The documents of 2014 and 2015 tell their readers to type the same line once more for a second
//! process. Its flags describe the container that runs: they are not ignored.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use configs::{Config, json};

use crate::cli::flag::{Flag, Parsed};

/// The beginning of the labels; the name of the flag follows.
const LABEL: &str = "nsinit.flag.";

/// What was typed.
#[derive(Debug)]
pub(crate) struct CreationFlags<'a> {
    pub(crate) parsed: &'a Parsed,
    /// The flag that names a file: it says what is in the file.
    pub(crate) file: &'a Flag,
}

impl CreationFlags<'_> {
    /// Puts these flags on record, in place of those of a container that had the configuration.
    pub(crate) fn record<'a>(&self, flags: impl Iterator<Item = &'a Flag>, config: &mut Config) {
        config.labels.retain(|label| !label.starts_with(LABEL));
        let given = flags.filter(|flag| self.parsed.given(flag.name));
        let labels = given.map(|flag| format!("{LABEL}{}={}", flag.name, self.value(flag)));
        config.labels.extend(labels);
    }

    /// Whether the flag says what it said when the container was made.
    pub(crate) fn is_recorded(&self, flag: &Flag, config: &Config) -> bool {
        let recorded = config.label(&format!("{LABEL}{}", flag.name));
        recorded.is_some_and(|value| value == self.value(flag))
    }

    /// A text that is the same for the same values, and for files with the same content. It may
    /// change with the release of std, which costs a warning that is not needed.
    fn value(&self, flag: &Flag) -> String {
        let mut hasher = DefaultHasher::new();
        let values: Vec<&OsString> = self.parsed.texts(flag.name).collect();
        match values.last() {
            Some(path) if flag.name == self.file.name => {
                json::read_file(Path::new(path)).ok().hash(&mut hasher);
            }
            _ => values.hash(&mut hasher),
        }
        format!("{:016x}", hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flag::Order;

    static TABLE: &[Flag] = &[
        Flag::text("config", "a file"),
        Flag::texts("bind", "repeated"),
        Flag::switch("systemd", "a switch"),
    ];

    /// Which flags of a second line are those of the first one.
    fn recorded(first: &[&str], second: &[&str]) -> Vec<&'static str> {
        let read = |line: &[&str]| {
            let arguments = line.iter().map(Into::into);
            Parsed::read(TABLE, Order::FlagsFirst, arguments).unwrap()
        };
        let (first, second) = (read(first), read(second));
        let flags = |parsed| CreationFlags {
            parsed,
            file: &TABLE[0],
        };
        let mut config = Config {
            labels: vec![format!("{LABEL}systemd=of another one"), "a=b".to_owned()],
            ..Config::default()
        };
        flags(&first).record(TABLE.iter(), &mut config);
        assert_eq!(config.label("a"), Some("b"));
        let same = |flag: &&Flag| flags(&second).is_recorded(flag, &config);
        TABLE.iter().filter(same).map(|flag| flag.name).collect()
    }

    #[test]
    fn the_same_values_are_recorded_and_others_are_not() {
        let line = ["--bind=/a:/b", "--bind=/c:/d", "--systemd"];
        assert_eq!(recorded(&line, &line), ["bind", "systemd"]);
        assert_eq!(recorded(&line, &line[1..]), ["systemd"]);
        assert_eq!(recorded(&line[..2], &line), ["bind"]);
        assert_eq!(recorded(&[], &line), [""; 0]);
    }

    #[test]
    fn of_a_file_the_content_counts() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            format!("--config={}", path.display())
        };
        let [a, same, other] = [("a", "{}"), ("b", "{}"), ("c", "[]")].map(|(n, t)| file(n, t));
        assert_eq!(recorded(&[&a], &[&same]), ["config"]);
        assert_eq!(recorded(&[&a], &[&other]), [""; 0]);
        assert_eq!(recorded(&[&a], &["--config=/no/such/file"]), [""; 0]);
    }
}
