//! Calls on virtual time over a wire that loses, delays, reorders and repeats.

mod control;
mod desk;
mod downlink;
mod early;
mod keys;
mod mixing;
mod opus;
mod quiet;
mod ringing;
mod sealed;
mod sound;
mod uplink;
mod whole;
mod wideband;
mod wire;
