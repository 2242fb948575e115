//! What commands print on standard output.

use std::io;

use rustix::io::Errno;
use serde::Serialize;

use super::failure::Failure;

/// Writes a whole text at once. If its reader has gone, that is [`Failure::reader_is_gone`].
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    write_all(text).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::reader_is_gone(),
        _ => Failure::io("write to standard output", error),
    })
}

fn write_all(text: &str) -> io::Result<()> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// JSON with one key a line, indented by `indent` a level, without a newline at the end.
pub(crate) fn pretty(value: &impl Serialize, indent: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    value
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes, formatter,
        ))
        .map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| Failure::new(error.to_string()))
}

/// JSON on one line.
pub(crate) fn compact(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| failed(&error))
}

/// An array on one line; an empty one is written as `null`, which is what readers of `list` and
/// `ps` were made for.
pub(crate) fn array_or_null<T: Serialize>(values: &[T]) -> Result<String, Failure> {
    if values.is_empty() {
        Ok("null".to_owned())
    } else {
        compact(&values)
    }
}

fn failed(error: &serde_json::Error) -> Failure {
    Failure::new(format!("write JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_json() {
        #[derive(Serialize)]
        struct One {
            id: u8,
        }
        assert_eq!(pretty(&One { id: 1 }, "\t").unwrap(), "{\n\t\"id\": 1\n}");
        assert_eq!(array_or_null::<One>(&[]).unwrap(), "null");
        assert_eq!(
            array_or_null(&[One { id: 1 }, One { id: 2 }]).unwrap(),
            r#"[{"id":1},{"id":2}]"#
        );
    }
}
