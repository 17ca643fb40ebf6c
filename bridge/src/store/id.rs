//! Ids for objects that have none: the same object has the same id after every restart and on every node.

use std::collections::HashMap;

use super::Items;
use crate::dispatch::query::twelve;

/// Gives an id to every object without one: made from its name where that is its own, else from all it says.
pub(crate) fn assign(items: &mut Items) {
    let inbound: Vec<_> = items.inbound_trunks.iter().map(|t| (t.info.name.clone(), canonical(&t.info))).collect();
    for (trunk, id) in items.inbound_trunks.iter_mut().zip(ids("ST_", "inbound", &inbound)) {
        set(&mut trunk.info.sip_trunk_id, id);
    }
    let outbound: Vec<_> = items.outbound_trunks.iter().map(|t| (t.info.name.clone(), canonical(&t.info))).collect();
    for (trunk, id) in items.outbound_trunks.iter_mut().zip(ids("ST_", "outbound", &outbound)) {
        set(&mut trunk.info.sip_trunk_id, id);
    }
    let rules: Vec<_> = items.dispatch_rules.iter().map(|r| (r.info.name.clone(), canonical(&r.info))).collect();
    for (rule, id) in items.dispatch_rules.iter_mut().zip(ids("SDR_", "rule", &rules)) {
        set(&mut rule.info.sip_dispatch_rule_id, id);
    }
}

fn set(field: &mut String, id: String) {
    if field.is_empty() {
        *field = id;
    }
}

fn ids(prefix: &str, kind: &str, objects: &[(String, String)]) -> Vec<String> {
    let mut uses = HashMap::<&str, usize>::new();
    for (name, _) in objects {
        *uses.entry(name).or_default() += 1;
    }
    let own_name = |name: &str| !name.is_empty() && uses[name] == 1;
    objects
        .iter()
        .map(|(name, content)| {
            let seed = if own_name(name) { format!("{kind} name {name}") } else { format!("{kind} content {content}") };
            format!("{prefix}{}", twelve(hash(&seed)))
        })
        .collect()
}

/// A number for a text: the first half of its SHA-256.
fn hash(text: &str) -> u128 {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// An object as JSON with its keys in order: maps of the message have none of their own.
fn canonical(object: &impl serde::Serialize) -> String {
    fn write(value: &serde_json::Value, text: &mut String) {
        match value {
            serde_json::Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                for (key, value) in entries {
                    text.push_str(&format!("{key:?}:"));
                    write(value, text);
                }
                text.push('}');
            }
            serde_json::Value::Array(list) => {
                list.iter().for_each(|value| write(value, text));
                text.push(']');
            }
            scalar => {
                text.push_str(&scalar.to_string());
                text.push(',');
            }
        }
    }
    let mut text = String::new();
    write(&serde_json::to_value(object).unwrap_or_default(), &mut text);
    text
}

#[cfg(test)]
mod tests {
    use crate::config::tests::{loaded, snapshot};

    fn ids(yaml: &str) -> Vec<String> {
        snapshot(yaml).inbound_trunks.iter().map(|trunk| trunk.id().to_owned()).collect()
    }

    #[test]
    fn ids_are_stable() {
        let one =
            ids("inbound_trunks: [{name: a, numbers: ['1']}, {numbers: ['2'], headers: {X-A: a, X-B: b, X-C: c}}]");
        let again =
            ids("inbound_trunks: [{numbers: ['2'], headers: {X-C: c, X-B: b, X-A: a}}, {name: a, numbers: ['3']}]");
        assert_eq!([&one[0], &one[1]], [&again[1], &again[0]], "the order and what a named trunk says do not matter");
        assert_eq!(one[0], "ST_kRg7GgQnxTew", "ids that were told to others must not change with a release");
        for id in &one {
            assert!(
                id.len() == 15 && id.starts_with("ST_") && id[3..].bytes().all(|b| b.is_ascii_alphanumeric()),
                "{id}"
            );
        }
        let rules = snapshot("dispatch_rules: [{name: a, rule: {dispatch_rule_callee: {}}}]").dispatch_rules;
        assert!(rules[0].id().starts_with("SDR_") && rules[0].id().len() == 16);
        assert_ne!(rules[0].id()[4..], one[0][3..]);
    }

    #[test]
    fn ids_can_be_pinned_and_must_differ() {
        assert_eq!(ids("inbound_trunks: [{sip_trunk_id: ST_mine, numbers: ['1']}]"), ["ST_mine"]);
        let same_name = ids("inbound_trunks: [{name: a, numbers: ['1']}, {name: a, numbers: ['2']}]");
        assert_ne!(same_name[0], same_name[1]);
        let twice = "inbound_trunks: [{sip_trunk_id: ST_x, numbers: ['1']}, {sip_trunk_id: ST_x, numbers: ['2']}]";
        assert!(loaded(twice).unwrap_err().to_string().contains("the id ST_x is taken"));
        let across = "inbound_trunks: [{sip_trunk_id: ST_x, numbers: ['1']}]\noutbound_trunks: [{sip_trunk_id: ST_x, address: h, numbers: ['2']}]";
        assert!(loaded(across).unwrap_err().to_string().contains("outbound trunk ST_x: the id ST_x is taken"));
    }
}
