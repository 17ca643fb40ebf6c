//! The participant that a caller becomes, and the room in which he stands: LiveKit's names, byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::template::Scope;
use super::{Media, Query, Refusal, RoomName, Seat, headers, seat};
use crate::store::{DispatchRule, InboundTrunk, RoomPlan};

/// The longest identity and name, and the longest attribute that a template may make, in bytes.
const MAX_TEXT: usize = 255;

/// The longest metadata of a participant, in bytes.
const MAX_METADATA: usize = 64 * 1024;

/// Makes up the seat of a call that `trunk` and `rule` take.
pub(crate) fn seat(trunk: &InboundTrunk, rule: &DispatchRule, query: &Query) -> Result<Seat, Refusal> {
    let hidden = rule.info.hide_phone_number;
    let scope = Scope { query, trunk_id: trunk.id(), trunk_name: &trunk.info.name, rule_id: rule.id(), hidden };
    let mut notes = Vec::new();
    let room = room(rule, &scope, &mut notes)?;
    let mut metadata = rule.metadata.render(&scope);
    if metadata.len() > MAX_METADATA {
        notes.push(format!("metadata of {} bytes is left out", metadata.len()));
        metadata.clear();
    }
    let headers_to_attributes = sorted(&trunk.info.headers_to_attributes);
    let (from_headers, more) = headers::attributes(query, trunk.include_headers(), &headers_to_attributes, hidden);
    notes.extend(more);
    // What tells who calls is ours to say: no header and no rule can put another caller there.
    let mut attributes = rule_attributes(rule, &scope, &mut notes);
    attributes.extend(from_headers);
    attributes.extend(call_attributes(trunk, rule, query));
    let (identity, name) = identity(query.calling(), hidden);
    Ok(Seat {
        room,
        identity,
        name,
        metadata,
        attributes,
        room_config: rule.info.room_config.clone(),
        room_preset: rule.info.room_preset.clone(),
        headers: sorted(&trunk.info.headers),
        include_headers: trunk.include_headers(),
        headers_to_attributes,
        attributes_to_headers: sorted(&trunk.info.attributes_to_headers),
        ringing_timeout: trunk.ringing_timeout.unwrap_or(seat::RINGING_TIMEOUT),
        ringing_timeout_status: trunk.ringing_timeout_status,
        max_call_duration: trunk.max_call_duration.unwrap_or(seat::MAX_CALL_DURATION).min(seat::MAX_CALL_DURATION),
        media: merge(&trunk.media, &rule.media),
        answer: rule.answer,
        krisp: trunk.info.krisp_enabled || rule.info.krisp_enabled,
        trunk_id: trunk.id().to_owned(),
        rule_id: rule.id().to_owned(),
        notes,
    })
}

/// Identity and name. A hidden number leaves a fingerprint, by which the same caller is known again, and a few digits.
fn identity(number: &str, hidden: bool) -> (String, String) {
    let number = &number[..number.floor_char_boundary(MAX_TEXT - "Phone ".len())];
    if hidden {
        (format!("sip_{}", number_hash(number)), format!("Phone {}", masked(number)))
    } else {
        (format!("sip_{number}"), format!("Phone {number}"))
    }
}

/// The first eight bytes of the SHA-256 of a number, in hexadecimal.
pub(crate) fn number_hash(number: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, number.as_bytes());
    digest.as_ref().iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What is shown of a hidden number: its last four characters, one if it has no more than four.
pub(crate) fn masked(number: &str) -> &str {
    tail(number, if number.len() <= 4 { 1 } else { 4 })
}

/// The last characters of a text.
pub(crate) fn tail(text: &str, count: usize) -> &str {
    let from = text.char_indices().rev().take(count).last().map_or(text.len(), |(at, _)| at);
    &text[from..]
}

