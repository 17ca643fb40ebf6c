//! Hosts: names, IPv4 addresses, IPv6 references ([RFC 3261 §25.1]).
//!
//! [RFC 3261 §25.1]: https://www.rfc-editor.org/rfc/rfc3261#section-25.1

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::scan::Scanner;
use crate::error::Error;

/// Where a URI or a Via points. Names are compared without case.
#[derive(Clone, Debug, Eq)]
pub enum Host {
    /// A name for DNS. Empty in URIs that have no host, such as `tel:`.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets when written.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a whole host; an IPv6 address may come with or without brackets.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.into());
        }
        let mut scanner = Scanner::new("host", text);
        let host = Self::read(&mut scanner)?;
        scanner.end()?;
        Ok(host)
    }

    /// The address, unless this is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some((*address).into()),
            Self::V6(address) => Some((*address).into()),
        }
    }

    pub(crate) fn read(scanner: &mut Scanner<'_>) -> Result<Self, Error> {
        let error = scanner.error();
        if scanner.eat(b'[') {
            let inside = scanner.take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
            let address = inside.parse().map_err(|_| error)?;
            return if scanner.eat(b']') { Ok(Self::V6(address)) } else { Err(scanner.error()) };
        }
        // Underscores are not a host's by the RFC, but PBXs in home networks have them.
        let name = scanner.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        match name.parse() {
            _ if name.is_empty() => Err(error),
            Ok(address) => Ok(Self::V4(address)),
            Err(_) => Ok(Self::Name(name.to_owned())),
        }
    }

    /// Reads `:port` if it is there.
    pub(crate) fn read_port(scanner: &mut Scanner<'_>) -> Result<Option<u16>, Error> {
        if !scanner.eat_spaced(b':') {
            return Ok(None);
        }
        scanner.number().map(Some)
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::V4(a), Self::V4(b)) => a == b,
            (Self::V6(a), Self::V6(b)) => a == b,
            _ => false,
        }
    }
}

impl std::hash::Hash for Host {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Name(name) => name.bytes().for_each(|byte| state.write_u8(byte.to_ascii_lowercase())),
            Self::V4(address) => address.hash(state),
            Self::V6(address) => address.hash(state),
        }
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl From<&str> for Host {
    /// An address if the text is one, a name otherwise.
    fn from(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|_| Self::Name(text.to_owned()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => {
                name.chars().filter(|c| !c.is_control() && *c != ' ').try_for_each(|c| write!(f, "{c}"))
            }
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}
