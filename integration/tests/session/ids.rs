//! Ids that `/etc/subuid` and `/etc/subgid` give, and names.

use cofferdam_integration::{Case, need, subordinate_ids};
use serde_json::json;

use super::case;

/// Maps the subordinate ids above the user's own.
fn with_subordinate_ids() -> Case {
    let mut case = case();
    let (uids, gids) = subordinate_ids::of_this_user().unwrap();
    let own = (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    for (key, own, range) in [("uidMappings", own.0, uids), ("gidMappings", own.1, gids)] {
        case.bundle.config["linux"][key] = json!([
            { "containerID": 0, "hostID": own, "size": 1 },
            { "containerID": 1, "hostID": range.first, "size": range.count },
        ]);
    }
    case
}

#[test]
fn subordinate_ids_are_mapped_with_the_tools_of_the_system() {
    need!(OrdinaryUser, Busybox, SubordinateIds);
    use std::os::unix::fs::MetadataExt as _;
    let mut case = with_subordinate_ids();
    for set in ["bounding", "effective", "permitted"] {
        case.bundle.config["process"]["capabilities"][set] = json!(["CAP_CHOWN"]);
    }
    let output = case.inside("touch /tmp/file; chown 5:6 /tmp/file; stat -c '%u %g' /tmp/file");
    assert_eq!(output.lines(), ["5 6"]);
    let found = case.bundle.rootfs().join("tmp/file").metadata().unwrap();
    let (uids, gids) = subordinate_ids::of_this_user().unwrap();
    assert_eq!((found.uid(), found.gid()), (uids.first + 4, gids.first + 5));
    case.finish();
}

#[test]
fn the_program_may_be_another_of_the_subordinate_ids() {
    need!(OrdinaryUser, Busybox, SubordinateIds);
    let mut case = with_subordinate_ids();
    case.bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let output = case.inside("id -u; id -g");
    assert_eq!(output.lines(), ["1000", "1000"]);
    case.finish();
}

#[test]
fn the_list_shows_who_owns_a_container() {
    need!(OrdinaryUser, Busybox);
    let case = case();
    case.start();
    let list = case.call(&["list", "--format", "json"]).ok().json();
    assert_eq!(list[0]["id"], case.id.as_str());
    // An id without a name is shown as a number.
    let number = format!("#{}", rustix::process::getuid().as_raw());
    let owner = subordinate_ids::name().unwrap_or(number);
    assert_eq!(list[0]["owner"], owner.as_str());
    case.delete();
}
