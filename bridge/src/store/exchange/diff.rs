//! What differs between two documents.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Objects, document};

/// One object that is not the same in two documents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// `inbound`, `outbound` or `rule`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `true` if only the second has it, `false` if only the first; `None` if both have it.
    pub is_new: Option<bool>,
    /// The fields that differ, if both have it.
    pub fields: Vec<FieldChange>,
}

/// A field that differs. Passwords and PINs are told as dots.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldChange {
    /// Where it is: `numbers`, `rule.dispatch_rule_direct.room_name`.
    pub field: String,
    /// What the first document says.
    pub before: Option<Value>,
    /// What the second says.
    pub after: Option<Value>,
}

/// Times of a store are nobody's wish.
const TIMES: &[&str] = &["created_at", "updated_at"];

/// What differs between two documents. A password that one of them leaves out does not count as changed.
pub fn diff(one: &Objects, other: &Objects) -> Vec<Difference> {
    let (one, other) = (normal(one), normal(other));
    let mut differences = list("inbound", &one.inbound_trunks, &other.inbound_trunks);
    differences.extend(list("outbound", &one.outbound_trunks, &other.outbound_trunks));
    differences.extend(list("rule", &one.dispatch_rules, &other.dispatch_rules));
    differences
}

/// The same spelling of everything, and an id for each; as it is where it cannot be read.
fn normal(objects: &Objects) -> Objects {
    objects.items().map_or_else(
        |_| objects.clone(),
        |mut items| {
            items.assign_ids();
            document::written(items, true)
        },
    )
}

fn list(kind: &'static str, one: &[Map<String, Value>], other: &[Map<String, Value>]) -> Vec<Difference> {
    let by_id = |list| -> BTreeMap<String, &Map<String, Value>> {
        let entry = |object| Some((document::id(object)?.to_owned(), object));
        <[Map<String, Value>]>::iter(list).filter_map(entry).collect()
    };
    let (one, other) = (by_id(one), by_id(other));
    let mut differences = Vec::new();
    let mut add = |id: &str, object: &Map<String, Value>, is_new, fields| {
        let name = object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        differences.push(Difference { kind, id: id.to_owned(), name, is_new, fields });
    };
    for (id, before) in &one {
        match other.get(id) {
            None => add(id, before, Some(false), Vec::new()),
            Some(after) => {
                let fields = fields(before, after);
                if !fields.is_empty() {
                    add(id, after, None, fields);
                }
            }
        }
    }
    for (id, object) in other.iter().filter(|(id, _)| !one.contains_key(*id)) {
        add(id, object, Some(true), Vec::new());
    }
    differences
}

fn fields(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<FieldChange> {
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    flatten("", before, &mut one);
    flatten("", after, &mut other);
    let names: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).cloned().collect();
    let mut changes = Vec::new();
    for field in names {
        let (before, after) = (one.remove(&field), other.remove(&field));
        let is_unsaid = field == "auth_password" && (before.is_none() || after.is_none());
        if before != after && !is_unsaid && !TIMES.contains(&field.as_str()) {
            let is_secret = field == "auth_password" || field.ends_with(".pin");
            let shown = |value: Option<Value>| value.map(|value| if is_secret { Value::from("••••") } else { value });
            changes.push(FieldChange { field, before: shown(before), after: shown(after) });
        }
    }
    changes
}

fn flatten(path: &str, object: &Map<String, Value>, fields: &mut BTreeMap<String, Value>) {
    for (name, value) in object {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(&path, inner, fields),
            value => _ = fields.insert(path, value.clone()),
        }
    }
}
