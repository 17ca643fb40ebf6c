//! The gateway and those it talks to, each a process of its own.

pub mod api;
pub mod baresip;
pub mod callee;
pub mod carrier;
pub mod dns;
pub mod filter;
pub mod gateway;
pub mod impair;
pub mod judge;
pub mod listener;
pub mod livekit;
pub mod phone;
pub mod relay;
pub mod repository;
pub mod scenario;
pub mod sdk;
pub mod sipp;
pub mod wire;
