//! Trunks and rules at one moment, checked alone and against each other.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::{DispatchRule, Error, InboundItem, InboundTrunk, Origin, OutboundItem, OutboundTrunk, RuleItem};
use super::{error, id, validate};

/// All trunks and rules at one moment: those of the file in its order, then those of the API in the order of ids.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Trunks that calls come in by.
    pub inbound_trunks: Vec<Arc<InboundTrunk>>,
    /// Trunks that calls go out by.
    pub outbound_trunks: Vec<Arc<OutboundTrunk>>,
    /// Rules that find the room of a call.
    pub dispatch_rules: Vec<Arc<DispatchRule>>,
    from_api: HashSet<String>,
    /// Objects of the API that do not go with the file: they are listed, and take no calls.
    pub(crate) aside: Items,
}

/// Trunks and rules as they were read, before anything is checked.
#[derive(Clone, Default, PartialEq)]
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
    /// Checks all items of a file, alone and against each other, and gives them the ids they lack. What is lawful and yet
    /// unlikely to be meant comes back as warnings.
    pub fn build(file: Items) -> Result<(Self, Vec<String>), Vec<Error>> {
        let snapshot = Self::beside(file, Items::default())?;
        let warnings = snapshot.warnings();
        Ok((snapshot, warnings))
    }

    /// Objects of a file, and those of the API beside them.
    pub(crate) fn beside(file: Items, api: Items) -> Result<Self, Vec<Error>> {
        let mut file = file;
        file.assign_ids();
        let from_api: HashSet<String> = api.ids().map(str::to_owned).collect();
        let items = file.then(api);
        let mut errors = Vec::new();
        let mut keep = |error| errors.push(error);
        let offered = items.inbound_trunks.len();
        let inbound_trunks = collect(items.inbound_trunks, InboundTrunk::new, &mut keep);
        let whole = inbound_trunks.len() == offered;
        let outbound_trunks = collect(items.outbound_trunks, OutboundTrunk::new, &mut keep);
        let rule = |item: RuleItem| {
            // The trunk of a rule may have been deleted since: the rule waits for calls that do not come.
            let outlives_trunks = from_api.contains(&item.info.sip_dispatch_rule_id);
            DispatchRule::new(item, &inbound_trunks, outlives_trunks)
        };
        let dispatch_rules = collect(items.dispatch_rules, rule, &mut keep);
        let snapshot = Self { inbound_trunks, outbound_trunks, dispatch_rules, from_api, aside: Items::default() };
        errors.extend(validate::conflicts(&snapshot));
        if !whole {
            // The rule may well mean the trunk that was refused.
            errors.retain(|error| !matches!(error.problem, error::Problem::UnknownTrunk { .. }));
        }
        if errors.is_empty() { Ok(snapshot) } else { Err(errors) }
    }

    /// What is lawful and yet unlikely to be meant, in words.
    pub fn warnings(&self) -> Vec<String> {
        validate::warnings(self)
    }

    /// Where an object comes from; `None` if there is no such object.
    pub fn origin(&self, id: &str) -> Option<Origin> {
        if self.from_api.contains(id) || self.aside.ids().any(|aside| aside == id) {
            return Some(Origin::Api);
        }
        let exists = self.inbound_trunks.iter().any(|trunk| trunk.id() == id)
            || self.outbound_trunks.iter().any(|trunk| trunk.id() == id)
            || self.dispatch_rules.iter().any(|rule| rule.id() == id);
        exists.then_some(Origin::File)
    }

    /// The objects as they were read, with their ids.
    pub fn items(&self) -> Items {
        Items {
            inbound_trunks: self.inbound_trunks.iter().map(|trunk| trunk.item()).collect(),
            outbound_trunks: self.outbound_trunks.iter().map(|trunk| trunk.item()).collect(),
            dispatch_rules: self.dispatch_rules.iter().map(|rule| rule.item()).collect(),
        }
    }
}

// Written out because messages would print their passwords.
impl fmt::Debug for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl Items {
    fn ids(&self) -> impl Iterator<Item = &str> {
        let inbound = self.inbound_trunks.iter().map(|trunk| trunk.info.sip_trunk_id.as_str());
        let outbound = self.outbound_trunks.iter().map(|trunk| trunk.info.sip_trunk_id.as_str());
        let rules = self.dispatch_rules.iter().map(|rule| rule.info.sip_dispatch_rule_id.as_str());
        inbound.chain(outbound).chain(rules)
    }

    fn then(mut self, more: Self) -> Self {
        self.inbound_trunks.extend(more.inbound_trunks);
        self.outbound_trunks.extend(more.outbound_trunks);
        self.dispatch_rules.extend(more.dispatch_rules);
        self
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
