//! D-Bus messages: header and body (D-Bus specification, "Message Protocol"). The encoding of
//! values is zbus's.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::wire::serialized::{Context, Data};
use zbus::wire::{BE, LE, to_bytes};
use zbus::{DynamicType, Type, Variant};

use super::{Error, ErrorKind, Result};

/// Types of messages.
pub(super) const METHOD_CALL: u8 = 1;
pub(super) const METHOD_RETURN: u8 = 2;
pub(super) const ERROR: u8 = 3;
pub(super) const SIGNAL: u8 = 4;

/// Fields of the header.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// The part of the header that every message has: up to the length of the fields.
pub(super) const FIXED: usize = 16;

/// The largest message that is accepted; the specification allows 128 MiB.
const MAX_MESSAGE: usize = 16 << 20;

/// A message, as far as it matters here.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) serial: u32,
    pub(super) reply_serial: u32,
    pub(super) path: String,
    pub(super) interface: String,
    pub(super) member: String,
    pub(super) error_name: String,
    pub(super) destination: String,
    pub(super) signature: String,
    little_endian: bool,
    body: Vec<u8>,
}

fn invalid(why: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Systemd,
        format_args!("invalid D-Bus message: {why}"),
    )
}

/// Begins a field of the header: its number and the type of its value, a single letter whose
/// alignment is at most four.
fn start_field(bytes: &mut Vec<u8>, field: u8, kind: u8) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend([field, 1, kind, 0]);
}

impl Message {
    /// A message with this body, still without header fields.
    pub(super) fn new<B>(kind: u8, serial: u32, body: &B) -> Result<Self>
    where
        B: Serialize + DynamicType,
    {
        let bytes = to_bytes(Context::new(LE, 0), body).map_err(invalid)?;
        Ok(Self {
            kind,
            serial,
            signature: body.signature().to_string_no_parens(),
            little_endian: true,
            body: bytes.bytes().to_vec(),
            ..Self::default()
        })
    }

    /// The bytes to send.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let length = |bytes: usize| u32::try_from(bytes).map_err(invalid).map(u32::to_le_bytes);
        let mut bytes = vec![b'l', self.kind, 0, 1];
        bytes.extend(length(self.body.len())?);
        bytes.extend(self.serial.to_le_bytes());
        // The length of the fields, filled in below.
        bytes.extend([0; 4]);
        for (field, kind, text) in [
            (PATH, b'o', &self.path),
            (INTERFACE, b's', &self.interface),
            (MEMBER, b's', &self.member),
            (ERROR_NAME, b's', &self.error_name),
            (DESTINATION, b's', &self.destination),
        ] {
            if !text.is_empty() {
                start_field(&mut bytes, field, kind);
                bytes.extend(length(text.len())?);
                bytes.extend(text.as_bytes());
                bytes.push(0);
            }
        }
        if self.reply_serial != 0 {
            start_field(&mut bytes, REPLY_SERIAL, b'u');
            bytes.extend(self.reply_serial.to_le_bytes());
        }
        if !self.signature.is_empty() {
            // zbus's type would put the signature of several arguments in parentheses.
            start_field(&mut bytes, SIGNATURE, b'g');
            bytes.push(u8::try_from(self.signature.len()).map_err(invalid)?);
            bytes.extend(self.signature.as_bytes());
            bytes.push(0);
        }
        let fields = length(bytes.len() - FIXED)?;
        if let Some(place) = bytes.get_mut(FIXED - 4..FIXED) {
            place.copy_from_slice(&fields);
        }
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    /// How many bytes follow the fixed part of the header.
    pub(super) fn rest_of(fixed: &[u8; FIXED]) -> Result<usize> {
        let [order, _, _, _, b0, b1, b2, b3, _, _, _, _, f0, f1, f2, f3] = *fixed;
        let number = |bytes| match order {
            b'l' => Ok(u32::from_le_bytes(bytes)),
            b'B' => Ok(u32::from_be_bytes(bytes)),
            _ => Err(invalid("unknown byte order")),
        };
        let body = usize::try_from(number([b0, b1, b2, b3])?).map_err(invalid)?;
        let fields = usize::try_from(number([f0, f1, f2, f3])?).map_err(invalid)?;
        if body > MAX_MESSAGE || fields > MAX_MESSAGE {
            return Err(invalid("too long"));
        }
        Ok(fields.next_multiple_of(8) + body)
    }

