//! Lists of processors and memory nodes, as in `cpuset.cpus`, sets as `state.json` has them, and
//! the two lists of an affinity, with a `;` between them.

use configs::config::{CpuAffinity, CpuSet};
use configs::oci;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    stored(text);
    affinity(text);
    let Ok(set) = text.parse::<CpuSet>() else {
        return;
    };
    assert_eq!(usize::try_from(set.count()), Ok(set.iter().count()));
    assert!(
        set.iter()
            .all(|number| set.contains(number) && number <= CpuSet::MAX_ID)
    );
    if !set.is_empty() {
        let again: CpuSet = set.to_string().parse().expect("what was written is read");
        assert_eq!(set, again);
    }
}

/// A set in JSON is what is stored of it.
fn stored(text: &str) {
    let Ok(set) = serde_json::from_str::<CpuSet>(text) else {
        return;
    };
    assert_ne!(set.mask().last(), Some(&0));
    let stored = serde_json::to_string(&set).expect("a set is JSON");
    let again: CpuSet = serde_json::from_str(&stored).expect("what was stored is loaded");
    assert_eq!(set, again);
}

/// A list that is empty is none.
fn affinity(text: &str) {
    let (initial, last) = text.split_once(';').unwrap_or((text, ""));
    let lists = oci::CpuAffinity {
        initial: initial.to_owned(),
        final_cpus: last.to_owned(),
    };
    if let Ok(affinity) = CpuAffinity::from_oci(&lists) {
        let both = affinity.unwrap_or_default();
        assert_eq!(both.initial.is_some(), !initial.is_empty());
        assert_eq!(both.final_cpus.is_some(), !last.is_empty());
    }
}
