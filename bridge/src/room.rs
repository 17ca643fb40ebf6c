//! One participant in one LiveKit room.
//!
//! [`Session`] is the machine: it is told what the server says ([`SignalEvent`]), what our peer connections do
//! ([`PeerEvent`](crate::plane::PeerEvent)) and what the call wants ([`Command`]), and gives back [`Action`]s. It knows how
//! to join, to negotiate, to subscribe to everybody's audio, and to stay in the room over the loss of the signal
//! connection, of the media, or of the whole server. [`driver`] performs the actions; [`signal`] is the WebSocket.
//!
//! ```text
//!              offer ready        join              media up
//! Offering ───────────────► Joining ────► Joined ◄──────────── (peers)
//!     ▲  ▲                     │            │  signal lost
//!     │  │ no /rtc/v1          │ refused    ▼
//!     │  └─────────────────────┤         Resuming ──reconnect──► Syncing ──described──► Joined
//!     │                        ▼            │ refused
//!     └──────────────────── Waiting ◄───────┴──── leave RECONNECT, peer failed, permission back
//! ```

mod action;
mod attributes;
mod digits;
pub mod driver;
mod event;
mod heartbeat;
mod negotiation;
mod ours;
mod pace;
mod peers;
mod profile;
mod request;
mod roster;
mod rpc;
mod session;
pub mod signal;
mod streams;
mod token;

pub use action::{Action, Connect, Path, Token};
pub use event::{Audience, Command, End, Event, Input, Joined, Restored, SignalEvent};
pub use ours::Rights;
pub use profile::{JoinConfig, Kind, Profile, Server};
pub use rpc::{RpcCall, RpcError};
pub use session::Session;
pub use signal::Refusal;
