//! Users that are taken for root (CVE-2016-3697, CVE-2026-30892, CVE-2024-40635).

use cofferdam_integration::{Case, need};
use serde_json::{Value, json};

use crate::host::Host;
use crate::victim;

/// Everything that might be taken for a number, with the number that it is. `None`: it is not a
/// number, and must be refused.
const INPUTS: [(&str, Option<u32>); 25] = [
    ("0", Some(0)),
    ("1", Some(1)),
    ("01", Some(1)),
    ("+1", Some(1)),
    ("2147483647", Some(2_147_483_647)),
    ("", None),
    (" 1", None),
    ("1 ", None),
    (":", None),
    ("-1", None),
    ("-0", None),
    ("0x1", None),
    ("1e1", None),
    ("1.0", None),
    ("2147483648", Some(2_147_483_648)),
    ("4294967294", Some(4_294_967_294)),
    ("4294967295", None),
    ("4294967296", None),
    ("18446744073709551617", None),
    ("٣", None),
    ("root", None),
    ("1000x", None),
    ("1:", None),
    ("\u{ff11}", None),
    ("1\n", None),
];

/// Inputs for which leaving the number out is as good as refusing, and those numbers that the
/// kernel or peers do not take.
fn may_be_refused(text: &str) -> bool {
    !["0", "1"].contains(&text)
}

#[test]
fn exec_is_root_only_for_a_literal_zero() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    // A user that was not asked for is not root either; and a user that is called like a number is.
    case.bundle.config["process"]["user"] = json!({ "uid": 4242, "gid": 4343 });
    std::fs::write(
        case.bundle.rootfs().join("etc/passwd"),
        "1000:x:0:0::/:/bin/sh\n1:x:0:0::/:/bin/sh\n-1:x:0:0::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n",
    )
    .unwrap();
    case.bundle.args(&["/bin/sleep", "1000"]);
    case.start();
    let ids = |output: &cofferdam_integration::Output| -> (u32, u32) {
        let numbers: Vec<u32> = output
            .lines()
            .iter()
            .map(|line| line.parse().unwrap())
            .collect();
        (numbers[0], numbers[1])
    };
    let program = ["/bin/sh", "-c", "id -u; id -g"];
    for (text, expected) in INPUTS.into_iter().chain([("1000", Some(1000))]) {
        for (user, position) in [(text.to_owned(), 0), (format!("77:{text}"), 1)] {
            let output = case.exec_before(&[&["--user", &user], &program[..]].concat());
            victim::sane(&output);
            if output.code != 0 {
                assert!(may_be_refused(text), "--user {user:?}: {output}");
                continue;
            }
            let (uid, gid) = ids(&output);
            let found = if position == 0 { uid } else { gid };
            let default = if position == 0 { 4242 } else { 4343 };
            // An empty text is as if nothing had been said.
            let absent = text.is_empty() && found == default;
            assert!(
                absent || expected == Some(found),
                "--user {user:?} is {uid}:{gid}"
            );
            assert!(uid != 0 || text == "0", "--user {user:?} is root");
            assert!(position == 0 || uid == 77, "--user {user:?} is {uid}:{gid}");
        }
        let output = case.exec_before(&[
            "--additional-gids",
            text,
            "/bin/grep",
            "Groups",
            "/proc/self/status",
        ]);
        victim::sane(&output);
        if output.code == 0 {
            let groups: Vec<u32> = output
                .stdout
                .split_whitespace()
                .skip(1)
                .map(|group| group.parse().unwrap())
                .collect();
            assert!(
                groups.is_empty() && expected.is_none() && text.is_empty()
                    || expected.is_some_and(|group| groups == [group]),
                "--additional-gids {text:?} is {groups:?}"
            );
        } else {
            assert!(may_be_refused(text), "--additional-gids {text:?}: {output}");
        }
    }
    host.unchanged("exec --user");
    case.delete();
}

#[test]
fn the_configured_user_is_that_number_or_an_error() {
    need!(Root, Busybox);
    let host = Host::new();
    let mut case = Case::new();
    case.bundle
        .script("id -u; id -g; grep Groups /proc/self/status");
    let bad: [Value; 9] = [
        json!(-1),
        json!(4_294_967_295_u64),
        json!(4_294_967_296_u64),
        json!(1.5),
        json!("0"),
        json!("root"),
        json!([0]),
        json!(true),
        json!(18_446_744_073_709_551_615_u64),
    ];
    for field in ["uid", "gid", "additionalGids"] {
        for value in &bad {
            let mut user = json!({ "uid": 1, "gid": 1 });
            user[field] = if field == "additionalGids" {
                json!([value])
            } else {
                value.clone()
            };
            case.bundle.config["process"]["user"] = user;
            victim::refused(&case.run(), &format!("{field} {value}"));
            case.nothing_left();
        }
    }
    for id in [1_u32, 2_147_483_648, 4_294_967_294] {
        case.bundle.config["process"]["user"] =
            json!({ "uid": id, "gid": id, "additionalGids": [id] });
        let output = case.run();
        // Numbers above i32 may be refused; they may never become others.
        assert!(
            output.code != 0 && id > 1
                || output.lines() == [&id.to_string(), &id.to_string(), &format!("Groups:\t{id} ")],
            "{output}"
        );
    }
    host.unchanged("users");
    case.finish();
}
