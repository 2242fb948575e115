//! What the errors of steps that mount, hide or protect something say: the text of runc where
//! it has some, with names of flags in place of numbers, and with the path of the configuration.

use configs::Config;
use configs::config::MountAttr;
use nsenter::plan::Op;
use nsenter::{Failure, INSIDE_PROCFS};

use super::step_texts::error_text;
use crate::error::{Error, ErrorKind};
use crate::plan::placed_paths;

/// The access time attributes of a mount.
const ACCESS_TIMES: u64 = MountAttr::ATIME | MountAttr::NODIRATIME;

/// Names of attributes, as `mount(2)` calls their flags. Relatime has no bit: it is what is left.
const NAMES: [(u64, &str); 8] = [
    (MountAttr::RDONLY, "MS_RDONLY"),
    (MountAttr::NOSUID, "MS_NOSUID"),
    (MountAttr::NODEV, "MS_NODEV"),
    (MountAttr::NOEXEC, "MS_NOEXEC"),
    (MountAttr::NOSYMFOLLOW, "MS_NOSYMFOLLOW"),
    (MountAttr::NOATIME, "MS_NOATIME"),
    (MountAttr::NODIRATIME, "MS_NODIRATIME"),
    (MountAttr::STRICTATIME, "MS_STRICTATIME"),
];

/// The error of a failed step of this kind; `None` for all others, and where the plain text says
/// enough.
pub(crate) fn error(failure: &Failure, config: &Config) -> Option<Error> {
    let cause = || std::io::Error::from_raw_os_error(failure.errno());
    let context = &error_text(failure.context());
    match failure.op() {
        Op::Verify { .. } if failure.errno() == libc::EBADMSG => {
            let end = if context.contains("check that ") {
                ": it is not"
            } else {
                ""
            };
            Some(Error::new(ErrorKind::Init, format!("{context}{end}")))
        }
        Op::MakePath { path, .. } if failure.detail() == INSIDE_PROCFS => {
            let text = format!(
                "{:?} cannot be mounted because it is inside /proc",
                path.to_string_lossy()
            );
            Some(Error::new(ErrorKind::Init, replaced(context, &text)))
        }
        Op::MountAttributes { .. } if failure.errno() == libc::ENOSYS => Some(Error::with(
            ErrorKind::Init,
            format!("{context}, which needs mount_setattr (Linux 5.12)"),
            cause(),
        )),
        Op::MountAttributes { set, clear, .. } => {
            let text = refused_flags(*set, *clear, failure.present_flags()?)?;
            Some(Error::with(
                ErrorKind::Init,
                replaced(context, &text),
                cause(),
            ))
        }
        Op::Mask { .. } if failure.errno() == libc::EBADMSG => Some(Error::new(
            ErrorKind::Init,
            format!("{context}: the container's /dev/null is not the null device"),
        )),
        Op::Mask { .. } if failure.errno() == libc::EXDEV => {
            let path = placed_paths(&config.mask_paths)
                .into_iter()
                .nth(failure.item()?)?;
            Some(Error::new(
                ErrorKind::Init,
                format!(
                    "{context} ({path}): it leads to the root of the container, which cannot be hidden from it"
                ),
            ))
        }
        Op::Mask { .. } | Op::ReadonlyPaths(_) => {
            let list = if matches!(failure.op(), Op::Mask { .. }) {
                &config.mask_paths
            } else {
                &config.readonly_paths
            };
            let path = placed_paths(list).into_iter().nth(failure.item()?)?;
            Some(Error::with(
                ErrorKind::Init,
                format!("{context} ({path})"),
                cause(),
            ))
        }
        Op::ReopenNull if failure.errno() == libc::EBADMSG => Some(Error::new(
            ErrorKind::Init,
            "reopen /dev/null: the container's is not the null device",
        )),
        Op::Pty { .. } if failure.errno() == libc::EBADMSG => Some(Error::new(
            ErrorKind::Init,
            format!("{context}: the container's /dev/pts is no devpts of its own"),
        )),
        _ => None,
    }
}

/// The context of a step of a mount with another action than the one at its end.
fn replaced(context: &str, action: &str) -> String {
    match context.rsplit_once(": ") {
        Some((mount, _)) => format!("{mount}: {action}"),
        None => action.to_owned(),
    }
}

/// Which of the flags that a mount has are locked, as far as that follows from what was to be
/// changed.
fn refused_flags(set: u64, clear: u64, present: u64) -> Option<String> {
    let times = clear & MountAttr::ATIME != 0
        && set & MountAttr::ATIME != present & MountAttr::ATIME
        || clear & present & MountAttr::NODIRATIME != 0;
    if times {
        let present = match (present & ACCESS_TIMES, names(present & ACCESS_TIMES)) {
            (bits, names) if bits & MountAttr::ATIME != 0 => names,
            (0, _) => "MS_RELATIME".to_owned(),
            (_, names) => format!("{names}|MS_RELATIME"),
        };
        return Some(format!("cannot change locked atime flags {present}"));
    }
    let locked = clear & present & !ACCESS_TIMES;
    (locked != 0).then(|| format!("cannot clear locked flags {}", names(locked)))
}

fn names(attributes: u64) -> String {
    let named: Vec<&str> = NAMES
        .iter()
        .filter(|(bit, _)| attributes & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    named.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_flags_are_those_that_are_there_and_were_to_go() {
        let present = MountAttr::NOSUID | MountAttr::NODEV | MountAttr::NOATIME;
        let cleared = MountAttr::NODEV | MountAttr::NOEXEC;
        assert_eq!(
            refused_flags(0, cleared, present).unwrap(),
            "cannot clear locked flags MS_NODEV"
        );
        assert_eq!(
            refused_flags(0, MountAttr::NOSUID | MountAttr::NODEV, present).unwrap(),
            "cannot clear locked flags MS_NOSUID|MS_NODEV"
        );
        assert_eq!(refused_flags(0, MountAttr::NOEXEC, present), None);
    }

    #[test]
    fn access_times_are_one_value() {
        let strict = |present| refused_flags(MountAttr::STRICTATIME, MountAttr::ATIME, present);
        for (present, named) in [
            (MountAttr::NOATIME, "MS_NOATIME"),
            (0, "MS_RELATIME"),
            (MountAttr::NODIRATIME, "MS_NODIRATIME|MS_RELATIME"),
            (
                MountAttr::NOATIME | MountAttr::NODIRATIME,
                "MS_NOATIME|MS_NODIRATIME",
            ),
        ] {
            assert_eq!(
                strict(present).unwrap(),
                format!("cannot change locked atime flags {named}")
            );
        }
        // It has that attribute already.
        assert_eq!(strict(MountAttr::STRICTATIME), None);
    }

    #[test]
    fn the_action_is_the_last_part_of_a_context() {
        assert_eq!(
            replaced(
                "error mounting \"a: b\" to rootfs at \"/x\": set flags",
                "c"
            ),
            "error mounting \"a: b\" to rootfs at \"/x\": c"
        );
        assert_eq!(replaced("set flags", "c"), "c");
    }
}
