use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::error::{Error, Repr, Result};

/// An address and the length of its network's prefix: `192.0.2.7/24`, `2001:db8::7/64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// The address with this prefix length.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) if the length is above 32 for IPv4, above 128 for
    /// IPv6.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self> {
        if prefix > bits(address) {
            return Err(Repr::Cidr(format!("{address}/{prefix}")).into());
        }
        Ok(Self { address, prefix })
    }

    /// The single address as a network of its own.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            prefix: bits(address),
        }
    }

    /// The address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// The prefix length in bits.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// The network: the address with zeros behind the prefix.
    #[must_use]
    pub fn network(self) -> Self {
        let behind = u32::from(bits(self.address).saturating_sub(self.prefix));
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(behind).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(behind).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Self { address, ..self }
    }

    /// The address that reaches everybody in an IPv4 network with room for one; others have none.
    pub(crate) fn broadcast(self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(address) if self.prefix < 31 => {
                let behind = u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0);
                Some(Ipv4Addr::from_bits(address.to_bits() | behind))
            }
            _ => None,
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl FromStr for Cidr {
    type Err = Error;

    /// Reads `address/length`; the length must be there, in decimal digits alone.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::from(Repr::Cidr(text.to_owned()));
        let (address, prefix) = text.split_once('/').ok_or_else(bad)?;
        if !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let address = address.parse().map_err(|_| bad())?;
        let prefix = prefix.parse().map_err(|_| bad())?;
        Self::new(address, prefix).map_err(|_| bad())
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_and_broadcasts() {
        assert_eq!(cidr("192.0.2.77/24").network(), cidr("192.0.2.0/24"));
        assert_eq!(cidr("192.0.2.77/0").network(), cidr("0.0.0.0/0"));
        assert_eq!(cidr("2001:db8::77/64").network(), cidr("2001:db8::/64"));
        assert_eq!(cidr("::1/0").network(), cidr("::/0"));
        assert_eq!(
            cidr("192.0.2.77/24").broadcast(),
            Some(Ipv4Addr::new(192, 0, 2, 255))
        );
        assert_eq!(cidr("192.0.2.77/0").broadcast(), Some(Ipv4Addr::BROADCAST));
        assert_eq!(cidr("192.0.2.77/31").broadcast(), None);
        assert_eq!(cidr("2001:db8::77/64").broadcast(), None);
        assert_eq!(Cidr::host("::1".parse().unwrap()), cidr("::1/128"));
    }

    #[test]
    fn what_is_no_cidr_address() {
        for bad in [
            "",
            "192.0.2.1",
            "192.0.2.1/",
            "192.0.2.1/33",
            "::1/129",
            "192.0.2.1/+8",
            "x/8",
            "192.0.2.1/256",
            "192.0.2/24",
        ] {
            let error = bad.parse::<Cidr>().unwrap_err();
            assert_eq!(error.to_string(), format!("bad CIDR address {bad:?}"));
        }
    }

    proptest! {
        #[test]
        fn printed_addresses_read_back(address: IpAddr, prefix in 0u8..=128) {
            match Cidr::new(address, prefix) {
                Ok(cidr) => prop_assert_eq!(cidr.to_string().parse::<Cidr>().unwrap(), cidr),
                Err(_) => prop_assert!(address.is_ipv4() && prefix > 32),
            }
        }

        #[test]
        fn a_network_is_its_own_network(address: IpAddr, prefix in 0u8..=32) {
            let network = Cidr::new(address, prefix).unwrap().network();
            prop_assert_eq!(network.network(), network);
        }
    }
}
