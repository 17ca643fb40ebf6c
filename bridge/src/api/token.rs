//! Whose request it is: LiveKit's access tokens, checked (JWT with HS256: [RFC 7519], [RFC 7515]).
//!
//! The signature is looked at before anything that the token says is believed. No other algorithm is known here, so none
//! can be talked into.
//!
//! [RFC 7519]: https://www.rfc-editor.org/rfc/rfc7519
//! [RFC 7515]: https://www.rfc-editor.org/rfc/rfc7515

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Longer than any token that LiveKit's SDKs sign: those with a room configuration inside take a few kilobytes.
const LONGEST: usize = 16 * 1024;
/// Clocks of whoever signed it and of the gateway differ.
const LEEWAY: Duration = Duration::from_secs(60);

/// API keys and the secret of each.
#[derive(Clone, Default)]
pub struct Keys(HashMap<String, hmac::Key>);

/// What the bearer of a token may do. Without a token: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    /// Trunks and rules.
    pub(crate) sip_admin: bool,
    /// Calls and transfers.
    pub(crate) sip_call: bool,
    /// Whatever is in `room`.
    pub(crate) room_admin: bool,
    /// The room that `room_admin` is for.
    pub(crate) room: String,
    /// Where participants of it may be moved to.
    pub(crate) destination_room: String,
}

impl Grants {
    /// Whether the bearer is an administrator of this room.
    pub(crate) fn administers(&self, room: &str) -> bool {
        self.room_admin && !room.is_empty() && self.room == room
    }
}

/// A token that proves nothing.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// There is an `Authorization`, and it is no bearer's.
    #[error("invalid authorization header: one header that begins with \"Bearer \" is needed")]
    Scheme,
    /// It is longer than tokens are.
    #[error("invalid token: it is too long")]
    TooLong,
    /// It is not three parts of base64url with JSON inside, as claims have it.
    #[error("invalid token: it is malformed")]
    Malformed,
    /// It wants to be checked in another way.
    #[error("invalid token: only HS256 is accepted")]
    Algorithm,
    /// Somebody else has signed it, or it was changed. A key that is not ours reads the same.
    #[error("invalid token: the signature is invalid")]
    Signature,
    /// It would be good for ever.
    #[error("invalid token: it has no time of expiry (exp)")]
    Eternal,
    /// It was good.
    #[error("invalid token: it has expired")]
    Expired,
    /// It will be good.
    #[error("invalid token: it is not valid yet (nbf)")]
    Early,
}

impl Keys {
    /// Takes pairs of key and secret. One without a secret would let everybody sign.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let key = |(name, secret): (String, String)| (name, hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
        let is_whole = |(name, secret): &(String, String)| !name.is_empty() && !secret.is_empty();
        Self(pairs.into_iter().filter(is_whole).map(key).collect())
    }

    /// What a request's token grants; nothing where there is none.
    pub(crate) fn grants(&self, now: SystemTime, headers: &HeaderMap) -> Result<Grants, Invalid> {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let Some(field) = fields.next() else { return Ok(Grants::default()) };
        if fields.next().is_some() {
            return Err(Invalid::Scheme);
        }
        let (scheme, token) = field.to_str().ok().and_then(|field| field.split_once(' ')).ok_or(Invalid::Scheme)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Invalid::Scheme);
        }
        self.verify(now, token.trim())
    }

    /// What a token grants.
    pub(crate) fn verify(&self, now: SystemTime, token: &str) -> Result<Grants, Invalid> {
        if token.len() > LONGEST {
            return Err(Invalid::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Invalid::Malformed)?;
        let header: Header = part(header)?;
        if header.alg != "HS256" || header.crit.is_some() {
            return Err(Invalid::Algorithm);
        }
        let claims: Claims = part(payload)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Invalid::Malformed)?;
        let key = self.0.get(&claims.iss).ok_or(Invalid::Signature)?;
        hmac::verify(key, signed.as_bytes(), &signature).map_err(|_| Invalid::Signature)?;
        claims.check_times(now)?;
        Ok(claims.grants())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The JOSE header.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Extensions that whoever checks must understand; we understand none (RFC 7515 §4.1.11).
    crit: Option<serde::de::IgnoredAny>,
}

