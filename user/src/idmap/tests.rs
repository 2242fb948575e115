use super::*;
use crate::ErrorKind;
use proptest::prelude::*;
use std::fs::{self, File};

fn maps(ranges: &[(u32, u32, u32)]) -> IdMaps {
    ranges
        .iter()
        .map(|(container, host, size)| IdMap::new(*container, *host, *size))
        .collect::<Vec<_>>()
        .into()
}

fn refusal(ranges: &[(u32, u32, u32)]) -> String {
    let error = maps(ranges).validate().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidMap);
    error.to_string()
}

#[test]
fn translation_both_ways() {
    let map = maps(&[(0, 1000, 1), (1, 100_000, 65_536)]);
    assert_eq!(
        (map.host_id(0), map.container_id(1000)),
        (Some(1000), Some(0))
    );
    assert_eq!(
        (map.host_id(1), map.container_id(100_000)),
        (Some(100_000), Some(1))
    );
    assert_eq!(map.host_id(65_536), Some(165_535));
    assert_eq!(
        (map.host_id(65_537), map.container_id(165_536)),
        (None, None)
    );
    assert_eq!((map.container_id(0), map.container_id(999)), (None, None));
}

#[test]
fn valid_maps() {
    for ranges in [
        &[(0, 0, u32::MAX)][..],
        &[(0, 1000, 1), (1, 100_000, 65_536)],
        &[(10, 10, 1), (0, 0, 10)],
        &[(u32::MAX - 1, 0, 1)],
    ] {
        maps(ranges).validate().unwrap();
    }
}

#[test]
fn invalid_maps_are_named() {
    assert_eq!(refusal(&[(0, 0, 0)]), "id map range 0 0 0 is empty");
    assert_eq!(
        refusal(&[(1, 0, u32::MAX)]),
        "id map range 1 0 4294967295 goes beyond id 4294967294"
    );
    assert_eq!(
        refusal(&[(0, u32::MAX, 1)]),
        "id map range 0 4294967295 1 goes beyond id 4294967294"
    );
    assert_eq!(
        refusal(&[(0, 1000, 10), (9, 5000, 1)]),
        "id map ranges 0 1000 10 and 9 5000 1 overlap"
    );
    assert_eq!(
        refusal(&[(0, 1000, 10), (50, 995, 6)]),
        "id map ranges 0 1000 10 and 50 995 6 overlap"
    );
    assert_eq!(refusal(&[]), "id map has no range");
}

#[test]
fn the_kernels_sizes_bound_a_map() {
    let short = (0..300).map(|n| IdMap::new(n, n, 1)).collect::<Vec<_>>();
    IdMaps::from(short).validate().unwrap();
    let many = (0..341).map(|n| IdMap::new(n, n, 1)).collect::<Vec<_>>();
    let error = IdMaps::from(many).validate().unwrap_err().to_string();
    assert_eq!(error, "id map has 341 ranges; the kernel takes at most 340");
    let long = (0..300)
        .map(|n| IdMap::new(1_000_000_000 + n, 2_000_000_000 + n, 1))
        .collect::<Vec<_>>();
    let error = IdMaps::from(long).validate().unwrap_err().to_string();
    assert_eq!(
        error,
        "id map text has 7200 bytes; the kernel takes less than 4096"
    );
}

#[test]
fn identity_and_initial() {
    assert!(maps(&[(0, 0, u32::MAX)]).is_initial());
    assert!(maps(&[(0, 0, 10), (20, 20, 5)]).is_identity());
    assert!(!maps(&[(0, 0, 10)]).is_initial());
    assert!(!maps(&[(0, 1, 10)]).is_identity());
}

#[test]
fn text_that_is_no_map() {
    for text in [
        "0 0",
        "0 0 1 1",
        "a 0 1",
        "-1 0 1",
        "0 0 4294967296",
        "0,0,1",
    ] {
        assert_eq!(
            text.parse::<IdMaps>().unwrap_err().kind(),
            ErrorKind::InvalidMap,
            "{text}"
        );
    }
    assert!("".parse::<IdMaps>().unwrap().is_empty());
}

