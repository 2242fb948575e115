//! Reading and writing JSON by this crate's rules.
//!
//! Reading refuses what later code would have to worry about, and says where in the document it is:
//!
//! * text that is not UTF-8, or larger or nested deeper than a limit;
//! * a NUL in any string, also in parts that are not read: it would end the string early in every
//!   system call;
//! * a known key given twice, or any key of a map given twice: two readers could take different
//!   ones. (Go takes the last.)
//! * anything but white space after the document.
//!
//! [`from_slice`] takes keys as they are written and ignores unknown ones: it is for what this
//! project writes itself. The documents of others, [`Spec`](crate::oci::Spec),
//! [`Process`](crate::oci::Process) and [`Resources`](crate::oci::Resources), are read as Go reads
//! them: a key that differs from a known one only in case is that one (both in one object are a key
//! given twice). Keys that are not known are ignored, as the specification demands, but their
//! places are kept for a warning.

mod file;
mod keys;
mod locate;

pub(crate) use file::read_at;
pub use file::read_file;
#[cfg(feature = "legacy")]
pub(crate) use keys::same_but_for_case;

use serde::Serialize;
use serde::de::DeserializeOwned;
#[cfg(feature = "legacy")]
use serde::de::IgnoredAny;
use serde::ser::Error as _;

use crate::{Error, ErrorKind, Result};

/// Default limit for the size of a document in bytes: 16 MiB.
pub const MAX_SIZE: u64 = 16 << 20;

/// How deep arrays and objects may be nested, ignored parts included.
pub const MAX_DEPTH: usize = 128;

/// Reads one document.
///
/// The size is not limited here: the text is in memory already.
///
/// # Errors
/// See the [module documentation](self). [`Error::json_path`] names the place.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    let text = checked(text)?;
    serde_json::from_str(text).map_err(|error| syntax_or_data(text, &error))
}

/// Reads one document that others have written, with keys in any case. Returns the places of
/// unknown keys, too.
pub(crate) fn from_foreign<T: DeserializeOwned>(text: &[u8]) -> Result<(T, Vec<String>)> {
    let text = checked(text)?;
    let unknown = keys::Unknown::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    T::deserialize(keys::Keyed::document(&mut reader, &unknown))
        .and_then(|value| reader.end().map(|()| value))
        .map(|value| (value, unknown.into_places()))
        .map_err(|error| syntax_or_data(text, &error))
}

/// The text up to the end of its first value; all of it if that has none.
#[cfg(feature = "legacy")]
pub(crate) fn first_value(text: &[u8]) -> &[u8] {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => text.get(..values.byte_offset()).unwrap_or(text),
        Some(Err(_)) | None => text,
    }
}

/// The text, unless it breaks one of the rules that are not about its syntax.
fn checked(text: &[u8]) -> Result<&str> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => {
            return Err(Error::new(ErrorKind::Syntax, "text is not UTF-8")
                .at(locate::path_at(text, error.valid_up_to())));
        }
    };
    let bytes = text.as_bytes();
    // Both are a quick look at the raw text first; only a hit is examined properly.
    let nul = if text.contains("\\u0000") {
        locate::nul_escape(bytes)
    } else {
        None
    };
    if let Some(offset) = nul {
        return Err(nul_error(locate::path_at(bytes, offset)));
    }
    let openers = count_openers(bytes);
    let too_deep = if openers > MAX_DEPTH {
        locate::too_deep(bytes, MAX_DEPTH)
    } else {
        None
    };
    if let Some(offset) = too_deep {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        return Err(Error::new(ErrorKind::Syntax, message).at(locate::path_at(bytes, offset)));
    }
    Ok(text)
}

/// How many arrays and objects seem to begin: at least as many as are nested.
fn count_openers(text: &[u8]) -> usize {
    let in_chunk = |chunk: &[u8]| {
        chunk
            .iter()
            .map(|byte| u8::from(matches!(byte, b'{' | b'[')))
            .sum::<u8>()
    };
    // Sums of single bytes are what compilers turn into vector instructions; 255 of them cannot
    // overflow.
    text.chunks(255)
        .map(|chunk| usize::from(in_chunk(chunk)))
        .sum()
}

/// Writes a value without white space.
///
/// # Errors
/// The value's serde implementation fails; none of this crate does.
pub fn to_string<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| write_error(&error))
}

/// Writes a value with one key a line, indented by `indent` for each level, without a final
/// newline.
///
/// # Errors
/// As [`to_string`].
pub fn to_string_indented<T: Serialize>(value: &T, indent: &str) -> Result<String> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    value
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut text, formatter,
        ))
        .map_err(|error| write_error(&error))?;
    String::from_utf8(text).map_err(|error| write_error(&serde_json::Error::custom(error)))
}

fn write_error(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Data, "cannot be written as JSON").because(error)
}

fn nul_error(path: String) -> Error {
    // The text other runtimes give for mounts, which clients may know.
    let message = if path.starts_with("mounts[") {
        "mount field contains null byte"
    } else {
        "string contains a NUL byte"
    };
    Error::new(ErrorKind::Data, message).at(path)
}

fn syntax_or_data(text: &str, error: &serde_json::Error) -> Error {
    let kind = match error.classify() {
        serde_json::error::Category::Data => ErrorKind::Data,
        _ => ErrorKind::Syntax,
    };
    let mut offset = locate::offset_of(text, error.line(), error.column());
    // An array that is refused as such is refused when its bracket is read: the place is not yet
    // its first element.
    if let Some(bracket) = offset.checked_sub(1)
        && text.as_bytes().get(bracket) == Some(&b'[')
    {
        offset = bracket;
    }
    let path = locate::path_at(text.as_bytes(), offset);
    Error::new(kind, in_terms_of_json(&error.to_string())).at(path)
}

/// The message with the types of JSON in place of those of serde and Rust.
fn in_terms_of_json(message: &str) -> String {
    const FOUND: [(&str, &str); 3] = [
        ("invalid type: map,", "invalid type: object,"),
        ("invalid type: sequence,", "invalid type: array,"),
        ("invalid type: boolean ", "invalid type: "),
    ];
    const EXPECTED: [(&str, &str); 10] = [
        ("a map", "an object"),
        ("a sequence", "an array"),
        ("a boolean", "true or false"),
        ("i32", "an integer of 32 bits"),
        ("i64", "an integer of 64 bits"),
        ("u8", "an integer from 0 to 255"),
        ("u16", "an integer from 0 to 65535"),
        ("u32", "an integer from 0 to 4294967295"),
        ("u64", "an integer from 0 to 18446744073709551615"),
        ("unit", "null"),
    ];
    let mut message = message.to_owned();
    for (theirs, ours) in FOUND {
        if let Some(rest) = message.strip_prefix(theirs) {
            message = format!("{ours}{rest}");
        }
    }
    let Some((before, expected)) = message.rsplit_once(", expected ") else {
        return message;
    };
    let (expected, place) = match expected.rfind(" at line ") {
        Some(end) => expected.split_at(end),
        None => (expected, ""),
    };
    let ours = EXPECTED.iter().find(|(theirs, _)| *theirs == expected);
    let expected = ours.map_or(expected, |(_, ours)| ours);
    format!("{before}, expected {expected}{place}")
}

#[cfg(test)]
mod tests;
