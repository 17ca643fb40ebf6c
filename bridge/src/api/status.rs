//! How the gateway fares, as `GET /trunkline/v1/status` tells it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// What the gateway runs with. Whoever loads the configuration tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Where SIP is listened to: `udp:0.0.0.0:5060`.
    pub listeners: Vec<String>,
    /// The configuration.
    pub configuration: Configuration,
}

/// How the configuration file fares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Configuration {
    /// The file; `None` if there is none.
    pub file: Option<String>,
    /// When the one in force was read.
    #[serde(serialize_with = "millis")]
    pub loaded_at: Option<SystemTime>,
    /// Why the file as it stands is not in force, if it is not.
    pub error: Option<String>,
    /// Keys that have changed since the start and take effect with the next one.
    pub needs_restart: Vec<String>,
}

/// Milliseconds since 1970, as everywhere beside LiveKit's API.
fn millis<S: Serializer>(at: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let since = |at: &SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    at.as_ref().map(|at| u64::try_from(since(at)).unwrap_or(u64::MAX)).serialize(serializer)
}
