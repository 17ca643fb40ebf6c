//! Objects held against each other: what cannot stand side by side, and what can but is unlikely to be meant.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use super::error::Problem;
use super::{DispatchRule, Error, InboundTrunk, Snapshot};
use crate::dispatch::number::Pattern;

/// Pairs that cannot stand side by side.
pub(crate) fn conflicts(snapshot: &Snapshot) -> Vec<Error> {
    let mut errors = duplicate_ids(snapshot);
    for Rivals { earlier, later, number, caller } in rivals(&snapshot.inbound_trunks) {
        if same_user(earlier, later) {
            let (other, other_id) = (earlier.label(), earlier.id().to_owned());
            let problem = Problem::TrunkConflict { other, other_id, number, caller };
            errors.push(Error::new(later.id(), &later.label(), problem));
        }
    }
    let mut defaults = snapshot.outbound_trunks.iter().filter(|trunk| trunk.ours.default_outbound);
    if let Some(first) = defaults.next() {
        errors.extend(defaults.map(|trunk| {
            let (other, other_id) = (first.label(), first.id().to_owned());
            Error::new(trunk.id(), &trunk.label(), Problem::SecondDefault { other, other_id })
        }));
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
    let for_all = snapshot.dispatch_rules.iter().any(|rule| rule.trunk_ids.is_empty());
    let ruled: HashSet<_> =
        snapshot.dispatch_rules.iter().flat_map(|rule| &rule.trunk_ids).map(String::as_str).collect();
    for trunk in &snapshot.inbound_trunks {
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
        if !for_all && !ruled.contains(trunk.id()) {
            warnings.push(format!("{label} has no dispatch rule: every call of it is refused"));
        }
        if trunk.info.krisp_enabled {
            warnings.push(format!("{label}: krisp_enabled has no effect, noise cancellation is not in this version"));
        }
    }
    for Rivals { earlier, later, number, caller } in rivals(&snapshot.inbound_trunks) {
        let (first, label) = (earlier.label(), later.label());
        if earlier.asks_password() != later.asks_password() {
            warnings.push(format!("{first} and {label} both take {number} from {caller}: the first of the file does"));
        } else if earlier.info.auth_realm != later.info.auth_realm {
            warnings
                .push(format!("{first} and {label} both take {number}: callers are asked in the realm of the first"));
        }
    }
    let known: HashSet<_> = snapshot.inbound_trunks.iter().map(|trunk| trunk.id()).collect();
    for rule in &snapshot.dispatch_rules {
        let label = rule.label();
        if rule.room.pin().is_some_and(|pin| pin.len() > 16 || !pin.bytes().all(|digit| digit.is_ascii_digit())) {
            warnings.push(format!("{label}: nobody can type the pin, which is more or other than sixteen digits"));
        }
        if rule.info.krisp_enabled {
            warnings.push(format!("{label}: krisp_enabled has no effect, noise cancellation is not in this version"));
        }
        for id in rule.trunk_ids.iter().filter(|id| !known.contains(id.as_str())) {
            warnings.push(format!("{label} is for the trunk {id}, which there is not"));
        }
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

/// Two trunks that take a number from a caller equally narrowly from equal addresses.
struct Rivals<'a> {
    earlier: &'a InboundTrunk,
    later: &'a InboundTrunk,
    number: String,
    caller: String,
}

/// All pairs of rivals. Trunks are looked up by what two of them must have in common, because there may be thousands.
fn rivals(trunks: &[Arc<InboundTrunk>]) -> Vec<Rivals<'_>> {
    let mut having = HashMap::<String, Vec<usize>>::new();
    let mut found = Vec::new();
    for (at, later) in trunks.iter().enumerate() {
        let keys = common(later);
        let earlier: BTreeSet<_> = keys.iter().filter_map(|key| having.get(key)).flatten().copied().collect();
        for earlier in earlier.into_iter().map(|at| &trunks[at]) {
            if let Some((number, caller)) = rivalry(earlier, later) {
                found.push(Rivals { earlier, later, number, caller });
            }
        }
        for key in keys {
            having.entry(key).or_default().push(at);
        }
    }
    found
}

/// What every rival of the trunk has too, at least one of them: a number, or none and an address, or neither.
fn common(trunk: &InboundTrunk) -> HashSet<String> {
    if trunk.numbers.is_empty() && trunk.networks.is_empty() {
        return HashSet::from([String::new()]);
    }
    let numbers = trunk.numbers.iter().map(|number| format!("to {number}"));
    let networks = trunk.networks.iter().filter(|_| trunk.numbers.is_empty()).map(|network| format!("by {network}"));
    numbers.chain(networks).collect()
}

/// A number and a caller that both trunks take equally narrowly from equal addresses.
fn rivalry(one: &InboundTrunk, other: &InboundTrunk) -> Option<(String, String)> {
    let same_address = match (one.networks.is_empty(), other.networks.is_empty()) {
        (true, true) => true,
        (false, false) => meet(&one.networks, &other.networks).is_some(),
        _ => false,
    };
    let shared = |one: &[Pattern], other: &[Pattern], any: &str| {
        if one.is_empty() && other.is_empty() { Some(any.to_owned()) } else { meet(one, other).map(Pattern::to_string) }
    };
    if !same_address {
        return None;
    }
    Some((shared(&one.numbers, &other.numbers, "any number")?, shared(&one.callers, &other.callers, "any caller")?))
}

/// The first entry of a list that the other has too.
fn meet<'a, T: Eq + Hash>(one: &'a [T], other: &[T]) -> Option<&'a T> {
    if one.len().saturating_mul(other.len()) <= 256 {
        return one.iter().find(|entry| other.contains(entry));
    }
    let other: HashSet<_> = other.iter().collect();
    one.iter().find(|entry| other.contains(entry))
}

