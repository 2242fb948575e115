//! The account files of an image, the host's subordinate ids, and id maps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use user::subid::{self, Owner};
use user::{ExecUser, Gid, IdMaps, Uid, UserDb};

fuzz_target!(|input: (&[u8], &[u8], &str, u32)| {
    let (passwd, group, spec, number) = input;
    let accounts = UserDb::from_bytes(passwd, group);
    if let (Some(uid), Some(gid)) = (Uid::new(number), Gid::new(number)) {
        let default = ExecUser::new(uid, gid);
        let _resolved = accounts.resolve(spec, &default);
        let _home = accounts.home(uid);
        let _name = accounts.owner_name(uid);
        let _group = accounts.group_by_id(gid);
        let owner = Owner {
            name: Some(spec.to_owned()),
            uid,
        };
        if let Ok(ranges) = subid::ranges(passwd, &owner) {
            for range in ranges {
                assert!(range.count > 0);
                let last = u64::from(range.start) + u64::from(range.count) - 1;
                assert!(last < u64::from(u32::MAX), "{range:?}");
            }
        }
    }
    let _user = accounts.user_by_name(spec);
    let _group = accounts.group_by_name(spec);
    let names: Vec<&str> = spec.split(',').collect();
    let _groups = accounts.additional_groups(&names);
    let _numeric = ExecUser::numeric(spec);
    let _is_map = user::is_userns_map(passwd);
    if let Ok(map) = IdMaps::parse(passwd) {
        let again = IdMaps::parse(map.kernel_text().as_bytes()).expect("what was written is read");
        assert_eq!(map, again);
        if map.validate().is_ok()
            && let Some(host) = map.host_id(number)
        {
            assert_eq!(map.container_id(host), Some(number));
        }
    }
});
