//! One object as JSON and back.

use livekit_protocol as proto;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Objects;
use crate::config::key::{self, Field};
use crate::dispatch::Answer;
use crate::spelling::spelled;
use crate::store::item::Item;
use crate::store::{InboundItem, Items, OutboundExtras, OutboundItem, RuleItem, Transfers};

type Json = Map<String, Value>;

const TRANSFERS: &[&str] = &["allow_refer", "bridge_transfers"];
const OUTBOUND: &[&str] = &["default_outbound", "max_calls", "calls_per_second", "allow_refer", "bridge_transfers"];
const RULE: &[&str] = &["answer", "early_media", "priority"];

pub(super) fn written(items: Items, with_secrets: bool) -> Objects {
    let mut objects = Objects::default();
    for item in items.into_each() {
        let json = object(&item, with_secrets);
        match item {
            Item::Inbound(_) => objects.inbound_trunks.push(json),
            Item::Outbound(_) => objects.outbound_trunks.push(json),
            Item::Rule(_) => objects.dispatch_rules.push(json),
        }
    }
    objects
}

fn object(item: &Item, with_secrets: bool) -> Json {
    let mut json = match item {
        Item::Inbound(item) => message(&item.info),
        Item::Outbound(item) => message(&item.info),
        Item::Rule(item) => message(&item.info),
    };
    if let Value::Object(extras) = item.extras() {
        json.extend(extras);
    }
    if !with_secrets {
        json.remove("auth_password");
    }
    json
}

/// The id of an object, whichever kind it is.
pub(super) fn id(object: &Json) -> Option<&str> {
    object.get("sip_trunk_id").or(object.get("sip_dispatch_rule_id")).and_then(Value::as_str)
}

pub(super) fn read(objects: &Objects) -> Result<Items, Vec<String>> {
    let mut errors = Vec::new();
    let items = Items {
        inbound_trunks: each("inbound_trunks", &objects.inbound_trunks, inbound, &mut errors),
        outbound_trunks: each("outbound_trunks", &objects.outbound_trunks, outbound, &mut errors),
        dispatch_rules: each("dispatch_rules", &objects.dispatch_rules, rule, &mut errors),
    };
    if errors.is_empty() { Ok(items) } else { Err(errors) }
}

fn each<T>(
    list: &str,
    objects: &[Json],
    read: impl Fn(&Json) -> Result<T, String>,
    errors: &mut Vec<String>,
) -> Vec<T> {
    let mut items = Vec::with_capacity(objects.len());
    for (at, object) in objects.iter().enumerate() {
        match read(object) {
            Ok(item) => items.push(item),
            Err(error) => errors.push(format!("{list}[{at}]: {error}")),
        }
    }
    items
}

fn inbound(object: &Json) -> Result<InboundItem, String> {
    let (info, ours) = parted(object, "trunk", key::INBOUND_TRUNK, TRANSFERS)?;
    Ok(InboundItem { info: typed(info)?, transfers: typed::<Transfers>(ours)? })
}

fn outbound(object: &Json) -> Result<OutboundItem, String> {
    let (info, ours) = parted(object, "trunk", key::OUTBOUND_TRUNK, OUTBOUND)?;
    Ok(OutboundItem { info: typed(info)?, ours: typed::<OutboundExtras>(ours)? })
}

fn rule(object: &Json) -> Result<RuleItem, String> {
    let (info, ours) = parted(object, "dispatch_rule", key::DISPATCH_RULE, RULE)?;
    let answer = match ours.get("answer") {
        Some(word) => {
            let known = word.as_str().and_then(Answer::from_word);
            Some(known.ok_or_else(|| format!("answer must be one of {}", Answer::WORDS.join(", ")))?)
        }
        None => None,
    };
    let early_media = ours.get("early_media").map(|yes| yes.as_bool().ok_or("early_media must be true or false"));
    let priority = ours.get("priority").map(|number| number.as_i64().ok_or("priority must be a whole number"));
    let info: proto::SipDispatchRuleInfo = typed(info)?;
    Ok(RuleItem { info, answer, early_media: early_media.transpose()?, priority: priority.transpose()? })
}

/// LiveKit's fields and ours. A field that neither has is a mistake: passed over, it would be a call gone wrong.
fn parted(object: &Json, wrapping: &str, known: &[Field], ours: &[&str]) -> Result<(Json, Json), String> {
    let mut object = fields(spelled(&Value::Object(object.clone())));
    if let (1, Some(Value::Object(inner))) = (object.len(), object.get(wrapping)) {
        object = inner.clone();
    }
    for name in object.keys() {
        if !known.iter().any(|field| field.name == name) {
            let nearest = key::nearest(name, known.iter().map(|field| field.name));
            let hint = nearest.map(|nearest| format!(", did you mean {nearest:?}?")).unwrap_or_default();
            return Err(format!("there is no field {name:?}{hint}"));
        }
    }
    Ok(object.into_iter().partition(|(name, _)| !ours.contains(&name.as_str())))
}

fn typed<T: DeserializeOwned>(json: Json) -> Result<T, String> {
    serde_json::from_value(Value::Object(json)).map_err(|error| error.to_string())
}

/// A message of LiveKit with its fields in the spelling of the configuration.
fn message(info: &impl Serialize) -> Json {
    fields(serde_json::to_value(info).as_ref().map(spelled).unwrap_or_default())
}

/// What an object has.
fn fields(value: Value) -> Json {
    match value {
        Value::Object(fields) => fields,
        _ => Json::new(),
    }
}
