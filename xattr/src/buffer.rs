use rustix::io::{Errno, Result, retry_on_intr};

/// Enough for nearly every label, capability set and list of names.
const SMALL: usize = 128;

/// The most that the kernel hands out at once, for a value (`XATTR_SIZE_MAX`) and for a list
/// (`XATTR_LIST_MAX`).
const LARGEST: usize = 65_536;

/// Calls `read` with a small buffer and, if that is too small, once more with the largest there can
/// be. Asking for the size in between would leave a window for the attribute to grow.
pub(crate) fn fill(read: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
    let attempt = |size: usize| {
        let mut buffer = vec![0; size];
        let length = retry_on_intr(|| read(&mut buffer))?;
        buffer.truncate(length);
        Ok(buffer)
    };
    match attempt(SMALL) {
        Err(Errno::RANGE) => attempt(LARGEST).map(|mut buffer| {
            buffer.shrink_to_fit();
            buffer
        }),
        done => done,
    }
}

/// Gives "absent" (`ENODATA`) as `None`.
pub(crate) fn present<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Errno::NODATA) => Ok(None),
        Err(errno) => Err(errno),
    }
}