/// The room of the call. A name that a template leaves empty or too long falls back on one without the template's part.
fn room(rule: &DispatchRule, scope: &Scope<'_>, notes: &mut Vec<String>) -> Result<RoomName, Refusal> {
    let query = scope.query;
    let caller = if scope.hidden { masked(query.calling()) } else { query.calling() };
    let tail = query.random_tail();
    let name = |prefix: &str| match &rule.room {
        RoomPlan::Direct { .. } => prefix.to_owned(),
        RoomPlan::Individual { random, .. } => joined(prefix, caller, random.then_some(&*tail)),
        RoomPlan::Callee { random, .. } => joined(prefix, query.called(), random.then_some(&*tail)),
    };
    let template = rule.room.template();
    let prefix = template.render(scope);
    let lost = prefix.is_empty() && !rule.room.is_empty();
    if let Some(room) = RoomName::new(name(&prefix)).filter(|_| !lost) {
        return Ok(room);
    }
    let fallback = match &rule.room {
        RoomPlan::Direct { .. } => joined("call", caller, Some(&tail)),
        RoomPlan::Individual { .. } | RoomPlan::Callee { .. } => name(""),
    };
    let why = if prefix.is_empty() { "empty" } else { "too long" };
    notes.push(format!("the room name of the rule came out {why}: the room is named without it"));
    RoomName::new(fallback).ok_or_else(|| Refusal::NoRoom { rule: rule.label() })
}

/// `[prefix_]number[_random]`.
fn joined(prefix: &str, number: &str, random: Option<&str>) -> String {
    let parts = [Some(prefix).filter(|prefix| !prefix.is_empty()), Some(number), random];
    parts.into_iter().flatten().collect::<Vec<_>>().join("_")
}

fn rule_attributes(rule: &DispatchRule, scope: &Scope<'_>, notes: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    for (name, template) in &rule.attributes {
        let value = template.render(scope);
        match value.len() {
            0 if !template.is_plain() => notes.push(format!("attribute {name} came out empty and is left out")),
            0..=MAX_TEXT => {
                attributes.insert(name.clone(), value);
            }
            // The operator's own words may be as long as he likes; what a caller adds to them may not.
            _ if template.is_plain() => {
                attributes.insert(name.clone(), value);
            }
            long => notes.push(format!("attribute {name} of {long} bytes is left out")),
        }
    }
    attributes
}

/// The attributes that say which call this is. `sip.callStatus` is for the call to set.
fn call_attributes(trunk: &InboundTrunk, rule: &DispatchRule, query: &Query) -> Vec<(String, String)> {
    let mut attributes = vec![
        ("sip.callID", query.call_id.as_str()),
        ("sip.callIDFull", &query.sip_call_id),
        ("sip.callTag", &query.sip_tag),
        ("sip.trunkID", trunk.id()),
        ("sip.ruleID", rule.id()),
    ];
    if !rule.info.hide_phone_number {
        attributes.extend([
            ("sip.phoneNumber", query.calling()),
            ("sip.trunkPhoneNumber", query.called()),
            ("sip.hostname", query.from.host.as_str()),
        ]);
    }
    attributes.into_iter().map(|(name, value)| (name.to_owned(), headers::clean(value))).collect()
}

/// What the rule says on top of what the trunk says. A rule cannot switch off the encryption that its trunk asks for.
pub(crate) fn merge(trunk: &Media, rule: &Media) -> Media {
    let codecs = if rule.listed.is_empty() { trunk } else { rule };
    Media {
        timeout: rule.timeout.or(trunk.timeout),
        listed: codecs.listed.clone(),
        only_listed: codecs.only_listed,
        encryption: match rule.encryption {
            super::Encryption::Disable => trunk.encryption,
            asked => asked,
        },
    }
}

