//! A checked configuration for people to read: what `trunkline check` prints.

use std::fmt::Write as _;

use super::{Loaded, NoteLevel};
use crate::dispatch::rule::computed_priority;
use crate::store::{DispatchRule, InboundTrunk, RoomPlan};

/// Writes every setting in force, every trunk and rule with its id, and what there is to know. No secrets.
pub fn render(loaded: &Loaded) -> String {
    let mut text = String::new();
    for (key, value) in &loaded.effective {
        line(&mut text, format_args!("{key}: {value}"));
    }
    let snapshot = &loaded.snapshot;
    heading(&mut text, "inbound_trunks", snapshot.inbound_trunks.len());
    for trunk in &snapshot.inbound_trunks {
        line(&mut text, format_args!("  - {}", inbound(trunk)));
    }
    heading(&mut text, "outbound_trunks", snapshot.outbound_trunks.len());
    for trunk in &snapshot.outbound_trunks {
        line(&mut text, format_args!("  - {}: to {}", trunk.label(), trunk.info.address));
    }
    heading(&mut text, "dispatch_rules", snapshot.dispatch_rules.len());
    for rule in &snapshot.dispatch_rules {
        line(&mut text, format_args!("  - {}", dispatch(rule)));
    }
    for note in &loaded.notes {
        let level = match note.level {
            NoteLevel::Info => "note",
            NoteLevel::Warning => "warning",
        };
        line(&mut text, format_args!("{level}: {}", note.text));
    }
    text
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = writeln!(text, "{what}");
}

fn heading(text: &mut String, name: &str, count: usize) {
    let none = if count == 0 { " none" } else { "" };
    line(text, format_args!("{name}:{none}"));
}

fn inbound(trunk: &InboundTrunk) -> String {
    let list = |entries: &[String], all: &str| if entries.is_empty() { all.to_owned() } else { entries.join(", ") };
    let addresses: Vec<_> = trunk.networks.iter().map(ToString::to_string).collect();
    let numbers: Vec<_> = trunk.numbers.iter().map(ToString::to_string).collect();
    let callers: Vec<_> = trunk.callers.iter().map(ToString::to_string).collect();
    format!(
        "{}: {} from {} at {}{}",
        trunk.label(),
        list(&numbers, "every number"),
        list(&callers, "every caller"),
        list(&addresses, "every address"),
        if trunk.asks_password() { ", with a password" } else { "" },
    )
}

fn dispatch(rule: &DispatchRule) -> String {
    let list = |entries: &[String], all: &str| if entries.is_empty() { all.to_owned() } else { entries.join(", ") };
    let numbers: Vec<_> = rule.numbers.iter().map(ToString::to_string).collect();
    let callers: Vec<_> = rule.callers.iter().map(ToString::to_string).collect();
    let room = match &rule.room {
        RoomPlan::Direct { .. } => format!("room {:?}", rule.room.text()),
        RoomPlan::Individual { .. } => format!("a room for each caller, {:?}", rule.room.text()),
        RoomPlan::Callee { .. } => format!("a room for each called number, {:?}", rule.room.text()),
    };
    format!(
        "{}: {} from {} by {}: {room}{}, priority {}",
        rule.label(),
        list(&numbers, "every number"),
        list(&callers, "every caller"),
        list(&rule.trunk_ids, "every trunk"),
        if rule.room.has_pin() { ", with a PIN" } else { "" },
        rule.ours.priority.unwrap_or_else(|| computed_priority(rule)),
    )
}