#[test]
fn order_matters_for_equality() {
    assert_ne!(maps(&[(0, 5, 1), (1, 6, 1)]), maps(&[(1, 6, 1), (0, 5, 1)]));
}

#[test]
fn a_process_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("uid_map"),
        "         0       1000          1\n",
    )
    .unwrap();
    fs::write(directory.path().join("gid_map"), "0 2000 1\n1 3000 5\n").unwrap();
    let mapping = IdMapping::open_at(File::open(directory.path()).unwrap()).unwrap();
    assert_eq!(mapping.root_pair(), Some((1000, 2000)));
    assert_eq!(mapping.to_host(0, 5), Some((1000, 3004)));
    assert_eq!(mapping.to_host(1, 0), None);
    assert_eq!(mapping.to_container(1000, 3004), Some((0, 5)));
    fs::remove_file(directory.path().join("gid_map")).unwrap();
    let error = IdMapping::open_at(File::open(directory.path()).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "open gid_map");
}

#[test]
fn the_maps_of_this_process() {
    let own = IdMapping::open_at(File::open("/proc/self").unwrap()).unwrap();
    assert_eq!(own.uids.is_initial(), !crate::running_in_userns());
}

#[cfg(feature = "serde")]
#[test]
fn oci_names() {
    let json = r#"[{"containerID":0,"hostID":1000,"size":10}]"#;
    let map: IdMaps = serde_json::from_str(json).unwrap();
    assert_eq!(map, maps(&[(0, 1000, 10)]));
    assert_eq!(serde_json::to_string(&map).unwrap(), json);
    let partial: IdMaps = serde_json::from_str(r#"[{"hostID":null,"size":10}]"#).unwrap();
    assert_eq!(partial, maps(&[(0, 0, 10)]));
    assert!(serde_json::from_str::<crate::Uid>("4294967295").is_err());
    assert!(serde_json::from_str::<crate::Uid>("-1").is_err());
    assert_eq!(serde_json::from_str::<crate::Uid>("7").unwrap().as_raw(), 7);
}

fn any_map() -> impl Strategy<Value = IdMaps> {
    // Few distinct numbers, so that ranges often meet.
    let number = prop_oneof![0u32..40, (u32::MAX - 40)..=u32::MAX];
    let range = (number.clone(), number, 0u32..12)
        .prop_map(|(container, host, size)| IdMap::new(container, host, size));
    proptest::collection::vec(range, 0..5).prop_map(IdMaps::from)
}

proptest! {
    #[test]
    fn kernel_text_reads_back(map in any_map()) {
        prop_assert_eq!(map.kernel_text().parse::<IdMaps>().unwrap(), map);
    }

    #[test]
    fn in_a_valid_map_translation_is_a_bijection(
        map in any_map(),
        id in prop_oneof![0u32..60, (u32::MAX - 60)..=u32::MAX],
    ) {
        if map.validate().is_ok() {
            if let Some(host) = map.host_id(id) {
                prop_assert_eq!(map.container_id(host), Some(id));
            }
            if let Some(container) = map.container_id(id) {
                prop_assert_eq!(map.host_id(container), Some(id));
            }
            prop_assert_eq!(map.host_id(u32::MAX), None);
        }
    }

    #[test]
    fn validity_is_what_a_list_of_all_ids_says(map in any_map()) {
        let side = |first: fn(&IdMap) -> u32| {
            let mut ids: Vec<u64> = map
                .ranges()
                .iter()
                .flat_map(|r| (0..u64::from(r.size)).map(move |n| u64::from(first(r)) + n))
                .collect();
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            ids.len() == count && ids.iter().all(|id| *id < u64::from(u32::MAX))
        };
        let valid = !map.is_empty()
            && map.ranges().iter().all(|r| r.size > 0)
            && side(|r| r.container_id)
            && side(|r| r.host_id);
        prop_assert_eq!(map.validate().is_ok(), valid);
    }

    #[test]
    fn any_bytes_are_parsed(bytes in any::<Vec<u8>>()) {
        let _ = IdMaps::parse(&bytes);
    }
}