pub(crate) fn sorted(map: &std::collections::HashMap<String, String>) -> BTreeMap<String, String> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::query::tests::query;
    use super::super::{Decision, Pin, decide};
    use super::*;
    use crate::config::tests::snapshot;
    use crate::store::Snapshot;

    fn join(snapshot: &Snapshot, query: &Query) -> Seat {
        match decide(snapshot, &snapshot.inbound_trunks[0], query, Pin::NotAsked) {
            Decision::Join(seat) => *seat,
            other => panic!("{other:?}"),
        }
    }

    fn seat_of(rule: &str, change: impl FnOnce(&mut Query)) -> Seat {
        let yaml = format!("inbound_trunks: [{{name: tw, numbers: [\"*\"]}}]\ndispatch_rules: [{rule}]");
        join(&snapshot(&yaml), &query(change))
    }

    #[test]
    fn rooms_are_named_as_livekit_does() {
        let tail = query(|_| ()).random_tail();
        let direct = "{rule: {dispatchRuleDirect: {roomName: lobby}}}";
        let cases: &[(&str, &str, &str)] = &[
            ("direct", direct, "lobby"),
            ("individual", "{rule: {dispatchRuleIndividual: {roomPrefix: call-}}}", "call-_+15550199_~"),
            ("individual, no prefix", "{rule: {dispatchRuleIndividual: {}}}", "+15550199_~"),
            (
                "individual, same room",
                "{rule: {dispatchRuleIndividual: {roomPrefix: call, noRandomness: true}}}",
                "call_+15550199",
            ),
            (
                "individual, hidden",
                "{hidePhoneNumber: true, rule: {dispatchRuleIndividual: {roomPrefix: c}}}",
                "c_0199_~",
            ),
            ("callee", "{rule: {dispatchRuleCallee: {roomPrefix: to}}}", "to_+15550100"),
            ("callee, no prefix", "{rule: {dispatchRuleCallee: {}}}", "+15550100"),
            ("callee, random", "{rule: {dispatchRuleCallee: {roomPrefix: to, randomize: true}}}", "to_+15550100_~"),
            (
                "template",
                "{rule: {dispatchRuleDirect: {roomName: \"twilio-tgl-{caller_number}\"}}}",
                "twilio-tgl-+15550199",
            ),
            (
                "template with default",
                "{rule: {dispatchRuleDirect: {roomName: \"t_{telnyx.call_control_id|none}\"}}}",
                "t_none",
            ),
            (
                "template of prefix",
                "{rule: {dispatchRuleIndividual: {roomPrefix: \"{called_digits}\"}}}",
                "15550100_+15550199_~",
            ),
            ("empty template", "{rule: {dispatchRuleDirect: {roomName: \"{header:X-Room}\"}}}", "call_+15550199_~"),
            (
                "empty template of prefix",
                "{rule: {dispatchRuleIndividual: {roomPrefix: \"{header:X-Room}\"}}}",
                "+15550199_~",
            ),
        ];
        for (name, rule, room) in cases {
            let seat = seat_of(rule, |_| ());
            assert_eq!(seat.room.as_str(), room.replace('~', &tail), "{name}");
            assert_eq!(seat.notes.is_empty(), !name.starts_with("empty"), "{name}: {:?}", seat.notes);
        }
    }

    #[test]
    fn what_a_caller_sends_cannot_make_names_too_long() {
        let rule = "{rule: {dispatchRuleDirect: {roomName: \"r{header:X-Room}\"}}, attributes: {a: \"{header:X-Room}\", b: fixed}}";
        let seat = seat_of(rule, |q| q.headers = vec![("X-Room".into(), "x".repeat(300))]);
        assert!(seat.room.as_str().starts_with("call_+15550199_"));
        assert_eq!(seat.attributes.get("a"), None);
        assert_eq!(seat.attributes["b"], "fixed");
        assert_eq!(seat.notes.len(), 2, "{:?}", seat.notes);

        let endless = |q: &mut Query| q.from.user = "é".repeat(1000);
        let seat = seat_of("{rule: {dispatchRuleDirect: {roomName: r}}}", endless);
        assert!(seat.identity.len() <= 255 && seat.name.len() <= 255);
        let yaml =
            "inbound_trunks: [{name: tw, numbers: [\"*\"]}]\ndispatch_rules: [{rule: {dispatchRuleIndividual: {}}}]";
        let snapshot = snapshot(yaml);
        let decision = decide(&snapshot, &snapshot.inbound_trunks[0], &query(endless), Pin::NotAsked);
        assert!(matches!(decision, Decision::Refuse(Refusal::NoRoom { .. })), "{decision:?}");
    }

    #[test]
    fn a_hidden_number_is_told_nowhere() {
        let rule = "{hide_phone_number: true, rule: {dispatchRuleIndividual: {}}, metadata: \"{caller_number}\"}";
        let yaml = format!(
            "inbound_trunks: [{{numbers: [\"*\"], include_headers: SIP_ALL_HEADERS}}]\ndispatch_rules: [{rule}]"
        );
        let call = query(|q| {
            q.headers = vec![
                ("From".into(), "<sip:+15550199@a>".into()),
                ("X-Forwarded-For".into(), "sip:15550199@b".into()),
                ("X-Other".into(), "o".into()),
            ];
        });
        let seat = join(&snapshot(&yaml), &call);
        assert_eq!(seat.identity, format!("sip_{}", number_hash("+15550199")));
        assert_eq!(seat.name, "Phone 0199");
        assert_eq!(seat.attributes["sip.h.x-other"], "o");
        assert!(!format!("{seat:?}").contains("5550199"), "{seat:?}");
        for absent in ["sip.phoneNumber", "sip.trunkPhoneNumber", "sip.hostname"] {
            assert!(!seat.attributes.contains_key(absent), "{absent}");
        }
        assert_eq!(masked("0199"), "9");
        assert_eq!(masked("10199"), "0199");
        assert_eq!(masked(""), "");
    }

    #[test]
    fn nobody_can_put_another_caller_into_the_attributes() {
        let yaml = "inbound_trunks: [{numbers: [\"*\"], headers_to_attributes: {X-A: sip.phoneNumber}}]
dispatch_rules: [{rule: {dispatchRuleIndividual: {}}, attributes: {sip.phoneNumber: r, sip.trunkID: r, k: r}}]";
        let seat = join(&snapshot(yaml), &query(|q| q.headers = vec![("X-A".into(), "+1900".into())]));
        assert_eq!(seat.attributes["sip.phoneNumber"], "+15550199");
        assert!(seat.attributes["sip.trunkID"].starts_with("ST_"));
        assert_eq!(seat.attributes["k"], "r");
    }

    #[test]
    fn terms_come_from_the_trunk_and_then_the_rule() {
        let yaml = "inbound_trunks: [{numbers: [\"*\"], ringing_timeout: 1m30s, ringing_timeout_status: SIP_STATUS_TEMPORARILY_UNAVAILABLE, headers: {X-A: b}, attributes_to_headers: {a: X-B},
  media: {encryption: SIP_MEDIA_ENCRYPT_REQUIRE, codecs: [{name: pcma}], only_listed_codecs: true, media_timeout: 10s}}]
