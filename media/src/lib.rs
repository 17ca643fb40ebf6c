//! Twenty milliseconds at a time: everything between a carrier's RTP and a room's Opus.
//!
//! Nothing here reads a clock, owns a socket, takes a lock or awaits; once a call is running nothing allocates.
//! Every machine is given the time and the bytes, and hands back bytes and the next time it wants to be woken.
//!
//! - [`rtp`]: a view of a received packet, the header of one to send, sequence numbers beyond sixteen bits.
//! - [`rtcp`]: reports read and written, and what they tell: loss, jitter, round trip.
//! - [`source`]: whose packets are heard, and where ours may go.
//! - [`dtmf`]: digits as telephone events, each once.
//! - [`sdp`]: the text of a session, and offer/answer over it.

pub mod dtmf;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod source;
