//! The tables of the manual, written from the tables of the code: what `docs/configuration.md` has to say.

use std::fmt::Write as _;

use super::key::{DISPATCH_RULE, Field, INBOUND_TRUNK, KEYS, Key, OUTBOUND_TRUNK};
use super::value::Kind;
use crate::dispatch::template::VARIABLES;

/// A table of the manual.
pub struct Table {
    /// The heading it stands under.
    pub heading: &'static str,
    /// The table, in Markdown.
    pub markdown: String,
}

/// Every table, in the order of the manual.
pub fn tables() -> Vec<Table> {
    vec![
        Table { heading: "Keys", markdown: keys(KEYS.iter().filter(|key| key.works)) },
        Table { heading: "Keys without effect", markdown: idle_keys(KEYS.iter().filter(|key| !key.works)) },
        Table { heading: "Inbound trunks", markdown: fields(INBOUND_TRUNK) },
        Table { heading: "Outbound trunks", markdown: fields(OUTBOUND_TRUNK) },
        Table { heading: "Dispatch rules", markdown: fields(DISPATCH_RULE) },
        Table { heading: "Variables", markdown: variables() },
    ]
}

fn keys<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let mut table = "| key | takes | default | meaning | example |\n|---|---|---|---|---|\n".to_owned();
    for key in keys {
        let default = match key.default.strip_prefix('=') {
            Some(other) => format!("that of `{other}`"),
            None if key.default.is_empty() => "not set".to_owned(),
            None => format!("`{}`", key.default),
        };
        let (path, kind, about, example) = (key.path, key.kind.name(), key.about, key.example);
        let _ = writeln!(table, "| `{path}` | {kind} | {default} | {about} | `{example}` |");
    }
    table
}

fn idle_keys<'a>(keys: impl Iterator<Item = &'a Key>) -> String {
    let mut table = "| key | takes | why it has no effect | example |\n|---|---|---|---|\n".to_owned();
    for Key { path, kind, about, example, .. } in keys {
        let _ = writeln!(table, "| `{path}` | {} | {about} | `{example}` |", kind.name());
    }
    table
}

fn fields(fields: &[Field]) -> String {
    let mut table = "| field | takes | meaning |\n|---|---|---|\n".to_owned();
    rows(&mut table, "", fields);
    table
}

/// A row for each field, and behind it one for each field inside.
fn rows(table: &mut String, prefix: &str, fields: &[Field]) {
    for Field { name, kind, about } in fields {
        let _ = writeln!(table, "| `{prefix}{name}` | {} | {about} |", kind.name());
        match kind {
            Kind::Object(inner) => rows(table, &format!("{prefix}{name}."), inner),
            Kind::Objects(inner) => rows(table, &format!("{prefix}{name}[]."), inner),
            _ => {}
        }
    }
}

fn variables() -> String {
    let mut table = "| variable | value |\n|---|---|\n".to_owned();
    for (name, about) in VARIABLES {
        let _ = writeln!(table, "| `{{{name}}}` | {about} |");
    }
    table
}
