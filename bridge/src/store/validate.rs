//! Objects held against each other: what cannot stand side by side, and what can but is unlikely to be meant.

use std::collections::{HashMap, HashSet};

use super::error::Problem;
use super::{DispatchRule, Error, InboundTrunk, Snapshot};
use crate::dispatch::number::Pattern;

/// Pairs that cannot stand side by side.
pub(crate) fn conflicts(snapshot: &Snapshot) -> Vec<Error> {
    let mut errors = duplicate_ids(snapshot);
    for (at, trunk) in snapshot.inbound_trunks.iter().enumerate() {
        for earlier in &snapshot.inbound_trunks[..at] {
            if let Some((number, caller)) = rivals(earlier, trunk).filter(|_| same_user(earlier, trunk)) {
                let other = earlier.label();
                errors.push(Error::new(trunk.label(), Problem::TrunkConflict { other, number, caller }));
            }
        }
    }
    errors.extend(rule_conflicts(&snapshot.dispatch_rules));
    errors
}

/// What is lawful and unlikely to be meant, in words.
pub(crate) fn warnings(snapshot: &Snapshot) -> Vec<String> {
    let mut warnings = Vec::new();
    if snapshot.inbound_trunks.is_empty() {
        warnings.push("there are no inbound_trunks: every call is refused".to_owned());
    }
    for (at, trunk) in snapshot.inbound_trunks.iter().enumerate() {
        let label = trunk.label();
        if trunk.networks.is_empty() && !trunk.asks_password() {
            warnings.push(format!(
                "{label} ADMITS EVERYBODY: it has neither allowed_addresses nor credentials, so anyone on the network \
                 who knows or guesses a number of it can call"
            ));
        }
        if trunk.networks.iter().any(|network| network.prefix() == 0) {
            warnings.push(format!("{label} ADMITS EVERYBODY: allowed_addresses has a network of all addresses"));
        }
        let has_rule =
            |rule: &DispatchRule| rule.trunk_ids.is_empty() || rule.trunk_ids.iter().any(|id| id == trunk.id());
        if !snapshot.dispatch_rules.iter().any(|rule| has_rule(rule)) {
            warnings.push(format!("{label} has no dispatch rule: every call of it is refused"));
        }
        if trunk.info.krisp_enabled {
            warnings.push(format!("{label}: krisp_enabled has no effect, noise cancellation is not in this version"));
        }
        for earlier in &snapshot.inbound_trunks[..at] {
            let Some((number, caller)) = rivals(earlier, trunk) else { continue };
            if earlier.asks_password() != trunk.asks_password() {
                let first = earlier.label();
                warnings
                    .push(format!("{first} and {label} both take {number} from {caller}: the first of the file does"));
            } else if earlier.info.auth_realm != trunk.info.auth_realm {
                let first = earlier.label();
                warnings.push(format!(
                    "{first} and {label} both take {number}: callers are asked in the realm of the first"
                ));
            }
        }
    }
    for rule in &snapshot.dispatch_rules {
        let label = rule.label();
        if rule.room.has_pin() {
            warnings
                .push(format!("{label}: callers cannot be asked for the pin in this version, their calls are refused"));
        }
        if rule.info.krisp_enabled {
            warnings.push(format!("{label}: krisp_enabled has no effect, noise cancellation is not in this version"));
        }
    }
    if !snapshot.outbound_trunks.is_empty() {
        warnings.push("outbound_trunks are read and checked; calls out are not in this version".to_owned());
    }
    warnings
}

fn duplicate_ids(snapshot: &Snapshot) -> Vec<Error> {
    let mut taken = HashSet::new();
    let inbound = snapshot.inbound_trunks.iter().map(|trunk| (trunk.id(), trunk.label()));
    let outbound = snapshot.outbound_trunks.iter().map(|trunk| (trunk.id(), trunk.label()));
    let rules = snapshot.dispatch_rules.iter().map(|rule| (rule.id(), rule.label()));
    let objects = inbound.chain(outbound).chain(rules);
    let again = objects.filter(|(id, _)| !taken.insert((*id).to_owned()));
    again.map(|(id, label)| Error::new(label, Problem::DuplicateId(id.to_owned()))).collect()
}

/// A number and a caller that both trunks take equally narrowly from equal addresses.
fn rivals(one: &InboundTrunk, other: &InboundTrunk) -> Option<(String, String)> {
    let same_address = match (one.networks.is_empty(), other.networks.is_empty()) {
        (true, true) => true,
        (false, false) => one.networks.iter().any(|network| other.networks.contains(network)),
        _ => false,
    };
    let number = shared(&one.numbers, &other.numbers, "any number")?;
    let caller = shared(&one.callers, &other.callers, "any caller")?;
    same_address.then_some((number, caller))
}

/// The same user of both, or none of either.
fn same_user(one: &InboundTrunk, other: &InboundTrunk) -> bool {
    one.info.auth_username == other.info.auth_username
}

/// An entry that both lists have, or `any` if both are empty.
fn shared(one: &[Pattern], other: &[Pattern], any: &str) -> Option<String> {
    if one.is_empty() && other.is_empty() {
        return Some(any.to_owned());
    }
    one.iter().find(|pattern| other.contains(pattern)).map(Pattern::to_string)
}

/// Every combination of PIN, trunk, caller and number may be named by one rule, unless their priorities tell them apart.
fn rule_conflicts(rules: &[std::sync::Arc<DispatchRule>]) -> Vec<Error> {
    let mut seen = HashMap::new();
    let mut errors = Vec::new();
    for rule in rules {
        if let Some((other, what)) = keys(rule).find_map(|key| Some((seen.get(&key).cloned()?, key.3))) {
            errors.push(Error::new(rule.label(), Problem::RuleConflict { other, what }));
        }
        seen.extend(keys(rule).map(|key| (key, rule.label())));
    }
    errors
}

type Key = (Option<String>, Option<i64>, [String; 3], String);

fn keys(rule: &DispatchRule) -> impl Iterator<Item = Key> {
    let or_any = |list: Vec<String>| if list.is_empty() { vec![String::new()] } else { list };
    let trunks = or_any(rule.trunk_ids.clone());
    let callers = or_any(rule.callers.iter().map(Pattern::to_string).collect());
    let numbers = or_any(rule.numbers.iter().map(Pattern::to_string).collect());
    let (pin, priority) = (rule.room.pin().map(str::to_owned), rule.priority);
    let mut keys = Vec::with_capacity(trunks.len() * callers.len() * numbers.len());
    for trunk in &trunks {
        for caller in &callers {
            for number in &numbers {
                let or = |text: &str, any: &str| if text.is_empty() { any.to_owned() } else { text.to_owned() };
                let what = format!(
                    "from {} to {} by {}",
                    or(caller, "any caller"),
                    or(number, "any number"),
                    or(trunk, "any trunk")
                );
                keys.push((pin.clone(), priority, [trunk.clone(), caller.clone(), number.clone()], what));
            }
        }
    }
    keys.into_iter()
}
