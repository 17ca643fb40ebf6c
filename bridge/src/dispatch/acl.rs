//! Access lists: addresses and networks, compared with where a packet came from and with nothing that a caller writes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address or a network in CIDR notation. Bits behind the prefix are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address lies within. An IPv4 address inside IPv6 counts as the IPv4 address that it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        mask(address.to_canonical(), self.prefix) == Some(self.address)
    }

    /// The length of the prefix: the longer, the more specific.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

/// Why an entry is refused.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NetworkError {
    /// The part before the slash.
    #[error("{0:?} is no IP address (names are not looked up, and a caller could write any)")]
    Address(String),
    /// The part behind the slash.
    #[error("prefix {prefix:?} is not in 0..={max}")]
    Prefix {
        /// As written.
        prefix: String,
        /// The largest for this kind of address.
        max: u8,
    },
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let bare = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
        let address: IpAddr = bare.parse().map_err(|_| NetworkError::Address(address.to_owned()))?;
        let max = bits(address);
        let prefix = match prefix {
            None => max,
            Some(text) => text
                .parse()
                .ok()
                .filter(|prefix| *prefix <= max && text.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| NetworkError::Prefix { prefix: text.to_owned(), max })?,
        };
        // `::ffff:192.0.2.0/120` is 192.0.2.0/24.
        let (address, prefix) = match (address.to_canonical(), prefix) {
            (short @ IpAddr::V4(_), 96..) if address.is_ipv6() => (short, prefix - 96),
            _ => (address, prefix),
        };
        let address = mask(address, prefix).expect("the prefix was just held against the length of the address");
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == bits(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with the bits behind the prefix cleared; `None` if the address is shorter than the prefix.
fn mask(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let behind = u32::from(bits(address).checked_sub(prefix)?);
    Some(match address {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & u32::MAX.checked_shl(behind).unwrap_or(0)).into()),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & u128::MAX.checked_shl(behind).unwrap_or(0)).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_they_should() {
        let cases: &[(&str, &str, bool)] = &[
            ("54.172.60.0/30", "54.172.60.3", true),
            ("54.172.60.0/30", "54.172.60.4", false),
            ("54.172.60.1/30", "54.172.60.2", true),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.3.9", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.9", false),
            ("[2001:db8::]/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, address, inside) in cases {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), *inside, "{network} {address}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "example.com",
            "192.0.2",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "::/129",
            "1.2.3.4/a",
            "1.2.3.4/8/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text:?}");
        }
    }
}
