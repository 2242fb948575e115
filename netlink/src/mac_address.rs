use std::fmt;
use std::str::FromStr;

use super::error::{Error, Repr, Result};

/// The address of an Ethernet device, six bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// The address of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// A random unicast address of those that everybody may use at home (locally administered).
    ///
    /// # Errors
    /// [`Io`](crate::ErrorKind::Io) if the kernel gives no random number.
    pub fn random_local() -> Result<Self> {
        let number = super::sys::random().map_err(|source| Error::io("getrandom", source))?;
        let [_, _, first, rest @ ..] = number.to_be_bytes();
        let [a, b, c, d, e] = rest;
        Ok(Self([first & 0xfc | 0x02, a, b, c, d, e]))
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }

    /// Whether it is that of a group; a device cannot have such an address.
    #[must_use]
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Whether no manufacturer gave it out.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 == 2
    }
}

impl From<[u8; 6]> for MacAddress {
    fn from(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

impl From<MacAddress> for [u8; 6] {
    fn from(address: MacAddress) -> Self {
        address.0
    }
}

impl FromStr for MacAddress {
    type Err = Error;

    /// Reads six pairs of hexadecimal digits with colons in between.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::from(Repr::Mac(text.to_owned()));
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().ok_or_else(bad)?;
            if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(bad());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        match pairs.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(bad()),
        }
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_address() {
        for bad in [
            "",
            "1:2:3:4:5:6",
            "00:11:22:33:44",
            "00:11:22:33:44:55:66",
            "00:11:22:33:44:5g",
            "+0:11:22:33:44:55",
        ] {
            assert!(bad.parse::<MacAddress>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn groups_and_local_addresses() {
        let address = |text: &str| text.parse::<MacAddress>().unwrap();
        assert!(address("01:00:5e:00:00:01").is_multicast());
        assert!(!address("00:16:3E:00:00:01").is_multicast());
        assert!(address("02:00:00:00:00:01").is_local());
        let random = MacAddress::random_local().unwrap();
        assert!(random.is_local() && !random.is_multicast());
    }

    proptest! {
        #[test]
        fn printed_addresses_read_back(bytes: [u8; 6]) {
            let address = MacAddress::new(bytes);
            prop_assert_eq!(address.to_string().parse::<MacAddress>().unwrap(), address);
            prop_assert_eq!(<[u8; 6]>::from(MacAddress::from(bytes)), bytes);
        }
    }
}
