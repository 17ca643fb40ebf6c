//! A SIP user agent ([RFC 3261]) that owns neither a socket nor a clock.
//!
//! - [`message`]: text to typed messages and back, one header grammar a file; datagrams and streams.
//! - [`digest`]: the proof of a password, both sides of it.
//! - `transaction`: one request and its answers, one machine of the RFC a file.
//! - `dialog`: what both ends of an answered call remember.
//! - [`endpoint`]: all calls of a process as one machine, fed with bytes, commands and time.
//! - [`net`]: sockets and the clock for it, with the feature `net`.
//!
//! [RFC 3261]: https://www.rfc-editor.org/rfc/rfc3261

mod dialog;
pub mod digest;
pub mod endpoint;
pub mod error;
pub mod message;
#[cfg(feature = "net")]
pub mod net;
mod transaction;

pub use endpoint::{CallHandle, Command, Endpoint, Event, Failure, Invite, NextHop, Wire};
pub use error::{Error, Rejected};
pub use message::{
    Branch, CSeq, CallId, Diversion, Frame, HeaderName, Headers, HistoryInfo, Host, Identity, KeyFormat, KeyPress,
    Message, Method, NameAddr, Params, Privacy, Reason, ReferTo, RemotePartyId, Request, Response, Scheme, Sipfrag,
    Status, StreamReader, Tag, Token, Transport, Uri, Value, Via,
};
