//! Responses ([RFC 3261 §7.2]).
//!
//! [RFC 3261 §7.2]: https://www.rfc-editor.org/rfc/rfc3261#section-7.2

use std::fmt;

use bytes::Bytes;

use super::{headers::Headers, status::Status};

/// A response.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The outcome.
    pub status: Status,
    /// The outcome in words, for people.
    pub reason: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

impl Response {
    /// A response without headers or body, with the usual words.
    pub fn new(status: Status) -> Self {
        let reason = status.reason_phrase().to_owned();
        Self { status, reason, headers: Headers::new(), body: Bytes::new() }
    }
}

/// Of the body only its length: it holds media keys and digits typed, which stay out of logs.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, reason, headers, body } = self;
        let mut out = f.debug_struct("Response");
        out.field("status", status).field("reason", reason);
        out.field("headers", headers).field("body", &format_args!("{} bytes", body.len())).finish()
    }
}

impl fmt::Display for Response {
    /// The head, without the empty line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.replace(['\r', '\n', '\0'], " ");
        write!(f, "SIP/2.0 {} {reason}\r\n{}Content-Length: {}\r\n", self.status, self.headers, self.body.len())
    }
}
