//! Where a URI leads: transport, name and address ([RFC 3263 §4], without NAPTR and SRV).
//!
//! [RFC 3263 §4]: https://www.rfc-editor.org/rfc/rfc3263#section-4

use std::io;
use std::net::SocketAddr;

use sip::{Host, NextHop, Scheme, Uri, Wire};

/// A URI leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Only `sip:` and `sips:` lead to a host.
    #[error("{0} is not a sip: or sips: address")]
    Scheme(Box<Uri>),
    /// The transport is none that we speak.
    #[error("no such transport: {0} (there are udp, tcp and tls)")]
    Transport(String),
    /// The name is not known.
    #[error("cannot find {name}: {source}")]
    Lookup {
        /// The name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Finds the next hop of a URI; `wire` overrides what the URI says.
pub async fn resolve(uri: &Uri, wire: Option<Wire>) -> Result<NextHop, Error> {
    let wire = match wire {
        Some(wire) => wire,
        None => wire_of(uri)?,
    };
    let port = uri.port.unwrap_or_else(|| wire.default_port());
    if let Some(ip) = uri.host.ip() {
        return Ok(NextHop { wire, address: SocketAddr::new(ip, port), server_name: None });
    }
    let name = uri.host.to_string();
    let found = tokio::net::lookup_host((name.as_str(), port)).await.map(|mut found| found.next());
    let address = match found {
        Ok(Some(address)) => address,
        Ok(None) => return Err(Error::Lookup { name, source: io::ErrorKind::NotFound.into() }),
        Err(source) => return Err(Error::Lookup { name, source }),
    };
    Ok(NextHop { wire, address, server_name: matches!(uri.host, Host::Name(_)).then_some(name) })
}

fn wire_of(uri: &Uri) -> Result<Wire, Error> {
    match (&uri.scheme, uri.params.get("transport").map(str::to_ascii_lowercase).as_deref()) {
        (Scheme::Sips, None | Some("tls" | "tcp")) => Ok(Wire::Tls),
        (Scheme::Sip, None | Some("udp")) => Ok(Wire::Udp),
        (Scheme::Sip, Some("tcp")) => Ok(Wire::Tcp),
        (Scheme::Sip, Some("tls")) => Ok(Wire::Tls),
        (Scheme::Sip | Scheme::Sips, Some(other)) => Err(Error::Transport(other.to_owned())),
        _ => Err(Error::Scheme(Box::new(uri.clone()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn uris_with_addresses() {
        type Case = (&'static str, Option<Wire>, Option<(Wire, &'static str)>);
        let cases: &[Case] = &[
            ("sip:+1555@127.0.0.1", None, Some((Wire::Udp, "127.0.0.1:5060"))),
            ("sip:+1555@127.0.0.1:5070;transport=TCP", None, Some((Wire::Tcp, "127.0.0.1:5070"))),
            ("sip:+1555@[::1];transport=tls", None, Some((Wire::Tls, "[::1]:5061"))),
            ("sips:+1555@127.0.0.1", None, Some((Wire::Tls, "127.0.0.1:5061"))),
            ("sip:+1555@127.0.0.1", Some(Wire::Tls), Some((Wire::Tls, "127.0.0.1:5061"))),
            ("sip:+1555@127.0.0.1;transport=sctp", None, None),
            ("tel:+1555", None, None),
        ];
        for (uri, wire, expected) in cases {
            let found = resolve(&Uri::parse(uri).unwrap(), *wire).await.ok();
            let found = found.map(|hop| (hop.wire, hop.address.to_string()));
            assert_eq!(found, expected.map(|(wire, address)| (wire, address.to_owned())), "{uri}");
        }
    }
}