    /// Reads a whole message.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        type Header = (u8, u8, u8, u8, u32, u32, Vec<(u8, zbus::OwnedVariant)>);
        let little_endian = bytes.first() == Some(&b'l');
        let order = if little_endian { LE } else { BE };
        let data = Data::new(bytes, Context::new(order, 0));
        let (header, length): (Header, usize) = data.deserialize().map_err(invalid)?;
        let (_, kind, _, _, _, serial, fields) = header;
        let mut message = Self {
            kind,
            serial,
            little_endian,
            body: bytes
                .get(length.next_multiple_of(8)..)
                .unwrap_or_default()
                .to_vec(),
            ..Self::default()
        };
        for (field, value) in fields {
            let text = || match &*value {
                Variant::Str(text) => text.to_string(),
                Variant::ObjectPath(path) => path.to_string(),
                Variant::Signature(signature) => signature.to_string_no_parens(),
                _ => String::new(),
            };
            match field {
                PATH => message.path = text(),
                INTERFACE => message.interface = text(),
                MEMBER => message.member = text(),
                ERROR_NAME => message.error_name = text(),
                DESTINATION => message.destination = text(),
                SIGNATURE => message.signature = text(),
                REPLY_SERIAL => {
                    if let Variant::U32(serial) = &*value {
                        message.reply_serial = *serial;
                    }
                }
                _ => {}
            }
        }
        Ok(message)
    }

    /// The body, which must have the signature of `T`; a tuple means several arguments.
    pub(super) fn body<T: DeserializeOwned + Type>(&self) -> Result<T> {
        let expected = T::SIGNATURE.to_string_no_parens();
        if self.signature != expected {
            return Err(invalid(format_args!(
                "a body of type {:?} instead of {expected:?}",
                self.signature
            )));
        }
        let order = if self.little_endian { LE } else { BE };
        let data = Data::new(self.body.as_slice(), Context::new(order, 0));
        let (value, _) = data.deserialize().map_err(invalid)?;
        Ok(value)
    }

    /// The text of an error reply.
    pub(super) fn error_text(&self) -> String {
        let body = self.body::<(String,)>();
        body.map(|(text,)| text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn round_trip() {
        let body = ("unit", vec![("PIDs", Variant::from(vec![7_u32]))]);
        let mut message = Message::new(METHOD_CALL, 5, &body).unwrap();
        message.path = "/org/freedesktop/systemd1".into();
        message.member = "StartTransientUnit".into();
        message.reply_serial = 3;
        let bytes = message.encode().unwrap();
        // Several arguments, not one structure.
        let signature = b"\x08\x01g\x00\x06sa(sv)\x00";
        assert!(bytes.windows(signature.len()).any(|part| part == signature));
        let fixed: [u8; FIXED] = bytes[..FIXED].try_into().unwrap();
        assert_eq!(Message::rest_of(&fixed).unwrap(), bytes.len() - FIXED);
        let read = Message::decode(&bytes).unwrap();
        assert_eq!(read.signature, "sa(sv)");
        assert_eq!((read.serial, read.reply_serial), (5, 3));
        assert_eq!(read.path, "/org/freedesktop/systemd1");
        let (unit, properties): (String, Vec<(String, zbus::OwnedVariant)>) = read.body().unwrap();
        assert_eq!(unit, "unit");
        assert_eq!(*properties[0].1, Variant::from(vec![7_u32]));
    }

    #[test]
    fn wrong_bodies_and_lengths() {
        let message = Message::new(METHOD_RETURN, 1, &("text",)).unwrap();
        assert!(message.body::<(u32, u32)>().is_err());
        let mut fixed = [0; FIXED];
        fixed[0] = b'x';
        assert!(Message::rest_of(&fixed).is_err());
        fixed[0] = b'l';
        fixed[7] = 0x7f;
        assert!(Message::rest_of(&fixed).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::decode(&bytes);
        }

        #[test]
        fn damaged_messages_are_read_or_refused(at in 0_usize..100, value: u8) {
            let mut message = Message::new(METHOD_CALL, 5, &("unit", 7_u32)).unwrap();
            message.path = "/a".into();
            message.member = "B".into();
            let mut bytes = message.encode().unwrap();
            let at = at % bytes.len();
            bytes[at] = value;
            let _ = Message::decode(&bytes);
        }
    }
}
