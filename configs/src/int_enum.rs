//! Enumerations that libcontainer's JSON stores as integers.

/// Defines an enumeration with fixed integer values, its conversions and its serde form (the
/// integer).
macro_rules! int_enum {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident : $int:ty {
            $($(#[$vmeta:meta])* $variant:ident = $value:literal => $text:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name {
            $($(#[$vmeta])* $variant,)*
        }

        impl $name {
            /// Every variant, in order of the integers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The integer in stored JSON.
            #[must_use]
            pub const fn to_int(self) -> $int {
                match self { $(Self::$variant => $value,)* }
            }

            /// The variant of an integer in stored JSON.
            #[must_use]
            pub const fn from_int(value: $int) -> Option<Self> {
                match value { $($value => Some(Self::$variant),)* _ => None }
            }

            /// The name in the OCI specification.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The variant of a name in the OCI specification.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&self.to_int(), serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = <$int as serde::Deserialize>::deserialize(deserializer)?;
                Self::from_int(value).ok_or_else(|| {
                    <D::Error as serde::de::Error>::custom(format_args!(
                        concat!("{} is no value of ", stringify!($name)), value
                    ))
                })
            }
        }
    };
}

pub(crate) use int_enum;
