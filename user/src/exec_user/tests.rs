use super::*;
use crate::ErrorKind;
use proptest::prelude::*;
use std::path::Path;

const PASSWD: &str = "\
root:x:0:0:root:/root:/bin/sh
web:x:33:34::/srv/web:
1000:x:0:0::/root:
web:x:99:99::/second:
broken:x:no:5::/:
groupless:x:44::/:
homeless:x:45:45:::
bare:x:46:46
";
const GROUP: &str = "\
root:x:0:
log:x:50:web,other
# off:x:51:web
disk:x:52:web
again:x:50:web
77:x:0:web
bad:x:what:web
";

fn db() -> UserDb {
    UserDb::from_bytes(PASSWD, GROUP)
}

fn gids(raw: &[u32]) -> Vec<Gid> {
    raw.iter().map(|raw| Gid::new(*raw).unwrap()).collect()
}

/// A default that differs from root everywhere, so that a field that was left alone is seen.
fn default() -> ExecUser {
    ExecUser {
        additional_gids: gids(&[7]),
        home: PathBuf::from("/default"),
        ..ExecUser::new(Uid::new(5).unwrap(), Gid::new(6).unwrap())
    }
}

fn resolve(spec: &str) -> (u32, u32, Vec<Gid>, String) {
    let user = db().resolve(spec, &default()).unwrap();
    let home = user.home.to_str().unwrap().to_owned();
    (
        user.uid.as_raw(),
        user.gid.as_raw(),
        user.additional_gids,
        home,
    )
}

#[test]
fn names_numbers_and_groups() {
    assert_eq!(
        resolve("web"),
        (33, 34, gids(&[50, 52, 0]), "/srv/web".into())
    );
    assert_eq!(resolve("33"), resolve("web"));
    assert_eq!(resolve("web:disk"), (33, 52, vec![], "/srv/web".into()));
    assert_eq!(resolve("web:1234"), (33, 1234, vec![], "/srv/web".into()));
    assert_eq!(resolve("0"), (0, 0, vec![], "/root".into()));
}

#[test]
fn what_is_not_listed_leaves_the_default() {
    assert_eq!(resolve(""), (5, 6, gids(&[7]), "/default".into()));
    assert_eq!(resolve("4000"), (4000, 6, gids(&[7]), "/default".into()));
    assert_eq!(
        resolve("4000:4001"),
        (4000, 4001, vec![], "/default".into())
    );
    assert_eq!(resolve("homeless"), (45, 45, vec![], "/default".into()));
    assert_eq!(resolve("bare"), (46, 46, vec![], "/default".into()));
}

#[test]
fn the_empty_text_finds_the_entry_of_the_default_user() {
    let default = ExecUser::new(Uid::new(33).unwrap(), Gid::ROOT);
    let user = db().resolve("", &default).unwrap();
    assert_eq!(
        (user.gid.as_raw(), user.home.as_path()),
        (34, Path::new("/srv/web"))
    );
}

#[test]
fn a_number_is_never_a_name() {
    assert_eq!(resolve("1000").0, 1000);
    assert_eq!(resolve("web:77").1, 77);
    assert_eq!(db().additional_groups(&["77"]).unwrap(), gids(&[77]));
}

#[test]
fn an_entry_without_valid_id_is_an_error() {
    for spec in ["broken", "groupless", "web:bad"] {
        let error = db().resolve(spec, &default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{spec}");
    }
}

#[test]
fn exact_texts_for_missing_names() {
    let text = |spec| db().resolve(spec, &default()).unwrap_err().to_string();
    assert_eq!(
        text("nobody"),
        "unable to find user nobody: no matching entries in passwd file"
    );
    assert_eq!(
        text("web:none"),
        "unable to find group none: no matching entries in group file"
    );
    assert_eq!(
        db().additional_groups(&["log", "none"])
            .unwrap_err()
            .to_string(),
        "Unable to find group none: no matching entries in group file"
    );
    let empty = UserDb::default().resolve("web", &default()).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::NotFound);
}