/// What of LiveKit's claims this API looks at.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    iss: String,
    exp: Option<f64>,
    nbf: Option<f64>,
    sip: Option<Sip>,
    video: Option<Video>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sip {
    admin: bool,
    call: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Video {
    room_admin: bool,
    room: String,
    destination_room: String,
}

impl Claims {
    fn check_times(&self, now: SystemTime) -> Result<(), Invalid> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = LEEWAY.as_secs_f64();
        match (self.exp, self.nbf) {
            (None, _) => Err(Invalid::Eternal),
            (Some(expires), _) if now > expires + leeway => Err(Invalid::Expired),
            (_, Some(since)) if now + leeway < since => Err(Invalid::Early),
            _ => Ok(()),
        }
    }

    fn grants(self) -> Grants {
        let sip = self.sip.unwrap_or_default();
        let video = self.video.unwrap_or_default();
        Grants {
            sip_admin: sip.admin,
            sip_call: sip.call,
            room_admin: video.room_admin,
            room: video.room,
            destination_room: video.destination_room,
        }
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Invalid> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Invalid::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn keys() -> Keys {
        let pairs = [("devkey", "secret"), ("other", "another secret"), ("", "secret"), ("bare", "")];
        Keys::new(pairs.map(|(key, secret)| (key.to_owned(), secret.to_owned())))
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn signed(header: &Value, claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    }

    fn hs256() -> Value {
        json!({"alg": "HS256", "typ": "JWT"})
    }

    fn claims() -> Value {
        json!({"iss": "devkey", "sub": "app", "exp": NOW + 600, "nbf": NOW - 5, "sip": {"admin": true}})
    }

    #[test]
    fn tokens_grant_what_they_say() {
        let with = |key: &str, value: Value| {
            let mut claims = claims();
            claims[key] = value;
            claims
        };
        let admin = Grants { sip_admin: true, ..Grants::default() };
        let cases = [
            ("admin", claims(), admin.clone()),
            ("call", with("sip", json!({"call": true})), Grants { sip_call: true, ..Grants::default() }),
            ("neither", with("sip", json!({})), Grants::default()),
            ("nothing", with("sip", Value::Null), Grants::default()),
            ("a true that is a text is none", with("video", json!({"roomAdmin": false, "room": "r"})), {
                Grants { room: "r".into(), ..admin.clone() }
            }),
            (
                "a room and where to",
                with("video", json!({"roomAdmin": true, "room": "r", "destinationRoom": "d", "canPublish": null})),
                Grants { room_admin: true, room: "r".into(), destination_room: "d".into(), ..admin.clone() },
            ),
            ("times with a fraction", with("exp", json!(600.5 + NOW as f64)), admin.clone()),
            ("expired within the leeway", with("exp", json!(NOW - 59)), admin.clone()),
            ("early within the leeway", with("nbf", json!(NOW + 59)), admin.clone()),
            ("claims that nobody knows", with("roomPreset", json!({"x": [1, 2]})), admin),
        ];
        for (name, claims, grants) in cases {
            assert_eq!(keys().verify(now(), &signed(&hs256(), &claims, "secret")), Ok(grants), "{name}");
        }
        let other = signed(&hs256(), &with("iss", json!("other")), "another secret");
        assert!(keys().verify(now(), &other).is_ok(), "each key has its own secret");
    }

    #[test]
    fn bad_tokens_grant_nothing() {
        let with = |key: &str, value: Value| {
            let mut claims = claims();
            claims[key] = value;
            signed(&hs256(), &claims, "secret")
        };
        let header = |header: Value| signed(&header, &claims(), "secret");
        let good = signed(&hs256(), &claims(), "secret");
        let bare = json!({"iss": "bare", "exp": NOW + 600, "sip": {"admin": true}});
        let unsigned = |header: &str| {
            format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()))
        };
        let mut forged: Vec<_> = good.split('.').map(str::to_owned).collect();
        forged[1] = URL_SAFE_NO_PAD.encode(json!({"iss": "devkey", "exp": NOW + 9, "sip": {"call": true}}).to_string());
        let cases = [
            ("another secret", signed(&hs256(), &claims(), "Secret"), Invalid::Signature),
            ("no secret", signed(&hs256(), &claims(), ""), Invalid::Signature),
            ("the secret of another key", with("iss", json!("other")), Invalid::Signature),
            ("a key that is not ours", with("iss", json!("nobody")), Invalid::Signature),
            ("no key", with("iss", json!("")), Invalid::Signature),
            ("a key without a secret", signed(&hs256(), &bare, ""), Invalid::Signature),
            ("other claims under the signature", forged.join("."), Invalid::Signature),
            ("a signature cut short", good[..good.len() - 3].to_owned(), Invalid::Signature),
            ("no signature", unsigned(r#"{"alg":"HS256"}"#), Invalid::Signature),
            ("alg none", unsigned(r#"{"alg":"none"}"#), Invalid::Algorithm),
            ("alg None", unsigned(r#"{"alg":"None"}"#), Invalid::Algorithm),
            ("alg none, signed all the same", header(json!({"alg": "none"})), Invalid::Algorithm),
            ("HS384", header(json!({"alg": "HS384"})), Invalid::Algorithm),
            ("RS256 with our secret", header(json!({"alg": "RS256"})), Invalid::Algorithm),
            ("hs256", header(json!({"alg": "hs256"})), Invalid::Algorithm),
            ("an extension we do not know", header(json!({"alg": "HS256", "crit": ["b64"]})), Invalid::Algorithm),
            ("no algorithm", header(json!({"typ": "JWT"})), Invalid::Malformed),
            ("two algorithms", unsigned(r#"{"alg":"HS256","alg":"none"}"#), Invalid::Malformed),
            ("expired", with("exp", json!(NOW - 61)), Invalid::Expired),
            ("expired long ago", with("exp", json!(-1)), Invalid::Expired),
            ("not yet", with("nbf", json!(NOW + 61)), Invalid::Early),
            ("for ever", with("exp", Value::Null), Invalid::Eternal),
            ("a time in words", with("exp", json!("tomorrow")), Invalid::Malformed),
            ("a grant in words", with("sip", json!({"admin": "true"})), Invalid::Malformed),
            ("grants in a list", with("sip", json!([true, "x"])), Invalid::Malformed),
            ("nothing", String::new(), Invalid::Malformed),
            ("dots", "..".into(), Invalid::Malformed),
            ("four parts", format!("{good}.x"), Invalid::Malformed),
            ("two parts", good.rsplit_once('.').unwrap().0.to_owned(), Invalid::Malformed),
            ("padding", format!("{good}="), Invalid::Malformed),
            ("text", "not a token".into(), Invalid::Malformed),
            ("huge", "a".repeat(LONGEST + 1), Invalid::TooLong),
        ];
        for (name, token, invalid) in cases {
            let verdict = keys().verify(now(), &token);
            assert_eq!(verdict, Err(invalid), "{name}");
            assert!(token.is_empty() || !invalid.to_string().contains(&token), "{name}: the answer repeats the token");
        }
    }

    #[test]
    fn the_header_is_a_bearers() {
        let good = signed(&hs256(), &claims(), "secret");
        let cases: &[(&str, &[&str], Result<bool, Invalid>)] = &[
            ("none", &[], Ok(false)),
            ("Bearer", &[&format!("Bearer {good}")], Ok(true)),
            ("any case", &[&format!("bearer {good}")], Ok(true)),
            ("Basic", &["Basic ZGV2a2V5OnNlY3JldA=="], Err(Invalid::Scheme)),
            ("the token alone", &[&good], Err(Invalid::Scheme)),
            ("nothing in it", &[""], Err(Invalid::Scheme)),
            ("two of them", &[&format!("Bearer {good}"), "Bearer x"], Err(Invalid::Scheme)),
            ("nothing after it", &["Bearer "], Err(Invalid::Malformed)),
        ];
        for (name, fields, expected) in cases {
            let mut headers = HeaderMap::new();
            for field in *fields {
                headers.append(AUTHORIZATION, field.parse().unwrap());
            }
            assert_eq!(keys().grants(now(), &headers).map(|grants| grants.sip_admin), *expected, "{name}");
        }
    }
}
