//! Trunks and rules out of the file: LiveKit's JSON objects, with every field checked by name before it is read, because
//! a field that is passed over in silence is a call that goes to the wrong place.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value as Json};

use super::Error;
use super::key::{self, Field};
use super::tree::{Node, Value};
use super::value::Kind;
use crate::spelling::snake;
use crate::store::{InboundExtras, InboundItem, OutboundExtras, OutboundItem, RuleExtras, RuleItem};

/// Reads one inbound trunk, with or without `trunk:` around it.
pub(crate) fn inbound_trunk(node: &Node, path: &str, errors: &mut Vec<Error>) -> Option<InboundItem> {
    let mut json = object(unwrapped(node, &["trunk"]), key::INBOUND_TRUNK, path, errors)?;
    let ours = ours(&mut json, InboundExtras::FIELDS);
    Some(InboundItem { info: message(Json::Object(json), node, path, errors)?, ours })
}

/// Reads one outbound trunk, with or without `trunk:` around it.
pub(crate) fn outbound_trunk(node: &Node, path: &str, errors: &mut Vec<Error>) -> Option<OutboundItem> {
    let mut json = object(unwrapped(node, &["trunk"]), key::OUTBOUND_TRUNK, path, errors)?;
    let ours = ours(&mut json, OutboundExtras::FIELDS);
    Some(OutboundItem { info: message(Json::Object(json), node, path, errors)?, ours })
}

/// Reads one rule, with or without `dispatch_rule:` around it.
pub(crate) fn dispatch_rule(node: &Node, path: &str, errors: &mut Vec<Error>) -> Option<RuleItem> {
    let inner = unwrapped(node, &["dispatch_rule", "dispatchRule"]);
    let mut json = object(inner, key::DISPATCH_RULE, path, errors)?;
    let ours = ours(&mut json, RuleExtras::FIELDS);
    Some(RuleItem { info: message(Json::Object(json), node, path, errors)?, ours })
}

/// Takes out what an object has beside LiveKit's fields. The table of fields has let through what there is to read, and
/// nothing else.
fn ours<T: DeserializeOwned + Default>(json: &mut Map<String, Json>, fields: &[&str]) -> T {
    let own: Map<_, _> = fields.iter().filter_map(|name| json.remove_entry(*name)).collect();
    serde_json::from_value(Json::Object(own)).unwrap_or_default()
}

/// What is inside the one key of a request.
fn unwrapped<'a>(node: &'a Node, names: &[&str]) -> &'a Node {
    match &node.value {
        Value::Map(entries) => match &entries[..] {
            [(_, name, inner)] if names.contains(&name.as_str()) => inner,
            _ => node,
        },
        _ => node,
    }
}

/// The fields of an object as LiveKit's JSON, named in snake_case; `None` if something was wrong.
fn object(node: &Node, fields: &'static [Field], path: &str, errors: &mut Vec<Error>) -> Option<Map<String, Json>> {
    let Some(entries) = node.entries() else {
        errors.push(misfit(node, path, Kind::Object(fields)));
        return None;
    };
    let before = errors.len();
    let mut json = Map::new();
    for (place, written, value) in entries {
        let name = snake(written);
        let path = format!("{path}.{written}");
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let nearest = key::nearest(&name, fields.iter().map(|field| field.name)).map(str::to_owned);
            errors.push(Error::UnknownKey { place: *place, key: path, nearest });
            continue;
        };
        if json.contains_key(field.name) {
            let expected = "only once, in one spelling".to_owned();
            errors.push(Error::Value { place: *place, key: path, value: "there again".into(), expected });
            continue;
        }
        // As in protojson, nothing is the same as not set. The times are the store's, and there is none.
        if !matches!(value.value, Value::Null) && !matches!(field.name, "created_at" | "updated_at") {
            json.extend(read(value, field.kind, &path, errors).map(|value| (field.name.to_owned(), value)));
        }
    }
    (errors.len() == before).then_some(json)
}

fn read(node: &Node, kind: Kind, path: &str, errors: &mut Vec<Error>) -> Option<Json> {
    match kind {
        Kind::Object(fields) => return object(node, fields, path, errors).map(Json::Object),
        Kind::Objects(fields) => {
            if let Value::List(items) = &node.value {
                let item = |(at, item)| object(item, fields, &format!("{path}[{at}]"), errors).map(Json::Object);
                return items.iter().enumerate().map(item).collect();
            }
        }
        _ => {}
    }
    if !kind.fits(node) {
        errors.push(misfit(node, path, kind));
        return None;
    }
    json(node, kind)
}

