//! Which dispatch rule takes a call.
//!
//! Rules of the trunk come before rules of every trunk. Within each kind the smallest number goes first: what LiveKit
//! computes from what a rule asks for, or the `priority` that a rule names. Then the number that is named most narrowly,
//! then the room in alphabetical order, as in LiveKit, then the order of the list.

use std::cmp::Reverse;
use std::sync::Arc;

use super::number::{self, Fit, normalise};
use super::refusal::Tried;
use super::{Query, Refusal, Seat, participant};
use crate::store::{DispatchRule, InboundTrunk, RoomPlan, Snapshot};

/// What becomes of a call that a trunk took.
#[derive(Clone, Debug)]
pub enum Decision {
    /// It joins a room.
    Join(Box<Seat>),
    /// The caller has to type a PIN first; then decide again.
    AskPin(Arc<DispatchRule>),
    /// No rule takes it.
    Refuse(Refusal),
}

/// What is known of the caller's PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin<'a> {
    /// He was not asked yet.
    NotAsked,
    /// He was asked and typed none: rules with a PIN are out.
    None,
    /// He typed this: rules without it are out.
    Typed(&'a str),
}

/// Finds the rule of a call, and makes up the participant.
pub fn decide(snapshot: &Snapshot, trunk: &InboundTrunk, query: &Query, pin: Pin<'_>) -> Decision {
    let mut tried = Tried::default();
    let mut best: Option<(Rank<'_>, &Arc<DispatchRule>)> = None;
    for (rule, verdict) in sift(snapshot, trunk, query, pin) {
        match verdict {
            Ok(rank) if best.as_ref().is_none_or(|(least, _)| rank < *least) => best = Some((rank, rule)),
            Ok(_) => {}
            Err(why) => tried.push(rule.label(), why),
        }
    }
    match best {
        Some((_, rule)) if rule.room.has_pin() && pin == Pin::NotAsked => Decision::AskPin(Arc::clone(rule)),
        Some((_, rule)) => match participant::seat(trunk, rule, query) {
            Ok(seat) => Decision::Join(Box::new(seat)),
            Err(refusal) => Decision::Refuse(refusal),
        },
        None if matches!(pin, Pin::Typed(_)) => Decision::Refuse(Refusal::WrongPin { trunk: trunk.label() }),
        None => Decision::Refuse(Refusal::NoRule { trunk: trunk.label(), tried }),
    }
}

/// What each rule says to a call of a trunk, in their order.
pub(super) fn sift<'a>(
    snapshot: &'a Snapshot,
    trunk: &InboundTrunk,
    query: &Query,
    pin: Pin<'_>,
) -> impl Iterator<Item = (&'a Arc<DispatchRule>, Result<Rank<'a>, &'static str>)> {
    let (called, calling) = (normalise(query.called()), normalise(query.calling()));
    snapshot.dispatch_rules.iter().map(move |rule| (rule, rank(rule, trunk, &called, &calling, pin)))
}

/// Where a rule stands. The smallest takes the call; the order of the fields is the order of precedence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<'a> {
    every_trunk: bool,
    priority: i64,
    called: Reverse<Fit>,
    calling: Reverse<Fit>,
    room: &'a str,
}

fn rank<'a>(
    rule: &'a DispatchRule,
    trunk: &InboundTrunk,
    called: &str,
    calling: &str,
    pin: Pin<'_>,
) -> Result<Rank<'a>, &'static str> {
    let every_trunk = rule.trunk_ids.is_empty();
    if !every_trunk && !rule.trunk_ids.iter().any(|id| id == trunk.id()) {
        return Err("it is for other trunks");
    }
    match (pin, rule.room.pin()) {
        (Pin::None, Some(_)) => return Err("it asks for a PIN"),
        (Pin::Typed(_), None) => return Err("it has no PIN"),
        (Pin::Typed(typed), Some(set)) if typed != set => return Err("it has another PIN"),
        // Not asked, no PIN on either side, or the right one.
        _ => {}
    }
    let calling = number::fit(&rule.callers, calling).ok_or("the caller is not in inbound_numbers")?;
    let called = number::fit(&rule.numbers, called).ok_or("the called number is not in numbers")?;
    Ok(Rank {
        every_trunk,
        priority: rule.ours.priority.unwrap_or_else(|| computed_priority(rule)),
        called: Reverse(called),
        calling: Reverse(calling),
        room: rule.room.text(),
    })
}

