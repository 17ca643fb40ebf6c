//! Whom the commands believe over TLS.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sip::Wire;

use super::Failure;

/// The system's authorities and the one given; none where nothing is connected by TLS.
pub(super) fn roots(ca: Option<&Path>, wire: Wire) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    if wire != Wire::Tls {
        return Ok(store);
    }
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca {
        let before = store.len();
        for certificate in
            CertificateDer::pem_file_iter(file).map_err(|error| format!("{}: {error}", file.display()))?
        {
            store.add(certificate.map_err(|error| format!("{}: {error}", file.display()))?)?;
        }
        if store.len() == before {
            return Err(format!("{}: there is no certificate in it", file.display()).into());
        }
    }
    Ok(store)
}

/// TLS for HTTP, with the system's authorities.
pub(super) fn client() -> Result<rustls::ClientConfig, Failure> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots(None, Wire::Tls)?).with_no_client_auth())
}
