//! Labels: the bundle's annotations and its path, as kept in state.json.

use std::collections::BTreeMap;

use super::Config;

/// The label key under which the bundle's path is kept.
const BUNDLE: &str = "bundle";

impl Config {
    /// The value of a label: of the first entry with this key; the key ends at the first `=`.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .filter_map(|label| label.split_once('='))
            .find(|(k, _)| *k == key)
            .map(|(_, value)| value)
    }

    /// The bundle directory.
    ///
    /// The runtime appends it after the annotations, so that it is the last label: an annotation
    /// which happens to be named `bundle` does not hide it.
    #[must_use]
    pub fn bundle(&self) -> Option<&str> {
        self.labels
            .iter()
            .rev()
            .filter_map(|label| label.split_once('='))
            .find(|(key, _)| *key == BUNDLE)
            .map(|(_, value)| value)
    }

    /// The annotations of the bundle: every label but `bundle`. A key given twice has its last
    /// value.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<String, String> {
        self.labels
            .iter()
            .filter_map(|label| label.split_once('='))
            .filter(|(key, _)| *key != BUNDLE)
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// Makes the labels of a bundle: each annotation, sorted by key, then the bundle's path.
    #[must_use]
    pub fn make_labels(annotations: &BTreeMap<String, String>, bundle: &str) -> Vec<String> {
        annotations
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .chain(std::iter::once(format!("{BUNDLE}={bundle}")))
            .collect()
    }
}
