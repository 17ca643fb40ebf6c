//! The two sides of a call: the [carrier](carrier::Carrier)'s RTP, and the [talkers](talkers::Talkers) of a room.
//!
//! A leg knows its wire and its clock, and nothing of the other leg. STYLE's rule for the hot path is that a tick pulls; here the
//! packet pushes, because a tick would add half a frame of delay on average. What keeps it regular is media time: every
//! sample has its place, and nothing is sent twice or left out.

mod arrival;
pub(crate) mod carrier;
mod pace;
pub(crate) mod receiver;
mod sender;
mod talker;
pub(crate) mod talkers;
pub(crate) mod voice;

pub use carrier::{CarrierConfig, CarrierReport};
