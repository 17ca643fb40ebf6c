//! TLS 1.2 and 1.3 by rustls on ring: our certificate, and whom we believe ([RFC 5922]).
//!
//! [RFC 5922]: https://www.rfc-editor.org/rfc/rfc5922

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ClientConfig, ServerConfig, SupportedProtocolVersion,
    client::verify_server_name,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::config::{Certificate, Config, TlsVersions};
use crate::endpoint::NextHop;

/// Both sides of TLS. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tls {
    server: Option<(Arc<ServerConfig>, Arc<Shown>)>,
    client: Arc<ClientConfig>,
}

/// The certificates shown, replaceable while handshakes go on.
#[derive(Debug)]
struct Shown {
    files: Vec<Certificate>,
    current: RwLock<Vec<Arc<CertifiedKey>>>,
}

impl Tls {
    pub(super) fn new(config: &Config) -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(config.roots.0.clone())
            .with_no_client_auth();
        let server = (!config.certificates.is_empty()).then(|| server(&provider, config)).transpose()?;
        Ok(Self { server, client: Arc::new(client) })
    }

    /// Reads the files again. Streams that are open keep the certificate that they began with.
    pub(super) fn reload(&self) -> io::Result<()> {
        let Some((_, shown)) = &self.server else { return Ok(()) };
        let fresh = read_all(&ring::default_provider(), &shown.files)?;
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

/// Whether a handshake has failed for the certificate that the peer has shown.
pub(super) fn is_untrusted(error: &io::Error) -> bool {
    let Some(reason) = error.get_ref() else { return false };
    match (reason.downcast_ref(), reason.downcast_ref::<io::Error>()) {
        (Some(rustls::Error::InvalidCertificate(_)), _) => true,
        // Said again, where the alert that follows could not be written at once.
        (None, Some(error)) => is_untrusted(error),
        _ => false,
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let name = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named = name.and_then(|name| current.iter().find(|key| carries(key, &name)));
        named.or(current.first()).cloned()
    }
}

fn carries(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let own = key.end_entity_cert().and_then(ParsedCertificate::try_from);
    own.is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

fn server(provider: &Arc<CryptoProvider>, config: &Config) -> io::Result<(Arc<ServerConfig>, Arc<Shown>)> {
    let current = RwLock::new(read_all(provider, &config.certificates)?);
    let shown = Arc::new(Shown { files: config.certificates.clone(), current });
    let versions: &[&SupportedProtocolVersion] = match config.tls_versions {
        TlsVersions::Both => &[&TLS13, &TLS12],
        TlsVersions::Only12 => &[&TLS12],
        TlsVersions::Only13 => &[&TLS13],
    };
    let mut server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(invalid)?
        .with_no_client_auth()
        .with_cert_resolver(shown.clone());
    server.alpn_protocols = config.alpn.iter().map(|protocol| protocol.clone().into_bytes()).collect();
    Ok((Arc::new(server), shown))
}

fn read_all(provider: &CryptoProvider, files: &[Certificate]) -> io::Result<Vec<Arc<CertifiedKey>>> {
    files.iter().map(|files| read(provider, files).map(Arc::new)).collect()
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

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, path::PathBuf};

    use rustls::{ClientConnection, ProtocolVersion, RootCertStore, ServerConnection};

    use super::*;
    use crate::{
        endpoint::{self, Advertised, Listener, Wire},
        message::Host,
        net::Roots,
    };

    /// Certificates for these names on disk; the folder goes away with it.
    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn certificates(test: &str, names: &[&str]) -> (Folder, Vec<Certificate>, RootCertStore) {
        let folder = Folder(std::env::temp_dir().join(format!("trunkline-tls-{}-{test}", std::process::id())));
        std::fs::create_dir_all(&folder.0).unwrap();
        let mut roots = RootCertStore::empty();
        let files = names.iter().map(|name| {
            let made = rcgen::generate_simple_self_signed([(*name).to_owned()]).unwrap();
            let (chain, key) = (folder.0.join(format!("{name}.pem")), folder.0.join(format!("{name}.key")));
            std::fs::write(&chain, made.cert.pem()).unwrap();
            std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
            roots.add(made.cert.der().clone()).unwrap();
            Certificate { chain, key }
        });
        let files = files.collect();
        (folder, files, roots)
    }

    fn config(certificates: Vec<Certificate>) -> Config {
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let advertised = Advertised { host: Host::from(bind.ip()), port: 0 };
        let endpoint = endpoint::Config::new(vec![Listener { wire: Wire::Tls, bind, advertised }], [0; 32]);
        Config { certificates, ..Config::new(endpoint) }
    }

    /// A handshake in memory: what was agreed upon, or that nothing was.
    fn handshake(tls: &Tls, roots: &RootCertStore, name: &str, alpn: &[&str]) -> Option<(ProtocolVersion, Vec<u8>)> {
        let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        client.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(tls.server.as_ref().unwrap().0.clone()).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().ok()?;
            let mut wire = Vec::new();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().ok()?;
        }
        Some((client.protocol_version()?, client.alpn_protocol().unwrap_or_default().to_vec()))
    }

    #[test]
    fn a_certificate_that_is_not_to_be_trusted_is_told_from_other_faults() {
        let bad = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let cases = [
            ("certificate", invalid(bad()), true),
            ("within another error", io::Error::other(invalid(bad())), true),
            ("other fault of TLS", invalid(rustls::Error::HandshakeNotComplete), false),
            ("fault of the network", io::ErrorKind::ConnectionReset.into(), false),
        ];
        for (name, error, expected) in cases {
            assert_eq!(is_untrusted(&error), expected, "{name}");
        }
    }

    #[test]
    fn each_name_gets_its_certificate_and_an_unknown_one_the_first() {
        let (_folder, files, roots) = certificates("names", &["a.example", "b.example"]);
        let tls = Tls::new(&config(files)).unwrap();
        assert!(handshake(&tls, &roots, "a.example", &[]).is_some());
        assert!(handshake(&tls, &roots, "b.example", &[]).is_some());
        assert!(handshake(&tls, &roots, "c.example", &[]).is_none(), "the first certificate has another name");
    }

    #[test]
    fn versions_and_protocols_are_those_of_the_configuration() {
        let (_folder, files, roots) = certificates("versions", &["a.example"]);
        let cases = [
            (TlsVersions::Both, ProtocolVersion::TLSv1_3),
            (TlsVersions::Only12, ProtocolVersion::TLSv1_2),
            (TlsVersions::Only13, ProtocolVersion::TLSv1_3),
        ];
        for (tls_versions, expected) in cases {
            let alpn = vec!["sip".to_owned()];
            let tls =
                Tls::new(&Config { tls_versions, alpn, roots: Roots::default(), ..config(files.clone()) }).unwrap();
            let agreed = handshake(&tls, &roots, "a.example", &["sip"]);
            assert_eq!(agreed, Some((expected, b"sip".to_vec())), "{tls_versions:?}");
            let agreed = handshake(&tls, &roots, "a.example", &[]);
            assert_eq!(agreed, Some((expected, Vec::new())), "{tls_versions:?}, without ALPN");
        }
    }
}