fn json(node: &Node, kind: Kind) -> Option<Json> {
    Some(match kind {
        Kind::Bool => Json::Bool(node.bool()?),
        Kind::Integer(..) => Json::Number(node.integer()?.into()),
        Kind::Duration(..) | Kind::SignedDuration => {
            let (negative, duration) = node.duration()?;
            let sign = if negative { "-" } else { "" };
            Json::String(match duration.subsec_nanos() {
                0 => format!("{sign}{}s", duration.as_secs()),
                nanos => format!("{sign}{}.{nanos:09}s", duration.as_secs()),
            })
        }
        Kind::Texts => node.texts()?.into_iter().map(Json::String).collect(),
        Kind::TextMap => {
            let entry =
                |(_, key, value): &(_, String, Node)| Some((key.clone(), Json::String(value.text()?.to_owned())));
            Json::Object(node.entries()?.iter().map(entry).collect::<Option<_>>()?)
        }
        Kind::Any => any(node),
        _ => Json::String(node.text()?.to_owned()),
    })
}

/// A value as YAML resolves it.
fn any(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Scalar { text, quoted } => {
            let number = || text.parse::<i64>().ok().map(Number::from);
            let float = || text.parse::<f64>().ok().and_then(Number::from_f64);
            match node.bool().filter(|_| matches!(text.as_str(), "true" | "false")) {
                _ if *quoted => Json::String(text.clone()),
                Some(truth) => Json::Bool(truth),
                None => number().or_else(float).map_or_else(|| Json::String(text.clone()), Json::Number),
            }
        }
        Value::List(items) => items.iter().map(any).collect(),
        Value::Map(entries) => entries.iter().map(|(_, key, value)| (key.clone(), any(value))).collect(),
    }
}

/// LiveKit's message. Names and kinds were checked before: what is left to refuse is inside of what we do not look into.
fn message<T: DeserializeOwned>(json: Json, node: &Node, path: &str, errors: &mut Vec<Error>) -> Option<T> {
    let refused = |error: serde_json::Error| Error::Value {
        place: node.place,
        key: path.to_owned(),
        value: error.to_string(),
        expected: "an object as LiveKit has it".to_owned(),
    };
    serde_json::from_value(json).map_err(|error| errors.push(refused(error))).ok()
}

