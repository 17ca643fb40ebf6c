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

mod order;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use sip::{Host, NextHop, Wire};
use tracing::{debug, warn};

use self::order::{Server, Service};
use crate::dispatch::acl::Network;

/// How long the search for a carrier may take in all.
const LIMIT: Duration = Duration::from_secs(5);

/// How long one question for services or servers may take: name servers that are silent about what they do not know
/// must not cost the call.
const SIDE_LIMIT: Duration = Duration::from_secs(2);

/// How long one name server may think about one question, and how often it is asked again.
const PATIENCE: Duration = Duration::from_millis(1_200);
const REPEATS: usize = 2;

/// As many servers are tried in one call.
const MAX_HOPS: usize = 8;
/// As many names of servers are looked up, some of which may have no address that we can send to.
const MAX_NAMES: usize = 16;

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
    /// What we can send over; empty for everything. With IPv6, addresses of it are tried after those of IPv4.
    pub ways: Vec<Way>,
}

/// A transport over one family of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// The transport.
    pub wire: Wire,
    /// Over IPv6, not over IPv4.
    pub is_ipv6: bool,
}

impl Settings {
    fn goes_over(&self, wire: Wire) -> bool {
        self.ways.is_empty() || self.ways.iter().any(|way| way.wire == wire)
    }

    fn goes_to(&self, hop: &NextHop) -> bool {
        let way = Way { wire: hop.wire, is_ipv6: hop.address.ip().to_canonical().is_ipv6() };
        self.ways.is_empty() || self.ways.contains(&way)
    }

    fn has_ipv6(&self) -> bool {
        self.ways.is_empty() || self.ways.iter().any(|way| way.is_ipv6)
    }
}

/// Asks DNS. Clones share a cache.
#[derive(Clone, Debug)]
pub struct Resolver {
    names: TokioResolver,
    settings: Arc<Settings>,
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
    /// It has addresses, but we speak to none of them.
    #[error("{0} cannot be reached from here: only over a transport or an IP version that this machine does not have")]
    NoWay(String),
    /// `sips:` over a transport that anybody can read along.
    #[error("sips needs TLS, not {0}")]
    Insecure(Wire),
}

impl Error {
    /// Whether another try may do better: then neither the request nor the trunk is to blame.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Silent(_))
    }
}

impl Resolver {
    /// A resolver with the name servers of the settings, or else those of the system.
    pub fn system(settings: Settings) -> Self {
        Self { names: names(&settings), settings: settings.into() }
    }

    /// The servers of a target, in the order in which to try them; there is at least one.
    pub async fn locate(&self, target: &Target) -> Result<Vec<NextHop>, Error> {
        let search = self.search(target, rand::random());
        let silent = || Error::Silent(target.host.to_string());
        tokio::time::timeout(LIMIT, search).await.unwrap_or_else(|_| Err(silent()))
    }

    async fn search(&self, target: &Target, seed: u64) -> Result<Vec<NextHop>, Error> {
        let wire = match (target.wire, target.sips) {
            // `sips:` with `transport=tcp` is TLS over TCP (RFC 3261 §26.2.2).
            (None | Some(Wire::Tcp | Wire::Tls), true) => Some(Wire::Tls),
            (Some(Wire::Udp), true) => return Err(Error::Insecure(Wire::Udp)),
            (wire, false) => wire,
        };
        let usual = wire.unwrap_or(Wire::Udp);
        let port = target.port.unwrap_or(usual.default_port());
        let Host::Name(name) = &target.host else {
            let found = target.host.ip().map(|ip| (usual, SocketAddr::new(ip, port)));
            return self.hops(found, None, target);
        };
        let found = match target.port {
            Some(port) => at(usual, port, &self.addresses(name).await?),
            None => self.servers_or_addresses(name, wire, target, seed).await?,
        };
        self.hops(found, Some(name), target)
    }

