//! TLS 1.2 and 1.3 by rustls on ring: our certificate, and whom we believe ([RFC 5922]).
//!
//! [RFC 5922]: https://www.rfc-editor.org/rfc/rfc5922

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ClientConfig, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::config::{Certificate, Config};
use crate::endpoint::NextHop;

/// Both sides of TLS. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tls {
    server: Option<(Arc<ServerConfig>, Arc<Shown>)>,
    client: Arc<ClientConfig>,
}

/// The certificate shown, replaceable while handshakes go on.
#[derive(Debug)]
struct Shown {
    files: Certificate,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    pub(super) fn new(config: &Config) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(config.roots.0.clone())
            .with_no_client_auth();
        let server = config.certificate.as_ref().map(|files| server(&provider, files)).transpose()?;
        Ok(Self { server, client: Arc::new(client) })
    }

    /// Reads the files again. Streams that are open keep the certificate that they began with.
    pub(super) fn reload(&self) -> io::Result<()> {
        let Some((_, shown)) = &self.server else { return Ok(()) };
        let fresh = Arc::new(read(&ring::default_provider(), &shown.files)?);
        *shown.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    pub(super) fn can_listen(&self) -> bool {
        self.server.is_some()
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.server.as_ref().map(|(config, _)| config.clone().into())
    }

    pub(super) fn connector(&self) -> TlsConnector {
        self.client.clone().into()
    }
}

/// The name that the certificate of this peer has to carry.
pub(super) fn server_name(hop: &NextHop) -> io::Result<ServerName<'static>> {
    let address = |address: SocketAddr| ServerName::IpAddress(address.ip().into());
    hop.server_name
        .as_ref()
        .map_or_else(|| Ok(address(hop.address)), |name| ServerName::try_from(name.clone()).map_err(invalid))
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn server(provider: &Arc<CryptoProvider>, files: &Certificate) -> io::Result<(Arc<ServerConfig>, Arc<Shown>)> {
    let current = RwLock::new(Arc::new(read(provider, files)?));
    let shown = Arc::new(Shown { files: files.clone(), current });
    // No ALPN: some carriers refuse `sip`.
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(invalid)?
        .with_no_client_auth()
        .with_cert_resolver(shown.clone());
    Ok((Arc::new(config), shown))
}

fn read(provider: &CryptoProvider, files: &Certificate) -> io::Result<CertifiedKey> {
    let within = |path: &std::path::Path, error: String| invalid(format!("{}: {error}", path.display()));
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.chain)
        .and_then(Iterator::collect)
        .map_err(|error| within(&files.chain, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| within(&files.key, error.to_string()))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| within(&files.key, error.to_string()))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