dispatch_rules: [{rule: {dispatchRuleIndividual: {}}, krisp_enabled: true, room_preset: p, answer: immediately,
  media: {encryption: SIP_MEDIA_ENCRYPT_DISABLE, media_timeout: 20s}}]";
        let seat = join(&snapshot(yaml), &query(|_| ()));
        assert_eq!(seat.ringing_timeout, std::time::Duration::from_secs(90));
        assert_eq!(seat.ringing_timeout_status, Some(480));
        assert_eq!(seat.max_call_duration, seat::MAX_CALL_DURATION);
        assert_eq!(seat.media.timeout, Some(std::time::Duration::from_secs(20)));
        assert_eq!(seat.media.encryption, crate::dispatch::Encryption::Require);
        let codec = |name: &str| crate::dispatch::Codec { name: name.into(), rate: 8_000 };
        assert_eq!(seat.media.codecs(&[codec("PCMU"), codec("PCMA")]), [codec("PCMA")]);
        assert_eq!(Media::default().codecs(&[codec("PCMU")]), [codec("PCMU")]);
        let listed = Media { listed: vec![codec("PCMA"), codec("G722")], ..Media::default() };
        assert_eq!(listed.codecs(&[codec("PCMU"), codec("PCMA")]), [codec("PCMA"), codec("PCMU")]);
        assert_eq!(seat.answer, Some(crate::dispatch::Answer::Immediately));
        assert_eq!((seat.krisp, seat.room_preset.as_str()), (true, "p"));
        assert_eq!((seat.headers["X-A"].as_str(), seat.attributes_to_headers["a"].as_str()), ("b", "X-B"));
    }

    /// The participants that stock livekit-sip made of the same trunks, rules and headers.
    #[test]
    fn participants_are_those_of_stock_livekit_sip() {
        let recorded: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/stock-participants.json")).unwrap();
        for (name, case) in recorded.as_object().unwrap() {
            let yaml = format!("inbound_trunks: [{}]\ndispatch_rules: [{}]", case["trunk"], case["rule"]);
            let snapshot = snapshot(&yaml);
            let stock = &case["snapshots"][0];
            let stock_attribute = |name: &str| stock["attributes"][name].as_str().unwrap().to_owned();
            let invite = query(|q| {
                q.call_id = stock_attribute("sip.callID");
                q.sip_call_id = stock_attribute("sip.callIDFull");
                q.headers = recorded_headers(case["extra_headers"].as_str().unwrap(), &q.sip_call_id, stock);
            });
            let seat = join(&snapshot, &invite);
            let text = |field: &str| stock[field].as_str().unwrap();
            assert_eq!(seat.identity, text("identity"), "{name}");
            assert_eq!(seat.name, text("name"), "{name}");
            assert_eq!(seat.metadata, text("metadata"), "{name}");
            let tail = format!("_{}", invite.random_tail());
            match seat.room.as_str().strip_suffix(&tail) {
                Some(begin) => assert_eq!(begin, &text("room")[..text("room").len() - tail.len()], "{name}"),
                None => assert_eq!(seat.room.as_str(), text("room"), "{name}"),
            }
            let room_metadata = seat.room_config.map(|config| config.metadata).unwrap_or_default();
            assert_eq!(room_metadata, text("room_metadata"), "{name}");
            let mut expected: BTreeMap<String, String> = serde_json::from_value(stock["attributes"].clone()).unwrap();
            assert_eq!(expected.remove("sip.callStatus").as_deref(), Some("ringing"));
            expected.insert("sip.trunkID".into(), snapshot.inbound_trunks[0].id().into());
            expected.insert("sip.ruleID".into(), snapshot.dispatch_rules[0].id().into());
            assert_eq!(seat.attributes, expected, "{name}");
        }
    }

    /// The headers of the recorded INVITE: the recorder's extra ones among those that every INVITE of his had.
    fn recorded_headers(extra: &str, call_id: &str, stock: &serde_json::Value) -> Vec<(String, String)> {
        let via = stock["attributes"]["sip.h.via"].as_str().unwrap_or("SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK1");
        let fixed = [
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", "\"Alice A\" <sip:+15550199@trunk.example.com>;tag=ft"),
            ("To", "<sip:+15550100@gw.example.com>"),
            ("Call-ID", call_id),
            ("CSeq", "1 INVITE"),
            ("Contact", "<sip:+15550199@127.0.0.1:5090>"),
            ("Content-Type", "application/sdp"),
            ("Content-Length", "166"),
        ];
        let extra = extra.lines().filter_map(|line| line.split_once(": "));
        fixed.into_iter().chain(extra).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// What carriers send, and what a room sees of it.
    #[test]
    fn carriers_headers_become_the_attributes_that_apps_expect() {
        let expected: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/expected-attributes.json")).unwrap();
        let invites = [
            ("twilio-invite.sip", include_str!("../../tests/data/twilio-invite.sip")),
            ("telnyx-invite-call-control.sip", include_str!("../../tests/data/telnyx-invite-call-control.sip")),
        ];
        let yaml = "inbound_trunks: [{numbers: [\"*\"], include_headers: SIP_X_HEADERS}]
dispatch_rules: [{rule: {dispatchRuleDirect: {roomName: \"telnyx_call_{telnyx.call_control_id|none}\"}}}]";
        for (file, invite) in invites {
            let seat = join(&snapshot(yaml), &parsed(invite));
            for field in ["identity", "name"] {
                if let Some(value) = expected[file][field].as_str() {
                    assert_eq!(if field == "name" { &seat.name } else { &seat.identity }, value, "{file}");
                }
            }
            for (name, value) in expected[file]["attributes"].as_object().unwrap() {
                assert_eq!(seat.attributes.get(name).map(String::as_str), value.as_str(), "{file} {name}");
            }
            let room =
                if file.starts_with("telnyx") { "telnyx_call_v3:fixtureCallControlId0001" } else { "telnyx_call_none" };
            assert_eq!(seat.room.as_str(), room);
        }
    }

    /// Just enough of a parser for the files of the test above.
    fn parsed(invite: &str) -> Query {
        let head = invite.split("\r\n\r\n").next().unwrap();
        let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_owned(), v.trim().to_owned()));
        let headers: Vec<_> = head.lines().skip(1).filter_map(header).collect();
        query(|q| {
            q.headers = headers;
            let uri = |q: &Query, name: &str| {
                let value = q.header(name).unwrap().to_owned();
                let (user, rest) = value.split_once("sip:").unwrap().1.split_once('@').unwrap();
                (user.to_owned(), rest.split(['>', ';', ':']).next().unwrap().to_owned())
            };
            (q.from.user, q.from.host) = uri(q, "from");
            (q.to.user, q.to.host) = uri(q, "to");
            q.sip_call_id = q.header("call-id").unwrap().to_owned();
        })
    }
}
