//! The `devices` controller: the shortest way from the list it has to the one it shall have.

use devices::{Emulator, Rule};
use rustix::fs::OFlags;

use crate::{Error, ErrorKind, Result, dir::Dir};

/// Puts the rules in force. An access that both the old and the new rules allow is never
/// interrupted. `Ok(Some(reason))` where the kernel does not let us.
pub(super) fn apply(dir: &Dir, rules: &[Rule]) -> Result<Option<String>> {
    match put_in_force(dir, rules) {
        Err(error) if error.is_permission() && crate::devices_v2::in_user_namespace() => Ok(Some(
            "device rules cannot be changed in a user namespace".to_owned(),
        )),
        done => done.map(|()| None),
    }
}

fn put_in_force(dir: &Dir, rules: &[Rule]) -> Result<()> {
    let invalid = |error: devices::Error| Error::because(ErrorKind::Devices, "device rules", error);
    let target = Emulator::from_rules(rules).map_err(invalid)?;
    let list = || Emulator::parse_list(&dir.read("devices.list")?).map_err(invalid);
    let steps = list()?.transition_to(&target);
    // Consecutive steps of one kind share an open file.
    for group in steps.chunk_by(|one, other| one.allow == other.allow) {
        let name = if group.first().is_some_and(|step| step.allow) {
            "devices.allow"
        } else {
            "devices.deny"
        };
        let file = dir.open(name, OFlags::WRONLY)?;
        for step in group {
            dir.write_to(&file, name, &step.to_string())?;
        }
    }
    let now = list()?;
    // What an allow-by-default cgroup denies, the kernel does not list.
    let precise = if target.allows_by_default() {
        now.allows_by_default()
    } else {
        now == target
    };
    if !precise {
        return Err(Error::new(
            ErrorKind::Devices,
            "resulting devices cgroup doesn't precisely match target",
        ));
    }
    Ok(())
}
