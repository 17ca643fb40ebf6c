//! Access tokens: signed by us, with what LiveKit calls a participant's claims.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use livekit_token::{Claims, VideoGrants};
use ring::hmac;
use serde::Serialize;

use super::{JoinConfig, Rights};

/// As long as the longest call may last.
const VALID: Duration = Duration::from_secs(24 * 60 * 60);
/// Clocks of server and gateway differ.
const SKEW: Duration = Duration::from_secs(60);

/// LiveKit's claims, and the one that `livekit-token` does not know.
#[derive(Serialize)]
struct Token<'a> {
    #[serde(flatten)]
    claims: Claims,
    #[serde(rename = "roomPreset", skip_serializing_if = "str::is_empty")]
    room_preset: &'a str,
}

/// Signs the right to join (JWT, HS256: RFC 7519, RFC 7515).
pub(super) fn sign(
    now: SystemTime,
    config: &JoinConfig,
    room: &str,
    attributes: &BTreeMap<String, String>,
    rights: Rights,
) -> Result<String, serde_json::Error> {
    let profile = &config.profile;
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let claims = Claims {
        iss: config.server.key.clone(),
        sub: profile.identity.clone(),
        nbf: seconds(since.saturating_sub(SKEW)),
        exp: seconds(since + VALID),
        name: profile.name.clone(),
        kind: profile.kind.claim().into(),
        metadata: profile.metadata.clone(),
        attributes: attributes.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        room_config: profile.room_config.clone(),
        video: VideoGrants {
            room_join: true,
            room: room.into(),
            can_publish: Some(rights.publish),
            can_subscribe: Some(rights.subscribe),
            can_publish_data: Some(rights.publish_data),
            can_update_own_metadata: Some(true),
            ..VideoGrants::default()
        },
        ..Claims::default()
    };
    let claims = serde_json::to_vec(&Token { claims, room_preset: &profile.room_preset })?;
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, config.server.secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    Ok(format!("{signed}.{signature}"))
}

fn seconds(duration: Duration) -> usize {
    usize::try_from(duration.as_secs()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use livekit_protocol as proto;
    use livekit_token::TokenVerifier;

    use super::*;
    use crate::room::{Kind, Profile, Server};

    fn config() -> JoinConfig {
        let agent = proto::RoomAgentDispatch { agent_name: "ag".into(), ..Default::default() };
        JoinConfig {
            server: Server { url: "ws://h".into(), key: "devkey".into(), secret: "secret".into() },
            profile: Profile {
                name: "Phone +15550199".into(),
                metadata: "{\"r\":1}".into(),
                room_preset: "wide".into(),
                room_config: Some(proto::RoomConfiguration {
                    metadata: "roommeta".into(),
                    empty_timeout: 30,
                    agents: vec![agent],
                    ..Default::default()
                }),
                ..Profile::new("room-d", "sip_+15550199")
            },
        }
    }

    fn payload(token: &str) -> serde_json::Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn the_claims_are_those_of_a_sip_participant() {
        let attributes = BTreeMap::from([("sip.callStatus".into(), "ringing".into())]);
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let mut claims = payload(&sign(now, &config(), "room-d", &attributes, Rights::ALL).unwrap());
        assert_eq!(claims["exp"].as_u64(), Some(1_700_086_400));
        assert_eq!(claims["nbf"].as_u64(), Some(1_699_999_940));
        let object = claims.as_object_mut().unwrap();
        object.remove("exp");
        object.remove("nbf");
        let expected = serde_json::json!({
            "iss": "devkey",
            "sub": "sip_+15550199",
            "name": "Phone +15550199",
            "kind": "sip",
            "metadata": "{\"r\":1}",
            "attributes": {"sip.callStatus": "ringing"},
            "video": {
                "roomJoin": true, "room": "room-d", "canPublish": true, "canSubscribe": true,
                "canPublishData": true, "canUpdateOwnMetadata": true
            },
            "roomConfig": {"metadata": "roommeta", "emptyTimeout": 30, "agents": [{"agentName": "ag"}]},
            "roomPreset": "wide",
        });
        assert_eq!(claims, expected);
    }

    #[test]
    fn the_signature_is_the_servers_to_verify() {
        let now = SystemTime::now();
        let token = sign(now, &config(), "room-d", &BTreeMap::new(), Rights::ALL).unwrap();
        assert_eq!(TokenVerifier::with_api_key("devkey", "secret").verify(&token).unwrap().video.room, "room-d");
        assert!(TokenVerifier::with_api_key("devkey", "other").verify(&token).is_err());
    }

    #[test]
    fn rights_that_were_taken_are_not_signed_back() {
        let rights = Rights { publish: false, ..Rights::ALL };
        let claims = payload(&sign(SystemTime::now(), &config(), "moved", &BTreeMap::new(), rights).unwrap());
        assert_eq!((&claims["video"]["canPublish"], &claims["video"]["room"]), (&false.into(), &"moved".into()));
    }

    #[test]
    fn others_are_ordinary_participants() {
        let mut config = config();
        config.profile.kind = Kind::Standard;
        config.profile.room_preset.clear();
        let claims = payload(&sign(SystemTime::now(), &config, "r", &BTreeMap::new(), Rights::ALL).unwrap());
        assert_eq!((&claims["kind"], claims.get("roomPreset")), (&"standard".into(), None));
    }
}
