//! `CPU` beside `cpu`: readers written in Go take keys in any case, and set one value from both.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cpu, Resources};

/// The keys of the object, by which others that differ only in case are known. The capital one is
/// kept apart from the usual one.
const FIELDS: &[&str] = &[
    "devices",
    "memory",
    "cpu",
    "CPU",
    "pids",
    "blockIO",
    "hugepageLimits",
    "network",
    "rdma",
    "unified",
];

impl<'de> Deserialize<'de> for Resources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySpelling;

        impl<'de> Visitor<'de> for AnySpelling {
            type Value = Resources;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of limits")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Resources, A::Error> {
                let mut capital = None;
                let keys = Keys {
                    map,
                    capital: &mut capital,
                };
                let mut resources = Resources::deserialize(MapAccessDeserializer::new(keys))?;
                if let Some(capital) = capital {
                    capital.set_in(resources.cpu.get_or_insert_default());
                }
                Ok(resources)
            }
        }

        deserializer.deserialize_struct("Resources", FIELDS, AnySpelling)
    }
}

impl Serialize for Resources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// The keys but `CPU`, whose value is kept.
struct Keys<'a, A> {
    map: A,
    capital: &'a mut Option<Cpu>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Keys<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            if key == "CPU" {
                *self.capital = self.map.next_value()?;
                continue;
            }
            let key: StringDeserializer<A::Error> = key.into_deserializer();
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl Cpu {
    /// Sets in `other` what is set here.
    fn set_in(self, other: &mut Self) {
        fn set<T>(value: Option<T>, other: &mut Option<T>) {
            if value.is_some() {
                *other = value;
            }
        }
        set(self.shares, &mut other.shares);
        set(self.quota, &mut other.quota);
        set(self.burst, &mut other.burst);
        set(self.period, &mut other.period);
        set(self.realtime_runtime, &mut other.realtime_runtime);
        set(self.realtime_period, &mut other.realtime_period);
        set(self.idle, &mut other.idle);
        for (list, other) in [(self.cpus, &mut other.cpus), (self.mems, &mut other.mems)] {
            if !list.is_empty() {
                *other = list;
            }
        }
    }
}
