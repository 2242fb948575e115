use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The mount points of selinuxfs in the text of `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`).
pub(crate) fn selinuxfs_mounts(mountinfo: &[u8]) -> impl Iterator<Item = PathBuf> + '_ {
    mountinfo.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let mount_point = fields.nth(4)?;
        // The optional fields end with a lone hyphen; the type follows it.
        fields.find(|field| *field == b"-")?;
        (fields.next()? == b"selinuxfs").then(|| unescape(mount_point))
    })
}

/// Undoes the octal escapes of mountinfo: the kernel writes blank, tab, newline and backslash as a
/// backslash and three octal digits (`proc_pid_mountinfo(5)`).
fn unescape(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [byte, after @ ..] = rest {
        if *byte == b'\\'
            && let [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..] = after
        {
            plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = tail;
        } else {
            plain.push(*byte);
            rest = after;
        }
    }
    PathBuf::from(OsString::from_vec(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mounts_are_found_by_type() {
        let text = b"\
22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
39 22 0:18 / /sys/fs/selinux rw,nosuid shared:8 master:1 - selinuxfs selinuxfs rw
40 22 0:18 / /odd\\040place rw - selinuxfs none rw
41 22 0:19 / /selinuxfs rw - tmpfs selinuxfs rw
broken - selinuxfs
";
        let mounts: Vec<_> = selinuxfs_mounts(text).collect();
        assert_eq!(
            mounts,
            [
                PathBuf::from("/sys/fs/selinux"),
                PathBuf::from("/odd place")
            ]
        );
    }

    #[test]
    fn only_octal_escapes_are_undone() {
        assert_eq!(unescape(b"a\\134b\\9\\1"), PathBuf::from("a\\b\\9\\1"));
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in any::<Vec<u8>>()) {
            selinuxfs_mounts(&bytes).count();
            unescape(&bytes);
        }
    }
}
