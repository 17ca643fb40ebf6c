//! The participant that stands in the room for whom we call.

use std::collections::BTreeMap;
use std::time::Duration;

use livekit_protocol as proto;

use super::Refusal;
use super::line::{Line, include};
use crate::dispatch::participant::{merge, number_hash, sorted};
use crate::dispatch::seat::{MAX_CALL_DURATION, RINGING_TIMEOUT};
use crate::dispatch::{IncludeHeaders, Media, RoomName, Seat};
use crate::store::trunk::media;

/// The longest identity and name, in bytes.
const MAX_NAME: usize = 255;

/// The longest metadata, and all attributes of the request together, in bytes: what LiveKit takes.
const MAX_METADATA: usize = 512 * 1024;
const MAX_ATTRIBUTES: usize = 64 * 1024;

pub(super) fn seat(
    line: &Line<'_>,
    request: &proto::CreateSipParticipantRequest,
    callee: &str,
    number: &str,
    call_id: &str,
) -> Result<Seat, Refusal> {
    let too_long = |field, max| Refusal::TooLong { field, max };
    let room = RoomName::new(&*request.room_name).ok_or(too_long("room_name", RoomName::MAX))?;
    let identity = identity(request, callee);
    let attributes_len: usize =
        request.participant_attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    for (field, len, max) in [
        ("participant_identity", identity.len(), MAX_NAME),
        ("participant_name", request.participant_name.len(), MAX_NAME),
        ("participant_metadata", request.participant_metadata.len(), MAX_METADATA),
        ("participant_attributes", attributes_len, MAX_ATTRIBUTES),
    ] {
        if len > max {
            return Err(too_long(field, max));
        }
    }
    let mut notes = Vec::new();
    let include_headers = match include(request.include_headers()) {
        IncludeHeaders::No => line.include_headers,
        asked => asked,
    };
    let ringing_timeout = duration("ringing_timeout", request.ringing_timeout.as_ref())?;
    let max_call_duration = duration("max_call_duration", request.max_call_duration.as_ref())?;
    Ok(Seat {
        room,
        identity,
        name: request.participant_name.clone(),
        metadata: request.participant_metadata.clone(),
        attributes: attributes(line, request, callee, number, call_id, &mut notes),
        room_config: None,
        room_preset: String::new(),
        headers: BTreeMap::new(),
        include_headers,
        headers_to_attributes: sorted(line.headers_to_attributes),
        attributes_to_headers: sorted(line.attributes_to_headers),
        ringing_timeout: ringing_timeout.unwrap_or(RINGING_TIMEOUT).min(MAX_CALL_DURATION),
        ringing_timeout_status: None,
        max_call_duration: max_call_duration.unwrap_or(MAX_CALL_DURATION).min(MAX_CALL_DURATION),
        media: merge(&line.media, &asked_media(request)?),
        answer: None,
        early_media: None,
        krisp: request.krisp_enabled,
        trunk_id: line.id.to_owned(),
        rule_id: String::new(),
        notes,
    })
}

/// The identity that the request gives, else one made of the number; of a hidden number only its fingerprint.
fn identity(request: &proto::CreateSipParticipantRequest, callee: &str) -> String {
    match request.participant_identity.as_str() {
        "" if request.hide_phone_number => format!("sip_{}", number_hash(callee)),
        "" => format!("sip_{callee}"),
        given => given.to_owned(),
    }
}

/// The attributes of the request, and over them those that say which call this is. `sip.callStatus` is for the call to
/// set.
fn attributes(
    line: &Line<'_>,
    request: &proto::CreateSipParticipantRequest,
    callee: &str,
    number: &str,
    call_id: &str,
    notes: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut attributes = sorted(&request.participant_attributes);
    let given = attributes.len();
    attributes.retain(|name, _| !name.starts_with("sip."));
    if attributes.len() < given {
        notes.push("participant_attributes named sip.… are left out: they say which call this is".to_owned());
    }
    let mut own = vec![("sip.callID", call_id), ("sip.trunkID", line.id)];
    if !request.hide_phone_number {
        own.extend([("sip.phoneNumber", callee), ("sip.trunkPhoneNumber", number), ("sip.hostname", line.address)]);
    }
    attributes.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    attributes
}

fn asked_media(request: &proto::CreateSipParticipantRequest) -> Result<Media, Refusal> {
    #[expect(deprecated, reason = "older clients set the encryption here")]
    let encryption = request.media_encryption;
    let mut problems = Vec::new();
    let media = media(request.media.as_ref(), encryption, &mut problems);
    problems.into_iter().next().map_or(Ok(media), |problem| Err(problem.into()))
}

/// A duration of the request; zero is as good as none.
fn duration(field: &'static str, value: Option<&pbjson_types::Duration>) -> Result<Option<Duration>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    let duration = Duration::try_from(*value).map_err(|_| Refusal::Duration(field))?;
    Ok((duration != Duration::ZERO).then_some(duration))
}
