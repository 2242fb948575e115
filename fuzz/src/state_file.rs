//! A state file on a disk, whole and cut off: both readers of it, the fast one of short commands
//! and that of everything else, say the same, and what is cut off is no container.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::sync::LazyLock;

use runtime::{ContainerId, ErrorKind, Runtime, State};
use serde::de::IgnoredAny;
use tempfile::TempDir;

/// How many cuts of a text are looked at: each one of a short text.
const MOST_CUTS: usize = 48;

/// A state root with the directory of one container.
static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let root = tempfile::tempdir_in("/dev/shm").expect("a folder on tmpfs");
    let directory = root.path().join("fuzz");
    DirBuilder::new().mode(0o700).create(directory).expect("mkdir");
    root
});

pub(crate) fn run(text: &[u8]) {
    let runtime = Runtime::new(ROOT.path()).expect("a state root");
    let id: ContainerId = "fuzz".parse().expect("an id");
    let whole = look(&runtime, &id, text);

    // White space at the end says nothing.
    let length = text.trim_ascii_end().len();
    let step = length.div_ceil(MOST_CUTS).max(1);
    // Other places for texts of other lengths.
    for cut in (length % step..length).step_by(step) {
        let found = look(&runtime, &id, &text[..cut]);
        assert!(!whole || !found, "cut at {cut}");
    }
}

/// Reads a text as the state file; whether it is that of a container.
fn look(runtime: &Runtime, id: &ContainerId, text: &[u8]) -> bool {
    fs::write(ROOT.path().join("fuzz/state.json"), text).expect("write");
    let container = match runtime.load(id) {
        Ok(container) => container,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::CorruptState, "{error:#}");
            assert!(!format!("{error:#}").contains('\n'), "{error:#}");
            // What the one reader refuses the other one has no use for.
            assert!(serde_json::from_slice::<State>(text).is_err());
            return false;
        }
    };
    // JSON; strings that are of no interest may be of any bytes, for serde as well.
    assert!(serde_json::from_slice::<IgnoredAny>(text).is_ok());
    let state = match container.state() {
        Ok(state) => state,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::CorruptState, "{error:#}");
            // More is read than the fast reader looks at.
            return true;
        }
    };
    assert_eq!(container.created_rfc3339(), state.created);
    assert_eq!(container.rootfs().to_str(), Some(state.config.rootfs.as_str()));
    let bundle = state.config.labels.iter().rev();
    let bundle = bundle.filter_map(|label| label.strip_prefix("bundle=")).next();
    assert_eq!(container.bundle().to_str(), Some(bundle.unwrap_or_default()));
    true
}
