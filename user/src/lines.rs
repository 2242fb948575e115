use std::io::BufRead;

use crate::error::{Error, Repr};

/// The most bytes one line may have. A group of some twenty thousand members fits.
pub const MAX_LINE_BYTES: usize = 256 * 1024;

/// The most non-blank lines one file may have.
pub const MAX_ENTRIES: usize = 65_536;

/// The non-blank lines of a file, trimmed of ASCII white space (so CRLF files work), within the
/// limits.
///
/// After an error the iterator is at its end: the rest of a file that breaks a limit is not looked
/// at.
#[derive(Clone, Debug)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
    entries: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            number: 0,
            entries: 0,
        }
    }

    fn fail(&mut self, repr: Repr) -> Option<Result<&'a [u8], Error>> {
        self.rest = &[];
        Some(Err(repr.into()))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            self.number = self.number.saturating_add(1);
            let whole = self.rest;
            // The standard library looks for the line end many bytes at a time here; a slice cannot
            // fail.
            let length = self.rest.skip_until(b'\n').unwrap_or(whole.len());
            let line = whole.get(..length).unwrap_or_default();
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if line.len() > MAX_LINE_BYTES {
                let line = self.number;
                return self.fail(Repr::LineTooLong {
                    line,
                    limit: MAX_LINE_BYTES,
                });
            }
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            self.entries = self.entries.saturating_add(1);
            if self.entries > MAX_ENTRIES {
                return self.fail(Repr::TooManyEntries { limit: MAX_ENTRIES });
            }
            return Some(Ok(line));
        }
        None
    }
}

/// The first line whose field with this index matches; an error in front of it is the answer
/// instead.
pub(crate) fn first_with_field(
    bytes: &[u8],
    index: usize,
    matches: impl Fn(&[u8]) -> bool,
) -> Result<Option<&[u8]>, Error> {
    let field = |line: &[u8]| {
        matches(
            line.split(|byte| *byte == b':')
                .nth(index)
                .unwrap_or_default(),
        )
    };
    Lines::new(bytes)
        .find(|line| line.as_ref().map_or(true, |line| field(line)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn lines(bytes: &[u8]) -> Vec<Result<Vec<u8>, ErrorKind>> {
        Lines::new(bytes)
            .map(|line| line.map(<[u8]>::to_vec).map_err(|error| error.kind()))
            .collect()
    }

    #[test]
    fn blanks_are_skipped_and_line_ends_trimmed() {
        assert_eq!(
            lines(b"\n  a \r\n\t\nb"),
            [Ok(b"a".to_vec()), Ok(b"b".to_vec())]
        );
    }

    #[test]
    fn the_longest_line_passes_and_one_byte_more_ends_the_file() {
        let longest = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(lines(&longest), [Ok(longest.clone())]);
        let mut longer = vec![b'x'; MAX_LINE_BYTES + 1];
        longer.extend_from_slice(b"\nroot\n");
        assert_eq!(lines(&longer), [Err(ErrorKind::TooLarge)]);
    }

    #[test]
    fn entries_are_counted_without_blanks() {
        let full = b"a\n\n".repeat(MAX_ENTRIES);
        assert_eq!(lines(&full).len(), MAX_ENTRIES);
        let mut over = full;
        over.extend_from_slice(b"a\nb\n");
        let read = lines(&over);
        assert_eq!(read.len(), MAX_ENTRIES + 1);
        assert_eq!(read.last(), Some(&Err(ErrorKind::TooLarge)));
    }
}
