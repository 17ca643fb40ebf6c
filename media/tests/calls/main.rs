//! Calls on virtual time over a wire that loses, delays, reorders and repeats.

mod beeps;
mod control;
mod desk;
mod downlink;
mod early;
mod gate;
mod gilbert;
mod hold;
mod hostile;
mod keys;
mod last_word;
mod loss;
mod mixing;
mod numbers;
mod opus;
mod quiet;
mod red;
mod rest;
mod ringing;
mod sealed;
mod sound;
mod tones;
mod uplink;
mod whole;
mod wideband;
mod wire;
