//! One call on the media plane, as the control plane holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use media::sdp::Negotiated;
use media::{Desk, dtmf};
use tokio::sync::{mpsc, oneshot};

use super::worker::{Inbox, LineId, Message};
use super::{PeerCommand, PeerEvent, Report, Role};

/// Commands that fit into the queue of a line. A join needs about ten; a sender that is faster than the thread waits.
const COMMANDS: usize = 64;

/// A line: the way to command it, and what it says. It lives until the last [`LineHandle`] is dropped; then its
/// sockets, peer connections and timers are gone, and both streams of events end.
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
    shared: Arc<Shared>,
}

/// What is asked of a line.
#[derive(Debug)]
pub enum Command {
    /// Something for a peer connection; answered through `peer_events`.
    Peer(Role, PeerCommand),
    /// Whether our audio may go into the room (server mute). The media clock runs on.
    Publish(bool),
    /// What was negotiated with the carrier: at the answer, and at each later one (hold, media moved).
    Carrier(Box<Negotiated>),
    /// The call is answered and acknowledged; nothing is sent to the carrier before.
    Start,
    /// A remote track is no longer wanted.
    Forget {
        /// Its source.
        ssrc: u32,
    },
    /// Presses a key of a test phone, after those before it.
    Press(dtmf::Event),
    /// Asks for the counters of the line.
    Report(oneshot::Sender<Report>),
    /// Takes the desk of a test phone or participant, with what it recorded; it is silent from then on. A call has none,
    /// and drops the sender.
    TakeDesk(oneshot::Sender<Desk>),
    /// Fails the way a bug would.
    #[cfg(test)]
    Panic,
    /// Takes as long as a handshake would on a very slow machine.
    #[cfg(test)]
    Toil(std::time::Duration),
}

/// What a line tells the call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
    /// The line cannot do what was asked of it; the call is to end.
    Failed(String),
    /// The line's work on its thread failed beyond repair, and the line is gone. Other lines go on.
    Panicked,
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

impl LineHandle {
    pub(crate) fn new(line: LineId, inbox: Arc<Inbox>) -> (Self, Ear) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let rung = Arc::new(AtomicBool::new(false));
        let ear = Ear { commands: receiver, rung: rung.clone() };
        (Self { shared: Arc::new(Shared { commands, line, rung, inbox }) }, ear)
    }

    /// Hands a command over, waiting while the line's queue is full.
    pub async fn send(&self, command: Command) -> Result<(), Refused> {
        self.shared.commands.send(command).await.map_err(|_| Refused::Closed)?;
        self.shared.ring();
        Ok(())
    }

    /// Hands a command over if there is room for it.
    pub fn try_send(&self, command: Command) -> Result<(), Refused> {
        self.shared.commands.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refused::Full,
            mpsc::error::TrySendError::Closed(_) => Refused::Closed,
        })?;
        self.shared.ring();
        Ok(())
    }
}

/// The end of a handle, dropped with the last clone.
#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Command>,
    line: LineId,
    rung: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
}

impl Shared {
    /// Tells the thread that there is a command, once until it looks: the inbox holds at most one bell a line.
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.inbox.send(Message::Ring(self.line));
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.inbox.send(Message::Close(self.line));
    }
}

/// The thread's end of a handle.
#[derive(Debug)]
pub(crate) struct Ear {
    commands: mpsc::Receiver<Command>,
    rung: Arc<AtomicBool>,
}

impl Ear {
    /// The next command. Without one, the bell is set to ring again.
    pub(crate) fn next(&mut self) -> Option<Command> {
        if let Ok(command) = self.commands.try_recv() {
            return Some(command);
        }
        self.rung.store(false, Ordering::Release);
        // One that came between the look and the bell.
        self.commands.try_recv().ok()
    }
}
