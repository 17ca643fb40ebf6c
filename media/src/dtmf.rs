//! Digits as telephone events ([RFC 4733 §2]).
//!
//! One key held down is a row of packets with one timestamp, the time it was pressed; the last packet is sent three
//! times. [`Receiver`] makes one digit of them, whatever is lost, repeated or overtaken; [`Sender`] makes them.
//!
//! [RFC 4733 §2]: https://www.rfc-editor.org/rfc/rfc4733#section-2

mod event;
mod receiver;
mod sender;

pub use event::{Event, Payload};
pub use receiver::{Output, Receiver};
pub use sender::{Outgoing, Press, Refused, Sender};
