//! RTCP: what both ends tell each other about the packets ([RFC 3550 §6]).
//!
//! [`packets`] reads a compound datagram and passes over what it does not understand; [`Report`] writes one;
//! [`Control`] is the machine that counts both directions of a stream and says when the next report is due.
//!
//! [RFC 3550 §6]: https://www.rfc-editor.org/rfc/rfc3550#section-6

mod clock;
mod control;
mod packet;
mod reception;
mod write;

pub use clock::Clock;
pub use control::{Control, Summary};
pub use packet::{Packet, Packets, ReportBlock, ReportBlocks, SenderInfo, packets};
pub use reception::Reception;
pub use write::Report;

/// Packet types (RFC 3550 §12.1).
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// The SDES item that names the sender for good (RFC 3550 §6.5.1).
const CNAME: u8 = 1;
/// The only version there is, in the two high bits of the first byte.
const VERSION: u8 = 2;

/// Whether a datagram that came to a port shared with RTP is RTCP: packet types 192 to 223, which are the RTP payload
/// types 64 to 95 that must not be used together with `rtcp-mux` ([RFC 5761 §4]).
///
/// [RFC 5761 §4]: https://www.rfc-editor.org/rfc/rfc5761#section-4
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == VERSION)
}
