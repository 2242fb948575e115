//! What is in a directory.

use core::ffi::CStr;

use super::sys::{self, Errno, Result};
use super::wire::u16_at;

/// Calls `each` with every name in an open directory but `.` and `..`.
pub(super) fn names(directory: i32, mut each: impl FnMut(&CStr) -> Result<()>) -> Result<()> {
    let mut buffer = [0; 2048];
    loop {
        let count = sys::getdents(directory, &mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut rest = buffer.get(..count).unwrap_or(&[]);
        while !rest.is_empty() {
            // struct linux_dirent64: u64 inode, i64 offset, u16 length, u8 type, the name.
            let length = usize::from(u16_at(rest, 16).ok_or(Errno::EIO)?);
            let name = rest.get(19..length).ok_or(Errno::EIO)?;
            let name = CStr::from_bytes_until_nul(name).map_err(|_| Errno::EIO)?;
            if !matches!(name.to_bytes(), b"." | b"..") {
                each(name)?;
            }
            rest = rest.get(length..).ok_or(Errno::EIO)?;
        }
    }
}
