//! How libcontainer's JSON says "not set": zero, an empty text, a negative number, or `null`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::FreezerState;

/// Go writes `null` for an empty list or map.
pub(super) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

pub(super) mod zero_is_none {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<S, T>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        T: Serialize + Copy + Default,
    {
        value.unwrap_or_default().serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de> + Default + PartialEq,
    {
        let value = Option::<T>::deserialize(deserializer)?;
        Ok(value.filter(|value| *value != T::default()))
    }
}

pub(super) mod negative_is_none {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<u64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    /// libcontainer keeps -1 in an unsigned field, where it reads 2⁶⁴-1.
    pub(in super::super) fn deserialize<'de, D>(deserializer: D) -> Result<Option<u64>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let value = Option::<i128>::deserialize(deserializer)?;
        Ok(value
            .and_then(|value| u64::try_from(value).ok())
            .filter(|value| *value != u64::MAX))
    }
}

pub(super) mod empty_is_none {
    use super::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.as_deref().unwrap_or_default())
    }

    pub(in super::super) fn deserialize<'de, D>(deserializer: D) -> Result<Option<String>, D::Error>
    where
        D: Deserializer<'de>,
    {
        let value = Option::<String>::deserialize(deserializer)?;
        Ok(value.filter(|value| !value.is_empty()))
    }
}

pub(super) mod freezer {
    use super::{Deserialize, Deserializer, FreezerState, Serialize, Serializer};
    use serde::de::Error as _;

    pub(in super::super) fn serialize<S: Serializer>(
        value: &Option<FreezerState>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(state) => state.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }

    pub(in super::super) fn deserialize<'de, D>(
        deserializer: D,
    ) -> Result<Option<FreezerState>, D::Error>
    where
        D: Deserializer<'de>,
    {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None | Some("") => Ok(None),
            Some("FROZEN") => Ok(Some(FreezerState::Frozen)),
            Some("THAWED") => Ok(Some(FreezerState::Thawed)),
            Some(other) => Err(D::Error::custom(format_args!(
                "invalid freezer state {other:?}"
            ))),
        }
    }
}
