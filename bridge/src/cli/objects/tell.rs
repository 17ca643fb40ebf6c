//! Plans and differences for people.

use std::fmt::Write as _;

use bridge::store::exchange::{Difference, FieldChange};
use serde_json::Value;

use crate::cli::json::{field, items, words};
use crate::cli::table::printable;

/// What an import would do, as the gateway says.
pub(super) fn plan(plan: &Value) -> String {
    let mut text = String::new();
    for entry in items(field(plan, "entries")) {
        let sign = match words(entry, "action").as_str() {
            "create" => '+',
            "update" => '~',
            "delete" => '-',
            "conflict" => '!',
            // Nobody wants to read of what stays as it is.
            _ => continue,
        };
        line(&mut text, sign, &words(entry, "kind"), &words(entry, "id"), &words(entry, "name"));
        if let Some(reason) = field(entry, "reason").as_str() {
            let _ = write!(text, ": {}", printable(reason));
        }
        text.push('\n');
        for change in items(field(entry, "changes")) {
            change_line(&mut text, &words(change, "field"), field(change, "before"), field(change, "after"));
        }
    }
    let parts = [
        ("create", "to create"),
        ("update", "to update"),
        ("delete", "to delete"),
        ("unchanged", "unchanged"),
        ("conflict", "in conflict"),
    ];
    let counts = parts.into_iter().map(|(action, what)| (count(plan, action), what)).filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let counts = if counts.is_empty() { "nothing to do".to_owned() } else { counts.join(", ") };
    text + &counts + "\n"
}

/// How many objects have this done to them.
pub(super) fn count(plan: &Value, action: &str) -> usize {
    items(field(plan, "entries")).iter().filter(|entry| field(entry, "action") == action).count()
}

/// What the gateway and a file do not share: `+` is only in the file, `-` only in the gateway.
pub(super) fn differences(differences: &[Difference]) -> String {
    let mut text = String::new();
    for Difference { kind, id, name, is_new, fields } in differences {
        let sign = match is_new {
            Some(true) => '+',
            Some(false) => '-',
            None => '~',
        };
        line(&mut text, sign, kind, id, name);
        text.push('\n');
        for FieldChange { field, before, after } in fields {
            let none = Value::Null;
            change_line(&mut text, field, before.as_ref().unwrap_or(&none), after.as_ref().unwrap_or(&none));
        }
    }
    text
}

fn line(text: &mut String, sign: char, kind: &str, id: &str, name: &str) {
    let kind = match kind {
        "inbound" => "inbound trunk",
        "outbound" => "outbound trunk",
        "rule" => "dispatch rule",
        other => other,
    };
    text.push(sign);
    for word in [kind, id, name].into_iter().filter(|word| !word.is_empty()) {
        let _ = write!(text, " {}", printable(word));
    }
}

fn change_line(text: &mut String, field: &str, before: &Value, after: &Value) {
    let shown = |value: &Value| if value.is_null() { "not set".to_owned() } else { printable(&value.to_string()) };
    let _ = writeln!(text, "    {}: {} → {}", printable(field), shown(before), shown(after));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plans_read_well() {
        let told = plan(&json!({"done": false, "entries": [
            {"kind": "inbound", "id": "ST_a", "name": "a", "action": "create"},
            {"kind": "outbound", "id": "ST_b", "name": "", "action": "update",
             "changes": [{"field": "numbers", "before": ["1"], "after": ["1", "2"]}, {"field": "metadata", "before": null, "after": "x"}]},
            {"kind": "inbound", "id": "ST_c", "name": "c", "action": "unchanged"},
            {"kind": "rule", "id": "SDR_d", "name": "d", "action": "conflict", "reason": "it stands in the configuration file, and differs"},
        ]}));
        let expected = "+ inbound trunk ST_a a\n~ outbound trunk ST_b\n    numbers: [\"1\"] → [\"1\",\"2\"]\n    \
                        metadata: not set → \"x\"\n! dispatch rule SDR_d d: it stands in the configuration file, and differs\n\
                        1 to create, 1 to update, 1 unchanged, 1 in conflict\n";
        assert_eq!(told, expected);
        assert_eq!(plan(&json!({"entries": []})), "nothing to do\n");
    }
}
