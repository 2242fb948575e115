//! What the systemd driver reads: messages of the bus, values of properties in GVariant's text
//! format, names of slices.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the readers are compiled here without the driver that uses them"
)]

#[path = "../../cgroups/src/error.rs"]
mod error;
#[path = "../../cgroups/src/systemd/gvariant.rs"]
mod gvariant;
#[path = "../../cgroups/src/systemd/message.rs"]
mod message;
#[path = "../../cgroups/src/systemd/name.rs"]
mod name;

use std::path::Component;

use error::{Error, ErrorKind, Result};
use message::{FIXED, METHOD_CALL, Message};
use zbus::{OwnedObjectPath, OwnedVariant, Variant};

pub(crate) fn run(bytes: &[u8]) {
    received(bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        property(text);
        slice(text);
    }
}

/// A message of the bus, as its length is read before the rest.
fn received(bytes: &[u8]) {
    let Some(fixed) = bytes.first_chunk::<FIXED>() else {
        return;
    };
    let Ok(rest) = Message::rest_of(fixed) else {
        return;
    };
    let Some(whole) = bytes.get(..FIXED + rest) else {
        return;
    };
    let Ok(message) = Message::decode(whole) else {
        return;
    };
    // All that the driver expects of a body.
    if let Ok((job,)) = message.body::<(OwnedObjectPath,)>() {
        assert!(job.as_str().starts_with('/') && job.as_str().len() <= rest);
    }
    if let Ok((_, job, unit, result)) =
        message.body::<(u32, OwnedObjectPath, String, String)>()
    {
        assert!(job.as_str().len() + unit.len() + result.len() <= rest);
    }
    if let Ok((value,)) = message.body::<(OwnedVariant,)>() {
        let _shown = format!("{value:?}");
    }
    assert!(message.error_text().len() <= rest);
    let texts = [
        &message.path,
        &message.interface,
        &message.member,
        &message.error_name,
        &message.destination,
        &message.signature,
    ];
    assert!(texts.iter().all(|text| text.len() <= rest));
    // With other fields than the specification has it cannot be written.
    let Ok(written) = message.encode() else {
        return;
    };
    if let Ok(again) = Message::decode(&written) {
        let head = |message: &Message| {
            (
                (message.kind, message.serial, message.reply_serial),
                [message.path.clone(), message.interface.clone()],
                [message.member.clone(), message.error_name.clone()],
                [message.destination.clone(), message.signature.clone()],
            )
        };
        assert_eq!(head(&message), head(&again));
    }
}

/// A value is what is written for it, in the format and on the bus.
fn property(text: &str) {
    let value = match gvariant::parse(text) {
        Ok(value) => value,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            assert!(!error.to_string().contains('\n'));
            return;
        }
    };
    let typed = |value: &Variant<'_>| format!("@{} {}", value.value_signature(), text_of(value));
    let written = typed(&value);
    let again = gvariant::parse(&written).expect("what was written is read");
    assert_eq!(written, typed(&again));

    let arguments = ("x.scope", true, vec![("Property", again)]);
    let message = Message::new(METHOD_CALL, 7, &arguments).expect("it fits into a message");
    let bytes = message.encode().expect("a message");
    let fixed = bytes.first_chunk::<FIXED>().expect("a header");
    assert_eq!(Message::rest_of(fixed).ok(), Some(bytes.len() - FIXED));
    let received = Message::decode(&bytes).expect("what was sent is received");
    let (_, _, properties) = received
        .body::<(String, bool, Vec<(String, OwnedVariant)>)>()
        .expect("it is of the same type");
    assert_eq!(written, typed(&properties[0].1));
}

/// A value in text, whose type is written elsewhere.
fn text_of(value: &Variant<'_>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let listed = |values: Vec<String>| values.join(", ");
    match value {
        Variant::Bool(value) => value.to_string(),
        Variant::U8(value) => value.to_string(),
        Variant::I16(value) => value.to_string(),
        Variant::U16(value) => value.to_string(),
        Variant::I32(value) => value.to_string(),
        Variant::U32(value) => value.to_string(),
        Variant::I64(value) => value.to_string(),
        Variant::U64(value) => value.to_string(),
        Variant::F64(value) => format!("{value:?}"),
        Variant::Str(value) => quoted(value.as_str()),
        Variant::ObjectPath(value) => quoted(value.as_str()),
        Variant::Signature(value) => quoted(&value.to_string()),
        Variant::Array(values) => format!("[{}]", listed(values.iter().map(text_of).collect())),
        Variant::Structure(fields) => {
            format!("({})", listed(fields.fields().iter().map(text_of).collect()))
        }
        other => panic!("a value of a type that the format leaves out: {other:?}"),
    }
}

/// The directory of a slice stays below the one of the manager.
fn slice(text: &str) {
    if let Ok(path) = name::slice_path(text) {
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
        assert!(path.as_os_str().is_empty() || path.ends_with(text));
    }
    assert_eq!(name::is_slice(&name::unit(text, "x")), name::is_slice(text));
}
