//! All calls of a process as one machine: transactions, dialogs, and what the stack answers by itself.
//!
//! ```text
//!  datagrams, messages ──►              ──► Output::Send
//!             commands ──►   Endpoint   ──► Output::Event
//!                 time ──►              ──► next_timeout
//! ```
//!
//! What it answers by itself: OPTIONS (200, or 503 while draining); CANCEL and BYE of known calls; 481 for unknown ones;
//! 400, 405, 415, 416, 420, 482, 483, 491, 500, 501, 503, 505 where RFC 3261 has them. To strangers it says none of that
//! when [`Config::answer_strangers`] is off.

mod alarms;
mod body;
mod command;
mod config;
mod event;
mod flow;
mod names;
mod sources;
mod stats;

use std::time::Instant;

pub use self::{
    command::{CallHandle, Command, ExtraHeaders, Invite},
    config::{Acl, Config, Limits, Rate},
    event::{Event, Failure, Output},
    flow::{Advertised, ConnectionId, Destination, Flow, Listener, NextHop, Wire},
    stats::Stats,
};
use crate::{error::Rejected, message::Message};

/// The user agent.
#[derive(Debug)]
pub struct Endpoint {
    config: Config,
}

impl Endpoint {
    /// An endpoint without calls.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// A datagram came.
    pub fn handle_datagram(&mut self, _now: Instant, _flow: &Flow, _datagram: &[u8]) {}

    /// A message came on a stream.
    pub fn handle_message(&mut self, _now: Instant, _flow: &Flow, _message: Message) {}

    /// Something that is no message came on a stream.
    pub fn handle_rejected(&mut self, _now: Instant, _flow: &Flow, _rejected: Rejected) {}

    /// A stream was closed, by whichever side.
    pub fn handle_flow_closed(&mut self, _now: Instant, _connection: ConnectionId) {}

    /// Bytes could not be sent: no route, no listener at the other end, no proof of its name.
    pub fn handle_unreachable(&mut self, _now: Instant, _to: &Destination) {}

    /// The user above wants something.
    pub fn handle_command(&mut self, _now: Instant, _command: Command) {}

    /// Time has passed. Calling early is harmless.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// The next thing to do; `None`: wait for input or time.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When to call [`Endpoint::handle_timeout`].
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// What was done and what is held.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }

    /// What it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
