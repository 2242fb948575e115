//! Enumerations whose values have a name in the OCI specification.

/// Defines an enumeration with the specification's name of each value; with feature `serde` that
/// name is its JSON form.
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        pub enum $enum:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $name:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum $enum {
            $(
                $(#[$variant_meta])*
                #[cfg_attr(feature = "serde", serde(rename = $name))]
                $variant,
            )*
        }

        impl $enum {
            /// Every value, sorted by name.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in the OCI specification.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The value of a name in the OCI specification.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

pub(crate) use named_enum;

#[cfg(test)]
mod tests {
    use crate::{ActionName, Architecture, FilterFlag, Operator};

    #[test]
    fn every_name_is_found_and_they_are_sorted() {
        macro_rules! check {
            ($($enum:ident $count:literal),*) => {$(
                let names: Vec<_> = $enum::ALL.iter().map(|value| value.name()).collect();
                assert!(names.is_sorted(), "{names:?}");
                assert_eq!(names.len(), $count);
                for value in $enum::ALL {
                    assert_eq!($enum::from_name(value.name()), Some(*value));
                }
                assert_eq!($enum::from_name("SCMP_OTHER"), None);
            )*};
        }
        check!(ActionName 9, Architecture 18, FilterFlag 4, Operator 7);
    }
}
