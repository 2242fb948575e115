//! Keys as readers written in Go take them: in any case. And those that are not understood, by
//! their place.
//!
//! [`Keyed`] is a deserializer around another one. It learns the fields of every struct that is
//! read, replaces a key that differs from a field only in case by the name of that field, and notes
//! a key that is not a field at all. The usual spelling costs a comparison of each key with the
//! names of its struct, and no memory.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::locate::{Frame, render};

/// How many unknown keys are noted of one document.
const MOST: usize = 32;

/// The name of the struct of a whole `config.json`, and its sections for other platforms, which are
/// none of this crate's business.
const PLATFORMS: (&str, [&str; 5]) = ("Spec", ["solaris", "windows", "vm", "zos", "freebsd"]);

/// The places of unknown keys, in the order of the document.
#[derive(Debug, Default)]
pub(super) struct Unknown(RefCell<Vec<String>>);

impl Unknown {
    pub(super) fn into_places(self) -> Vec<String> {
        self.0.into_inner()
    }
}

/// Where in the document the reader is: one array or object after the other, from the innermost
/// one.
#[derive(Clone, Copy)]
struct Place<'a> {
    unknown: &'a Unknown,
    above: Option<&'a Step<'a>>,
}

struct Step<'a> {
    at: At<'a>,
    above: Option<&'a Self>,
}

#[derive(Clone, Copy)]
enum At<'a> {
    Key(&'a str),
    Index(usize),
}

impl Place<'_> {
    /// Notes a key of the object at this place.
    fn note(self, key: &str) {
        let mut places = self.unknown.0.borrow_mut();
        if places.len() >= MOST {
            return;
        }
        let mut frames = vec![Frame::Object {
            key: Some(key.to_owned()),
        }];
        let mut next = self.above;
        while let Some(step) = next {
            frames.push(match step.at {
                At::Key(key) => Frame::Object {
                    key: Some(key.to_owned()),
                },
                At::Index(index) => Frame::Array { index },
            });
            next = step.above;
        }
        frames.reverse();
        places.push(render(&frames));
    }
}

/// Whether Go takes these for the same key: equal but for case, where two letters beyond ASCII
/// count as the ones they look like (`unicode.SimpleFold`).
pub(crate) fn same_but_for_case(key: &str, field: &str) -> bool {
    let folded = |letter: char| match letter {
        'ſ' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(folded).eq(field.chars().map(folded))
}

/// A deserializer that understands keys in any case.
pub(super) struct Keyed<'a, D> {
    inner: D,
    place: Place<'a>,
}

impl<'a, D> Keyed<'a, D> {
    /// For a whole document.
    pub(super) fn document(inner: D, unknown: &'a Unknown) -> Self {
        let place = Place {
            unknown,
            above: None,
        };
        Self { inner, place }
    }
}

macro_rules! forward {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        })*
    };
}

macro_rules! wrap {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(Around { visitor, place: self.place, object: None })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Keyed<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    wrap! { deserialize_any deserialize_option deserialize_seq deserialize_map }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let around = Around {
            visitor,
            place: self.place,
            object: Some(Object { name, fields }),
        };
        self.inner.deserialize_struct(name, fields, around)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let around = Around {
            visitor,
            place: self.place,
            object: None,
        };
        self.inner.deserialize_newtype_struct(name, around)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let around = Around {
            visitor,
            place: self.place,
            object: None,
        };
        self.inner.deserialize_tuple(length, around)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let around = Around {
            visitor,
            place: self.place,
            object: None,
        };
        self.inner.deserialize_tuple_struct(name, length, around)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }
}

/// What is known of an object that becomes a struct.
#[derive(Clone, Copy)]
struct Object {
    name: &'static str,
    fields: &'static [&'static str],
}

/// A visitor that keeps what it is given inside of the wrapping.
struct Around<'a, V> {
    visitor: V,
    place: Place<'a>,
    object: Option<Object>,
}

macro_rules! visit {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.visitor.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Around<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.object.is_some() {
            // Not the name that it has in this crate.
            return f.write_str("an object");
        }
        self.visitor.expecting(f)
    }

    visit! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64,
        visit_str: &str, visit_borrowed_str: &'de str, visit_string: String,
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let place = self.place;
        self.visitor.visit_some(Keyed { inner, place })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let place = self.place;
        self.visitor.visit_newtype_struct(Keyed { inner, place })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        if self.object.is_some() {
            // Not the values of the object in order.
            return Err(Error::invalid_type(Unexpected::Seq, &self));
        }
        self.visitor.visit_seq(Elements {
            inner,
            place: self.place,
            index: 0,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Entries {
            inner,
            place: self.place,
            object: self.object,
            key: Cow::Borrowed(""),
        })
    }
}

struct Elements<'a, A> {
    inner: A,
    place: Place<'a>,
    index: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let step = Step {
            at: At::Index(self.index),
            above: self.place.above,
        };
        self.index += 1;
        let place = Place {
            above: Some(&step),
            ..self.place
        };
        self.inner.next_element_seed(Seed { seed, place })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

struct Entries<'a, 'de, A> {
    inner: A,
    place: Place<'a>,
    object: Option<Object>,
    /// The key of the value that comes next.
    key: Cow<'de, str>,
}

impl<'de, A: MapAccess<'de>> Entries<'_, 'de, A> {
    /// The key as the struct spells it, if it is one of its fields.
    fn canonical(&self, object: Object, key: Cow<'de, str>) -> Cow<'de, str> {
        if object.fields.iter().any(|field| *field == key) {
            return key;
        }
        let same = |field: &&&str| same_but_for_case(&key, field);
        if let Some(field) = object.fields.iter().find(same) {
            return Cow::Borrowed(field);
        }
        let (whole, platforms) = PLATFORMS;
        let elsewhere = |platform: &&str| same_but_for_case(&key, platform);
        if object.name != whole || !platforms.iter().any(elsewhere) {
            self.place.note(&key);
        }
        key
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(Key(key)) = self.inner.next_key::<Key<'de>>()? else {
            return Ok(None);
        };
        self.key = match self.object {
            Some(object) => self.canonical(object, key),
            None => key,
        };
        match &self.key {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            Cow::Owned(key) => seed.deserialize(StrDeserializer::new(key)),
        }
        .map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let step = Step {
            at: At::Key(&self.key),
            above: self.place.above,
        };
        let place = Place {
            above: Some(&step),
            ..self.place
        };
        self.inner.next_value_seed(Seed { seed, place })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// Hands the wrapping on to a value.
struct Seed<'a, S> {
    seed: S,
    place: Place<'a>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let place = self.place;
        self.seed.deserialize(Keyed { inner, place })
    }
}

/// A key, without a copy where the text has it unescaped.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }

            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_as_for_go() {
        for key in [
            "noNewPrivileges",
            "NoNewPrivileges",
            "NONEWPRIVILEGES",
            "nonewprivileges",
            "noNewPrivilegeſ",
        ] {
            assert!(same_but_for_case(key, "noNewPrivileges"), "{key}");
        }
        assert!(same_but_for_case("mas\u{212a}edPaths", "maskedPaths"));
        for key in [
            "",
            "noNewPrivilege",
            "no_new_privileges",
            "noNewPrivileges ",
        ] {
            assert!(!same_but_for_case(key, "noNewPrivileges"), "{key}");
        }
    }
}
