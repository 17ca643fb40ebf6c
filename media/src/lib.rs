//! Twenty milliseconds at a time: everything between a carrier's RTP and a room's Opus.
//!
//! Nothing here reads a clock, owns a socket, takes a lock or awaits; once a call is running nothing allocates.
//! Every machine is given the time and the bytes, and hands back bytes and the next time it wants to be woken.
//!
//! - [`rtp`]: a view of a received packet, the header of one to send, sequence numbers beyond sixteen bits.
//! - [`rtcp`]: reports read and written, and what they tell: loss, jitter, round trip.
//! - [`source`]: whose packets are heard, and where ours may go.
//! - [`srtp`]: packets sealed and opened.
//! - [`dtmf`]: digits as telephone events, each once.
//! - [`sdp`]: the text of a session, and offer/answer over it.
//! - [`frame`]: samples and media time; [`codec`]: G.711, G.722 and Opus at the carrier's rate.
//! - [`jitter`], `plc`, [`mixer`]: order, concealment, sums; `tone`: ringing heard in their place; `noise`: what a silent line
//!   sounds like; `gate`: whether anybody speaks.
//! - `leg`: the carrier's side and the room's side, each by itself.
//! - [`Junction`]: the two legs joined, one a call; [`desk`]: either leg by itself, to try calls out.

pub mod codec;
pub mod desk;
pub mod dtmf;
mod error;
pub mod frame;
mod gate;
pub mod jitter;
mod junction;
mod leg;
pub mod mixer;
mod noise;
mod plc;
mod random;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
mod sound;
pub mod source;
pub mod srtp;
mod tone;

pub use codec::opus::Profile;
pub use desk::{Desk, Guest, Phone};
pub use error::Error;
pub use junction::{Config, Event, Junction, Output, Report};
pub use leg::{CarrierConfig, CarrierReport};
pub use sound::Sound;
