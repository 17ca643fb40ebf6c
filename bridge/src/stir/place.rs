//! Where certificates may be fetched. The address is written by whoever calls: it must not lead into the network that we
//! stand in, nor make us ask for anything but a certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::Uri;

use super::Failure;

/// The ports of repositories (ATIS-1000074 §5.3.1).
const PORTS: [u16; 2] = [443, 8443];
const HTTPS: u16 = 443;

/// What the operator allows.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Hosts; empty for all.
    pub(super) hosts: Vec<String>,
    /// Loopback addresses, by any port.
    pub(super) allow_loopback: bool,
}

/// An address to fetch from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
    /// What goes into `Host`.
    pub(super) authority: String,
    pub(super) path: String,
}

impl Rules {
    /// Reads an address, if it is one to fetch from as far as can be told by looking at it.
    pub(super) fn read(&self, url: &str) -> Result<Place, Failure> {
        let uri: Uri = url.parse().map_err(|_| Failure::Place("it is no address"))?;
        if uri.scheme_str() != Some("https") {
            return Err(Failure::Place("it is not https"));
        }
        let authority = uri.authority().ok_or(Failure::Place("it names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() || url.contains('#') {
            return Err(Failure::Place("it has more than a host and a path"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => Some(HTTPS),
            rest => rest.and_then(|rest| rest.strip_prefix(':')?.parse().ok()),
        };
        let port = port.filter(|port| self.allow_loopback || PORTS.contains(port));
        let port = port.ok_or(Failure::Place("the port is not 443 or 8443"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if host.is_empty() {
            return Err(Failure::Place("it names no host"));
        }
        if !self.hosts.is_empty() && !self.hosts.iter().any(|known| known.eq_ignore_ascii_case(&host)) {
            return Err(Failure::Place("the host is not in stir.hosts"));
        }
        Ok(Place { host, port, authority: authority.as_str().to_owned(), path: uri.path().to_owned() })
    }

    /// Whether we may connect to this address: one of the Internet, by a port of repositories.
    pub(super) fn allows(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        address.is_loopback() && self.allow_loopback || PORTS.contains(&port) && is_public(address)
    }
}

/// Whether an address is one of the Internet at large (the registries of RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let shared_or_special = match address.octets() {
        [0 | 240..=255, ..] => true, // This network (RFC 1122), and what is reserved, broadcast among it.
        [100, second, ..] => second & 0xc0 == 64, // Between a carrier and its customers (RFC 6598).
        [192, 0, 0, _] | [192, 88, 99, _] => true, // Protocols (RFC 6890), relays of 6to4 (RFC 7526).
        [198, 18 | 19, ..] => true,  // Benchmarks (RFC 2544).
        _ => false,
    };
    !(shared_or_special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // An IPv4 address behind a translator (RFC 6052): what is there counts.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        // Teredo and other protocols, documentation (RFC 3849, RFC 9637), 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_looked_at_before_anything_is_asked() {
        let open = Rules::default();
        let closed = Rules { hosts: vec!["cr.example.com".into(), "CR.Example.Net".into()], ..Rules::default() };
        let local = Rules { allow_loopback: true, ..Rules::default() };
        let cases: &[(&str, &Rules, &str, bool)] = &[
            ("usual", &open, "https://cr.example.com/a.pem", true),
            ("the other port", &open, "https://cr.example.com:8443/a.pem", true),
            ("no path", &open, "https://cr.example.com", true),
            ("plain", &open, "http://cr.example.com/a.pem", false),
            ("a file", &open, "file:///etc/passwd", false),
            ("no scheme", &open, "cr.example.com/a.pem", false),
            ("another port", &open, "https://cr.example.com:22/a.pem", false),
            ("no port", &open, "https://cr.example.com:/a.pem", false),
            ("a port too large", &open, "https://cr.example.com:65979/a.pem", false),
            ("a user", &open, "https://cr.example.com@10.0.0.1/a.pem", false),
            ("a query", &open, "https://cr.example.com/a.pem?delete=1", false),
            ("a fragment", &open, "https://cr.example.com/a.pem#x", false),
            ("a line end", &open, "https://cr.example.com/a.pem\r\nX: y", false),
            ("nothing", &open, "", false),
            ("another port at home", &local, "https://localhost:4443/a.pem", true),
            ("listed", &closed, "https://CR.example.com./a.pem", true),
            ("listed in capitals", &closed, "https://cr.example.net/a.pem", true),
            ("not listed", &closed, "https://cr.example.org/a.pem", false),
            ("below one that is", &closed, "https://x.cr.example.com/a.pem", false),
            ("one that is below", &closed, "https://cr.example.com.evil.example/a.pem", false),
        ];
        for (name, rules, url, allowed) in cases {
            assert_eq!(rules.read(url).is_ok(), *allowed, "{name}: {:?}", rules.read(url));
        }
        let place = open.read("https://CR.example.com:8443/a%20b.pem").unwrap();
        assert_eq!((place.host.as_str(), place.port, place.path.as_str()), ("cr.example.com", 8443, "/a%20b.pem"));
    }

    #[test]
    fn only_the_internet_is_connected_to() {
        let public = ["8.8.8.8", "100.63.0.1", "172.32.0.1", "2600::1", "64:ff9b::808:808", "::ffff:8.8.8.8"];
        let others = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254", // Where clouds tell machines their secrets.
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254", // The same, by IPv6.
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        let (open, local) = (Rules::default(), Rules { allow_loopback: true, ..Rules::default() });
        for (address, allowed) in public.map(|a| (a, true)).into_iter().chain(others.map(|a| (a, false))) {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(open.allows(address, 443), allowed, "{address}");
            assert!(!open.allows(address, 22), "{address}");
            assert_eq!(local.allows(address, 443), allowed || address.to_canonical().is_loopback(), "{address}");
            assert_eq!(local.allows(address, 4443), address.to_canonical().is_loopback(), "{address}");
        }
    }
}
