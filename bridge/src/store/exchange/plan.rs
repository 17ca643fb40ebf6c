//! What an import does, said before it is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FieldChange, Objects, diff, document};
use crate::store::change::timestamp;
use crate::store::database::Step;
use crate::store::item::Item;
use crate::store::{Items, ObjectKind, Pieces, since_1970};

/// What an import may do to what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing: what is there and differs is a conflict.
    Add,
    /// Change what is there under the same id.
    #[default]
    Merge,
    /// Change it, and delete what is not in the document. Objects of the file stay.
    Mirror,
}

/// What an import does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Object by object.
    pub entries: Vec<Entry>,
    /// Whether it was done.
    pub done: bool,
}

/// What an import does to one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// `inbound`, `outbound` or `rule`; empty if it cannot be read.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What is done.
    pub action: Act,
    /// Why it cannot be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
}

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// It is new.
    Create,
    /// It changes.
    Update,
    /// It stays as it is.
    Unchanged,
    /// It goes.
    Delete,
    /// It cannot be brought in, and so nothing is.
    Conflict,
}

impl Plan {
    /// Whether something is in the way.
    pub fn has_conflicts(&self) -> bool {
        self.count(Act::Conflict) > 0
    }

    /// How many objects have this done to them.
    pub fn count(&self, action: Act) -> usize {
        self.entries.iter().filter(|entry| entry.action == action).count()
    }

    /// Marks the objects that cannot stand beside the others.
    pub(super) fn hold_against(&mut self, pieces: &Pieces, steps: &[Step]) {
        let mut next = pieces.clone();
        next.take(steps);
        let Err(errors) = next.compose() else { return };
        for error in errors {
            let ids = [Some(error.id.as_str()), error.problem.other_id()];
            let mine = |entry: &&mut Entry| {
                ids.contains(&Some(entry.id.as_str()))
                    && matches!(entry.action, Act::Create | Act::Update | Act::Conflict)
            };
            let reason = error.to_string();
            for entry in self.entries.iter_mut().filter(mine) {
                entry.action = Act::Conflict;
                entry.reason.get_or_insert_with(|| reason.clone());
            }
        }
    }

    fn add(&mut self, item: &Item, action: Act) -> &mut Entry {
        let (id, name) = (item.id().to_owned(), item.name().to_owned());
        self.entries.push(Entry { kind: item.kind(), id, name, action, reason: None, changes: Vec::new() });
        self.entries.last_mut().expect("it was pushed the line before")
    }
}

/// What has to be done, and the steps of it.
pub(super) fn made(pieces: &Pieces, objects: &Objects, mode: Mode) -> (Plan, Vec<Step>) {
    let mut plan = Plan::default();
    let mut items = match objects.items() {
        Ok(items) => items,
        Err(unread) => {
            plan.entries.extend(unread.into_iter().map(|reason| Entry {
                kind: "",
                id: String::new(),
                name: String::new(),
                action: Act::Conflict,
                reason: Some(reason),
                changes: Vec::new(),
            }));
            return (plan, Vec::new());
        }
    };
    items.assign_ids();
    let nameless = name_trunks(&mut items, pieces);
    let mut steps = Vec::new();
    let mut seen = BTreeSet::new();
    for mut item in items.into_each() {
        let known = pieces.find_id(item.id());
        if let Some(known) = known {
            keep_password(&mut item, known);
        }
        let conflict = match known {
            _ if !seen.insert(item.id().to_owned()) => Some("its id is there twice".to_owned()),
            _ if !item.id().starts_with(item.object_kind().prefix()) => {
                Some(format!("its id must begin with {}", item.object_kind().prefix()))
            }
            _ if nameless.contains(item.id()) => Some("it names an inbound trunk that there is not, or two".to_owned()),
            Some(known) if known.kind() != item.kind() => Some(format!("its id is that of {}", known.label())),
            Some(known) if same(&item, known) => {
                plan.add(&item, Act::Unchanged);
                continue;
            }
            Some(known) if !pieces.api.contains_key(known.id()) => {
                Some("it stands in the configuration file, and differs".to_owned())
            }
            Some(_) if mode == Mode::Add => Some("it is there, and differs".to_owned()),
            _ => None,
        };
        let action = match (&conflict, known) {
            (Some(_), _) => Act::Conflict,
            (None, Some(_)) => Act::Update,
            (None, None) => Act::Create,
        };
        let changes = known.filter(|_| action != Act::Conflict).map(|known| changes(known, &item));
        let entry = plan.add(&item, action);
        entry.reason = conflict;
        entry.changes = changes.unwrap_or_default();
        if action != Act::Conflict {
            stamp(&mut item, known);
            steps.push(Step::Put(Arc::new(item)));
        }
    }
    if mode == Mode::Mirror {
        for item in pieces.api.values().filter(|item| !seen.contains(item.id())) {
            plan.add(item, Act::Delete);
            steps.push(Step::Delete(item.id().to_owned()));
        }
    }
    (plan, steps)
}

