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
                errors.push(Error::new(trunk.id(), &trunk.label(), Problem::TrunkConflict { other, number, caller }));
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
    again.map(|(id, label)| Error::new(id, &label, Problem::DuplicateId(id.to_owned()))).collect()
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
            errors.push(Error::new(rule.id(), &rule.label(), Problem::RuleConflict { other, what }));
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

#[cfg(test)]
mod tests {
    use crate::config::tests::loaded;

    /// What is said against two objects of a list: errors, else warnings.
    fn said(list: &str, one: &str, other: &str) -> String {
        match loaded(&format!("{list}: [{{name: a, {one}}}, {{name: b, {other}}}]")) {
            Ok(loaded) => loaded.notes.iter().map(|note| format!("{}\n", note.text)).collect(),
            Err(invalid) => format!("ERROR {invalid}"),
        }
    }

    #[test]
    fn trunks_that_nothing_tells_apart_are_errors() {
        let cases: &[(&str, &str, &str, bool)] = &[
            ("same number", "numbers: ['+1 5']", "numbers: ['15']", true),
            ("other number", "numbers: ['1']", "numbers: ['2']", false),
            ("no numbers", "allowed_addresses: [192.0.2.1]", "allowed_addresses: [192.0.2.1]", true),
            ("no numbers, other addresses", "allowed_addresses: [192.0.2.1]", "allowed_addresses: [192.0.2.2]", false),
            (
                "number and none",
                "numbers: ['1'], allowed_addresses: [192.0.2.1]",
                "allowed_addresses: [192.0.2.1]",
                false,
            ),
            (
                "same caller",
                "numbers: ['1'], allowed_numbers: ['7']",
                "numbers: ['1'], allowed_numbers: ['+7', '8']",
                true,
            ),
            ("other caller", "numbers: ['1'], allowed_numbers: ['7']", "numbers: ['1'], allowed_numbers: ['8']", false),
            ("caller and none", "numbers: ['1'], allowed_numbers: ['7']", "numbers: ['1']", false),
            ("one has addresses", "numbers: ['1'], allowed_addresses: [192.0.2.1]", "numbers: ['1']", false),
            (
                "wider network",
                "numbers: ['1'], allowed_addresses: [192.0.2.1]",
                "numbers: ['1'], allowed_addresses: [192.0.2.0/24]",
                false,
            ),
            (
                "other users",
                "numbers: ['1'], auth_username: u, auth_password: p",
                "numbers: ['1'], auth_username: v, auth_password: p",
                false,
            ),
            (
                "same user",
                "numbers: ['1'], auth_username: u, auth_password: p",
                "numbers: ['1'], auth_username: u, auth_password: q",
                true,
            ),
        ];
        for (name, one, other, conflict) in cases {
            let said = said("inbound_trunks", one, other);
            assert_eq!(
                (said.starts_with("ERROR line 1") && said.contains(": inbound trunk \"b\"")),
                *conflict,
                "{name}: {said}"
            );
        }
    }

    #[test]
    fn rules_for_the_same_calls_are_errors() {
        let callee = "rule: {dispatch_rule_callee: {}}";
        let pin = "rule: {dispatch_rule_callee: {pin: '1'}}";
        let cases: &[(&str, String, String, bool)] = &[
            ("same", callee.into(), callee.into(), true),
            ("another kind", callee.into(), "rule: {dispatch_rule_direct: {room_name: r}}".into(), true),
            ("a PIN", callee.into(), pin.into(), false),
            ("the same PIN", pin.into(), pin.into(), true),
            ("a number", callee.into(), format!("{callee}, numbers: ['1']"), false),
            ("the same number", format!("{callee}, numbers: ['+1', '2']"), format!("{callee}, numbers: ['1']"), true),
            (
                "a caller",
                format!("{callee}, inbound_numbers: ['1']"),
                format!("{callee}, inbound_numbers: ['2']"),
                false,
            ),
            (
                "the same caller",
                format!("{callee}, inbound_numbers: ['1']"),
                format!("{callee}, inbound_numbers: ['+1']"),
                true,
            ),
            ("a priority", callee.into(), format!("{callee}, priority: 1"), false),
        ];
        for (name, one, other, conflict) in cases {
            let said = said("dispatch_rules", one, other);
            assert_eq!(
                (said.starts_with("ERROR line 1") && said.contains(": dispatch rule \"b\"")),
                *conflict,
                "{name}: {said}"
            );
        }
    }

    #[test]
    fn open_doors_are_told_loudly() {
        let digest = "numbers: ['1'], auth_username: u, auth_password: p";
        let cases: &[(&str, &str, &str)] = &[
            ("numbers: ['1']", "numbers: ['2']", "\"a\" (ST_"),
            ("numbers: ['1']", "numbers: ['2']", "ADMITS EVERYBODY: it has neither"),
            (
                "allowed_addresses: [0.0.0.0/0]",
                "numbers: ['2']",
                "ADMITS EVERYBODY: allowed_addresses has a network of all",
            ),
            ("numbers: ['1']", digest, "the first of the file does"),
            (digest, "numbers: ['1'], auth_username: v, auth_password: p, auth_realm: r", "in the realm of the first"),
            ("numbers: ['1'], krisp_enabled: true", digest, "krisp_enabled has no effect"),
            ("numbers: ['1']", digest, "has no dispatch rule: every call of it is refused"),
        ];
        for (one, other, part) in cases {
            let said = said("inbound_trunks", one, other);
            assert!(said.contains(part), "{part}\n{said}");
        }
        let quiet = loaded(
            "inbound_trunks: [{numbers: ['1'], allowed_addresses: [192.0.2.1]}]\n\
             dispatch_rules: [{rule: {dispatch_rule_callee: {}}}]",
        );
        assert_eq!(quiet.unwrap().notes, [], "an ordinary file has nothing to warn of");
        let none = loaded("").unwrap().notes;
        assert!(none.iter().any(|note| note.text.contains("every call is refused")), "{none:?}");
    }
}
