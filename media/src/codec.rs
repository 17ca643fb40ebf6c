//! Codecs: G.711 toward the carrier, Opus toward the room.

pub mod g711;
pub mod opus;
