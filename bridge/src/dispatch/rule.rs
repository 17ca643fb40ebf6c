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
    let (called, calling) = (normalise(query.called()), normalise(query.calling()));
    let mut tried = Tried::default();
    let mut best: Option<(Rank<'_>, &Arc<DispatchRule>)> = None;
    for rule in &snapshot.dispatch_rules {
        match rank(rule, trunk, &called, &calling, pin) {
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

/// Where a rule stands. The smallest takes the call; the order of the fields is the order of precedence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
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
        priority: rule.priority.unwrap_or_else(|| computed_priority(rule)),
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
