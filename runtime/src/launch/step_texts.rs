//! From the description of a step to what its error says: the text of runc, on which engines
//! match.

use crate::plan::{
    APPARMOR_STEP, KEYRING_STEP, LOCKED_FLAGS, MOUNT_STEP, PLAIN_DIRECTORY, START_HOOKS_STEP,
};

/// The text of the AppArmor errors of runc.
pub(crate) const APPARMOR_ERROR: &str = "unable to apply apparmor profile";

/// What the error of a step of this description says.
pub(crate) fn error_text(description: &str) -> String {
    if let Some(rest) = description.strip_prefix(APPARMOR_STEP) {
        // The step that writes the profile names it.
        return match rest.strip_prefix(' ') {
            Some(profile) => {
                format!("{APPARMOR_ERROR}: apparmor failed to apply profile {profile}")
            }
            None => format!("{APPARMOR_ERROR}{rest}"),
        };
    }
    for (step, error) in [
        (KEYRING_STEP, "unable to join session keyring"),
        (START_HOOKS_STEP, "error running startContainer hook"),
    ] {
        if let Some(rest) = description.strip_prefix(step) {
            return format!("{error}{rest}");
        }
    }
    of_mount(description).unwrap_or_else(|| description.to_owned())
}

/// The same for a step of a mount of the configuration: `mount "SOURCE" at "DESTINATION": ACTION`.
fn of_mount(description: &str) -> Option<String> {
    let mount = description.strip_prefix(MOUNT_STEP)?;
    // Both are quoted, and quotes inside have a backslash in front: nothing in the source can look
    // like the beginning of the destination.
    let (source, rest) = mount
        .strip_prefix('"')
        .and_then(|rest| rest.split_once("\" at \""))?;
    let (place, action) = rest
        .rsplit_once("\": ")
        .map_or_else(|| (rest, None), |(place, action)| (place, Some(action)));
    let action = match action? {
        LOCKED_FLAGS => "cannot clear locked flags".to_owned(),
        action => match action.strip_prefix(PLAIN_DIRECTORY) {
            Some(what) => format!("{what} must be mounted on ordinary directory"),
            None => action.to_owned(),
        },
    };
    Some(format!(
        "error mounting \"{source}\" to rootfs at \"{place}\": {action}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_of_steps_become_the_errors_that_engines_know() {
        for (description, error) in [
            (
                r#"mount "proc" at "/proc": attach"#,
                r#"error mounting "proc" to rootfs at "/proc": attach"#,
            ),
            (
                r#"mount "a\" at \"b: c" at "/x": clear locked flags"#,
                r#"error mounting "a\" at \"b: c" to rootfs at "/x": cannot clear locked flags"#,
            ),
            (
                r#"mount "sysfs" at "/sys": create an ordinary directory for filesystem "sysfs""#,
                r#"error mounting "sysfs" to rootfs at "/sys": filesystem "sysfs" must be mounted on ordinary directory"#,
            ),
            (
                "apply the AppArmor profile: open /proc/self/attr/exec",
                "unable to apply apparmor profile: open /proc/self/attr/exec",
            ),
            (
                "apply the AppArmor profile a: b",
                "unable to apply apparmor profile: apparmor failed to apply profile a: b",
            ),
            ("join the session keyring", "unable to join session keyring"),
            ("startContainer hook", "error running startContainer hook"),
            ("mount a private procfs", "mount a private procfs"),
            ("pivot the root", "pivot the root"),
        ] {
            assert_eq!(error_text(description), error);
        }
    }
}
