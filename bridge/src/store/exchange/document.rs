//! One object as JSON and back.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Objects;
use crate::config::key::{self, Field};
use crate::spelling::spelled;
use crate::store::item::Item;
use crate::store::{InboundExtras, InboundItem, Items, OutboundExtras, OutboundItem, RuleExtras, RuleItem};

type Json = Map<String, Value>;

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
    let (info, ours) = parted(object, "trunk", key::INBOUND_TRUNK, InboundExtras::FIELDS)?;
    Ok(InboundItem { info: typed(info)?, ours: typed::<InboundExtras>(ours)? })
}

fn outbound(object: &Json) -> Result<OutboundItem, String> {
    let (info, ours) = parted(object, "trunk", key::OUTBOUND_TRUNK, OutboundExtras::FIELDS)?;
    Ok(OutboundItem { info: typed(info)?, ours: typed::<OutboundExtras>(ours)? })
}

fn rule(object: &Json) -> Result<RuleItem, String> {
    let (info, ours) = parted(object, "dispatch_rule", key::DISPATCH_RULE, RuleExtras::FIELDS)?;
    Ok(RuleItem { info: typed(info)?, ours: typed::<RuleExtras>(ours)? })
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
