//! The form that state.json has for value types of other crates.
//!
//! Such a type has the JSON of the OCI document as its own. libcontainer stores some of them in
//! another one: a number for a name, or keys in another spelling.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A type with a form of its own in state.json.
pub(crate) trait Stored: Sized {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// One value, for `#[serde(with)]`.
pub(crate) mod one {
    use super::{Deserializer, Serializer, Stored};

    pub(crate) fn serialize<T: Stored, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.write(serializer)
    }

    pub(crate) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

/// A list of values, for `#[serde(with)]`; `null` is the empty one.
pub(crate) mod list {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Stored};

    struct Written<'a, T>(&'a T);

    impl<T: Stored> Serialize for Written<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.0.write(serializer)
        }
    }

    struct Read<T>(T);

    impl<'de, T: Stored> Deserialize<'de> for Read<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            T::read(deserializer).map(Self)
        }
    }

    pub(crate) fn serialize<T: Stored, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Written))
    }

    pub(crate) fn deserialize<'de, T: Stored, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let values = Option::<Vec<Read<T>>>::deserialize(deserializer)?.unwrap_or_default();
        Ok(values.into_iter().map(|Read(value)| value).collect())
    }
}