    /// Servers by NAPTR and SRV, else the addresses of the name itself. All questions are asked at once: what is not needed
    /// costs a packet, waiting costs the caller.
    async fn servers_or_addresses(
        &self,
        name: &str,
        wire: Option<Wire>,
        target: &Target,
        seed: u64,
    ) -> Result<Vec<(Wire, SocketAddr)>, Error> {
        let usual: &[Wire] = match &wire {
            Some(wire) => std::slice::from_ref(wire),
            // Of transports that nobody prefers, the one that every carrier speaks goes first.
            None => &[Wire::Udp, Wire::Tcp, Wire::Tls],
        };
        let offered = async { if target.wire.is_some() { Vec::new() } else { self.services(name).await } };
        let listed = join_all(usual.iter().map(|wire| async { (*wire, self.servers(&srv_name(*wire, name)).await) }));
        let (offered, listed, addresses) = tokio::join!(offered, listed, self.addresses(name));
        let mut listed: Vec<_> = listed.into_iter().filter(|(_, servers)| !servers.is_empty()).collect();
        let preferred = order::services(offered, target.sips);
        if !preferred.is_empty() {
            // The names may be those that were asked for already; the cache knows.
            let ask = preferred.iter().map(|(wire, name)| async { (*wire, self.servers(name).await) });
            listed = join_all(ask).await.into_iter().filter(|(_, servers)| !servers.is_empty()).collect();
        }
        if listed.is_empty() {
            let wire = wire.unwrap_or(Wire::Udp);
            return Ok(at(wire, wire.default_port(), &addresses?));
        }
        let is_offered = listed.iter().any(|(_, servers)| servers.iter().any(|server| !server.target.is_empty()));
        let ordered = listed.into_iter().zip(seed..).flat_map(|((wire, servers), seed)| {
            order::servers(servers, seed).into_iter().map(move |server| (wire, server))
        });
        // A server without a name says that there is no such service (RFC 2782).
        let is_there = |(wire, server): &(Wire, Server)| !server.target.is_empty() && self.settings.goes_over(*wire);
        let ordered: Vec<_> = ordered.filter(is_there).take(MAX_NAMES).collect();
        if ordered.is_empty() && is_offered {
            return Err(Error::NoWay(name.to_owned()));
        }
        let found =
            join_all(ordered.iter().map(|(wire, server)| async move {
                Ok(at(*wire, server.port, &self.addresses(&server.target).await?))
            }));
        let found: Vec<Result<Vec<_>, Error>> = found.await;
        if found.iter().all(Result::is_err) {
            return Err(found.into_iter().find_map(Result::err).unwrap_or_else(|| Error::NoAddress(name.to_owned())));
        }
        Ok(found.into_iter().flatten().flatten().collect())
    }

    /// Addresses as hops, those left out that no call may go to.
    fn hops(
        &self,
        found: impl IntoIterator<Item = (Wire, SocketAddr)>,
        server_name: Option<&String>,
        target: &Target,
    ) -> Result<Vec<NextHop>, Error> {
        let mut hops = Vec::<NextHop>::new();
        let (mut denied, mut is_elsewhere) = (None, false);
        for (wire, address) in found {
            // What the certificate has to carry is the name that was asked for, not the one that DNS made of it
            // (RFC 5922 §4).
            let hop = NextHop { wire, address, server_name: server_name.cloned() };
            if self.settings.deny.iter().any(|network| network.contains(address.ip())) {
                denied = Some(address.ip());
            } else if !self.settings.goes_to(&hop) {
                is_elsewhere = true;
            } else if !hops.contains(&hop) {
                hops.push(hop);
            }
        }
        hops.truncate(MAX_HOPS);
        let name = || target.host.to_string();
        if let Some(address) = denied {
            warn!(host = name(), %address, "calls may not go there");
        }
        match (hops.is_empty(), denied) {
            (false, _) => Ok(hops),
            (true, Some(_)) => Err(Error::Denied(name())),
            (true, None) if is_elsewhere => Err(Error::NoWay(name())),
            (true, None) => Err(Error::NoAddress(name())),
        }
    }

