//! Calls on virtual time over a wire that loses, delays, reorders and repeats.

mod control;
mod desk;
mod downlink;
mod mixing;
mod sound;
mod uplink;
mod wire;
