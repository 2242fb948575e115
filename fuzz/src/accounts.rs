//! The account files of an image, the host's subordinate ids, and id maps: a passwd file or a map,
//! a group file and the specification of a user, each with a NUL behind it, then the bytes of an
//! id. After a `*` follows how often the first file is repeated: limits are far away otherwise.

use std::fs::{self, File};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::cursor::Cursor;
use user::subid::{self, Owner};
use user::{ExecUser, Gid, IdMap, IdMapping, IdMaps, Uid, UserDb};

/// Most bytes of a repeated file: more than a line may have, and room for more lines than a file.
const MOST_REPEATED: usize = 320 << 10;

pub(crate) fn run(input: &[u8]) {
    let mut pieces = Cursor::new(input);
    let (passwd, group, spec) = (pieces.piece(), pieces.piece(), pieces.piece());
    let Ok(spec) = str::from_utf8(spec) else {
        return;
    };
    let number = pieces.u32();
    let repeated = match pieces.byte() {
        b'*' => {
            let most = MOST_REPEATED / passwd.len().max(1);
            passwd.repeat(usize::from(pieces.u16()).min(most))
        }
        _ => passwd.to_vec(),
    };
    look(&repeated, group, spec, number);
    of_a_process(&repeated, group);
}

/// The maps as files of a process are what they are as texts.
fn of_a_process(uids: &[u8], gids: &[u8]) {
    static PROCESS: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("mkdtemp"));
    let path = PROCESS.path();
    fs::write(path.join("uid_map"), uids).expect("write");
    fs::write(path.join("gid_map"), gids).expect("write");
    let process = File::open(path).expect("open");
    match (IdMapping::open_at(process), IdMaps::parse(uids), IdMaps::parse(gids)) {
        (Ok(maps), Ok(uids), Ok(gids)) => assert_eq!(maps, IdMapping { uids, gids }),
        (Ok(maps), ..) => panic!("{maps:?}"),
        (Err(_), ..) => {}
    }
}

fn look(passwd: &[u8], group: &[u8], spec: &str, number: u32) {
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
        translated(map, group, number);
    }
    if let Ok(ranges) = serde_json::from_slice::<Vec<IdMap>>(passwd) {
        let stored = serde_json::to_vec(&ranges).expect("ranges are JSON");
        let again: IdMaps = serde_json::from_slice(&stored).expect("what was stored is read");
        assert_eq!(again, IdMaps::from(ranges));
    }
}

/// The pair of maps that a user namespace has: what is mapped is mapped back.
fn translated(uids: IdMaps, group: &[u8], number: u32) {
    if uids.validate().is_err() {
        return;
    }
    assert!(!uids.is_empty() && uids.ranges().len() <= user::MAX_EXTENTS);
    let host = uids.host_id(number);
    if let Some(host) = host {
        assert_eq!(uids.container_id(host), Some(number));
        assert!(!uids.is_identity() || host == number);
    }
    assert!(!uids.is_initial() || uids.is_identity());
    let Ok(gids) = str::from_utf8(group).unwrap_or_default().parse::<IdMaps>() else {
        return;
    };
    if gids.validate().is_ok() {
        let maps = IdMapping { uids, gids };
        for id in [0, number] {
            if let Some((uid, gid)) = maps.to_host(id, id) {
                assert_eq!(maps.to_container(uid, gid), Some((id, id)));
            }
        }
        assert_eq!(maps.root_pair(), maps.to_host(0, 0));
    }
}
