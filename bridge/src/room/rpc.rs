//! Procedures that participants call on us, over the data channel, in LiveKit's manner: an acknowledgement at once, and one
//! response.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use livekit_protocol as proto;
use prost::Message as _;
use proto::data_packet::Value;

/// The version of the procedure call that LiveKit's clients speak to a participant like ours.
const VERSION: u32 = 1;
/// The largest payload, of a call or of a response: LiveKit's limit.
const MAX_PAYLOAD: usize = 15 * 1024;
/// The longest id and the longest name of a procedure. Ids are UUIDs.
const MAX_NAME: usize = 64;
/// Calls that are taken within a second, of all participants together.
const RATE: u32 = 10;

/// A participant calls a procedure. Its `Debug` leaves out the payload: there may be digits in it.
#[derive(Clone, PartialEq, Eq)]
pub struct RpcCall {
    /// Who calls.
    pub from: String,
    /// Names the call in its response.
    pub id: String,
    /// The procedure.
    pub method: String,
    /// What it is given.
    pub payload: String,
}

impl fmt::Debug for RpcCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RpcCall({} of {}, {} bytes)", self.method, self.from, self.payload.len())
    }
}

/// Why a procedure gave no result, with LiveKit's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// There is no such procedure.
    #[error("Method not supported at destination")]
    UnsupportedMethod,
    /// What the caller gave was too large.
    #[error("Request payload too large")]
    RequestTooLarge,
    /// The result is too large.
    #[error("Response payload too large")]
    ResponseTooLarge,
    /// A newer manner of calling.
    #[error("Unsupported RPC version")]
    UnsupportedVersion,
    /// The procedure itself says no, and why.
    #[error("{0}")]
    Application(&'static str),
}

impl RpcError {
    /// As LiveKit's clients know it.
    pub fn code(self) -> u32 {
        match self {
            Self::UnsupportedMethod => 1400,
            Self::RequestTooLarge => 1402,
            Self::UnsupportedVersion => 1404,
            Self::Application(_) => 1500,
            Self::ResponseTooLarge => 1504,
        }
    }
}

/// Lets so many calls a second through.
#[derive(Debug, Default)]
pub(super) struct Gate {
    second: Option<(Instant, u32)>,
}

impl Gate {
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let (since, taken) = match self.second {
            Some((since, taken)) if now.saturating_duration_since(since) < Duration::from_secs(1) => (since, taken),
            _ => (now, 0),
        };
        self.second = Some((since, taken.saturating_add(1)));
        taken < RATE
    }
}

/// Reads a call, or tells its id and what is wrong with it.
pub(super) fn read(from: &str, request: proto::RpcRequest) -> Result<RpcCall, (String, RpcError)> {
    let proto::RpcRequest { id, method, payload, version, .. } = request;
    let error = match () {
        () if version != VERSION => RpcError::UnsupportedVersion,
        () if payload.len() > MAX_PAYLOAD => RpcError::RequestTooLarge,
        () if method.len() > MAX_NAME || id.len() > MAX_NAME => RpcError::UnsupportedMethod,
        () => return Ok(RpcCall { from: from.to_owned(), id, method, payload }),
    };
    Err((id, error))
}

/// The packet that says that a call has come.
pub(super) fn ack(to: &str, id: &str) -> Bytes {
    packet(to, Value::RpcAck(proto::RpcAck { request_id: clipped(id) }))
}

/// The packet with the result of a call.
pub(super) fn response(to: &str, id: &str, result: Result<String, RpcError>) -> Bytes {
    use proto::rpc_response::Value as Outcome;
    let result = result.and_then(|payload| match payload.len() > MAX_PAYLOAD {
        true => Err(RpcError::ResponseTooLarge),
        false => Ok(payload),
    });
    let value = match result {
        Ok(payload) => Outcome::Payload(payload),
        Err(error) => {
            Outcome::Error(proto::RpcError { code: error.code(), message: error.to_string(), data: String::new() })
        }
    };
    packet(to, Value::RpcResponse(proto::RpcResponse { request_id: clipped(id), value: Some(value) }))
}

fn packet(to: &str, value: Value) -> Bytes {
    let packet =
        proto::DataPacket { destination_identities: vec![to.to_owned()], value: Some(value), ..Default::default() };
    packet.encode_to_vec().into()
}

/// An id that is longer than any of LiveKit's goes back as far as it is looked at.
fn clipped(id: &str) -> String {
    id[..id.floor_char_boundary(MAX_NAME)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> proto::RpcRequest {
        proto::RpcRequest {
            id: "i".into(),
            method: "m".into(),
            payload: "p".into(),
            response_timeout_ms: 1,
            version: VERSION,
            ..Default::default()
        }
    }

    #[test]
    fn calls_are_read_within_limits() {
        let large = proto::RpcRequest { payload: "x".repeat(MAX_PAYLOAD + 1), ..request() };
        let cases: Vec<(&str, proto::RpcRequest, Option<u32>)> = vec![
            ("plain", request(), None),
            ("as large as may be", proto::RpcRequest { payload: "x".repeat(MAX_PAYLOAD), ..request() }, None),
            ("too large", large, Some(1402)),
            ("newer", proto::RpcRequest { version: 9, ..request() }, Some(1404)),
            ("a long name", proto::RpcRequest { method: "m".repeat(MAX_NAME + 1), ..request() }, Some(1400)),
        ];
        for (name, request, code) in cases {
            assert_eq!(read("agent", request).err().map(|(_, error)| error.code()), code, "{name}");
        }
    }

    #[test]
    fn a_response_goes_to_the_caller_alone_and_is_never_too_large() {
        let decoded = |result| {
            let packet = proto::DataPacket::decode(response("agent", "i", result)).unwrap();
            assert_eq!(packet.destination_identities, ["agent"]);
            let Some(Value::RpcResponse(response)) = packet.value else { panic!("no response") };
            assert_eq!(response.request_id, "i");
            match response.value.unwrap() {
                proto::rpc_response::Value::Payload(payload) => Ok(payload),
                proto::rpc_response::Value::Error(error) => Err((error.code, error.message)),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(decoded(Ok("{}".into())), Ok("{}".into()));
        assert_eq!(decoded(Err(RpcError::Application("no"))), Err((1500, "no".into())));
        assert_eq!(decoded(Ok("x".repeat(MAX_PAYLOAD + 1))).unwrap_err().0, 1504);
    }

    #[test]
    fn a_flood_is_let_through_drop_by_drop() {
        let (mut gate, start) = (Gate::default(), Instant::now());
        let admitted = (0..5_000u32).filter(|ms| gate.admits(start + Duration::from_millis((*ms).into()))).count();
        assert_eq!(admitted as u32, 5 * RATE);
    }
}
