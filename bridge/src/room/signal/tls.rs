//! TLS toward LiveKit, with the roots of the system; and the one thing that is asked for by HTTP.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use livekit_protocol as proto;
use rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::Connector;

use super::address::Address;
use super::{Refusal, lost};

/// For Cloud to name its regions.
const PATIENCE: Duration = Duration::from_secs(3);
/// A list of regions is a few hundred bytes.
const MAX_BODY: u64 = 64 * 1024;

pub(super) fn connector(address: &Address) -> Result<Option<Connector>, Refusal> {
    Ok(Some(if address.is_secure() { Connector::Rustls(Arc::new(config()?)) } else { Connector::Plain }))
}

/// Asks for the regions, best first. Whatever goes wrong, the answer is that there are none.
pub(crate) async fn regions(url: &str, token: &str) -> Vec<String> {
    let Some(address) = Address::parse(url) else { return Vec::new() };
    match tokio::time::timeout(PATIENCE, ask(&address, token)).await {
        Ok(Ok(settings)) => settings.regions.into_iter().map(|region| region.url).collect(),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no list of regions");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

async fn ask(address: &Address, token: &str) -> Result<proto::RegionSettings, Refusal> {
    let client = reqwest::Client::builder().tls_backend_preconfigured(config()?).build().map_err(lost)?;
    let response = client.get(address.regions()).bearer_auth(token).send().await.map_err(lost)?;
    let response = response.error_for_status().map_err(lost)?;
    if response.content_length().is_some_and(|length| length > MAX_BODY) {
        return Err(lost("the list is too long"));
    }
    let body = bounded(response).await?;
    serde_json::from_slice(&body).map_err(lost)
}

async fn bounded(mut response: reqwest::Response) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if (body.len() + chunk.len()) as u64 > MAX_BODY {
            return Err(lost("the list is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reading the roots takes milliseconds: once is enough.
pub(crate) fn config() -> Result<ClientConfig, Refusal> {
    static CONFIG: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    CONFIG.get_or_init(make).clone().map_err(Refusal::Lost)
}

fn make() -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // Some entries of a system's store are odd; the others will do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|error| error.to_string())?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}
