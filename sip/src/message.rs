//! SIP messages ([RFC 3261 §7]): lenient when reading, strict when writing.
//!
//! Each grammar has its file; [`HeaderName`] knows which headers may repeat and which share a line.
//!
//! [RFC 3261 §7]: https://www.rfc-editor.org/rfc/rfc3261#section-7

mod cseq;
mod diversion;
mod header_name;
mod headers;
mod history_info;
mod host;
mod id;
mod identity;
mod key_press;
mod method;
mod name_addr;
mod package;
mod params;
mod privacy;
mod rack;
mod read;
mod reason;
mod refer_to;
mod remote_party;
mod request;
mod response;
pub(crate) mod scan;
mod session_expires;
mod sipfrag;
mod status;
mod stream;
mod subscription_state;
mod token;
mod uri;
mod value;
mod via;

use bytes::Bytes;

use self::read::{Head, find_body};
pub use self::{
    cseq::CSeq,
    diversion::Diversion,
    header_name::{HeaderName, OtherName},
    headers::Headers,
    history_info::HistoryInfo,
    host::Host,
    id::{Branch, CallId, Tag},
    identity::Identity,
    key_press::{KeyFormat, KeyPress},
    method::Method,
    name_addr::NameAddr,
    package::{NotANumber, Package},
    params::Params,
    privacy::Privacy,
    rack::RAck,
    read::{MAX_BODY, MAX_HEAD, MAX_HEADERS},
    reason::{Protocol, Reason},
    refer_to::ReferTo,
    remote_party::RemotePartyId,
    request::Request,
    response::Response,
    session_expires::{Refresher, SessionExpires},
    sipfrag::Sipfrag,
    status::Status,
    stream::{Frame, StreamReader},
    subscription_state::SubscriptionState,
    token::Token,
    uri::{Scheme, Uri},
    value::Value,
    via::{Transport, Via},
};
use crate::error::{Error, Rejected};

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Message {
    /// Reads a datagram. Without Content-Length the body is all that is left; what is behind its end is cut off
    /// (RFC 3261 §18.3). Bytes that are not UTF-8 become U+FFFD, except in the body.
    pub fn parse(datagram: &[u8]) -> Result<Self, Rejected> {
        let start = datagram.iter().position(|byte| !b"\r\n".contains(byte)).ok_or(Error::Empty)?;
        let message = datagram.get(start..).unwrap_or_default();
        let window = message.get(..MAX_HEAD).unwrap_or(message);
        let Some(body_at) = find_body(window, 0) else {
            return Err(if window.len() == MAX_HEAD {
                Error::HeadTooLarge { limit: MAX_HEAD }.into()
            } else {
                Error::NotSip("no end of head").into()
            });
        };
        let (head, rest) = message.split_at(body_at);
        let head = Head::parse(head);
        // A length that cannot be read is a fault of the head, which says so when it is finished.
        let announced = head.length().and_then(Result::ok).unwrap_or(rest.len());
        if announced > MAX_BODY {
            return Err(head.reject(Error::BodyTooLarge { announced, limit: MAX_BODY }));
        }
        match rest.get(..announced) {
            Some(body) => head.finish(Bytes::copy_from_slice(body)),
            None => Err(head.reject(Error::BodyCutShort { announced, present: rest.len() })),
        }
    }

    /// The message as it goes over the wire, with its Content-Length.
    pub fn to_bytes(&self) -> Bytes {
        let (head, body) = match self {
            Self::Request(request) => (request.to_string(), &request.body),
            Self::Response(response) => (response.to_string(), &response.body),
        };
        let mut out = head.into_bytes();
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        out.into()
    }

    /// Its headers.
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// Its headers, to change them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        match self {
            Self::Request(request) => &mut request.headers,
            Self::Response(response) => &mut response.headers,
        }
    }

    /// Its body.
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

impl From<Request> for Message {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Response> for Message {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}
