//! RTP packets on the wire ([RFC 3550 §5.1]).
//!
//! [`Packet`] is a checked view of a received datagram and copies nothing; [`Header`] is written in front of a payload
//! in the caller's buffer; [`Sequence`] counts beyond the sixteen bits of the wire; [`Redundant`] is a view of a payload that
//! repeats what earlier ones said.
//!
//! [RFC 3550 §5.1]: https://www.rfc-editor.org/rfc/rfc3550#section-5.1

mod packet;
mod red;
mod sequence;

pub use packet::{Extension, Header, Packet};
pub use red::{Redundant, Repeated};
pub use sequence::{Extended, Sequence, distance};

/// A synchronisation source: who sends a stream (RFC 3550 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(pub u32);

impl std::fmt::Display for Ssrc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}
