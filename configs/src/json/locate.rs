//! Finding a place in a JSON text: only used once something is wrong, or might be.

use std::fmt::Write as _;

/// One open array or object on the way to the place.
pub(super) enum Frame {
    Array { index: usize },
    Object { key: Option<String> },
}

/// The path of the value at a byte offset, such as `linux.devices[2].major`; empty for the document
/// itself.
///
/// Never fails: of a text that is not JSON, the path reaches as far as the text makes sense.
pub(super) fn path_at(text: &[u8], offset: usize) -> String {
    let mut stack: Vec<Frame> = Vec::new();
    let mut expect_key = false;
    let mut at = 0;
    while at < offset.min(text.len()) {
        match text.get(at) {
            Some(b'"') => {
                let end = string_end(text, at);
                if end > offset {
                    break;
                }
                if expect_key {
                    if let Some(Frame::Object { key }) = stack.last_mut() {
                        *key = text.get(at..end).map(key_text);
                    }
                    expect_key = false;
                }
                at = end;
                continue;
            }
            Some(b'{') => {
                stack.push(Frame::Object { key: None });
                expect_key = true;
            }
            Some(b'[') => {
                stack.push(Frame::Array { index: 0 });
                expect_key = false;
            }
            Some(b'}' | b']') => {
                stack.pop();
                expect_key = false;
            }
            Some(b',') => match stack.last_mut() {
                Some(Frame::Array { index }) => *index += 1,
                Some(Frame::Object { .. }) => expect_key = true,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    render(&stack)
}

/// The byte offset of a line and column as serde_json counts them (from 1, columns in bytes).
pub(super) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    line_start.saturating_add(column).min(text.len())
}

/// The offset of the first escape `\u0000` in a string.
pub(super) fn nul_escape(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        if text.get(at) != Some(&b'"') {
            at += 1;
            continue;
        }
        let end = string_end(text, at);
        let mut inside = at + 1;
        while inside < end {
            if text.get(inside) != Some(&b'\\') {
                inside += 1;
            } else if text.get(inside..inside + 6) == Some(b"\\u0000") {
                return Some(inside);
            } else {
                inside += 2;
            }
        }
        at = end;
    }
    None
}

/// The offset at which arrays and objects are nested deeper than `limit`.
pub(super) fn too_deep(text: &[u8], limit: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at);
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The offset behind the string that begins at `start`, or the end of the text.
fn string_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn key_text(literal: &[u8]) -> String {
    serde_json::from_slice(literal)
        .unwrap_or_else(|_| String::from_utf8_lossy(literal).into_owned())
}

pub(super) fn render(stack: &[Frame]) -> String {
    let mut path = String::new();
    for frame in stack {
        // Writing to a String cannot fail.
        let _ = match frame {
            Frame::Array { index } => write!(path, "[{index}]"),
            Frame::Object { key: None } => Ok(()),
            Frame::Object { key: Some(key) } if is_plain(key) => {
                let dot = if path.is_empty() { "" } else { "." };
                write!(path, "{dot}{key}")
            }
            Frame::Object { key: Some(key) } => write!(path, "[{key:?}]"),
        };
    }
    path
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
