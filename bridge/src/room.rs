//! One participant in one LiveKit room.

pub mod driver;
pub mod signal;
