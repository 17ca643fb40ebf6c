//! `RoomService/MoveParticipant`: LiveKit's warm transfer rests on it, and the open-source server does not have it.
//!
//! A phone that stands in a room through us is moved by us. Everybody else's move is the server's to answer.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::{IntoResponse as _, Response};
use livekit_protocol::MoveParticipantRequest;

use super::Parts;
use super::body::{self, Format};
use super::error::Error;
use super::proxy::Proxy;
use super::token::{Grants, Keys};
use crate::dispatch::RoomName;
use crate::phone::{CallError, Participant, Switchboard};

/// Where it is asked for.
pub(super) const PATH: &str = "/twirp/livekit.RoomService/MoveParticipant";

/// `POST` to [`PATH`].
pub(super) async fn handle(State(parts): State<Arc<Parts>>, request: Request) -> Response {
    move_participant(&parts.keys, &parts.switchboard, &parts.proxy, request).await
}

async fn move_participant(keys: &Keys, calls: &Switchboard, proxy: &Proxy, request: Request) -> Response {
    let format = match Format::of(request.headers()) {
        Ok(format) if request.method() == Method::POST => format,
        _ => return proxy.pass(request).await,
    };
    let (head, body) = request.into_parts();
    let bytes = match body::read_of_stranger(&head.headers, body).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let asked = body::decode::<MoveParticipantRequest>(format, &bytes, |json| json).ok();
    if let Some(asked) = asked.filter(|asked| is_ours(calls, asked)) {
        // Only who asks for one of our phones needs a token that we know. The server has its own keys.
        let grants = match keys.grants(SystemTime::now(), &head.headers) {
            Ok(grants) => grants,
            Err(invalid) => return invalid.into_response(),
        };
        match carry(&grants, calls, asked).await {
            Ok(()) => return body::reply(format, empty(format)),
            Err(Refusal::Answer(error)) => return error.into_response(),
            // It has hung up meanwhile, and the server will say that nobody is there.
            Err(Refusal::NotOurs) => {}
        }
    }
    proxy.pass(Request::from_parts(head, Body::from(bytes.into_bytes()))).await
}

/// Why one of our phones was not moved.
enum Refusal {
    NotOurs,
    Answer(Error),
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        if error == CallError::NotOurs { Self::NotOurs } else { Self::Answer(error.into()) }
    }
}

fn is_ours(calls: &Switchboard, asked: &MoveParticipantRequest) -> bool {
    calls.calls().iter().any(|call| call.room == asked.room && call.identity == asked.identity)
}

async fn carry(grants: &Grants, calls: &Switchboard, asked: MoveParticipantRequest) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(Refusal::Answer(Error::invalid(why)));
    if asked.destination_room.is_empty() {
        return refuse("missing destination room");
    }
    let may = grants.room_admin && grants.room == asked.room && grants.destination_room == asked.destination_room;
    if !may {
        return Err(Refusal::Answer(Error::denied()));
    }
    if asked.destination_room == asked.room {
        return refuse("the participant is in the destination room already");
    }
    let Some(destination) = RoomName::new(asked.destination_room) else {
        return refuse("the name of the destination room is too long");
    };
    Ok(calls.move_to(&Participant { room: asked.room, identity: asked.identity }, destination).await?)
}

/// `MoveParticipantResponse` says nothing.
fn empty(format: Format) -> Vec<u8> {
    match format {
        Format::Json => b"{}".to_vec(),
        Format::Protobuf => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
