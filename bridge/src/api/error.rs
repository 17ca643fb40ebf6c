//! What goes wrong, as Twirp tells it: a code, a text, and facts beside it ([Twirp errors]).
//!
//! Where a carrier said no, LiveKit's SDKs make an error of their own of three facts: the SIP status, its reason, and the
//! same once more as a protobuf `google.rpc.Status` in base64.
//!
//! [Twirp errors]: https://twitchtv.github.io/twirp/docs/errors.html

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use livekit_protocol as proto;
use prost::Message as _;

use super::token::Invalid;
pub(crate) use crate::dispatch::outbound::Code;

/// An answer that says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    code: Code,
    message: String,
    meta: BTreeMap<&'static str, String>,
    retry_after: Option<Duration>,
}

impl Error {
    /// An error without further facts.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), meta: BTreeMap::new(), retry_after: None }
    }

    /// The request can never succeed as it is.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// The token grants something else, or there is none.
    pub(crate) fn denied() -> Self {
        Self::new(Code::Unauthenticated, "permissions denied")
    }

    /// The time is over.
    pub(crate) fn timed_out() -> Self {
        Self::new(Code::DeadlineExceeded, "request timed out")
    }

    /// Ours to repair; what it was stands in the log.
    pub(crate) fn internal(what: impl std::fmt::Display) -> Self {
        tracing::error!(%what, "a request has failed within");
        Self::new(Code::Internal, "internal error")
    }

    /// A fact more.
    pub(crate) fn with(mut self, name: &'static str, fact: impl Into<String>) -> Self {
        self.meta.insert(name, fact.into());
        self
    }

    /// The same request may do better by then.
    pub(crate) fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// What the carrier answered, in the three ways that SDKs look for.
    pub(crate) fn with_sip_status(self, status: u16, reason: &str) -> Self {
        let details = self.details(status, reason);
        self.with("sip_status_code", status.to_string()).with("sip_status", reason).with("error_details", details)
    }

    fn details(&self, status: u16, reason: &str) -> String {
        let sip = proto::SipStatus { code: status.into(), status: reason.to_owned() };
        let detail = pbjson_types::Any {
            type_url: "type.googleapis.com/livekit.SIPStatus".into(),
            value: sip.encode_to_vec().into(),
        };
        let (_, code) = numbers(self.code);
        let status = RpcStatus { code, message: self.message.clone(), details: vec![detail] };
        STANDARD.encode(status.encode_to_vec())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, _) = numbers(self.code);
        let mut body = serde_json::json!({"code": self.code.as_str(), "msg": self.message});
        if !self.meta.is_empty() {
            body["meta"] = serde_json::json!(self.meta);
        }
        let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
        let mut response = (status, headers, body.to_string()).into_response();
        if let Some(after) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().into());
        }
        response
    }
}

/// A token that proves nothing is refused before Twirp, in plain text, as LiveKit does.
impl IntoResponse for Invalid {
    fn into_response(self) -> Response {
        let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
        (StatusCode::UNAUTHORIZED, headers, format!("{self}\n")).into_response()
    }
}

/// The HTTP status that a code travels with, and its number in gRPC.
fn numbers(code: Code) -> (StatusCode, i32) {
    match code {
        Code::Canceled => (StatusCode::REQUEST_TIMEOUT, 1),
        Code::Unknown => (StatusCode::INTERNAL_SERVER_ERROR, 2),
        Code::InvalidArgument | Code::Malformed => (StatusCode::BAD_REQUEST, 3),
        Code::DeadlineExceeded => (StatusCode::REQUEST_TIMEOUT, 4),
        Code::NotFound | Code::BadRoute => (StatusCode::NOT_FOUND, 5),
        Code::AlreadyExists => (StatusCode::CONFLICT, 6),
        Code::PermissionDenied => (StatusCode::FORBIDDEN, 7),
        Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, 8),
        Code::FailedPrecondition => (StatusCode::PRECONDITION_FAILED, 9),
        Code::Aborted => (StatusCode::CONFLICT, 10),
        Code::OutOfRange => (StatusCode::BAD_REQUEST, 11),
        Code::Unimplemented => (StatusCode::NOT_IMPLEMENTED, 12),
        Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 13),
        Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, 14),
        Code::Unauthenticated => (StatusCode::UNAUTHORIZED, 16),
    }
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<pbjson_types::Any>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every failed call that the stock server was recorded with, byte for byte.
    #[test]
    fn details_are_those_of_the_stock_server() {
        let rows: Vec<serde_json::Value> = serde_json::from_str(include_str!("../../tests/data/api.json")).unwrap();
        let mut seen = 0;
        for row in rows {
            let meta = &row["response"]["meta"];
            let Some(details) = meta["error_details"].as_str() else { continue };
            let code = match row["response"]["code"].as_str().unwrap() {
                "invalid_argument" => Code::InvalidArgument,
                "deadline_exceeded" => Code::DeadlineExceeded,
                "not_found" => Code::NotFound,
                "permission_denied" => Code::PermissionDenied,
                "resource_exhausted" => Code::ResourceExhausted,
                "failed_precondition" => Code::FailedPrecondition,
                other => panic!("{other} is not among them"),
            };
            assert_eq!(u64::from(numbers(code).0.as_u16()), row["status"].as_u64().unwrap(), "{}", row["case"]);
            // Its own texts carry the name of a library in front, the details do not.
            let message = row["response"]["msg"].as_str().unwrap().trim_start_matches("twirp error unknown: ");
            let (status, reason) = (meta["sip_status_code"].as_str().unwrap(), meta["sip_status"].as_str().unwrap());
            let error = Error::new(code, message).with_sip_status(status.parse().unwrap(), reason);
            assert_eq!(error.meta["error_details"], details, "{}", row["case"]);
            assert_eq!(serde_json::json!(error.meta), *meta, "{}", row["case"]);
            seen += 1;
        }
        assert!(seen > 5, "{seen} rows had details");
    }
}
