//! Lists of processors and memory nodes, as in `cpuset.cpus`.
#![no_main]

use configs::config::CpuSet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
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
});
