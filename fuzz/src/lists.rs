//! Lists of processors and memory nodes, as in `cpuset.cpus`.

use configs::config::CpuSet;

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
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
