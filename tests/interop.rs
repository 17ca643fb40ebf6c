//! The gateway among real peers, one module a behaviour.

#[path = "interop/peers.rs"]
mod peers;
