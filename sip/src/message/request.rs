//! Requests ([RFC 3261 §7.1]) and the responses made from them ([§8.2.6]).
//!
//! [RFC 3261 §7.1]: https://www.rfc-editor.org/rfc/rfc3261#section-7.1
//! [§8.2.6]: https://www.rfc-editor.org/rfc/rfc3261#section-8.2.6

use std::fmt;

use bytes::Bytes;

use super::{header_name::HeaderName, headers::Headers, method::Method, response::Response, status::Status, uri::Uri};

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of whom it is asked, the Request-URI.
    pub uri: Uri,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

impl Request {
    /// A request without headers or body.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: Headers::new(), body: Bytes::new() }
    }

    /// A response to this request with the headers that every response repeats. The To tag is the caller's to add.
    pub fn respond(&self, status: Status) -> Response {
        answer_to(&self.headers, status)
    }
}

/// Of the body only its length: it holds media keys and digits typed, which stay out of logs.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, uri, headers, body } = self;
        let mut out = f.debug_struct("Request");
        out.field("method", method).field("uri", uri);
        out.field("headers", headers).field("body", &format_args!("{} bytes", body.len())).finish()
    }
}

impl fmt::Display for Request {
    /// The head, without the empty line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} SIP/2.0\r\n{}Content-Length: {}\r\n", self.method, self.uri, self.headers, self.body.len())
    }
}

/// The response that repeats what RFC 3261 §8.2.6.2 says it must.
pub(crate) fn answer_to(headers: &Headers, status: Status) -> Response {
    let mut response = Response::new(status);
    for name in [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq] {
        headers.get_all(&name).for_each(|value| response.headers.push(name.clone(), value));
    }
    if status == Status::TRYING
        && let Some(timestamp) = headers.get(&HeaderName::Timestamp)
    {
        response.headers.push(HeaderName::Timestamp, timestamp);
    }
    response
}
