//! The participant that a caller becomes, and the room in which he stands: LiveKit's names, byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::template::Scope;
use super::{Media, Query, Refusal, RoomName, Seat, headers, seat};
use crate::stir;
use crate::store::{DispatchRule, InboundTrunk, RoomPlan};

/// The longest identity and name, and the longest attribute that a template may make, in bytes.
const MAX_TEXT: usize = 255;

/// The longest metadata of a participant, in bytes.
const MAX_METADATA: usize = 64 * 1024;

/// Makes up the seat of a call that `trunk` and `rule` take.
pub(crate) fn seat(trunk: &InboundTrunk, rule: &DispatchRule, query: &Query) -> Result<Seat, Refusal> {
    let hidden = rule.info.hide_phone_number || query.hides_caller();
    let scope = Scope { query, trunk_id: trunk.id(), trunk_name: &trunk.info.name, rule_id: rule.id(), hidden };
    let mut notes = Vec::new();
    let room = room(rule, &scope, &mut notes)?;
    let mut metadata = rule.metadata.render(&scope);
    if metadata.len() > MAX_METADATA {
        notes.push(format!("metadata of {} bytes is left out", metadata.len()));
        metadata.clear();
    }
    let headers_to_attributes = sorted(&trunk.info.headers_to_attributes);
    let (from_headers, more) = headers::attributes(query, trunk.include_headers(), &headers_to_attributes, hidden);
    notes.extend(more);
    // What tells who calls is ours to say: no header and no rule can put another caller there.
    let mut attributes = rule_attributes(rule, &scope, &mut notes);
    attributes.extend(from_headers);
    attributes.extend(call_attributes(trunk, rule, query));
    stir::settle(&mut attributes, query, trunk.knows(query));
    let (identity, name) = identity(query.calling(), hidden);
    Ok(Seat {
        room,
        identity,
        name,
        metadata,
        attributes,
        room_config: rule.info.room_config.clone(),
        room_preset: rule.info.room_preset.clone(),
        headers: sorted(&trunk.info.headers),
        include_headers: trunk.include_headers(),
        headers_to_attributes,
        attributes_to_headers: sorted(&trunk.info.attributes_to_headers),
        ringing_timeout: trunk.ringing_timeout.unwrap_or(seat::RINGING_TIMEOUT),
        ringing_timeout_status: trunk.ringing_timeout_status,
        max_call_duration: trunk.max_call_duration.unwrap_or(seat::MAX_CALL_DURATION).min(seat::MAX_CALL_DURATION),
        media: merge(&trunk.media, &rule.media),
        answer: rule.ours.answer,
        early_media: rule.ours.early_media,
        voice: rule.ours.voice.clone(),
        krisp: trunk.info.krisp_enabled || rule.info.krisp_enabled,
        trunk_id: trunk.id().to_owned(),
        rule_id: rule.id().to_owned(),
        hides_caller: query.hides_caller(),
        notes,
    })
}

/// Identity and name. A hidden number leaves a fingerprint, by which the same caller is known again, and a few digits.
fn identity(number: &str, hidden: bool) -> (String, String) {
    let number = &number[..number.floor_char_boundary(MAX_TEXT - "Phone ".len())];
    if hidden {
        (format!("sip_{}", number_hash(number)), format!("Phone {}", masked(number)))
    } else {
        (format!("sip_{number}"), format!("Phone {number}"))
    }
}

