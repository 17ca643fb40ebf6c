//! Objects as a document: for a backup, for a move from another LiveKit, for a look at what differs.
//!
//! The document has the lists of the configuration file, with LiveKit's fields and ours in their spelling there: what was
//! exported can be put into a file as it is. Passwords are in it only when asked for; an import without them keeps those
//! that are there.

mod diff;
mod document;
mod plan;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use diff::{Difference, FieldChange, diff};
pub use plan::{Act, Entry, Mode, Plan};

use super::change::Changed;
use super::{Items, Origin, Snapshot, Store};

/// Trunks and rules as a document.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Objects {
    /// Inbound trunks.
    pub inbound_trunks: Vec<Map<String, Value>>,
    /// Outbound trunks.
    pub outbound_trunks: Vec<Map<String, Value>>,
    /// Dispatch rules.
    pub dispatch_rules: Vec<Map<String, Value>>,
    /// Where each comes from, by id: for people; an import does not look at it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, Origin>,
}

/// Writes all objects of a snapshot, those of the file too.
pub fn export(snapshot: &Snapshot, with_secrets: bool) -> Objects {
    let mut objects = document::written(snapshot.items(), with_secrets);
    let aside = document::written(snapshot.aside.clone(), with_secrets);
    objects.inbound_trunks.extend(aside.inbound_trunks);
    objects.outbound_trunks.extend(aside.outbound_trunks);
    objects.dispatch_rules.extend(aside.dispatch_rules);
    let lists = [&objects.inbound_trunks, &objects.outbound_trunks, &objects.dispatch_rules];
    let ids = lists.into_iter().flatten().filter_map(|object| document::id(object));
    objects.origins = ids.filter_map(|id| Some((id.to_owned(), snapshot.origin(id)?))).collect();
    objects
}

impl Objects {
    /// Reads the objects. Those that cannot be read are told by where they stand and why.
    pub fn items(&self) -> Result<Items, Vec<String>> {
        document::read(self)
    }
}

impl Store {
    /// Writes all objects, those of the file too.
    pub fn export(&self, with_secrets: bool) -> Objects {
        export(&self.snapshot(), with_secrets)
    }

    /// Brings the objects of a document in, under their ids; all of them or, if one is in conflict with what there is,
    /// none. A dry run only says what would be done.
    pub fn import(&self, objects: &Objects, mode: Mode, dry_run: bool) -> Changed<Plan> {
        let mut pieces = self.pieces();
        let (mut plan, steps) = plan::made(&pieces, objects, mode);
        plan.hold_against(&pieces, &steps);
        if !dry_run && !plan.has_conflicts() && !steps.is_empty() {
            self.commit(&mut pieces, &steps, None)?;
            tracing::info!(objects = steps.len(), "imported by the API");
            plan.done = true;
        }
        Ok(plan)
    }
}

// Written out because objects would print their passwords.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [&self.inbound_trunks, &self.outbound_trunks, &self.dispatch_rules];
        f.debug_list().entries(lists.into_iter().flatten().filter_map(|object| document::id(object))).finish()
    }
}

#[cfg(test)]
mod tests;
