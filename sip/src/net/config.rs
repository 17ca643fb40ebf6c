//! What the transports are told when they are made.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use rustls::RootCertStore;

use crate::endpoint;

/// Everything for [`bind`](fn@super::bind).
#[derive(Clone, Debug)]
pub struct Config {
    /// The endpoint's configuration, with the listeners to bind.
    pub endpoint: endpoint::Config,
    /// The certificates to show: the first that carries the name that the client asks for, else the first of all. TLS
    /// listeners need one.
    pub certificates: Vec<Certificate>,
    /// TLS listeners without a certificate are no mistake: they stand for streams that we open, and nothing listens. The
    /// peer has to use the stream that it was called by, which is kept alive for that, and comes from the advertised port
    /// where it can, because there are peers that find the stream by it.
    pub connect_only: bool,
    /// Versions of TLS spoken as a server.
    pub tls_versions: TlsVersions,
    /// Protocols offered by ALPN (RFC 7301) as a server; none for peers that refuse it.
    pub alpn: Vec<String>,
    /// Whom to believe when connecting by TLS.
    pub roots: Roots,
    /// Sizes and times.
    pub limits: Limits,
}

impl Config {
    /// Usual limits, no certificate, nobody believed.
    pub fn new(endpoint: endpoint::Config) -> Self {
        Self {
            endpoint,
            certificates: Vec::new(),
            connect_only: false,
            tls_versions: TlsVersions::default(),
            alpn: Vec::new(),
            roots: Roots::default(),
            limits: Limits::default(),
        }
    }
}

/// Versions of TLS; there are none below 1.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// 1.2 alone.
    Only12,
    /// 1.3 alone.
    Only13,
}

/// PEM files; read again by [`Handle::reload_certificate`](super::Handle::reload_certificate).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The chain, own certificate first.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The authorities whose certificates count when we connect: the system's, public ones, or a private one. The peer's name
/// is always checked.
#[derive(Clone)]
pub struct Roots(pub Arc<RootCertStore>);

impl Default for Roots {
    fn default() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

/// Sizes and times of the transports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams in all, both directions; a new one beyond that is closed at once.
    pub connections: usize,
    /// Streams from one address (IPv6: one /64) that is not trusted.
    pub connections_per_stranger: usize,
    /// Streams from one trusted address.
    pub connections_per_trusted: usize,
    /// How long connecting may take.
    pub connect: Duration,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a stream may be silent. Keep-alives count as sound; calls live on without their stream.
    pub idle: Duration,
    /// How long a stream that the peer could not open again may say nothing before it says that it is alive
    /// (RFC 5626 §3.5.1).
    pub keep_alive: Duration,
    /// How often it may say so without any message between.
    pub keep_alives: u32,
    /// How long a peer may take to accept what we write.
    pub write: Duration,
    /// Bytes of kernel buffer to ask for on UDP sockets.
    pub udp_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_stranger: 16,
            connections_per_trusted: 1_024,
            connect: Duration::from_secs(5),
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(120),
            keep_alive: Duration::from_secs(30),
            // A day, which no call is longer than.
            keep_alives: 2 * 60 * 24,
            write: Duration::from_secs(10),
            udp_buffer: 4 << 20,
        }
    }
}
