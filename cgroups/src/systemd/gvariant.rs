//! Values in GVariant's text format, as annotations and systemd-run carry them: `uint64 5`,
//! `'text'`, `true`, `['a', 'b']`, `[byte 0x1f]`, `('a', 1)`, `@as []`.
//!
//! Of the format (GLib, "GVariant Text Format") dictionaries, variants and maybe types are left
//! out: no property of a unit that can be set needs them.

use zbus::wire::StructureBuilder;
use zbus::{Array, ObjectPath, Signature, Variant};

use super::{Error, ErrorKind, Result};

/// How deep arrays and tuples may nest.
const MAX_DEPTH: usize = 16;

/// Reads a value; nothing may follow it.
pub(super) fn parse(text: &str) -> Result<Variant<'static>> {
    let mut parser = Parser { rest: text };
    parser
        .value(None, 0)
        .filter(|_| parser.rest.trim().is_empty())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidConfig,
                format_args!("{text:?} is not a value in GVariant text format"),
            )
        })
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.peek().filter(|found| *found == wanted)?;
        self.rest = self.rest.get(wanted.len_utf8()..)?;
        Some(())
    }

    /// A word of letters, digits and what else numbers and types are made of.
    fn word(&mut self) -> &str {
        self.peek();
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// A value, of the given type if it is known from what is around it.
    fn value(&mut self, expected: Option<&Signature>, depth: usize) -> Option<Variant<'static>> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            '@' => {
                self.take('@')?;
                let end = self.rest.find(char::is_whitespace)?;
                let (signature, rest) = self.rest.split_at(end);
                let signature = Signature::try_from(signature).ok()?;
                self.rest = rest;
                self.value(Some(&signature), depth + 1)
            }
            '\'' | '"' => {
                let text = self.string()?;
                match expected {
                    Some(Signature::ObjectPath) => Some(ObjectPath::try_from(text).ok()?.into()),
                    Some(Signature::Signature) => {
                        Some(Signature::try_from(text.as_str()).ok()?.into())
                    }
                    None | Some(Signature::Str) => Some(text.into()),
                    Some(_) => None,
                }
            }
            '[' => self.array(expected, depth),
            '(' => self.tuple(expected, depth),
            _ => self.number(expected, depth),
        }
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.peek()?;
        self.take(quote)?;
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        while let Some((place, c)) = chars.next() {
            if c == quote {
                self.rest = self.rest.get(place + 1..)?;
                // D-Bus has no strings with a NUL: a bus ends the connection over one.
                return Some(text).filter(|text| !text.contains('\0'));
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let (_, c) = chars.next()?;
            text.push(match c {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'v' => '\x0b',
                'u' | 'U' => {
                    let digits = if c == 'u' { 4 } else { 8 };
                    let code: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
                }
                other => other,
            });
        }
        None
    }

    fn array(&mut self, expected: Option<&Signature>, depth: usize) -> Option<Variant<'static>> {
        self.take('[')?;
        let mut element = match expected {
            Some(Signature::Array(child)) => Some(child.signature().clone()),
            Some(_) => return None,
            None => None,
        };
        let mut values = Vec::new();
        while self.peek()? != ']' {
            let value = self.value(element.as_ref(), depth + 1)?;
            // All elements have the type of the first.
            element.get_or_insert_with(|| value.value_signature().clone());
            values.push(value);
            if self.peek()? != ']' {
                self.take(',')?;
            }
        }
        self.take(']')?;
        let mut array = Array::new(&element?);
        for value in values {
            array.append(value).ok()?;
        }
        Some(array.into())
    }

    fn tuple(&mut self, expected: Option<&Signature>, depth: usize) -> Option<Variant<'static>> {
        self.take('(')?;
        let fields = match expected {
            Some(Signature::Structure(fields)) => Some(fields.clone()),
            Some(_) => return None,
            None => None,
        };
        let mut structure = StructureBuilder::new();
        let mut index = 0;
        while self.peek()? != ')' {
            let field = match &fields {
                Some(fields) => Some(fields.get(index)?),
                None => None,
            };
            structure = structure.append_field(self.value(field, depth + 1)?);
            index += 1;
            if self.peek()? != ')' {
                self.take(',')?;
            }
        }
        self.take(')')?;
        if fields.is_some_and(|fields| fields.len() != index) {
            return None;
        }
        Some(structure.build().ok()?.into())
    }

    /// A number or a truth value, with or without the name of its type before it.
    fn number(&mut self, expected: Option<&Signature>, depth: usize) -> Option<Variant<'static>> {
        let word = self.word().to_owned();
        let named = match word.as_str() {
            "true" | "false" => {
                let right = matches!(expected, None | Some(Signature::Bool));
                return right.then_some(Variant::Bool(word == "true"));
            }
            "boolean" => Signature::Bool,
            "byte" => Signature::U8,
            "int16" => Signature::I16,
            "uint16" => Signature::U16,
            "int32" => Signature::I32,
            "uint32" => Signature::U32,
            "int64" => Signature::I64,
            "uint64" => Signature::U64,
            "double" => Signature::F64,
            "string" => Signature::Str,
            "objectpath" => Signature::ObjectPath,
            "signature" => Signature::Signature,
            _ => return typed_number(&word, expected),
        };
        if expected.is_some_and(|expected| *expected != named) {
            return None;
        }
        self.value(Some(&named), depth + 1)
    }
}

