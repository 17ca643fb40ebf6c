//! Via: the way back ([RFC 3261 §20.42], [RFC 3581]).
//!
//! [RFC 3261 §20.42]: https://www.rfc-editor.org/rfc/rfc3261#section-20.42
//! [RFC 3581]: https://www.rfc-editor.org/rfc/rfc3581

use std::{fmt, net::IpAddr};

use super::{host::Host, id::Branch, params::Params, scan::Scanner, token::Token};
use crate::error::Error;

/// How a message travels, as Via names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP
    Udp,
    /// TCP
    Tcp,
    /// TLS over TCP
    Tls,
    /// WebSocket (RFC 7118)
    Ws,
    /// WebSocket over TLS (RFC 7118)
    Wss,
    /// One we do not speak.
    Other(Token),
}

/// One hop of the way a request came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Via {
    /// What it travelled over.
    pub transport: Transport,
    /// The `sent-by` host: what the sender believes of itself.
    pub host: Host,
    /// The `sent-by` port.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and any other; `maddr` is never followed.
    pub params: Params,
}

impl Via {
    /// A Via of ours, with `rport` asked for (RFC 3581 §3).
    pub fn new(transport: Transport, host: impl Into<Host>, port: Option<u16>, branch: &Branch) -> Self {
        let mut params = Params::new();
        params.set("branch", branch.as_str());
        params.set_flag("rport");
        Self { transport, host: host.into(), port, params }
    }

    /// Reads one value.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut scanner = Scanner::new("Via", text);
        scanner.skip_space();
        let is_sip = scanner.token()?.eq_ignore_ascii_case("SIP");
        if !(is_sip && scanner.eat_spaced(b'/') && scanner.token()? == "2.0" && scanner.eat_spaced(b'/')) {
            return Err(scanner.error());
        }
        let error = scanner.error();
        let transport = Transport::parse(scanner.token()?).ok_or(error)?;
        scanner.skip_space();
        let host = Host::read(&mut scanner)?;
        let port = Host::read_port(&mut scanner)?;
        let params = Params::read_header(&mut scanner)?;
        scanner.end()?;
        Ok(Self { transport, host, port, params })
    }

    /// Notes the address the request really came from (RFC 3261 §18.2.1).
    pub fn set_received(&mut self, address: IpAddr) {
        self.params.set("received", address.to_string());
    }

    /// Notes the port the request really came from (RFC 3581 §4).
    pub fn set_rport(&mut self, port: u16) {
        self.params.set("rport", port.to_string());
    }

    /// The transaction's name, when given and not empty.
    pub fn branch(&self) -> Option<Branch> {
        self.params.get("branch").filter(|branch| !branch.is_empty()).map(Branch::new)
    }

    /// The address in `received`; brackets around IPv6 are forgiven.
    pub fn received(&self) -> Option<IpAddr> {
        Host::parse(self.params.get("received")?).ok()?.ip()
    }

    /// Whether `rport` is there at all, filled or not: the sender wants the answer where it sent from.
    pub fn wants_rport(&self) -> bool {
        self.params.contains("rport")
    }

    /// The port in `rport`, once filled.
    pub fn rport(&self) -> Option<u16> {
        self.params.get("rport")?.parse().ok()
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.write_header(f)
    }
}

impl Transport {
    /// Reads a transport's name in any case; `None` when the text is no token.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "UDP" => Self::Udp,
            "TCP" => Self::Tcp,
            "TLS" => Self::Tls,
            "WS" => Self::Ws,
            "WSS" => Self::Wss,
            other => Self::Other(Token::new(other)?),
        })
    }

    /// The name as Via writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Other(name) => name.as_str(),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written() {
        let cases: &[(&str, &str, Option<&str>)] = &[
            ("plain", "SIP/2.0/UDP h;branch=z9hG4bK1", Some("SIP/2.0/UDP h;branch=z9hG4bK1")),
            ("port", "SIP/2.0/TLS 192.0.2.1:5061", Some("SIP/2.0/TLS 192.0.2.1:5061")),
            ("IPv6", "SIP/2.0/UDP [2001:db8::1]:5060", Some("SIP/2.0/UDP [2001:db8::1]:5060")),
            ("received IPv6", "SIP/2.0/UDP h;received=[2001:db8::1]", Some("SIP/2.0/UDP h;received=[2001:db8::1]")),
            ("white space", "SIP / 2.0 / UDP  h : 5060 ; branch = 1", Some("SIP/2.0/UDP h:5060;branch=1")),
            ("small letters", "sip/2.0/udp h", Some("SIP/2.0/UDP h")),
            ("unknown transport", "SIP/2.0/sctp h", Some("SIP/2.0/SCTP h")),
            ("other version", "SIP/3.0/UDP h", None),
            ("other protocol", "HTTP/2.0/UDP h", None),
            ("no transport", "SIP/2.0 h", None),
            ("no host", "SIP/2.0/UDP ", None),
            ("no host but a port", "SIP/2.0/UDP :5060", None),
            ("port too large", "SIP/2.0/UDP h:70000", None),
            ("junk", "SIP/2.0/UDP h junk", None),
            ("control character", "SIP/2.0/UDP h;branch=a\u{1}b", None),
            ("two", "SIP/2.0/UDP h, SIP/2.0/UDP i", None),
        ];
        for (name, text, expected) in cases {
            let read = Via::parse(text);
            assert_eq!(read.as_ref().ok().map(Via::to_string).as_deref(), *expected, "{name}: {read:?}");
        }
    }

    #[test]
    fn the_way_back() {
        let mut via = Via::parse("SIP/2.0/UDP pbx;rport;branch=z9hG4bK1").unwrap();
        assert_eq!((via.wants_rport(), via.rport(), via.received()), (true, None, None));
        via.set_received([2, 3, 4, 5].into());
        via.set_rport(5062);
        assert_eq!(via.to_string(), "SIP/2.0/UDP pbx;rport=5062;branch=z9hG4bK1;received=2.3.4.5");
        assert_eq!((via.rport(), via.received()), (Some(5062), Some([2, 3, 4, 5].into())));
        assert!(!Via::parse("SIP/2.0/UDP pbx").unwrap().wants_rport());
        let bracketed = Via::parse("SIP/2.0/UDP pbx;received=[::1]").unwrap();
        assert_eq!(bracketed.received(), Some(std::net::Ipv6Addr::LOCALHOST.into()));
    }
}
