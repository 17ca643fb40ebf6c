//! The gateway and those it talks to, each a process of its own.

pub mod baresip;
pub mod gateway;
pub mod listener;
pub mod livekit;
pub mod phone;
pub mod relay;
pub mod sipp;
pub mod wire;
