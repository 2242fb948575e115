//! The account files of an image, the host's subordinate ids, and id maps: a passwd file or a map,
//! a group file and the specification of a user, each with a NUL behind it, then the bytes of an
//! id.

use crate::cursor::Cursor;
use user::subid::{self, Owner};
use user::{ExecUser, Gid, IdMaps, Uid, UserDb};

pub(crate) fn run(input: &[u8]) {
    let mut pieces = Cursor::new(input);
    let (passwd, group, spec) = (pieces.piece(), pieces.piece(), pieces.piece());
    let Ok(spec) = str::from_utf8(spec) else {
        return;
    };
    let number = pieces.u32();
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
}
