//! Calls on virtual time over a wire that loses, delays, reorders and repeats.

mod control;
mod desk;
mod downlink;
mod early;
mod gilbert;
mod keys;
mod loss;
mod mixing;
mod quiet;
mod ringing;
mod sealed;
mod sound;
mod uplink;
mod wideband;
mod wire;
