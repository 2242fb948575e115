//! Security labels: files in the process' own directory of a verified procfs.

use nsenter::plan::{Op, Slot};

use super::params::ProcessParams;
use super::procfs::{ProcSelf, open_attribute};
use super::steps::{Steps, c_string};
use crate::{Error, ErrorKind, Result};

/// The file that takes the label of new keys, opened twice: the kernel takes one write an open
/// file.
#[derive(Debug)]
pub(super) struct KeyLabel {
    set: Slot,
    reset: Slot,
}

/// Opens what [`keyring`] writes, while the procfs is in sight.
pub(super) fn open_keycreate(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    proc: &ProcSelf,
) -> Result<Option<KeyLabel>> {
    if params.config.no_new_keyring || params.selinux_label().is_none() {
        return Ok(None);
    }
    let set = proc.attribute(steps, "keycreate")?;
    let reset = proc.attribute(steps, "keycreate")?;
    Ok(set.zip(reset).map(|(set, reset)| KeyLabel { set, reset }))
}

/// The session keyring, with the process' label on it.
pub(super) fn keyring(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    keycreate: Option<KeyLabel>,
) -> Result<()> {
    // The owner may search it: a process that is added later finds it by name, as the same user.
    // Another process that found it could join it and have all of its keys.
    const USER_SEARCH: u32 = 0x8_0000;
    if params.config.no_new_keyring {
        return Ok(());
    }
    if let (Some(files), Some(label)) = (&keycreate, params.selinux_label()) {
        let bytes = c_string("process.selinuxLabel", label)?.into_bytes();
        let fd = files.set;
        steps.push("set the label of new keys", Op::Write { fd, bytes });
        steps.close(fd);
    }
    let add_permissions = if params.exec { 0 } else { USER_SEARCH };
    let name = c_string("container id", keys::session_name(params.id))?;
    steps.push_tolerating(
        KEYRING_STEP,
        Op::Keyring {
            name,
            add_permissions,
        },
        &[libc::ENOSYS],
    );
    if let Some(files) = keycreate {
        let (fd, bytes) = (files.reset, b"\0".to_vec());
        steps.push("reset the label of new keys", Op::Write { fd, bytes });
        steps.close(fd);
    }
    Ok(())
}

/// How the name of every step that applies an AppArmor profile starts.
pub(crate) const APPARMOR_STEP: &str = "apply the AppArmor profile";
/// The description of the step that makes the session keyring.
pub(crate) const KEYRING_STEP: &str = "join the session keyring";

/// The open attribute that the AppArmor profile is written to.
pub(super) fn open_apparmor(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    proc: &ProcSelf,
) -> Result<Option<Slot>> {
    let (Some(_), Some(handle)) = (params.apparmor_profile(), proc.handle()) else {
        return Ok(None);
    };
    let into = steps.slot();
    let (old, opened) = (steps.label(), steps.label());
    // The own directory of AppArmor exists since Linux 5.8.
    steps.push_or(
        format!("{APPARMOR_STEP}: open /proc/self/attr/apparmor/exec"),
        open_attribute(handle, "apparmor/exec", into)?,
        &[libc::ENOENT],
        old,
    );
    steps.jump(opened);
    steps.bind(old);
    steps.push(
        format!("{APPARMOR_STEP}: open /proc/self/attr/exec"),
        open_attribute(handle, "exec", into)?,
    );
    steps.bind(opened);
    Ok(Some(into))
}

/// Makes the kernel change to the AppArmor profile at the next exec.
pub(super) fn write_apparmor(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    file: Option<Slot>,
) -> Result<()> {
    let (Some(profile), Some(file)) = (params.apparmor_profile(), file) else {
        return Ok(());
    };
    let attribute = apparmor::ExecAttribute::new(profile)
        .map_err(|error| Error::with(ErrorKind::InvalidConfig, "process.apparmorProfile", error))?;
    let Some(attribute) = attribute else {
        return Ok(());
    };
    let bytes = attribute.text().to_vec();
    steps.push(
        format!("{APPARMOR_STEP} {profile}"),
        Op::Write { fd: file, bytes },
    );
    steps.close(file);
    Ok(())
}

/// The open attribute that the SELinux label is written to.
pub(super) fn open_selinux(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    proc: &ProcSelf,
) -> Result<Option<Slot>> {
    if params.selinux_label().is_none() {
        return Ok(None);
    }
    proc.attribute(steps, "exec")
}

/// Makes the kernel change to the SELinux label at the next exec.
pub(super) fn write_selinux(
    steps: &mut Steps,
    params: &ProcessParams<'_>,
    file: Option<Slot>,
) -> Result<()> {
    let (Some(label), Some(file)) = (params.selinux_label(), file) else {
        return Ok(());
    };
    let bytes = c_string("process.selinuxLabel", label)?.into_bytes();
    steps.push(
        format!("set the process label {label}"),
        Op::Write { fd: file, bytes },
    );
    steps.close(file);
    Ok(())
}