fn typed_number(word: &str, expected: Option<&Signature>) -> Option<Variant<'static>> {
    let is_float = !word.contains(['x', 'X']) && word.contains(['.', 'e', 'E']);
    match expected {
        None if is_float => return Some(Variant::F64(word.parse().ok()?)),
        Some(Signature::F64) => return Some(Variant::F64(word.parse().ok()?)),
        _ => {}
    }
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)?),
        _ if digits.len() > 1 && digits.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let number = if negative { -magnitude } else { magnitude };
    Some(match expected {
        None | Some(Signature::I32) => Variant::I32(number.try_into().ok()?),
        Some(Signature::U8) => Variant::U8(number.try_into().ok()?),
        Some(Signature::I16) => Variant::I16(number.try_into().ok()?),
        Some(Signature::U16) => Variant::U16(number.try_into().ok()?),
        Some(Signature::U32) => Variant::U32(number.try_into().ok()?),
        Some(Signature::I64) => Variant::I64(number.try_into().ok()?),
        Some(Signature::U64) => Variant::U64(number.try_into().ok()?),
        Some(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values() {
        for (text, value) in [
            ("true", Variant::from(true)),
            ("boolean false", Variant::from(false)),
            ("5", Variant::from(5_i32)),
            ("-0x10", Variant::from(-16_i32)),
            ("010", Variant::from(8_i32)),
            ("uint64 18446744073709551615", Variant::from(u64::MAX)),
            ("int64 -5", Variant::from(-5_i64)),
            ("byte 0xff", Variant::from(255_u8)),
            ("1.5", Variant::from(1.5)),
            ("double 2", Variant::from(2.0)),
            ("'it\\'s'", Variant::from("it's")),
            ("\"a\\n\\u0041\"", Variant::from("a\nA")),
            ("['a', 'b']", Variant::from(vec!["a", "b"])),
            ("[uint32 1, 2]", Variant::from(vec![1_u32, 2])),
            ("@as []", Variant::from(Vec::<&str>::new())),
            ("@at [5]", Variant::from(vec![5_u64])),
            ("('a', uint16 7)", Variant::from(("a", 7_u16))),
            ("[('a', 1)]", Variant::from(vec![("a", 1_i32)])),
            (
                " objectpath '/a' ",
                Variant::from(ObjectPath::try_from("/a").unwrap()),
            ),
        ] {
            assert_eq!(parse(text).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn not_values() {
        for text in [
            "",
            "x",
            "5 6",
            "'a",
            "[1, 'a']",
            "[]",
            "[1",
            "(1",
            "byte 256",
            "uint32 -1",
            "uint64 'a'",
            "@as [1]",
            "@(si) ('a')",
            "2147483648",
            "--5",
            "0x-5",
            "string 5",
            "'a\\u0000b'",
            "'a\0b'",
            "@",
            "()",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{text}");
        }
        assert!(parse(&"[".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]()@a-z0-9' ,.x\\\\-]{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn strings_round_trip(text in "[ -~]{0,20}") {
            let quoted = format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
            prop_assert_eq!(parse(&quoted).unwrap(), Variant::from(text));
        }
    }
}
