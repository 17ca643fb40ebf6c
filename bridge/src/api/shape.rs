//! JSON as LiveKit's server writes it: names in snake_case, defaults written out, messages that are not set as `null`.
//!
//! `livekit-protocol` writes camelCase and leaves defaults out, so a message goes through it and then through a table of
//! what it has. Keys of maps are data, not names, and stay as they are.

mod tables;

use livekit_protocol as proto;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::spelling::{camel, spelled};

/// A message whose JSON has a table.
pub(crate) trait Shaped: Serialize {
    /// Its fields.
    const SHAPE: Shape;
}

/// The fields of a message.
pub(crate) type Shape = &'static [Field];

/// One field: its name, and what stands in it.
pub(crate) type Field = (&'static str, Kind);

/// What a field is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Text; empty if not set.
    Text,
    /// Truth; false if not set.
    Bool,
    /// A number; 0 if not set.
    Number,
    /// An enum; this name if not set.
    Enum(&'static str),
    /// Texts.
    Texts,
    /// Texts by texts.
    TextMap,
    /// `"30s"` or `null`.
    Duration,
    /// `"2026-11-21T10:00:00Z"` or `null`.
    Time,
    /// Left out if not set.
    Optional,
    /// A message, or `null`.
    Message(Shape),
    /// Messages.
    Messages(Shape),
    /// One message of several: left out if it is not the one.
    OneOf(Shape),
    /// A message that nobody here looks into, without its defaults; or `null`.
    Opaque,
}

/// A message as LiveKit's server writes it.
pub(crate) fn write<M: Shaped>(message: &M) -> Result<Value, serde_json::Error> {
    Ok(object(M::SHAPE, serde_json::to_value(message)?))
}

fn object(shape: Shape, value: Value) -> Value {
    let Value::Object(mut given) = value else { return value };
    let mut written = Map::new();
    for (name, kind) in shape {
        let value = given.remove(&camel(name)).filter(|value| !value.is_null());
        written.extend(field(*kind, value).map(|value| ((*name).to_owned(), value)));
    }
    Value::Object(written)
}

/// What is written for a field; `None` leaves it out.
fn field(kind: Kind, value: Option<Value>) -> Option<Value> {
    Some(match (kind, value) {
        (Kind::Message(shape) | Kind::OneOf(shape), Some(value)) => object(shape, value),
        (Kind::Messages(shape), Some(Value::Array(items))) => {
            items.into_iter().map(|item| object(shape, item)).collect()
        }
        (Kind::Time, Some(Value::String(time))) => zulu(time).into(),
        (Kind::Opaque, Some(value)) => spelled(&value),
        (_, Some(value)) => value,
        (Kind::Optional | Kind::OneOf(_), None) => return None,
        (Kind::Text, None) => "".into(),
        (Kind::Bool, None) => false.into(),
        (Kind::Number, None) => 0.into(),
        (Kind::Enum(name), None) => name.into(),
        (Kind::Texts | Kind::Messages(_), None) => Value::Array(Vec::new()),
        (Kind::TextMap, None) => Value::Object(Map::new()),
        (Kind::Duration | Kind::Time | Kind::Message(_) | Kind::Opaque, None) => Value::Null,
    })
}

/// RFC 3339 with `Z`, as protojson has it.
fn zulu(time: String) -> String {
    match time.strip_suffix("+00:00") {
        Some(time) => format!("{time}Z"),
        None => time,
    }
}

#[cfg(test)]
mod tests;
