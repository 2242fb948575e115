//! Units of systemd, as `systemctl` shows them.

use crate::limited::Limited;

/// A property of a unit, as `systemctl show` prints it: of the machine's systemd or, for an
/// ordinary user, of the user's. Properties that the unit does not have are empty, and a unit that
/// is not there has `LoadState` `not-found`.
///
/// # Panics
/// systemd does not answer.
#[track_caller]
pub fn property(unit: &str, name: &str) -> String {
    let user = !rustix::process::geteuid().is_root();
    let output = Limited::new("systemctl")
        .args(user.then_some("--user"))
        .args(["show", "--value", "--property", name, unit])
        .output()
        .ok();
    output.stdout.trim().to_owned()
}
