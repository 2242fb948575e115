//! A value that is encoded once for all records in which it is.

use std::io::{self, Write};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::ser::Formatter;

/// The JSON of a value, in which there may be values that are [`Encoded`]; about as many bytes as
/// there is `room` for.
pub(crate) fn to_json(value: &impl Serialize, room: usize) -> serde_json::Result<Vec<u8>> {
    let text = Text(Vec::with_capacity(room));
    let mut serializer = serde_json::Serializer::with_formatter(text, Inserting);
    value.serialize(&mut serializer)?;
    Ok(serializer.into_inner().0)
}

/// Inserts JSON that was encoded before. Nothing else in a record is bytes.
struct Inserting;

impl Formatter for Inserting {
    fn write_byte_array<W: ?Sized + Write>(&mut self, to: &mut W, json: &[u8]) -> io::Result<()> {
        to.write_all(json)
    }
}

/// Text in memory. Most of JSON is written byte by byte, which takes no call here.
struct Text(Vec<u8>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match bytes {
            [byte] => self.0.push(*byte),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Most configurations without a filter for system calls take less.
const ROOM: usize = 8 << 10;

/// A value and its JSON, for [`to_json`]. A creation writes its record up to four times, and the
/// configuration, most of it, does not change in between.
#[derive(Debug)]
pub(crate) struct Encoded<T> {
    value: Arc<T>,
    /// The JSON, from the first record on until the value is changed.
    text: OnceLock<Vec<u8>>,
}

impl<T> Encoded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Arc::new(value),
            text: OnceLock::new(),
        }
    }

    /// The value as it is now, for those who need it while the record changes.
    pub(crate) fn shared(&self) -> Arc<T> {
        Arc::clone(&self.value)
    }
}

impl<T: Clone> Encoded<T> {
    /// The value. It is copied only if it is shared.
    pub(crate) fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.value)
    }
}

impl<T> Deref for Encoded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Clone> DerefMut for Encoded<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.text = OnceLock::new();
        Arc::make_mut(&mut self.value)
    }
}

impl<T: Serialize> Serialize for Encoded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self.text.get() {
            Some(text) => text,
            None => {
                let text = to_json(&*self.value, ROOM).map_err(S::Error::custom)?;
                self.text.get_or_init(|| text)
            }
        };
        serializer.serialize_bytes(text)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Counts how often it is encoded.
    #[derive(Clone, Default)]
    struct Counted {
        number: u32,
        encoded: Cell<u32>,
    }

    impl Serialize for Counted {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.encoded.set(self.encoded.get() + 1);
            serializer.serialize_u32(self.number)
        }
    }

    #[test]
    fn a_value_is_encoded_again_only_after_a_change() {
        let mut value = Encoded::new(Counted::default());
        for _ in 0..2 {
            assert_eq!(to_json(&(&value, "a"), 0).unwrap(), b"[0,\"a\"]");
        }
        assert_eq!(value.encoded.get(), 1);
        value.number = 5;
        assert_eq!(to_json(&value, 0).unwrap(), b"5");
    }

    #[test]
    fn what_was_shared_does_not_change() {
        let mut value = Encoded::new(1);
        let before = value.shared();
        *value = 2;
        assert_eq!((*before, value.into_inner()), (1, 2));
    }
}