/// The first eight bytes of the SHA-256 of a number, in hexadecimal.
pub(crate) fn number_hash(number: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, number.as_bytes());
    digest.as_ref().iter().take(8).fold(String::with_capacity(16), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What is shown of a hidden number: its last four characters, one if it has no more than four.
pub(crate) fn masked(number: &str) -> &str {
    tail(number, if number.len() <= 4 { 1 } else { 4 })
}

/// The last characters of a text.
pub(crate) fn tail(text: &str, count: usize) -> &str {
    let from = text.char_indices().rev().take(count).last().map_or(text.len(), |(at, _)| at);
    &text[from..]
}

/// The room of the call. A name that a template leaves empty or too long falls back on one without the template's part.
fn room(rule: &DispatchRule, scope: &Scope<'_>, notes: &mut Vec<String>) -> Result<RoomName, Refusal> {
    let query = scope.query;
    let caller = if scope.hidden { masked(query.calling()) } else { query.calling() };
    let tail = query.random_tail();
    let name = |prefix: &str| match &rule.room {
        RoomPlan::Direct { .. } => prefix.to_owned(),
        RoomPlan::Individual { random, .. } => joined(prefix, caller, random.then_some(&*tail)),
        RoomPlan::Callee { random, .. } => joined(prefix, query.called(), random.then_some(&*tail)),
    };
    let template = rule.room.template();
    let prefix = template.render(scope);
    let lost = prefix.is_empty() && !rule.room.is_empty();
    if let Some(room) = RoomName::new(name(&prefix)).filter(|_| !lost) {
        return Ok(room);
    }
    let fallback = match &rule.room {
        RoomPlan::Direct { .. } => joined("call", caller, Some(&tail)),
        RoomPlan::Individual { .. } | RoomPlan::Callee { .. } => name(""),
    };
    let why = if prefix.is_empty() { "empty" } else { "too long" };
    notes.push(format!("the room name of the rule came out {why}: the room is named without it"));
    RoomName::new(fallback).ok_or_else(|| Refusal::NoRoom { rule: rule.label() })
}

/// `[prefix_]number[_random]`.
fn joined(prefix: &str, number: &str, random: Option<&str>) -> String {
    let parts = [Some(prefix).filter(|prefix| !prefix.is_empty()), Some(number), random];
    parts.into_iter().flatten().collect::<Vec<_>>().join("_")
}

fn rule_attributes(rule: &DispatchRule, scope: &Scope<'_>, notes: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    for (name, template) in &rule.attributes {
        let value = template.render(scope);
        match value.len() {
            0 if !template.is_plain() => notes.push(format!("attribute {name} came out empty and is left out")),
            0..=MAX_TEXT => {
                attributes.insert(name.clone(), value);
            }
            // The operator's own words may be as long as he likes; what a caller adds to them may not.
            _ if template.is_plain() => {
                attributes.insert(name.clone(), value);
            }
            long => notes.push(format!("attribute {name} of {long} bytes is left out")),
        }
    }
    attributes
}

/// The attributes that say which call this is. `sip.callStatus` is for the call to set.
fn call_attributes(trunk: &InboundTrunk, rule: &DispatchRule, query: &Query) -> Vec<(String, String)> {
    let mut attributes = vec![
        ("sip.callID", query.call_id.as_str()),
        ("sip.callIDFull", &query.sip_call_id),
        ("sip.callTag", &query.sip_tag),
        ("sip.trunkID", trunk.id()),
        ("sip.ruleID", rule.id()),
    ];
    let asserted = &query.asserted;
    if !rule.info.hide_phone_number {
        attributes.extend([("sip.trunkPhoneNumber", query.called()), ("sip.hostname", query.from.host.as_str())]);
        attributes.extend(told("sip.diversion", &asserted.diversion));
        if !query.hides_caller() {
            attributes.push(("sip.phoneNumber", query.calling()));
            attributes.extend(told("sip.displayName", query.display()));
        }
        if !asserted.is_private {
            attributes.extend(told("sip.assertedIdentity", &asserted.identity));
        }
    }
    attributes.extend(told("sip.diversionReason", &asserted.diversion_reason));
    attributes.extend(told("sip.privacy", &asserted.privacy));
    attributes.into_iter().map(|(name, value)| (name.to_owned(), headers::clean(value))).collect()
}

/// An attribute, if there is something to tell that is not too long.
fn told<'a>(name: &'static str, value: &'a str) -> Option<(&'static str, &'a str)> {
    (!value.is_empty() && value.len() <= MAX_TEXT).then_some((name, value))
}

/// What the rule says on top of what the trunk says. A rule cannot switch off the encryption that its trunk asks for.
pub(crate) fn merge(trunk: &Media, rule: &Media) -> Media {
    let codecs = if rule.listed.is_empty() { trunk } else { rule };
    Media {
        timeout: rule.timeout.or(trunk.timeout),
        listed: codecs.listed.clone(),
        only_listed: codecs.only_listed,
        encryption: match rule.encryption {
            super::Encryption::Disable => trunk.encryption,
            asked => asked,
        },
        dtmf: trunk.dtmf,
        dtx: rule.dtx.or(trunk.dtx),
    }
}

pub(crate) fn sorted(map: &std::collections::HashMap<String, String>) -> BTreeMap<String, String> {
    map.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests;
