//! Access tokens of the commands: for one request, and good for a minute.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// Long enough to send a request.
const VALID: Duration = Duration::from_secs(60);
/// Clocks of the gateway and of who asks differ.
const SKEW: Duration = Duration::from_secs(30);

/// What a request needs.
pub(in crate::cli) enum Grant<'a> {
    /// Trunks, rules, calls.
    Admin,
    /// A new call, into this room.
    Call { room: &'a str },
    /// A transfer out of this room.
    Transfer { room: &'a str },
    /// From one room into another.
    Move { room: &'a str, destination: &'a str },
}

impl Grant<'_> {
    fn claims(&self) -> Value {
        match self {
            Self::Admin => json!({"sip": {"admin": true}}),
            Self::Call { room } => json!({"sip": {"call": true}, "video": {"roomAdmin": true, "room": room}}),
            Self::Transfer { room } => json!({"sip": {"call": true}, "video": {"roomAdmin": true, "room": room}}),
            Self::Move { room, destination } => {
                json!({"video": {"roomAdmin": true, "room": room, "destinationRoom": destination}})
            }
        }
    }
}

/// Signs it (JWT, HS256: RFC 7519, RFC 7515).
pub(super) fn sign(now: SystemTime, key: &str, secret: &str, grant: &Grant<'_>) -> String {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut claims = grant.claims();
    claims["iss"] = key.into();
    claims["nbf"] = since.saturating_sub(SKEW).as_secs().into();
    claims["exp"] = (since + VALID).as_secs().into();
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(r#"{"alg":"HS256","typ":"JWT"}"#), part(&claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}
