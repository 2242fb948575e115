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

/// The kernel goes through its list for every rule that it is given: 4,000 take a third of a
/// second, 100,000 over a minute.
const MOST_STEPS: usize = 10_000;

fn put_in_force(dir: &Dir, rules: &[Rule]) -> Result<()> {
    let invalid = |error: devices::Error| Error::because(ErrorKind::Devices, "device rules", error);
    let target = Emulator::from_rules(rules).map_err(invalid)?;
    let list = || Emulator::parse_list(&dir.read("devices.list")?).map_err(invalid);
    let steps = list()?.transition_to(&target);
    if steps.len() > MOST_STEPS {
        return Err(Error::new(
            ErrorKind::Devices,
            format_args!(
                "{} changes to the device rules are more than {MOST_STEPS}, which is what cgroup v1 takes in time",
                steps.len()
            ),
        ));
    }
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

#[cfg(test)]
mod tests {
    use devices::{Access, Kind};

    use super::*;
    use crate::{Resources, fake::Fake};

    #[test]
    fn more_rules_than_the_kernel_takes_in_time_are_refused() {
        let fake = Fake::v1("1:devices:/\n");
        fake.file("devices/c/devices.list", "a *:* rwm\n");
        let rule = |minor: usize| Rule {
            kind: Kind::Char,
            major: Some(7),
            minor: u32::try_from(2 * minor).ok(),
            access: Access::READ,
            allow: true,
        };
        let resources = Resources {
            devices: std::iter::once(Rule::everything(false))
                .chain((0..=MOST_STEPS).map(rule))
                .collect(),
            ..Resources::default()
        };
        let error = fake.cgroup("c").set(&resources).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Devices);
        assert!(error.to_string().contains("device rules"), "{error}");
    }
}
