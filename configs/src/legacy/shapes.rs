//! Values that have had more than one JSON form.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::same_but_for_case;
use crate::nullable::unique_map;

/// An object of any keys; one that is given twice is refused.
#[derive(Debug)]
pub(super) struct Names<V>(pub(super) BTreeMap<String, V>);

impl<V> Default for Names<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Names<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unique_map(deserializer).map(Self)
    }
}

impl<V> Names<V> {
    /// Takes the value of a key in any case.
    pub(super) fn take(&mut self, key: &str) -> Option<V> {
        let found = self.0.keys().find(|name| same_but_for_case(name, key))?;
        let found = found.clone();
        self.0.remove(&found)
    }
}

/// A list, or an object of names.
#[derive(Debug)]
pub(super) enum ListOrNames<T, V> {
    List(Vec<T>),
    Names(Names<V>),
}

impl<'de, T: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for ListOrNames<T, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T, V>(PhantomData<(T, V)>);

        impl<'de, T: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for Either<T, V> {
            type Value = ListOrNames<T, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or an object")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(ListOrNames::List)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut names = BTreeMap::new();
                while let Some(key) = object.next_key::<String>()? {
                    let again = A::Error::custom(format_args!("duplicate field `{key}`"));
                    if names.insert(key, object.next_value()?).is_some() {
                        return Err(again);
                    }
                }
                Ok(ListOrNames::Names(Names(names)))
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// A text, a number or a list.
#[derive(Debug)]
pub(super) enum TextOr<T> {
    Text(String),
    Number(u64),
    List(Vec<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Any<T> {
            type Value = TextOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number or a list")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
                Ok(TextOr::Number(number))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(TextOr::List)
            }
        }

        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// An element of a list of namespaces or capabilities.
#[derive(Debug)]
pub(super) enum Element {
    /// Its name alone.
    Name(String),
    /// An object about it.
    Entry(Entry),
}

/// An object about a namespace or a capability: `{key, enabled, value, file}` in 2014,
/// `{type, path}` since then. The number in `value` is not looked at: the key says the same.
#[derive(Debug, Default)]
pub(super) struct Entry {
    pub(super) key: Option<String>,
    pub(super) enabled: bool,
    pub(super) kind: Option<String>,
    pub(super) path: Option<String>,
    pub(super) unknown: Vec<String>,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Element;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or an object")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Element, E> {
                Ok(Element::Name(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Element, A::Error> {
                Entry::read(object).map(Element::Entry)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Entry {
    fn read<'de, A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        const KEYS: [&str; 6] = ["key", "enabled", "value", "file", "type", "path"];
        let mut entry = Self::default();
        let mut seen = BTreeSet::new();
        while let Some(name) = object.next_key::<String>()? {
            let known = KEYS.into_iter().find(|key| same_but_for_case(&name, key));
            if let Some(key) = known
                && !seen.insert(key)
            {
                return Err(A::Error::custom(format_args!("duplicate field `{key}`")));
            }
            match known {
                Some("key") => entry.key = object.next_value()?,
                Some("enabled") => {
                    entry.enabled = object.next_value::<Option<bool>>()?.unwrap_or_default();
                }
                Some("type") => entry.kind = object.next_value()?,
                Some("path") => entry.path = object.next_value()?,
                Some("value") => drop(object.next_value::<Option<i64>>()?),
                Some("file") => drop(object.next_value::<Option<String>>()?),
                _ => {
                    object.next_value::<IgnoredAny>()?;
                    entry.unknown.push(name);
                }
            }
        }
        Ok(entry)
    }
}
