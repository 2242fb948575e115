use crate::error::{Repr, Result};

/// The rules between the head and the end of the profile. `deny` wins over what the first lines
/// allow.
///
/// A pattern like `[^dhms]{,**}` is "everything that starts with another letter"; together the
/// lines of a group leave out what belongs to the container's own namespaces.
const RULES: &str = "\
  network,
  capability,
  file,
  umount,
  deny mount,

  # The process that manages the container may signal it, and its processes one another.
  signal (receive) peer=unconfined,
  signal (send, receive) peer=@{profile_name},
  ptrace (trace, read, tracedby, readby) peer=@{profile_name},

  # Kernel memory, and files directly in /proc such as sysrq-trigger.
  deny /proc/{kcore,kmem,mem} rwklx,
  deny /proc/* w,
  deny /proc/{acpi,asound,bus,driver,fs,irq,scsi,tty}/** w,

  # Kernel settings, but for those of the ipc, net and uts namespaces.
  deny /proc/sys/[^fkn]{,**} w,
  deny /proc/sys/fs/[^m]{,**} w,
  deny /proc/sys/kernel/[^dhms]{,**} w,
  deny /proc/sys/kernel/d[^o]{,**} w,
  deny /proc/sys/kernel/h[^o]{,**} w,
  deny /proc/sys/kernel/hotplug w,
  deny /proc/sys/kernel/m[^s]{,**} w,
  deny /proc/sys/kernel/s[^eh]{,**} w,
  deny /proc/sys/kernel/se[^m]{,**} w,

  # sysfs, but for control groups.
  deny /sys/[^f]{,**} wklx,
  deny /sys/f[^s]{,**} wklx,
  deny /sys/fs/[^c]{,**} wklx,
  deny /sys/fs/c[^g]{,**} wklx,
  deny /sys/{firmware,kernel/security}/** rwklx,
";

/// The text of a profile for ordinary containers, to be given to
/// [`Parser::load`](crate::Parser::load).
///
/// It allows files, capabilities and network as far as everything else does, and denies: mounting;
/// signals and tracing across the profile, but for signals from outside; writing to kernel settings
/// in `/proc` and `/sys` that are not the container's own; reading firmware tables, kernel memory
/// and policy. It includes no other file, so it does not depend on what the host has in
/// `/etc/apparmor.d`.
///
/// # Errors
/// [`InvalidProfile`](crate::ErrorKind::InvalidProfile) unless the name is 1 to 100 letters,
/// digits, `.`, `_` and `-`: others have a meaning in policy.
pub fn container_profile(name: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(plain) {
        return Err(Repr::Name {
            name: name.to_owned(),
            problem: "is not 1 to 100 letters, digits, '.', '_' and '-'",
        }
        .into());
    }
    let rules = RULES.replace("@{profile_name}", &format!("\"{name}\""));
    Ok(format!(
        "profile \"{name}\" flags=(attach_disconnected, mediate_deleted) {{\n{rules}}}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_head_and_in_the_peers() {
        let text = container_profile("web-1").unwrap();
        assert!(text.starts_with("profile \"web-1\" flags="));
        assert_eq!(text.matches("peer=\"web-1\"").count(), 2);
        assert!(text.contains("deny mount,"));
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn names_cannot_bring_rules() {
        for bad in [
            "",
            "a b",
            "a\" {",
            "a\n",
            "@{x}",
            "/bin/*",
            &"x".repeat(101),
        ] {
            assert!(container_profile(bad).is_err(), "{bad:?}");
        }
    }
}
