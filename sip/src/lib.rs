//! A SIP user agent ([RFC 3261]) that owns neither a socket nor a clock.
//!
//! - [`message`]: text to typed messages and back, one header grammar a file; datagrams and streams.
//! - [`digest`]: the proof of a password, both sides of it.
//!
//! [RFC 3261]: https://www.rfc-editor.org/rfc/rfc3261

pub mod digest;
pub mod error;
pub mod message;

pub use error::{Error, Rejected};
pub use message::{
    Branch, CSeq, CallId, Frame, HeaderName, Headers, Host, Message, Method, NameAddr, Params, Request, Response,
    Scheme, Status, StreamReader, Tag, Token, Transport, Uri, Value, Via,
};
