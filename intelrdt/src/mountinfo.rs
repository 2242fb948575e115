use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The mount point of the first resctrl in the text of `/proc/PID/mountinfo`
/// (`proc_pid_mountinfo(5)`).
pub(crate) fn resctrl_mount(mountinfo: &[u8]) -> Option<PathBuf> {
    mountinfo.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let mount_point = fields.nth(4)?;
        // The optional fields end with a lone hyphen; the type follows it.
        fields.find(|field| *field == b"-")?;
        (fields.next()? == b"resctrl").then(|| unescape(mount_point))
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
    fn the_first_resctrl_is_found_by_type() {
        let text = b"\
22 28 0:21 / /sys rw,nosuid shared:7 - sysfs sysfs rw
41 22 0:19 / /resctrl rw - tmpfs resctrl rw
40 22 0:18 / /odd\\040place rw shared:1 - resctrl none rw
42 22 0:18 / /sys/fs/resctrl rw - resctrl resctrl rw
";
        assert_eq!(resctrl_mount(text), Some(PathBuf::from("/odd place")));
        assert_eq!(resctrl_mount(b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in any::<Vec<u8>>()) {
            resctrl_mount(&bytes);
            unescape(&bytes);
        }
    }
}
