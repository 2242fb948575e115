use crate::label::Label;

/// How the files of a new mount get their label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MountLabelling {
    /// By the mount option `context`.
    Option,
    /// By the extended attribute `security.selinux` of the mount's root, once it is mounted; see
    /// [`set_file`](crate::set_file).
    Attribute,
    /// Not at all: the policy labels such files itself, and the kernel refuses the option.
    Policy,
}

impl MountLabelling {
    /// What holds for a new mount of this file system type. Bind mounts keep the labels of their
    /// source.
    #[must_use]
    pub fn of(file_system: &str) -> Self {
        match file_system {
            "proc" | "sysfs" | "cgroup2" => Self::Policy,
            "mqueue" => Self::Attribute,
            _ => Self::Option,
        }
    }
}

/// Appends the option `context="label"` to the data of `mount(2)`. Without label the data stay as
/// they are.
///
/// The quotation marks keep commas between categories from being read as the end of the option.
/// They are part of that call's syntax only: with `fsconfig(2)`, key `context` and the bare label
/// are given apart.
///
/// ```
/// use cofferdam_selinux::append_mount_option;
///
/// let label = "u:object_r:t:s0:c1,c2".parse()?;
/// assert_eq!(
///     append_mount_option("mode=755", Some(&label)),
///     r#"mode=755,context="u:object_r:t:s0:c1,c2""#
/// );
/// assert_eq!(append_mount_option("mode=755", None), "mode=755");
/// # Ok::<(), cofferdam_selinux::Error>(())
/// ```
#[must_use]
pub fn append_mount_option(data: &str, label: Option<&Label>) -> String {
    match label {
        None => data.to_owned(),
        Some(label) if data.is_empty() => format!("context=\"{label}\""),
        Some(label) => format!("{data},context=\"{label}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_stands_alone_or_behind_others() {
        let label: Label = "u:r:t:s0".parse().unwrap();
        assert_eq!(
            append_mount_option("", Some(&label)),
            "context=\"u:r:t:s0\""
        );
        assert_eq!(
            append_mount_option("a,b", Some(&label)),
            "a,b,context=\"u:r:t:s0\""
        );
        assert_eq!(append_mount_option("", None), "");
    }

    #[test]
    fn file_systems() {
        assert_eq!(MountLabelling::of("tmpfs"), MountLabelling::Option);
        assert_eq!(MountLabelling::of("devpts"), MountLabelling::Option);
        assert_eq!(MountLabelling::of("mqueue"), MountLabelling::Attribute);
        for kind in ["proc", "sysfs", "cgroup2"] {
            assert_eq!(MountLabelling::of(kind), MountLabelling::Policy);
        }
    }
}
