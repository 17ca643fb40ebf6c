//! Trunks and rules at one moment, checked alone and against each other.

use std::sync::Arc;

use super::{DispatchRule, Error, InboundItem, InboundTrunk, OutboundItem, OutboundTrunk, RuleItem};
use super::{error, id, validate};

/// All trunks and rules at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Trunks that calls come in by, in the order of the file.
    pub inbound_trunks: Vec<Arc<InboundTrunk>>,
    /// Trunks that calls go out by.
    pub outbound_trunks: Vec<Arc<OutboundTrunk>>,
    /// Rules that find the room of a call.
    pub dispatch_rules: Vec<Arc<DispatchRule>>,
}

/// Trunks and rules as they were read, before anything is checked.
#[derive(Clone, Default)]
pub struct Items {
    /// Inbound trunks.
    pub inbound_trunks: Vec<InboundItem>,
    /// Outbound trunks.
    pub outbound_trunks: Vec<OutboundItem>,
    /// Dispatch rules with what we add to them.
    pub dispatch_rules: Vec<RuleItem>,
}

impl Items {
    /// Gives an id to each object that has none.
    pub fn assign_ids(&mut self) {
        id::assign(self);
    }
}

impl Snapshot {
    /// Checks all items, alone and against each other, and gives them the ids they lack. What is lawful and yet unlikely
    /// to be meant comes back as warnings.
    pub fn build(mut items: Items) -> Result<(Self, Vec<String>), Vec<Error>> {
        items.assign_ids();
        let mut errors = Vec::new();
        let mut keep = |error| errors.push(error);
        let offered = items.inbound_trunks.len();
        let inbound_trunks = collect(items.inbound_trunks, InboundTrunk::new, &mut keep);
        let whole = inbound_trunks.len() == offered;
        let outbound_trunks = collect(items.outbound_trunks, OutboundTrunk::new, &mut keep);
        let rules = |item| DispatchRule::new(item, &inbound_trunks);
        let dispatch_rules = collect(items.dispatch_rules, rules, &mut keep);
        let snapshot = Self { inbound_trunks, outbound_trunks, dispatch_rules };
        errors.extend(validate::conflicts(&snapshot));
        if !whole {
            // The rule may well mean the trunk that was refused.
            errors.retain(|error| !matches!(error.problem, error::Problem::UnknownTrunk { .. }));
        }
        if errors.is_empty() {
            let warnings = validate::warnings(&snapshot);
            Ok((snapshot, warnings))
        } else {
            Err(errors)
        }
    }
}

fn collect<Item, T>(
    items: Vec<Item>,
    check: impl Fn(Item) -> Result<T, Vec<Error>>,
    keep: &mut impl FnMut(Error),
) -> Vec<Arc<T>> {
    let mut kept = Vec::with_capacity(items.len());
    for item in items {
        match check(item) {
            Ok(object) => kept.push(Arc::new(object)),
            Err(errors) => errors.into_iter().for_each(&mut *keep),
        }
    }
    kept
}
