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

/// Undoes the octal escapes for blank, tab, line end and backslash.
fn unescape(text: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        let escaped = match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                tail @ ..,
            ] => Some(((a & 3) << 6 | (b & 7) << 3 | (c & 7), tail)),
            _ => None,
        };
        let (byte, tail) = escaped.unwrap_or((*byte, tail));
        path.push(byte);
        rest = tail;
    }
    PathBuf::from(OsString::from_vec(path))
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