pub(crate) fn misfit(node: &Node, path: &str, kind: Kind) -> Error {
    let value = match kind {
        // What was meant as a password is not for the log, whatever it turned out to be.
        Kind::Secret => node.kind().to_owned(),
        _ => node.shown(),
    };
    Error::Value { place: node.place, key: path.to_owned(), value, expected: kind.expected() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use livekit_protocol as proto;
    use serde::de::Deserialize;

    use super::*;
    use crate::config::tests::{loaded, snapshot};
    use crate::spelling::names_of;

    /// The files that people have for `lk`, as they are.
    const FILES: &[(&str, &str, &str)] = &[
        ("inbound_trunks", "inbound-trunk", include_str!("../../tests/data/lk/inbound-trunk.json")),
        ("inbound_trunks", "digest", include_str!("../../tests/data/lk/inbound-trunk-digest.json")),
        ("inbound_trunks", "telnyx", include_str!("../../tests/data/lk/inbound-trunk-telnyx.json")),
        ("inbound_trunks", "pattern", include_str!("../../tests/data/lk/inbound-trunk-any-number-pattern.json")),
        ("outbound_trunks", "outbound-trunk", include_str!("../../tests/data/lk/outbound-trunk.json")),
        ("outbound_trunks", "secure", include_str!("../../tests/data/lk/outbound-trunk-secure.json")),
        ("outbound_trunks", "telnyx", include_str!("../../tests/data/lk/outbound-trunk-telnyx.json")),
        ("dispatch_rules", "rule", include_str!("../../tests/data/lk/dispatch-rule.json")),
        ("dispatch_rules", "flat", include_str!("../../tests/data/lk/dispatch-rule-legacy-flat.json")),
        ("dispatch_rules", "pin", include_str!("../../tests/data/lk/dispatch-rule-direct-pin.json")),
    ];

    #[test]
    fn files_of_lk_are_taken_as_they_are() {
        for (list, name, file) in FILES {
            let other = "{sip_trunk_id: ST_fixture0000001, numbers: ['+9']}";
            let yaml = match *list {
                "dispatch_rules" => format!("inbound_trunks: [{other}]\ndispatch_rules: [{file}]"),
                list => format!("{list}: [{file}]"),
            };
            assert!(loaded(&yaml).is_ok(), "{name}: {}", loaded(&yaml).unwrap_err());
        }
    }

    #[test]
    fn every_shape_of_a_file_is_the_same_object() {
        let shapes = [
            "{trunk: {name: a, authUsername: u, auth_password: p, ringingTimeout: 90s, includeHeaders: SIP_X_HEADERS}}",
            "{name: a, auth_username: u, authPassword: p, ringing_timeout: 1m30s, include_headers: SIP_X_HEADERS}",
            "{\"name\": \"a\", \"auth_username\": \"u\", \"auth_password\": \"p\", \"ringing_timeout\": \"90.0s\", \"includeHeaders\": \"SIP_X_HEADERS\", \"metadata\": null}",
        ];
        let infos: Vec<_> = shapes
            .iter()
            .map(|shape| snapshot(&format!("inbound_trunks: [{shape}]")).inbound_trunks[0].info.clone())
            .collect();
        assert_eq!(infos[0], infos[1]);
        assert_eq!(infos[0], infos[2]);
        assert_eq!(infos[0].ringing_timeout.as_ref().unwrap().seconds, 90);
        let rules = [
            "{dispatch_rule: {name: a, rule: {dispatchRuleIndividual: {roomPrefix: call-}}, roomConfig: {agents: [{agentName: x}]}}}",
            "{dispatchRule: {name: a, rule: {dispatch_rule_individual: {room_prefix: call-}}, room_config: {agents: [{agent_name: x}]}}}",
            "{name: a, rule: {dispatchRuleIndividual: {room_prefix: call-}}, roomConfig: {agents: [{agent_name: x}]}}",
        ];
        let infos: Vec<_> = rules
            .iter()
            .map(|shape| snapshot(&format!("dispatch_rules: [{shape}]")).dispatch_rules[0].info.clone())
            .collect();
        assert_eq!(infos[0], infos[1]);
        assert_eq!(infos[0], infos[2]);
        assert_eq!(infos[0].room_config.as_ref().unwrap().agents[0].agent_name, "x");
    }

    #[test]
    fn numbers_without_quotes_keep_their_plus() {
        let snapshot = snapshot("inbound_trunks: [{numbers: [+15105550100, 007, 1e3]}]");
        assert_eq!(snapshot.inbound_trunks[0].info.numbers, ["+15105550100", "007", "1e3"]);
    }

    /// Our tables name what LiveKit's messages have, no more and no less.
    #[test]
    fn tables_of_fields_are_those_of_the_messages() {
        fn check<T: for<'de> Deserialize<'de>>(what: &str, fields: &[Field], ours: &[&str]) {
            let mut theirs: BTreeSet<_> = names_of::<T>().iter().map(|name| snake(name)).collect();
            theirs.extend(ours.iter().map(|name| (*name).to_owned()));
            assert_eq!(fields.iter().map(|field| field.name.to_owned()).collect::<BTreeSet<_>>(), theirs, "{what}");
        }
        fn inner(fields: &'static [Field], path: &[&str]) -> &'static [Field] {
            path.iter().fold(fields, |fields, name| {
                match fields.iter().find(|field| field.name == *name).unwrap().kind {
                    Kind::Object(inner) | Kind::Objects(inner) => inner,
                    other => panic!("{name} is {other:?}"),
                }
            })
        }
        let rule = key::DISPATCH_RULE;
        check::<proto::SipInboundTrunkInfo>("inbound trunk", key::INBOUND_TRUNK, InboundExtras::FIELDS);
        check::<proto::SipOutboundTrunkInfo>("outbound trunk", key::OUTBOUND_TRUNK, OutboundExtras::FIELDS);
        check::<proto::SipDispatchRuleInfo>("rule", rule, RuleExtras::FIELDS);
        check::<proto::SipMediaConfig>("media", inner(rule, &["media"]), &[]);
        check::<proto::SipCodec>("codec", inner(rule, &["media", "codecs"]), &[]);
        check::<proto::SipDispatchRule>("kind of rule", inner(rule, &["rule"]), &[]);
        check::<proto::SipDispatchRuleDirect>("direct", inner(rule, &["rule", "dispatch_rule_direct"]), &[]);
        check::<proto::SipDispatchRuleIndividual>(
            "individual",
            inner(rule, &["rule", "dispatch_rule_individual"]),
            &[],
        );
        check::<proto::SipDispatchRuleCallee>("callee", inner(rule, &["rule", "dispatch_rule_callee"]), &[]);
        check::<proto::RoomConfiguration>("room", inner(rule, &["room_config"]), &[]);
        check::<proto::RoomAgentDispatch>("agent", inner(rule, &["room_config", "agents"]), &[]);
    }
}
