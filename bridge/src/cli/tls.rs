//! TLS of the commands.

use bridge::tls::roots;

use super::Failure;

/// TLS for HTTP, with the system's authorities.
pub(super) fn client() -> Result<rustls::ClientConfig, Failure> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots(None)?).with_no_client_auth())
}
