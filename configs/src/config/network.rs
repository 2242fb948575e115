//! Network interfaces and routes set up by the runtime itself.

use serde::{Deserialize, Serialize};

use crate::nullable::{is_default, or_default};

/// An interface in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Network {
    /// `loopback` or `veth`.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub kind: String,
    /// Name inside the container.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub name: String,
    /// Bridge the host side is attached to.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub bridge: String,
    /// Hardware address inside.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub mac_address: String,
    /// IPv4 address and prefix length.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub address: String,
    /// IPv4 gateway.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub gateway: String,
    /// IPv6 address and prefix length.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub ipv6_address: String,
    /// IPv6 gateway.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub ipv6_gateway: String,
    /// Maximum transmission unit in bytes; 0 leaves it alone.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub mtu: u32,
    /// Transmit queue length; 0 leaves it alone.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub txqueuelen: u32,
    /// Name of the host side.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub host_interface_name: String,
    /// Let the bridge port send back where a frame came from.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub hairpin_mode: bool,
}

impl Network {
    /// The loopback interface, which every private network namespace gets.
    #[must_use]
    pub fn loopback() -> Self {
        Self {
            kind: "loopback".to_owned(),
            ..Self::default()
        }
    }
}

/// A route in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Route {
    /// Destination network.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub destination: String,
    /// Preferred source address.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub source: String,
    /// Gateway.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub gateway: String,
    /// Interface.
    #[serde(
        deserialize_with = "or_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub interface_name: String,
}
