//! Fetches a certificate: one request to an address that was looked at, without redirects, bounded in time and bytes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use sip::{Host, Wire};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::credential::Chain;
use super::place::{Place, Rules};
use super::{Failure, cache::Fetched};
use crate::dns::{Resolver, Target};

/// For name, TCP, TLS, request and answer together.
pub(super) const LIMIT: Duration = Duration::from_secs(2);
/// Of what is fetched.
const MAX_BODY: usize = 16 * 1024;
/// Of the answer's head. The least that hyper takes is half of it.
const MAX_HEAD: usize = 16 * 1024;
/// As many addresses of a host are tried.
const MAX_ADDRESSES: usize = 2;
/// How long a certificate is kept whose host does not say, and at most.
const USUAL_AGE: Duration = Duration::from_secs(5 * 60);
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long it is remembered that there was none.
const FAILED_AGE: Duration = Duration::from_secs(10);

/// Fetches certificates.
pub(super) struct Fetcher {
    rules: Rules,
    tls: TlsConnector,
    resolver: Resolver,
}

impl Fetcher {
    pub(super) fn new(rules: Rules, roots: RootCertStore, resolver: Resolver) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = TlsConnector::from(Arc::new(versions.with_root_certificates(roots).with_no_client_auth()));
        Ok(Self { rules, tls, resolver })
    }

    /// Fetches from an address, and says how long what came may be kept.
    pub(super) async fn fetch(&self, url: &str) -> (Fetched, Duration) {
        let fetched = tokio::time::timeout(LIMIT, self.ask(url)).await;
        match fetched.unwrap_or(Err(Failure::Fetch("it took too long"))) {
            Ok((chain, age)) => (Ok(Arc::new(chain)), age),
            Err(failure) => {
                tracing::debug!(%failure, url, "no certificate");
                (Err(failure), FAILED_AGE)
            }
        }
    }

    async fn ask(&self, url: &str) -> Result<(Chain, Duration), Failure> {
        let place = self.rules.read(url)?;
        let addresses = self.addresses(&place).await?;
        let name = ServerName::try_from(place.host.clone()).map_err(|_| Failure::Place("it names no host"))?;
        let tcp = connect(&addresses).await.map_err(|_| Failure::Fetch("no connection"))?;
        let tls = self.tls.connect(name, tcp).await.map_err(|error| {
            tracing::debug!(%error, url, "no TLS");
            Failure::Fetch("no TLS that is believed")
        })?;
        let mut builder = http1::Builder::new();
        let (mut sender, connection) =
            builder.max_buf_size(MAX_HEAD).handshake(TokioIo::new(tls)).await.map_err(|_| unspoken())?;
        let exchange = async {
            let request = Request::get(&place.path).header(header::HOST, &place.authority);
            let request = request.header(header::ACCEPT, "application/pem-certificate-chain, */*");
            let request = request.body(Body::empty()).map_err(|_| Failure::Place("it is no address"))?;
            let response = sender.send_request(request).await.map_err(|_| unspoken())?;
            // No other status has a certificate, and nobody is followed elsewhere.
            if response.status() != StatusCode::OK {
                return Err(Failure::Fetch("the answer is not 200"));
            }
            let age = age(response.headers());
            let body = axum::body::to_bytes(Body::new(response.into_body()), MAX_BODY).await;
            let body = body.map_err(|_| Failure::Fetch("it is too long, or cut short"))?;
            Ok((Chain::read(&body)?, age))
        };
        let mut exchange = pin!(exchange);
        tokio::select! {
            biased;
            result = &mut exchange => result,
            // The connection is over when all has been read; not all of it has been looked at by then.
            _ = connection => exchange.await,
        }
    }

    /// The addresses that may be connected to. They are connected to as they are: what DNS says the next moment does not
    /// count.
    async fn addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, Failure> {
        let host = match place.host.parse::<IpAddr>() {
            Ok(ip) => Host::from(ip),
            Err(_) => Host::Name(place.host.clone()),
        };
        let target = Target { host, port: Some(place.port), wire: Some(Wire::Tls), sips: false };
        let hops = self.resolver.locate(&target).await.map_err(|_| Failure::Fetch("the host is not to be found"))?;
        let addresses = hops.into_iter().map(|hop| hop.address);
        let allowed = addresses.filter(|address| self.rules.allows(address.ip(), address.port()));
        let allowed: Vec<_> = allowed.take(MAX_ADDRESSES).collect();
        if allowed.is_empty() { Err(Failure::Place("the host is not on the Internet")) } else { Ok(allowed) }
    }
}

fn unspoken() -> Failure {
    Failure::Fetch("no HTTP")
}

async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    let patience = LIMIT / 2 / MAX_ADDRESSES as u32;
    for address in addresses {
        let connected = tokio::time::timeout(patience, TcpStream::connect(address)).await;
        result = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// How long what came may be kept (RFC 9111 §5.2.2).
fn age(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut age = None;
    for directive in values.flat_map(|value| value.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Duration::ZERO,
            "max-age" => age = value.trim().trim_matches('"').parse().ok().map(Duration::from_secs),
            _ => {}
        }
    }
    age.unwrap_or(USUAL_AGE).min(MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_kept_as_long_as_their_host_says_and_no_longer_than_a_day() {
        let cases: &[(&[&str], u64)] = &[
            (&[], 300),
            (&["public, max-age=600"], 600),
            (&["public", "Max-Age=\"60\""], 60),
            (&["max-age=31536000"], 86_400),
            (&["max-age=0"], 0),
            (&["max-age=600, no-store"], 0),
            (&["no-cache"], 0),
            (&["max-age=-1"], 300),
            (&["max-age=99999999999999999999999"], 300),
        ];
        for (values, expected) in cases {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| _ = headers.append(header::CACHE_CONTROL, value.parse().unwrap()));
            assert_eq!(age(&headers), Duration::from_secs(*expected), "{values:?}");
        }
    }
}
