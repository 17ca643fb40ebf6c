//! Calls that the API asks for: `CreateSIPParticipant` and `TransferSIPParticipant`.

use std::collections::HashMap;
use std::time::Duration;

use axum::response::Response;
use livekit_protocol as proto;
use sip::HeaderName;

use super::body;
use super::error::Error;
use super::twirp::Call;
use crate::dispatch::outbound;
use crate::phone::{CallError, Participant, Transfer, Transferred};
use crate::store::trunk::check_headers;

/// How long a call may take to stand in its room.
const TO_JOIN: Duration = Duration::from_secs(30);
/// How long a call may take to be answered, where the request does not say how long it may ring.
const TO_ANSWER: Duration = Duration::from_secs(80);
/// How long the target of a transfer may ring, where the request does not say.
const TO_TRANSFER: Duration = Duration::from_secs(30);
/// The longest ringing of a transfer's target.
const LONGEST_RINGING: Duration = Duration::from_secs(5 * 60);
/// Between the end of the ringing and its last word.
const SLACK: Duration = Duration::from_secs(5);

/// Places a call. Whoever stops waiting for the answer hangs up.
pub(super) async fn create(call: Call<'_>) -> Result<Response, Error> {
    let request: proto::CreateSipParticipantRequest = call.request()?;
    let limit = call.patience.unwrap_or_else(|| usual_patience(&request));
    let parts = call.parts;
    let placement = outbound::place(&parts.store.snapshot(), &request, &parts.placer.context())?;
    let placed = tokio::time::timeout(limit, parts.switchboard.place(placement));
    let placed = placed.await.map_err(|_| Error::timed_out())??;
    let info = proto::SipParticipantInfo {
        participant_id: placed.participant_id,
        participant_identity: placed.participant_identity,
        room_name: placed.room_name,
        sip_call_id: placed.sip_call_id,
    };
    body::encode(call.format, &info)
}

/// Sends the phone of a participant to somebody else.
pub(super) async fn transfer(call: Call<'_>) -> Result<Response, Error> {
    let request: proto::TransferSipParticipantRequest = call.request()?;
    if request.room_name.is_empty() {
        return Err(Error::invalid("missing room name"));
    }
    if !call.grants.administers(&request.room_name) {
        return Err(Error::denied());
    }
    if request.participant_identity.is_empty() {
        return Err(Error::invalid("missing participant identity"));
    }
    if request.transfer_to.is_empty() {
        return Err(Error::invalid("missing transfer to"));
    }
    let who = Participant { room: request.room_name, identity: request.participant_identity };
    let transfer = Transfer {
        to: outbound::transfer_target(&request.transfer_to, call.parts.placer.context().defaults.allow_emergency)?,
        headers: headers(&request.headers)?,
        ringing_timeout: ringing(request.ringing_timeout.as_ref())?.unwrap_or(TO_TRANSFER).min(LONGEST_RINGING),
        play_dialtone: request.play_dialtone,
    };
    let transferred = call.parts.switchboard.transfer(&who, transfer).await?;
    body::encode(call.format, &response(transferred))
}

/// Stock clients of an unanswered call wait no longer; those that say how long it may ring want to hear how it ended.
fn usual_patience(request: &proto::CreateSipParticipantRequest) -> Duration {
    if !request.wait_until_answered {
        return TO_JOIN;
    }
    let rings = ringing(request.ringing_timeout.as_ref()).ok().flatten();
    rings.map_or(TO_ANSWER, |rings| TO_ANSWER.max(rings.saturating_add(SLACK)))
}

/// A time to ring; `None` if it is not set.
fn ringing(timeout: Option<&pbjson_types::Duration>) -> Result<Option<Duration>, Error> {
    let Some(timeout) = timeout else { return Ok(None) };
    let duration = Duration::try_from(*timeout).map_err(|_| Error::invalid("ringing_timeout must not be negative"))?;
    Ok(Some(duration).filter(|duration| !duration.is_zero()))
}

/// Headers of the REFER, by the rules of those of a trunk.
fn headers(given: &HashMap<String, String>) -> Result<Vec<(HeaderName, String)>, Error> {
    let mut problems = Vec::new();
    check_headers(given, &mut problems);
    match problems.first() {
        Some(problem) => Err(Error::invalid(problem.to_string())),
        None => Ok(given.iter().filter_map(|(name, value)| Some((HeaderName::parse(name)?, value.clone()))).collect()),
    }
}

fn response(transferred: Transferred) -> proto::TransferSipParticipantResponse {
    let status = |(code, reason): (u16, String)| {
        let known = proto::SipStatusCode::try_from(i32::from(code)).is_ok();
        // A code without a name of its own cannot be written in JSON.
        let status = if known { reason } else { format!("{code} {reason}") };
        proto::SipStatus { code: if known { code.into() } else { 0 }, status }
    };
    proto::TransferSipParticipantResponse {
        transfer_id: transferred.transfer_id,
        status: transferred.status.into(),
        reason: transferred.reason.into(),
        sip_status: transferred.sip_status.map(status),
    }
}

impl From<outbound::Refusal> for Error {
    fn from(refusal: outbound::Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        let answer = Self::new(error.code(), error.to_string());
        let answer = match error.sip_status() {
            Some((status, reason)) => answer.with_sip_status(status, reason),
            None => answer,
        };
        match error {
            // By these names LiveKit's SDKs know a transfer, one that had no SIP status too.
            CallError::Transfer(error) => answer
                .with("sip_transfer_reason", error.reason.as_str_name())
                .with("sip_transfer_id", error.transfer_id),
            _ => answer,
        }
    }
}
