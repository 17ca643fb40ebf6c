//! Packets encrypted and authenticated ([RFC 3711]; [RFC 6188] for longer keys, [RFC 7714] for AES-GCM).
//!
//! [`Keys`] are what the SDP carries; a [`Sender`] seals what we send, a [`Receiver`] opens what the peer sends. Both expand
//! their keys once and allocate nothing a packet. What cannot be opened is told by [`Refused`] and is nothing to end a
//! call for: anybody may send datagrams to an open port.
//!
//! The transforms are our own, on crates that do nothing but cryptography: what stands in the WebRTC engine allocates for
//! every packet and expands its keys anew.
//!
//! [RFC 3711]: https://www.rfc-editor.org/rfc/rfc3711
//! [RFC 6188]: https://www.rfc-editor.org/rfc/rfc6188
//! [RFC 7714]: https://www.rfc-editor.org/rfc/rfc7714

mod cipher;
mod derive;
mod index;
mod keys;
mod layout;
mod receiver;
mod sender;
mod suite;

pub use keys::{Keys, Pair, Secret};
pub use receiver::{Receiver, Refused};
pub use sender::Sender;
pub use suite::Suite;

/// What sealing adds at most, to RTCP in AES-GCM: the tag and the index.
pub const OVERHEAD: usize = 20;
