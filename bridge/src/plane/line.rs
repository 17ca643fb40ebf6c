//! One call on the media plane, as the control plane holds it.

use tokio::sync::{mpsc, oneshot};

use super::{PeerCommand, PeerEvent, Role};

/// A line: the way to command it, and what it says. It lives until the last [`LineHandle`] is dropped.
#[derive(Debug)]
pub struct Line {
    /// The way to command it.
    pub handle: LineHandle,
    /// For the room session.
    pub peer_events: mpsc::Receiver<(Role, PeerEvent)>,
    /// For the call.
    pub events: mpsc::Receiver<LineEvent>,
}

/// Commands a line; when the last clone is dropped the line is closed and everything it held is freed.
#[derive(Clone, Debug)]
pub struct LineHandle {
    commands: mpsc::Sender<Command>,
}

impl LineHandle {
    /// Hands a command over, waiting while the line's queue is full.
    pub async fn send(&self, command: Command) -> Result<(), Refused> {
        self.commands.send(command).await.map_err(|_| Refused::Closed)
    }

    /// Hands a command over if there is room for it.
    pub fn try_send(&self, command: Command) -> Result<(), Refused> {
        self.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Full,
            mpsc::error::TrySendError::Closed(_) => Refused::Closed,
        })
    }
}

/// What is asked of a line.
#[derive(Debug)]
pub enum Command {
    /// Something for a peer connection; answered through `peer_events`.
    Peer(Role, PeerCommand),
    /// Whether our audio may go into the room (server mute). The media clock runs on.
    Publish(bool),
    /// A remote track is no longer wanted.
    Forget {
        /// Its source.
        ssrc: u32,
    },
    /// Asks for the counters of the line.
    Report(oneshot::Sender<Report>),
}

/// What a line tells the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineEvent {
    /// The first RTP packet of the carrier arrived.
    FirstRtp,
    /// A digit was pressed; each is told once.
    Digit(char),
    /// Nothing came from the carrier for as long as is allowed.
    MediaTimeout,
    /// Our first packet went into the room.
    FirstRoomPacketSent,
    /// The first packet of a remote track came out of the room.
    FirstRoomPacketReceived {
        /// Its source.
        ssrc: u32,
    },
    /// What the desk was asked to play has been played.
    DeskDone,
    /// The line's work on its thread failed beyond repair and the line is gone. Other lines go on.
    Panicked,
}

/// Counters of a line.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Packets of ours sent into the room.
    pub room_sent: u64,
    /// Packets received from the room.
    pub room_received: u64,
}

/// A command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The queue of the line is full.
    #[error("the line is busy")]
    Full,
    /// The line is gone.
    #[error("the line is closed")]
    Closed,
}
