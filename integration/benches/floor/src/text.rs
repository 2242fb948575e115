//! Paths and other short texts, without an allocator.

use core::ffi::CStr;
use core::fmt;

/// What fits.
const ROOM: usize = 512;

/// A text that ends with a NUL. What is too long for it is cut, and then names nothing that exists.
pub(crate) struct Text {
    bytes: [u8; ROOM],
    length: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; ROOM],
            length: 0,
        }
    }

    /// The parts, one after the other.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut text = Self::new();
        for part in parts {
            text.push(part);
        }
        text
    }

    pub(crate) fn push(&mut self, part: &[u8]) {
        let room = self
            .bytes
            .get_mut(self.length..ROOM - 1)
            .unwrap_or_default();
        let fits = part.len().min(room.len());
        for (to, from) in room.iter_mut().zip(part) {
            *to = *from;
        }
        self.length += fits;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn as_c(&self) -> &CStr {
        // The last byte is always NUL.
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push(part.as_bytes());
        Ok(())
    }
}

/// The number that a text begins with.
pub(crate) fn number(text: &[u8]) -> u64 {
    text.iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
