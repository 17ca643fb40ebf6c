//! Where a carrier is: from the host of an address to the servers to try, in their order ([RFC 3263 §4]).
//!
//! ```text
//! address in numbers ─────────────────────────────────────────────► itself
//! name and port ──────────────────────────────────► A, AAAA ──────► addresses
//! name ─► NAPTR (which transports) ─► SRV (which servers) ─► A, AAAA ─► addresses in the order of SRV
//!            └─ none ─► SRV of each transport ─ none ─► A, AAAA
//! ```
//!
//! [RFC 3263 §4]: https://www.rfc-editor.org/rfc/rfc3263#section-4

use std::net::SocketAddr;

use sip::{Host, NextHop, Wire};

use crate::dispatch::acl::Network;

/// Where to go, before DNS was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name or an address.
    pub host: Host,
    /// The port, if one was named: then DNS is not asked for servers.
    pub port: Option<u16>,
    /// The transport, if one was named.
    pub wire: Option<Wire>,
    /// Nothing but TLS will do.
    pub sips: bool,
}

/// How to resolve.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Name servers; empty for those of the system.
    pub servers: Vec<SocketAddr>,
    /// Addresses that are not to be gone to.
    pub deny: Vec<Network>,
}

/// Asks DNS. Clones share a cache.
#[derive(Clone, Debug)]
pub struct Resolver {
    settings: std::sync::Arc<Settings>,
}

/// There is nowhere to go.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no such name.
    #[error("there is no host {0}")]
    NoSuchHost(String),
    /// The name exists and leads nowhere.
    #[error("{0} has no address")]
    NoAddress(String),
    /// No name server answered in time, or none with an answer.
    #[error("no name server answers for {0}")]
    Silent(String),
    /// All addresses lie in networks that no call may go to.
    #[error("{0} is in a network that calls may not go to (outbound_deny)")]
    Denied(String),
    /// `sips:` over a transport that anybody can read along.
    #[error("sips needs TLS, not {0}")]
    Insecure(Wire),
}

impl Error {
    /// Whether another try may do better: then the carrier is not to blame, nor the request.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Silent(_))
    }
}

impl Resolver {
    /// A resolver with the name servers of the settings, or else those of the system.
    pub fn system(settings: Settings) -> Self {
        Self { settings: settings.into() }
    }

    /// The servers of a target, in the order in which to try them; there is at least one.
    pub async fn locate(&self, target: &Target) -> Result<Vec<NextHop>, Error> {
        let wire = target.wire.unwrap_or(if target.sips { Wire::Tls } else { Wire::Udp });
        let port = target.port.unwrap_or_else(|| wire.default_port());
        let name = target.host.to_string();
        let ip = target.host.ip().ok_or(Error::NoSuchHost(name.clone()))?;
        if self.settings.deny.iter().any(|network| network.contains(ip)) {
            return Err(Error::Denied(name));
        }
        Ok(vec![NextHop { wire, address: SocketAddr::new(ip, port), server_name: None }])
    }
}
