//! What can be wrong with what a peer sends, and which answer each fault earns.

use crate::message::{HeaderName, Response, Status};

/// A fault in a message or in one of its headers.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Nothing but line ends: the keep-alive of RFC 5626 §4.4.1, not a message.
    #[error("no message, only line ends")]
    Empty,
    /// The head ends in no empty line, or the start line is neither a request's nor a response's (RFC 3261 §7).
    #[error("not a SIP message: {0}")]
    NotSip(&'static str),
    /// Another version of SIP than 2.0 (RFC 3261 §8.2, §21.5.6).
    #[error("SIP version is not 2.0")]
    Version,
    /// Start line and headers are larger than we read.
    #[error("message head is larger than {limit} bytes")]
    HeadTooLarge {
        /// The largest head accepted.
        limit: usize,
    },
    /// More header values than we keep.
    #[error("more than {limit} header values")]
    TooManyHeaders {
        /// The most header values accepted.
        limit: usize,
    },
    /// A body larger than we read.
    #[error("body of {announced} bytes is larger than {limit}")]
    BodyTooLarge {
        /// What Content-Length says.
        announced: usize,
        /// The largest body accepted.
        limit: usize,
    },
    /// Less body than Content-Length announces (RFC 3261 §18.3).
    #[error("body has {present} bytes where {announced} were announced")]
    BodyCutShort {
        /// What Content-Length says.
        announced: usize,
        /// What came.
        present: usize,
    },
    /// A header that the message cannot do without is absent (RFC 3261 §8.1.1, §18.3).
    #[error("missing {0} header")]
    MissingHeader(HeaderName),
    /// A header that may appear once appears again.
    #[error("more than one {0} header")]
    RepeatedHeader(HeaderName),
    /// The text does not follow the grammar (RFC 3261 §25).
    #[error("malformed {what} at byte {at}")]
    Malformed {
        /// Which grammar.
        what: &'static str,
        /// Where in that text it went wrong.
        at: usize,
    },
    /// The method in CSeq is not that of the request line (RFC 3261 §8.1.1.5).
    #[error("CSeq names another method than the request line")]
    MethodMismatch,
}

impl Error {
    /// The status to answer a request with when this is wrong with it.
    pub fn status(&self) -> Status {
        match self {
            Self::Empty
            | Self::NotSip(_)
            | Self::BodyCutShort { .. }
            | Self::MissingHeader(_)
            | Self::RepeatedHeader(_)
            | Self::Malformed { .. }
            | Self::MethodMismatch => Status::BAD_REQUEST,
            Self::Version => Status::VERSION_NOT_SUPPORTED,
            Self::BodyTooLarge { .. } => Status::REQUEST_ENTITY_TOO_LARGE,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => Status::MESSAGE_TOO_LARGE,
        }
    }

    pub(crate) fn malformed(what: &'static str, at: usize) -> Self {
        Self::Malformed { what, at }
    }
}

/// A message that was refused, and the answer to it when it was a request that can be answered.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{error}")]
pub struct Rejected {
    /// What was wrong.
    #[source]
    pub error: Error,
    /// The response to send back. Present when this was a request other than ACK that has From, To, Call-ID and CSeq,
    /// which are repeated as they came, and a topmost Via that can be read; still without a To tag of ours and without
    /// `received` and `rport`.
    pub answer: Option<Box<Response>>,
}

impl From<Rejected> for Error {
    fn from(rejected: Rejected) -> Self {
        rejected.error
    }
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        Self { error, answer: None }
    }
}
