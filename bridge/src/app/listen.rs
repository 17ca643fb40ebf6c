//! What SIP listens on, and what it tells others of that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use sip::endpoint::{Advertised, Listener};
use sip::net::{Roots, TlsVersions};
use sip::{Host, Wire};
use tracing::warn;

use super::{Error, address};
use crate::config::{self, Addresses, Config, External};
use crate::dispatch::{self, Reject};
use crate::plane::Interface;
use crate::store::Snapshot;

pub(super) async fn bind(
    config: &Config,
    listeners: Vec<Listener>,
    objects: &Arc<ArcSwap<Snapshot>>,
) -> Result<(sip::net::Handle, tokio::sync::mpsc::Receiver<sip::Event>), Error> {
    let names = listeners
        .iter()
        .filter(|l| l.listens())
        .map(|l| format!("{}:{}", l.wire, l.bind))
        .collect::<Vec<_>>()
        .join(", ");
    let (trunks, objects) = (Arc::clone(objects), Arc::clone(objects));
    let (hide, reject) = (config.sip.hide, config.sip.reject);
    let endpoint = sip::endpoint::Config {
        user_agent: config.sip.user_agent.clone(),
        trusted: Arc::new(move |address| dispatch::is_trusted_source(&objects.load(), address)),
        answer_strangers: Arc::new(move || answers_strangers(hide, reject, &trunks.load())),
        ..sip::endpoint::Config::new(listeners, rand::random())
    };
    let mut net = sip::net::Config { connect_only: config.sip.tls.is_none(), ..sip::net::Config::new(endpoint) };
    net.roots = roots(config)?;
    if let Some(tls) = &config.sip.tls {
        let files = |cert: &config::Certificate| sip::net::Certificate {
            chain: cert.cert_file.clone(),
            key: cert.key_file.clone(),
        };
        net.certificates = tls.certs.iter().map(files).collect();
        net.tls_versions = match (tls.only_1_2, tls.only_1_3) {
            (true, _) => TlsVersions::Only12,
            (_, true) => TlsVersions::Only13,
            _ => TlsVersions::Both,
        };
        net.alpn.clone_from(&tls.alpn);
    }
    sip::net::bind(net).await.map_err(|error| Error::Sip(names, error))
}

/// Whom calls out over TLS believe.
fn roots(config: &Config) -> Result<Roots, Error> {
    let roots = crate::tls::roots(config.sip.ca_file.as_deref()).map_err(Error::Authorities)?;
    if roots.is_empty() {
        warn!("this machine knows no certificate authorities: calls over TLS need tls.ca_file");
    }
    Ok(Roots(Arc::new(roots)))
}

/// Strangers who ask for nothing but a sign of life get none, unless some trunk takes calls from everywhere.
pub(super) fn answers_strangers(hide: bool, reject: Reject, snapshot: &Snapshot) -> bool {
    let is_open = snapshot.inbound_trunks.iter().any(|trunk| trunk.networks.is_empty());
    !hide && (is_open || reject != Reject::Silent)
}

pub(super) async fn listeners(config: &Config) -> Result<Vec<Listener>, Error> {
    let mut listeners = Vec::new();
    for Interface { bind: ip, advertised: told } in interfaces(&config.addresses, config.addresses.signalling).await? {
        let mut add = |wire, port_listen, port, host| {
            let bind = SocketAddr::new(ip, port_listen);
            listeners.push(Listener { wire, bind, advertised: Advertised { host, port } });
        };
        for wire in [Wire::Udp, Wire::Tcp] {
            add(wire, config.sip.port_listen, config.sip.port, Host::from(told));
        }
        match &config.sip.tls {
            Some(tls) => {
                let host = if config.sip.hostname.is_empty() {
                    Host::from(told)
                } else {
                    Host::from(
                        config.sip.hostname.replace("${IP}", &told.to_string().replace(['.', ':'], "-")).as_str(),
                    )
                };
                add(Wire::Tls, tls.port_listen, tls.port, host);
            }
            // We call over TLS all the same.
            None => add(Wire::Tls, 0, Wire::Tls.default_port(), Host::from(told)),
        }
    }
    Ok(listeners)
}

/// What is bound, each with the address that others are told. Of families that nobody asked for, those are left out that
/// have no address of ours to tell; one is needed.
pub(super) async fn interfaces(addresses: &Addresses, external: External) -> Result<Vec<Interface>, address::Error> {
    let (mut found, mut missing) = (Vec::new(), None);
    for bind in listen_addresses(&addresses.listen) {
        match address::advertised(external, bind, addresses.local_net.as_ref()).await {
            Ok(advertised) => found.push(Interface { bind, advertised }),
            Err(error) if addresses.listen.is_empty() && error.is_of_one_family() => _ = missing.get_or_insert(error),
            Err(error) => return Err(error),
        }
    }
    match missing {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// Both families where nothing is said, as far as this machine has them.
pub(super) fn listen_addresses(configured: &[IpAddr]) -> Vec<IpAddr> {
    if !configured.is_empty() {
        return configured.to_vec();
    }
    let mut addresses = vec![IpAddr::from(Ipv4Addr::UNSPECIFIED)];
    if std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push(Ipv6Addr::UNSPECIFIED.into());
    }
    addresses
}
