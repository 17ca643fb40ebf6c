//! Objects of the API as they are read, written, compared and shown here: JSON, with names in either spelling.

use std::io::Read as _;
use std::path::Path;

use bridge::spelling::{is_map, snake, spelled};
use serde_json::{Map, Value};

use super::{Failure, Trouble};

/// What stands for a secret that is not shown.
pub(super) const HIDDEN: &str = "••••";
/// Files are a few kilobytes; an export of thousands of trunks a few megabytes.
const LONGEST: u64 = 32 * 1024 * 1024;
/// What is nobody's to see.
const SECRETS: &[&str] = &["auth_password", "inbound_password", "outbound_password", "pin"];
/// What is the gateway's to say, not the object's.
const THEIRS: &[&str] = &["created_at", "updated_at", "origin"];
/// Names of values that are as good as not set, in the fields where they are.
const DEFAULTS: &[(&str, &str)] = &[
    ("transport", "SIP_TRANSPORT_AUTO"),
    ("include_headers", "SIP_NO_HEADERS"),
    ("media_encryption", "SIP_MEDIA_ENCRYPT_DISABLE"),
    ("restart_policy", "JRP_ON_FAILURE"),
];

/// Reads JSON from a file, from standard input (`-`), or from the argument itself, as `lk` does.
pub(super) fn read(argument: &str) -> Result<Value, Failure> {
    let text = if argument.trim_start().starts_with('{') {
        argument.to_owned()
    } else if argument == "-" {
        text(std::io::stdin(), "standard input")?
    } else {
        let file = std::fs::File::open(Path::new(argument)).map_err(|error| Trouble(format!("{argument}: {error}")))?;
        text(file, argument)?
    };
    let value: Value =
        serde_json::from_str(&text).map_err(|error| Trouble(format!("{argument} is no JSON: {error}")))?;
    let value = spelled(&value);
    if !value.is_object() {
        return Err(Trouble(format!("{argument} should be a JSON object")).into());
    }
    if let Some(field) = hidden(&value) {
        let text = format!(
            "{argument}: {field} is {HIDDEN}, which stands for a secret that was not shown; write it out, or leave it out"
        );
        return Err(Trouble(text).into());
    }
    Ok(value)
}

fn text(from: impl std::io::Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    from.take(LONGEST).read_to_string(&mut text).map_err(|error| Trouble(format!("{name}: {error}")))?;
    Ok(text)
}

/// A field of an object.
pub(super) fn field<'a>(object: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(object, |object, name| object.get(name).unwrap_or(&Value::Null))
}

/// A field as one text: lists with commas, maps as `key=value`.
pub(super) fn words(object: &Value, path: &str) -> String {
    plain(field(object, path))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let item = |item: &Value| if item.is_object() { format!("({})", plain(item)) } else { plain(item) };
            items.iter().map(item).collect::<Vec<_>>().join(", ")
        }
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The items of a list.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The same without secrets.
pub(super) fn masked(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(name, value)| (name.clone(), hide(name, value))).collect())
        }
        Value::Array(list) => list.iter().map(masked).collect(),
        scalar => scalar.clone(),
    }
}

fn hide(name: &str, value: &Value) -> Value {
    match value {
        Value::String(text) if SECRETS.contains(&snake(name).as_str()) && !text.is_empty() => HIDDEN.into(),
        value => masked(value),
    }
}

/// The first secret that is only the sign for one.
fn hidden(value: &Value) -> Option<&str> {
    match value {
        Value::Object(map) => map.iter().find_map(|(name, value)| match value {
            Value::String(text) => (text == HIDDEN && SECRETS.contains(&name.as_str())).then_some(name.as_str()),
            value => hidden(value),
        }),
        Value::Array(list) => list.iter().find_map(hidden),
        _ => None,
    }
}

/// What an object says: without defaults and without what the gateway adds.
pub(super) fn essence(object: &Value) -> Value {
    let Value::Object(map) = spelled(object) else { return object.clone() };
    let mut essence = Map::new();
    for (name, value) in map {
        if THEIRS.contains(&name.as_str()) {
            continue;
        }
        // Which kind of rule it is, is said by the name of a message that may be empty.
        let value = match &value {
            Value::Object(kinds) if name == "rule" => {
                Value::Object(kinds.iter().map(|(kind, value)| (kind.clone(), essence_of(kind, value))).collect())
            }
            value => essence_of(&name, value),
        };
        if !is_default(&name, &value) {
            essence.insert(name, value);
        }
    }
    Value::Object(essence)
}

fn essence_of(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(_) if !is_map(name) => essence(value),
        Value::Array(list) => list.iter().map(|item| essence_of("", item)).collect(),
        value => value.clone(),
    }
}

fn is_default(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || DEFAULTS.contains(&(name, text)),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    }
}

/// Reads `NAME: VALUE` or `NAME=VALUE`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once([':', '=']).ok_or_else(|| format!("{text:?} should be NAME: VALUE"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Pairs as an object.
pub(super) fn map(pairs: &[(String, String)]) -> Value {
    Value::Object(pairs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect())
}

/// Sets a field where there is something to set.
pub(super) fn set(object: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[name] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_do_not_show_and_are_not_written_back() {
        let trunk = json!({"items": [{"auth_password": "p", "authPassword": "p", "name": "n"}, {"auth_password": ""}]});
        let shown = masked(&trunk);
        assert_eq!(
            shown,
            json!({"items": [{"auth_password": HIDDEN, "authPassword": HIDDEN, "name": "n"}, {"auth_password": ""}]})
        );
        let error = read(&shown.to_string()).unwrap_err().to_string();
        assert!(error.contains("auth_password is ••••"), "{error}");
    }

    #[test]
    fn objects_are_the_same_when_they_say_the_same() {
        let written = json!({"name": "a", "rule": {"dispatchRuleCallee": {}}, "trunkIds": ["ST_x"]});
        let listed = json!({
            "name": "a", "rule": {"dispatch_rule_callee": {"room_prefix": "", "pin": "", "randomize": false}}, "metadata": "",
            "trunk_ids": ["ST_x"], "attributes": {}, "media": null, "media_encryption": "SIP_MEDIA_ENCRYPT_DISABLE",
            "created_at": "2026-01-01T00:00:00Z", "origin": "file", "hide_phone_number": false
        });
        assert_eq!(essence(&written), essence(&listed));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for argument in ["{", "[1]", "/nonexistent/file.json"] {
            assert!(read(argument).is_err(), "{argument}");
        }
        assert_eq!(read("{\"a\": 1}").unwrap(), json!({"a": 1}));
    }
}