/// Puts ids in place of names of trunks, as a rule of the API has them. Returns the rules where that is not possible.
fn name_trunks(items: &mut Items, pieces: &Pieces) -> BTreeSet<String> {
    let there = pieces.file.iter().chain(pieces.api.values()).filter_map(|item| match &**item {
        Item::Inbound(trunk) => Some(&trunk.info),
        _ => None,
    });
    let trunks: BTreeSet<(String, String)> = items
        .inbound_trunks
        .iter()
        .map(|trunk| &trunk.info)
        .chain(there)
        .map(|info| (info.sip_trunk_id.clone(), info.name.clone()))
        .collect();
    let mut nameless = BTreeSet::new();
    for rule in &mut items.dispatch_rules {
        for entry in &mut rule.info.trunk_ids {
            if trunks.iter().any(|(id, _)| id == entry) {
                continue;
            }
            let mut named = trunks.iter().filter(|(_, name)| name == entry).map(|(id, _)| id);
            match (named.next(), named.next()) {
                (Some(id), None) => *entry = id.clone(),
                (None, _) if entry.starts_with(ObjectKind::Trunk.prefix()) => {} // Its trunk is gone.
                _ => _ = nameless.insert(rule.info.sip_dispatch_rule_id.clone()),
            }
        }
    }
    nameless
}

/// A document without passwords leaves them as they are.
fn keep_password(item: &mut Item, known: &Item) {
    match (item, known) {
        (Item::Inbound(new), Item::Inbound(old)) if new.info.auth_username == old.info.auth_username => {
            keep(&mut new.info.auth_password, &old.info.auth_password);
        }
        (Item::Outbound(new), Item::Outbound(old)) if new.info.auth_username == old.info.auth_username => {
            keep(&mut new.info.auth_password, &old.info.auth_password);
        }
        _ => {}
    }
}

fn keep(new: &mut String, old: &str) {
    if new.is_empty() {
        old.clone_into(new);
    }
}

/// Whether two objects differ in nothing but their times.
fn same(one: &Item, other: &Item) -> bool {
    let (mut one, mut other) = (one.clone(), other.clone());
    for item in [&mut one, &mut other] {
        let (created, updated) = item.times();
        (*created, *updated) = (None, None);
    }
    one == other
}

fn changes(old: &Item, new: &Item) -> Vec<FieldChange> {
    let document = |item: &Item| document::written(Items::from_each([&Arc::new(item.clone())].into_iter()), true);
    diff(&document(old), &document(new)).into_iter().flat_map(|difference| difference.fields).collect()
}

/// Keeps the time of making that the object comes with or had.
fn stamp(item: &mut Item, known: Option<&Arc<Item>>) {
    let now = timestamp(since_1970());
    let before = known.and_then(|known| (**known).clone().times().0.take());
    let (created, updated) = item.times();
    *created = created.take().or(before).or(Some(now));
    *updated = Some(now);
}
