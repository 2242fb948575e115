//! Objects of which each revision knows other keys, and places in a file.

use std::fmt;

use super::{Options, Revision, Warning};
use crate::{Error, Result};

/// What reading needs to have at hand, and what it finds.
pub(super) struct Reading<'a> {
    pub(super) revision: Revision,
    /// The file is of [`Revision::F`] and from before June 2016.
    pub(super) is_of_2015: bool,
    pub(super) options: &'a Options,
    pub(super) warnings: Vec<Warning>,
}

/// Defines the raw form of an object: each key with its type and the revisions that know it, as
/// letters of [`Revision::letter`]. Every field is an `Option`: `null` is an absent key.
///
/// `only_known` drops the keys that the revision of the file does not know, each with a warning:
/// the loaders of that time ignored them. An object that has not changed has no letters. A field
/// is called as its key, or is followed by that.
macro_rules! keys {
    (
        $(#[$meta:meta])*
        struct $name:ident {
            $($field:ident $(as $key:literal)?: $type:ty;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Default, serde::Deserialize)]
        pub(super) struct $name {
            $($(#[serde(rename = $key)])? pub(super) $field: Option<$type>,)*
        }
    };
    (
        $(#[$meta:meta])*
        struct $name:ident {
            $($field:ident $(as $key:literal)?: $type:ty, $revisions:literal;)*
        }
    ) => {
        $crate::legacy::reading::keys! {
            $(#[$meta])*
            struct $name {
                $($field $(as $key)?: $type;)*
            }
        }

        impl $name {
            pub(super) fn only_known(
                &mut self,
                place: &str,
                reading: &mut $crate::legacy::reading::Reading<'_>,
            ) {
                $(
                    if self.$field.is_some() && !$revisions.contains(reading.revision.letter()) {
                        self.$field = None;
                        let key = [$($key,)? stringify!($field)][0];
                        reading.unknown_key(place, key);
                    }
                )*
            }
        }
    };
}

pub(super) use keys;

impl Reading<'_> {
    /// Notes a key that the revision does not know.
    pub(super) fn unknown_key(&mut self, place: &str, key: &str) {
        let place = below(place, key);
        self.warnings.push(Warning::UnknownKey { place });
    }

    /// Notes a name that is left out.
    pub(super) fn unknown_name(&mut self, place: &str, name: &str) {
        self.warnings.push(Warning::UnknownName {
            place: place.to_owned(),
            name: name.to_owned(),
        });
    }

    /// Notes a key that is read and has no effect.
    pub(super) fn no_effect(&mut self, place: &str) {
        let place = place.to_owned();
        self.warnings.push(Warning::NoEffect { place });
    }
}

/// The place of a key of the object at `place`.
pub(super) fn below(place: &str, key: &str) -> String {
    if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    }
}

/// The error of what the file has at a place.
pub(super) fn refused(place: impl Into<String>, message: impl fmt::Display) -> Error {
    Error::conversion(message.to_string()).at(place)
}

/// A number of another type, unless it is out of range.
pub(super) fn number<T: TryFrom<i64>>(value: i64, place: &str) -> Result<T> {
    T::try_from(value).map_err(|_| refused(place, format_args!("{value} is out of range")))
}
