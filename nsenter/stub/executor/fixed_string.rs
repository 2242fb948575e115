//! Texts of bounded length, without a heap.

use core::ffi::CStr;

use super::sys::{Errno, Result};

/// A number as its low and high half.
pub(super) fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

/// Up to `N - 1` bytes, always followed by a NUL.
pub(super) struct FixedString<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> FixedString<N> {
    /// An empty text.
    pub(super) fn new() -> Self {
        Self {
            bytes: [0; N],
            length: 0,
        }
    }

    /// The bytes.
    pub(super) fn get(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    /// Removes everything after that many bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        if let Some(end) = self.bytes.get_mut(self.length) {
            *end = 0;
        }
    }

    /// Appends; what does not fit is `ENAMETOOLONG`, and nothing is appended then.
    pub(super) fn push(&mut self, more: &[u8]) -> Result<()> {
        let end = self
            .length
            .checked_add(more.len())
            .ok_or(Errno::ENAMETOOLONG)?;
        if end >= N {
            return Err(Errno::ENAMETOOLONG);
        }
        self.bytes
            .get_mut(self.length..end)
            .ok_or(Errno::ENAMETOOLONG)?
            .copy_from_slice(more);
        self.length = end;
        if let Some(end) = self.bytes.get_mut(end) {
            *end = 0;
        }
        Ok(())
    }

    /// Appends as much as fits.
    pub(super) fn push_some(&mut self, more: &[u8]) {
        let room = (N - 1).saturating_sub(self.length);
        let _ = self.push(more.get(..more.len().min(room)).unwrap_or(&[]));
    }

    /// Appends a number.
    pub(super) fn push_number(&mut self, mut number: u64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        loop {
            at -= 1;
            if let (Some(digit), Ok(value)) = (digits.get_mut(at), u8::try_from(number % 10)) {
                *digit = b'0' + value;
            }
            number /= 10;
            if number == 0 || at == 0 {
                break;
            }
        }
        self.push_some(digits.get(at..).unwrap_or(&[]));
    }

    /// As a string; empty if it has a NUL inside.
    pub(super) fn as_cstr(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or(c"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_bounded_and_ended() {
        let mut text = FixedString::<8>::new();
        assert_eq!(text.push(b"abc"), Ok(()));
        assert_eq!(text.push(b"defgh"), Err(Errno::ENAMETOOLONG));
        assert_eq!(text.as_cstr(), c"abc");
        text.push_some(b"defgh");
        assert_eq!(text.as_cstr(), c"abcdefg");
        text.truncate(2);
        assert_eq!((text.as_cstr(), text.get()), (c"ab", b"ab".as_slice()));
        text.truncate(5);
        assert_eq!(text.get(), b"ab");
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 7, 10, 4_294_967_295, u64::MAX] {
            let mut text = FixedString::<32>::new();
            text.push_number(number);
            assert_eq!(text.get(), number.to_string().as_bytes());
        }
    }

    #[test]
    fn halves_are_low_and_high() {
        assert_eq!(halves(0x0123_4567_89ab_cdef), [0x89ab_cdef, 0x0123_4567]);
    }
}
