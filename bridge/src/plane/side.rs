//! The sides of a line: each stands in one room, and one of them has the call's audio.
//!
//! ```text
//!                        ┌── side, occupied ──► room A      to move a call: another side joins room B while this one still
//! carrier ─── engine ────┤                                  talks, Occupy turns the audio over to it, this one leaves.
//!                        └── side, waiting ───► room B
//! ```
//!
//! Most lines never have a second side. While one waits it sends a frame of silence for each frame of the other, so that its
//! track is published and subscribed to when its turn comes; what its room says is not heard.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::line::{Command, LineHandle, Refused};
use super::{PeerCommand, PeerEvent, Role};

/// How long a busy thread may take to make room for a side.
const PATIENCE: Duration = Duration::from_secs(1);

/// Names a side of a line; never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Side(u32);

impl Side {
    /// The side that a line has from the beginning.
    pub(crate) const FIRST: Self = Self(0);

    pub(crate) fn new(number: u32) -> Self {
        Self(number)
    }
}

/// What a room session asks of its side of a line.
#[derive(Debug)]
pub enum SideCommand {
    /// Something for a peer connection; answered through [`RoomSide::next_event`].
    Peer(Role, PeerCommand),
    /// Whether our audio may go into the room (server mute). The media clock runs on.
    Publish(bool),
    /// A remote track is no longer wanted.
    Forget {
        /// Its source.
        ssrc: u32,
    },
}

/// A side of a line, as a room session holds it. When it is dropped its peer connections are closed and its place is free;
/// if it had the audio, the call hears and says nothing until another side is given it.
#[derive(Debug)]
pub struct RoomSide {
    side: Side,
    line: LineHandle,
    events: mpsc::Receiver<(Role, PeerEvent)>,
}

/// Asks a line for a place for another side.
#[derive(Debug)]
pub struct Attach {
    pub(crate) side: Side,
    pub(crate) events: mpsc::Sender<(Role, PeerEvent)>,
    /// Told whether there was a place.
    pub(crate) reply: oneshot::Sender<bool>,
}

impl RoomSide {
    pub(crate) fn new(side: Side, line: LineHandle, events: mpsc::Receiver<(Role, PeerEvent)>) -> Self {
        Self { side, line, events }
    }

    /// Which one it is, for [`Command::Occupy`].
    pub fn side(&self) -> Side {
        self.side
    }

    /// Hands a command over, waiting while the line's queue is full.
    pub async fn send(&self, command: SideCommand) -> Result<(), Refused> {
        self.line.send(Command::Room(self.side, command)).await
    }

    /// Hands a command over if there is room for it.
    pub fn try_send(&self, command: SideCommand) -> Result<(), Refused> {
        self.line.try_send(Command::Room(self.side, command))
    }

    /// What the peer connections tell; `None` when the line is gone.
    pub async fn next_event(&mut self) -> Option<(Role, PeerEvent)> {
        self.events.recv().await
    }
}

impl Drop for RoomSide {
    fn drop(&mut self) {
        self.events.close();
        self.line.ring();
    }
}

impl LineHandle {
    /// Another side, to join another room with. There are places for two; one that was left is free again.
    pub async fn room_side(&self) -> Result<RoomSide, Refused> {
        let (events, receiver) = super::outbox::channel();
        let (reply, attached) = oneshot::channel();
        let side = RoomSide::new(self.number_side(), self.clone(), receiver);
        let asked = async {
            self.send(Command::Attach(Attach { side: side.side, events, reply })).await?;
            attached.await.map_err(|_| Refused::Closed)
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(true)) => Ok(side),
            Ok(Ok(false)) => Err(Refused::NoSide),
            Ok(Err(refused)) => Err(refused),
            Err(_) => Err(Refused::Full),
        }
    }
}