/// LiveKit's number for a rule: the more it asks for, the smaller.
pub(crate) fn computed_priority(rule: &DispatchRule) -> i64 {
    let kind = match rule.room {
        RoomPlan::Direct { .. } => 0,
        RoomPlan::Individual { .. } => 1,
        RoomPlan::Callee { .. } => 2,
    };
    let open = if rule.room.has_pin() { 0 } else { 100 };
    let any = |list: &[number::Pattern]| if list.is_empty() { 1_000 } else { 0 };
    kind + open + any(&rule.callers) + any(&rule.numbers)
}

#[cfg(test)]
mod tests {
    use super::super::query::tests::query;
    use super::*;
    use crate::config::tests::snapshot;

    /// The rule that takes a call to +15550100 from +15550199 by the trunk `tw`, or why none does.
    fn outcome(rules: &str, pin: Pin<'_>) -> String {
        let yaml = format!(
            "inbound_trunks: [{{name: tw, numbers: ['*'], allowed_addresses: [203.0.113.7]}}, {{name: other, numbers: ['1']}}]\n\
             dispatch_rules:\n{rules}"
        );
        let snapshot = snapshot(&yaml);
        match decide(&snapshot, &snapshot.inbound_trunks[0], &query(|_| ()), pin) {
            Decision::Join(seat) => name_of(&snapshot, &seat.rule_id),
            Decision::AskPin(rule) => format!("pin for {}", rule.info.name),
            Decision::Refuse(refusal) => refusal.label().to_owned(),
        }
    }

    fn name_of(snapshot: &Snapshot, id: &str) -> String {
        snapshot.dispatch_rules.iter().find(|rule| rule.id() == id).unwrap().info.name.clone()
    }

    const DIRECT: &str = "rule: {dispatch_rule_direct: {room_name: r}}";
    const INDIVIDUAL: &str = "rule: {dispatch_rule_individual: {}}";
    const CALLEE: &str = "rule: {dispatch_rule_callee: {}}";

    #[test]
    fn rules_stand_in_livekits_order() {
        let a = |what: &str| format!("- {{name: a, {what}}}\n");
        let b = |what: &str| format!("- {{name: b, {what}}}\n");
        let cases: &[(&str, String, &str)] = &[
            ("the only one", a(DIRECT), "a"),
            ("none", "  []".into(), "no_rule"),
            ("for another trunk", a(&format!("trunk_ids: [other], {DIRECT}")), "no_rule"),
            (
                "direct before individual",
                a(&format!("numbers: ['+15550100'], {INDIVIDUAL}"))
                    + &b(&format!("numbers: [15550100, '7'], {DIRECT}")).replace("15550100", "+1555*"),
                "b",
            ),
            (
                "trunk's own before all",
                a(&format!("numbers: ['+15550100'], inbound_numbers: ['+15550199'], {DIRECT}"))
                    + &b(&format!("trunk_ids: [tw], {CALLEE}")),
                "b",
            ),
            ("number before none", a(DIRECT) + &b(&format!("numbers: ['+15550100'], {CALLEE}")), "b"),
            ("caller before none", a(DIRECT) + &b(&format!("inbound_numbers: ['+15550199'], {CALLEE}")), "b"),
            (
                "both before one",
                a(&format!("numbers: ['+15550100'], {DIRECT}"))
                    + &b(&format!("numbers: ['+15550100'], inbound_numbers: ['+15550199'], {CALLEE}")),
                "b",
            ),
            ("normalised", a(&format!("numbers: ['1 (555) 0100'], inbound_numbers: ['1-555-0199'], {DIRECT}")), "a"),
            (
                "exact before pattern",
                a(&format!("numbers: ['+1555*'], {DIRECT}")) + &b(&format!("numbers: ['+15550100'], {DIRECT}")),
                "b",
            ),
            (
                "longer pattern",
                a(&format!("numbers: ['+1*'], {DIRECT}")) + &b(&format!("numbers: ['+1555*'], {DIRECT}")),
                "b",
            ),
            ("wrong number", a(&format!("numbers: ['+15550199'], {DIRECT}")), "no_rule"),
            ("wrong caller", a(&format!("inbound_numbers: ['+15550100'], {DIRECT}")), "no_rule"),
            (
                "the room decides",
                a(&format!("numbers: ['+15550100', '1'], {DIRECT}")).replace("room_name: r", "room_name: z")
                    + &b(&format!("numbers: ['+1555010*', '+15550100 '], {DIRECT}")).replace(", '+15550100 '", ""),
                "a",
            ),
            ("priority", a(&format!("numbers: ['+15550100'], {DIRECT}")) + &b(&format!("priority: -1, {CALLEE}")), "b"),
            ("priority behind", a(&format!("priority: 5000, numbers: ['+15550100'], {DIRECT}")) + &b(CALLEE), "b"),
        ];
        for (name, rules, expected) in cases {
            assert_eq!(outcome(rules, Pin::NotAsked), *expected, "{name}");
        }
    }