    /// The addresses of a name, IPv4 first.
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Error> {
        let mut found = self.names.lookup_ip(rooted(name)).await;
        if rooted(name) != name && found.as_ref().is_err_and(NetError::is_nx_domain) {
            // A name of the local network, short for one that the system knows how to complete.
            found = self.names.lookup_ip(name).await;
        }
        let found = found.map_err(|error| {
            debug!(%error, name, "no address");
            let name = name.to_owned();
            match error {
                error if error.is_nx_domain() => Error::NoSuchHost(name),
                error if error.is_no_records_found() => Error::NoAddress(name),
                _ => Error::Silent(name),
            }
        })?;
        let mut addresses: Vec<_> = found.iter().collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        Ok(addresses)
    }

    async fn services(&self, name: &str) -> Vec<Service> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let service = |data: &RData| match data {
            RData::NAPTR(record) => Some(Service {
                order: record.order,
                preference: record.preference,
                flags: text(&record.flags),
                service: text(&record.services),
                replacement: plain(&record.replacement),
            }),
            _ => None,
        };
        self.records(name, RecordType::NAPTR, service).await
    }

    async fn servers(&self, name: &str) -> Vec<Server> {
        let server = |data: &RData| match data {
            RData::SRV(record) => Some(Server {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                target: plain(&record.target),
            }),
            _ => None,
        };
        self.records(name, RecordType::SRV, server).await
    }

    /// The records of a name, at most a few dozen. No answer is as good as none: there is always another question.
    async fn records<T>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<T>) -> Vec<T> {
        let lookup = self.names.lookup(rooted(name), kind);
        match tokio::time::timeout(SIDE_LIMIT, lookup).await {
            Ok(Ok(found)) => found.answers().iter().filter_map(|record| read(&record.data)).take(MAX_RECORDS).collect(),
            Ok(Err(error)) => {
                debug!(%error, name, %kind, "no records");
                Vec::new()
            }
            Err(_) => {
                debug!(name, %kind, "no answer in time");
                Vec::new()
            }
        }
    }
}

/// As many records of a kind are looked at.
const MAX_RECORDS: usize = 64;

fn names(settings: &Settings) -> TokioResolver {
    let provider = TokioRuntimeProvider::default;
    let of_the_system = || match TokioResolver::builder_tokio() {
        Ok(builder) => builder,
        Err(error) => {
            warn!(%error, "the system names no name server: carriers are found by address only");
            TokioResolver::builder_with_config(ResolverConfig::default(), provider())
        }
    };
    let mut builder = if settings.servers.is_empty() {
        of_the_system()
    } else {
        let config = ResolverConfig::from_name_servers(settings.servers.iter().copied().map(server).collect());
        TokioResolver::builder_with_config(config, provider())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = PATIENCE;
    options.attempts = REPEATS;
    // Without IPv6 of our own, its addresses are asked for to tell that there is nothing else.
    options.ip_strategy =
        if settings.has_ipv6() { LookupIpStrategy::Ipv4AndIpv6 } else { LookupIpStrategy::Ipv4thenIpv6 };
    builder.build().expect("only TLS to name servers can be set up wrong, and there is none")
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut config = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut config.connections {
        connection.port = address.port();
    }
    config
}

/// The name that lists the servers of a transport (RFC 3263 §4.1).
fn srv_name(wire: Wire, name: &str) -> String {
    let prefix = match wire {
        Wire::Udp => "_sip._udp",
        Wire::Tcp => "_sip._tcp",
        Wire::Tls => "_sips._tcp",
    };
    format!("{prefix}.{name}")
}

/// A name with dots in it is complete: the dot at its end keeps search lists off it.
fn rooted(name: &str) -> String {
    if name.contains('.') && !name.ends_with('.') { format!("{name}.") } else { name.to_owned() }
}

/// A name of DNS as text, without the dot at its end; empty for the root.
fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

fn at(wire: Wire, port: u16, addresses: &[IpAddr]) -> Vec<(Wire, SocketAddr)> {
    addresses.iter().map(|ip| (wire, SocketAddr::new(*ip, port))).collect()
}

#[cfg(test)]
mod tests;
