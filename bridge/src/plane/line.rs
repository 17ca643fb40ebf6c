//! One call on the media plane, as the control plane holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use media::sdp::Negotiated;
use media::{Desk, Sound, dtmf};
use tokio::sync::{mpsc, oneshot};

use super::Report;
use super::side::{Attach, RoomSide, Side, SideCommand};
use super::worker::{Inbox, LineId, Message};

/// Commands that fit into the queue of a line. A join needs about ten; a sender that is faster than the thread waits.
const COMMANDS: usize = 64;

/// A line: the way to command it, and what it says. It lives until the last [`LineHandle`] is dropped; then its
/// sockets, peer connections and timers are gone, and all streams of events end. A [`RoomSide`] holds such a handle.
#[derive(Debug)]
pub struct Line {
    /// The way to command it.
    pub handle: LineHandle,
    /// For the room session. Whoever needs no room drops it.
    pub side: RoomSide,
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
    /// From the room session of a side. One whose side is gone is passed over.
    Room(Side, SideCommand),
    /// Makes a place for another side: [`LineHandle::room_side`].
    Attach(Attach),
    /// From now on audio goes to and comes from this side; the one before is silent and may be left. The carrier's stream goes
    /// on without a break. For a side that is gone nothing changes.
    Occupy(Side),
    /// What was negotiated with the carrier: at the answer, and at each later one (hold, media moved). Before the start it
    /// lets the carrier's early media into the room.
    Carrier(Box<Negotiated>),
    /// The call is answered and acknowledged; nothing is sent to the carrier before, but for early media.
    Start,
    /// The carrier is to hear the room before the answer.
    StartEarly,
    /// Plays the ring-back tone into the room in place of the carrier's audio, or no longer.
    Dialtone(bool),
    /// Plays it to the carrier in place of the room's audio, or no longer.
    Ringback(bool),
    /// Plays a recording to it in place of the room's audio, or no longer; [`LineEvent::Played`] tells when it was played to
    /// its end.
    Play(Option<Sound>),
    /// The call is to end; [`LineEvent::PlayedOut`] tells when the carrier has heard what the room said last.
    PlayOut,
    /// Presses keys for the carrier, after those before them; [`LineEvent::Pressed`] tells when all are out.
    Press(Vec<dtmf::Press>),
    /// The same as tones in place of the room's audio.
    PressTones(Vec<dtmf::Press>),
    /// When tones of the carrier are taken for keys; not at all, if this is not said.
    Tones(dtmf::Tones),
    /// Whether the room hears keys of the carrier as tones as well; not, if this is not said.
    AudibleKeys(bool),
    /// The carrier has told elsewhere of a key that was held for so long.
    HearKey(dtmf::Event, Duration),
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
    Toil(Duration),
}

/// What a line tells the call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineEvent {
    /// The first RTP packet of the carrier arrived.
    FirstRtp,
    /// A digit was pressed; each is told once.
    Digit(char),
    /// A digit was heard in the audio; each is told once, whether or not it is told as [`LineEvent::Digit`] as well.
    Tone(char),
    /// Nothing came from the carrier for as long as is allowed.
    MediaTimeout,
    /// Our first packet went into the room.
    FirstRoomPacketSent,
    /// The first packet of a remote track came out of the room.
    FirstRoomPacketReceived {
        /// Its source.
        ssrc: u32,
    },
    /// All keys were pressed and let go, or the carrier takes none.
    Pressed,
    /// A recording was played to its end.
    Played,
    /// What the room said last has been heard by the carrier.
    PlayedOut,
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
    /// Each place for a side is taken.
    #[error("the line stands in two rooms already")]
    NoSide,
}

impl LineHandle {
    pub(crate) fn new(line: LineId, inbox: Arc<Inbox>) -> (Self, Ear) {
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let rung = Arc::new(AtomicBool::new(false));
        let ear = Ear { commands: receiver, rung: rung.clone() };
        let sides = AtomicU32::new(1);
        (Self { shared: Arc::new(Shared { commands, line, rung, inbox, sides }) }, ear)
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

    /// Makes the thread look at the line.
    pub(crate) fn ring(&self) {
        self.shared.ring();
    }

    /// A number for another side.
    pub(crate) fn number_side(&self) -> Side {
        Side::new(self.shared.sides.fetch_add(1, Ordering::Relaxed))
    }
}

/// The end of a handle, dropped with the last clone.
#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Command>,
    line: LineId,
    rung: Arc<AtomicBool>,
    inbox: Arc<Inbox>,
    /// Sides there were.
    sides: AtomicU32,
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