    #[test]
    fn pins_choose_among_rules() {
        let pin = "- {name: pin, rule: {dispatch_rule_direct: {room_name: p, pin: '4242'}}}\n";
        let open = "- {name: open, rule: {dispatch_rule_direct: {room_name: o}}}\n";
        let number = "- {name: number, numbers: ['+15550100'], rule: {dispatch_rule_callee: {}}}\n";
        let cases: &[(&str, &[&str], Pin<'_>, &str)] = &[
            ("a PIN rule goes first among equals", &[open, pin], Pin::NotAsked, "pin for pin"),
            ("a number goes before a PIN", &[pin, number], Pin::NotAsked, "number"),
            ("the right PIN", &[open, pin], Pin::Typed("4242"), "pin"),
            ("a wrong PIN", &[open, pin], Pin::Typed("1"), "wrong_pin"),
            ("no PIN", &[open, pin], Pin::None, "open"),
            ("no PIN and nothing open", &[pin], Pin::None, "no_rule"),
        ];
        for (name, rules, typed, expected) in cases {
            assert_eq!(outcome(&rules.concat(), *typed), *expected, "{name}");
        }
    }

    #[test]
    fn computed_priorities_are_livekits() {
        let cases: &[(&str, i64)] = &[
            ("rule: {dispatch_rule_direct: {room_name: r, pin: '1'}}, numbers: ['1'], inbound_numbers: ['1']", 0),
            ("rule: {dispatch_rule_individual: {pin: '1'}}, numbers: ['1'], inbound_numbers: ['1']", 1),
            ("rule: {dispatch_rule_callee: {pin: '1'}}, numbers: ['1'], inbound_numbers: ['1']", 2),
            ("rule: {dispatch_rule_direct: {room_name: r}}, numbers: ['1'], inbound_numbers: ['1']", 100),
            ("rule: {dispatch_rule_individual: {}}, numbers: ['1']", 1_101),
            ("rule: {dispatch_rule_callee: {}}, inbound_numbers: ['1']", 1_102),
            ("rule: {dispatch_rule_callee: {}}", 2_102),
            ("rule: {dispatch_rule_direct: {room_name: r, pin: '1'}}", 2_000),
        ];
        for (rule, priority) in cases {
            let snapshot = snapshot(&format!("dispatch_rules: [{{{rule}}}]"));
            assert_eq!(computed_priority(&snapshot.dispatch_rules[0]), *priority, "{rule}");
        }
    }

    #[test]
    fn a_refusal_says_what_was_tried() {
        let snapshot = snapshot(
            "inbound_trunks: [{name: tw, numbers: ['*']}]\n\
             dispatch_rules: [{name: night, numbers: ['+1'], rule: {dispatch_rule_individual: {}}}]",
        );
        let decision = decide(&snapshot, &snapshot.inbound_trunks[0], &query(|_| ()), Pin::NotAsked);
        let Decision::Refuse(refusal) = decision else { panic!("joined") };
        let text = refusal.to_string();
        assert!(text.contains("\"tw\"") && text.contains("\"night\"") && text.contains("not in numbers"), "{text}");
        assert_eq!(refusal.status(), 404);
    }
}
