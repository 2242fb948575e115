//! The `devices` controller: the shortest way from the list it has to the one it shall have.

use devices::{Emulator, Rule};
use rustix::fs::OFlags;

use crate::dir::{Dir, read_from_start};
use crate::{Error, ErrorKind, Hierarchy, Result};

/// Puts the rules in force. An access that both the old and the new rules allow is never
/// interrupted. `Ok(Some(reason))` where the kernel does not let us.
pub(super) fn apply(hierarchy: &Hierarchy, dir: &Dir, rules: &[Rule]) -> Result<Option<String>> {
    match put_in_force(dir, rules) {
        Err(error) if error.is_permission() && hierarchy.in_user_namespace() => Ok(Some(
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
    let file = dir.open("devices.list", OFlags::RDONLY)?;
    let list = || {
        let text = read_from_start(&file).map_err(|errno| dir.error("read", "devices.list", errno));
        Emulator::parse_list(&text?).map_err(invalid)
    };
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
    use crate::Resources;
    use crate::fake::Fake;

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

    #[test]
    fn a_list_that_is_not_the_one_asked_for_is_an_error() {
        let null = Rule::allow(Kind::Char, Some(1), Some(3), Access::ALL);
        // The list stays whatever is written to the files beside it.
        for (list, rules, precise) in [
            ("a *:* rwm\n", vec![Rule::everything(false)], false),
            ("c 1:3 rwm\n", vec![Rule::everything(false)], false),
            ("c 1:3 rwm\n", vec![Rule::everything(true)], false),
            ("c 1:3 rwm\n", vec![Rule::everything(false), null], true),
            // What an allow-by-default cgroup denies, the kernel does not list.
            ("a *:* rwm\n", vec![Rule::everything(true)], true),
        ] {
            let fake = Fake::v1("1:devices:/\n");
            fake.file("devices/c/devices.list", list);
            fake.files("devices/c", &["devices.allow", "devices.deny"]);
            let resources = Resources {
                devices: rules,
                ..Resources::default()
            };
            match fake.cgroup("c").set(&resources) {
                Ok(applied) => assert!(precise && applied.warnings.is_empty(), "{list}"),
                Err(error) => {
                    assert!(!precise, "{list}: {error}");
                    assert_eq!(error.kind(), ErrorKind::Devices);
                    assert_eq!(
                        error.to_string(),
                        "resulting devices cgroup doesn't precisely match target"
                    );
                }
            }
        }
    }
}
