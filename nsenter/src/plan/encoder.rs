//! The buffer that a plan is encoded into: one pass, one allocation.

/// Bytes that are written one after the other. The buffer has more room than a plan takes as a
/// rule, so that a number is stored without a call.
#[derive(Debug)]
pub(super) struct Encoder {
    bytes: Vec<u8>,
    end: usize,
}

impl Encoder {
    /// An empty buffer for about this many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self {
            bytes: vec![0; bytes],
            end: 0,
        }
    }

    /// How many bytes are written.
    pub(super) fn len(&self) -> usize {
        self.end
    }

    /// What is written.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end);
        self.bytes
    }

    /// The next bytes, which are zero.
    #[inline(always)]
    fn next(&mut self, count: usize) -> &mut [u8] {
        let start = self.end;
        self.end += count;
        if self.end > self.bytes.len() {
            self.grow();
        }
        self.bytes.get_mut(start..self.end).unwrap_or_default()
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.bytes.resize(2 * self.end, 0);
    }

    /// Appends bytes whose number is known, such as those of a number.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(to) = self.next(N).first_chunk_mut() {
            *to = bytes;
        }
    }

    /// Appends bytes.
    pub(super) fn slice(&mut self, bytes: &[u8]) {
        self.next(bytes.len()).copy_from_slice(bytes);
    }

    /// Appends zeros up to this length.
    pub(super) fn zeros_until(&mut self, length: usize) {
        self.next(length.saturating_sub(self.end));
    }

    /// Writes over bytes that were written before.
    pub(super) fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let written = self.bytes.get_mut(at..self.end).unwrap_or_default();
        if let Some(to) = written.first_chunk_mut() {
            *to = bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_comes_out_whether_there_was_room_or_not() {
        for room in [0, 3, 64] {
            let mut to = Encoder::with_room(room);
            to.array([1, 2]);
            to.slice(b"abc");
            to.zeros_until(8);
            to.put(1, [9]);
            assert_eq!(to.len(), 8);
            assert_eq!(to.finish(), [1, 9, b'a', b'b', b'c', 0, 0, 0], "{room}");
        }
    }
}