/// The same user of both, or none of either.
fn same_user(one: &InboundTrunk, other: &InboundTrunk) -> bool {
    one.info.auth_username == other.info.auth_username
}

/// Every combination of PIN, trunk, caller and number may be named by one rule, unless their priorities tell them apart.
fn rule_conflicts(rules: &[Arc<DispatchRule>]) -> Vec<Error> {
    let mut seen = HashMap::<_, &Arc<DispatchRule>>::new();
    let mut errors = Vec::new();
    for rule in rules {
        let mut clash = None::<(&Arc<DispatchRule>, String)>;
        for key in keys(rule) {
            match seen.entry(key) {
                // Two spellings of a number in one rule.
                Entry::Occupied(taken) if Arc::ptr_eq(taken.get(), rule) => {}
                Entry::Occupied(taken) => _ = clash.get_or_insert_with(|| (*taken.get(), taken.key().3.clone())),
                Entry::Vacant(free) => _ = free.insert(rule),
            }
        }
        if let Some((other, what)) = clash {
            let (other, other_id) = (other.label(), other.id().to_owned());
            errors.push(Error::new(rule.id(), &rule.label(), Problem::RuleConflict { other, other_id, what }));
        }
    }
    errors
}

type Key = (Option<String>, Option<i64>, [String; 3], String);

fn keys(rule: &DispatchRule) -> impl Iterator<Item = Key> {
    let or_any = |list: Vec<String>| if list.is_empty() { vec![String::new()] } else { list };
    let trunks = or_any(rule.trunk_ids.clone());
    let callers = or_any(rule.callers.iter().map(Pattern::to_string).collect());
    let numbers = or_any(rule.numbers.iter().map(Pattern::to_string).collect());
    let (pin, priority) = (rule.room.pin().map(str::to_owned), rule.ours.priority);
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
    fn one_trunk_at_most_is_for_calls_that_name_none() {
        let out = "address: h, numbers: ['1']";
        let both = said(
            "outbound_trunks",
            &format!("{out}, default_outbound: true"),
            &format!("{out}, default_outbound: true"),
        );
        assert!(both.starts_with("ERROR line 1") && both.contains("\"b\"") && both.contains("\"a\""), "{both}");
        let one = said("outbound_trunks", &format!("{out}, default_outbound: true"), out);
        assert!(!one.starts_with("ERROR"), "{one}");
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
