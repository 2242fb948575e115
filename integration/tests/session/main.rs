//! Containers of an ordinary user with what a whole system gives such a user: delegated cgroups,
//! subordinate ids, a name.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails, and says why"
)]

mod cgroups;
mod ids;
mod units;

use cofferdam_integration::Case;
use configs::oci::Spec;
use serde_json::json;

/// A container in which the user who runs this test is root, with no cgroup asked for.
fn case() -> Case {
    let mut case = Case::new();
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let spec = Spec::example().into_rootless(uid.as_raw(), gid.as_raw());
    let mut config = serde_json::to_value(spec).unwrap();
    config["process"]["terminal"] = json!(false);
    config["root"]["readonly"] = json!(false);
    case.bundle.config = config;
    case.bundle.args(&["/bin/sleep", "1000"]);
    case
}