#[test]
fn additional_groups_are_unique() {
    assert_eq!(
        db().additional_groups(&["log", "50", "52", "again", "disk", "9"])
            .unwrap(),
        gids(&[50, 52, 9])
    );
    for bad in [
        "",
        "-1",
        "+5",
        " 5",
        "01",
        "4294967295",
        "2147483648",
        "99999999999",
    ] {
        assert!(db().additional_groups(&[bad]).is_err(), "{bad:?}");
    }
}

/// Every spelling gives its exact id or an error, in each place where an id can be given.
#[test]
fn hostile_numbers() {
    let table: [(&str, Option<u32>); 22] = [
        ("0", Some(0)),
        ("1", Some(1)),
        ("2147483647", Some(2_147_483_647)),
        ("01", None),
        ("00", None),
        ("+1", None),
        ("+0", None),
        ("-0", None),
        (" 1", None),
        ("1 ", None),
        ("1:", None),
        (":1", None),
        ("-1", None),
        ("0x1", None),
        ("1e1", None),
        ("2147483648", None),
        ("4294967294", None),
        ("4294967295", None),
        ("4294967296", None),
        ("18446744073709551617", None),
        ("١", None),
        ("1\n", None),
    ];
    for (text, id) in table {
        let user = db()
            .resolve(text, &default())
            .ok()
            .map(|user| user.uid.as_raw());
        assert_eq!(user, id, "user {text:?}");
        let group = db().resolve(&format!("5:{text}"), &default());
        assert_eq!(
            group.ok().map(|user| user.gid.as_raw()),
            id,
            "group {text:?}"
        );
    }
}

#[test]
fn large_ids_need_an_entry() {
    let db = UserDb::from_bytes("big:x:4000000000:1::/:\n", "big:x:4000000001:\n");
    let user = db.resolve("4000000000:4000000001", &default()).unwrap();
    assert_eq!(
        (user.uid.as_raw(), user.gid.as_raw()),
        (4_000_000_000, 4_000_000_001)
    );
    let error = db.resolve("4000000002", &default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "uid 4000000002 is not listed and above 2147483647"
    );
}

#[test]
fn the_numeric_form() {
    assert_eq!(
        ExecUser::numeric("5").unwrap(),
        (Uid::new(5).unwrap(), Gid::ROOT)
    );
    assert_eq!(
        ExecUser::numeric("5:6").unwrap(),
        (Uid::new(5).unwrap(), Gid::new(6).unwrap())
    );
    for bad in [
        "",
        ":",
        "5:",
        ":5",
        "5:6:7",
        "root",
        "5:root",
        "01",
        "-1",
        "4294967295",
        "0x0",
    ] {
        assert_eq!(
            ExecUser::numeric(bad).unwrap_err().kind(),
            ErrorKind::InvalidId,
            "{bad:?}"
        );
    }
    let text = ExecUser::numeric("5:x").unwrap_err().to_string();
    assert!(text.starts_with("bad gid: \"x\""), "{text}");
}

proptest! {
    #[test]
    fn uid_zero_comes_from_a_literal_zero_or_a_listed_name(spec in "[-+ 0-9a-z:]{0,12}") {
        if let Ok(user) = db().resolve(&spec, &default()) {
            let half = spec.split(':').next().unwrap();
            prop_assert!(user.uid != Uid::ROOT || half == "0" || half == "root", "{spec:?}");
        }
    }

    #[test]
    fn any_files_and_any_spec_end(passwd in any::<Vec<u8>>(), group in any::<Vec<u8>>(), spec in ".{0,20}") {
        let db = UserDb::from_bytes(passwd, group);
        let _ = db.resolve(&spec, &default());
        let _ = db.additional_groups(&[&spec]);
    }
}
