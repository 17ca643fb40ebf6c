//! What happens to a [`Session`](super::Session), and what it tells the call.

use std::collections::BTreeMap;

use bytes::Bytes;
use livekit_protocol as proto;

use super::{Refusal, RpcCall, RpcError};
use crate::plane::{PeerEvent, Role};

/// Everything that can happen to a session, but for time.
#[derive(Debug)]
pub enum Input {
    /// From the signal connection.
    Signal(SignalEvent),
    /// From a peer connection.
    Peer(Role, PeerEvent),
    /// From the call.
    Command(Command),
}

/// What the signal connection tells the session.
#[derive(Debug)]
pub enum SignalEvent {
    /// A message, the first one included.
    Message(Box<proto::signal_response::Message>),
    /// It could not be opened.
    Refused(Refusal),
    /// It was open and is gone.
    Lost(String),
    /// The addresses of Cloud's regions, best first; empty when they could not be had.
    Regions(Vec<String>),
}

/// What the call asks of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Listens to everybody's audio, or to nobody's.
    Subscribe(bool),
    /// Sets these attributes and leaves the others; an empty value takes the attribute away.
    Attributes(BTreeMap<String, String>),
    /// A key pressed on the phone: `0`-`9`, `*`, `#`, `A`-`D`. Kept until the data channel is open.
    Dtmf(char),
    /// Answers [`Event::Rpc`].
    Reply {
        /// Who called.
        to: String,
        /// The id of the call.
        id: String,
        /// The payload, or what went wrong.
        result: Result<String, RpcError>,
    },
    /// Leaves the room and tells the server why.
    Leave(proto::DisconnectReason),
}

/// What the session tells the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// We are a participant of the room: at first, after each rejoin, and when the server moved us.
    Joined(Joined),
    /// Media is up for the first time.
    Connected,
    /// Who else is there has changed.
    Audience(Audience),
    /// A remote audio stream is there.
    Stream {
        /// Its source, as on the wire.
        ssrc: u32,
        /// Whose it is.
        identity: String,
    },
    /// A remote audio stream is over.
    StreamGone {
        /// Its source.
        ssrc: u32,
    },
    /// Digits sent by a participant.
    Dtmf {
        /// Their sender.
        from: String,
        /// The event code of RFC 4733 §3.2.
        code: u32,
        /// The digits in letters.
        digits: String,
    },
    /// Others have changed these attributes of ours; an empty value is taken away.
    Attributes(BTreeMap<String, String>),
    /// A participant calls a procedure of ours; it waits for [`Command::Reply`].
    Rpc(RpcCall),
    /// A data message of a participant.
    Data {
        /// Its sender.
        from: String,
        /// Its topic, empty for none.
        topic: String,
        /// What.
        payload: Bytes,
    },
    /// The server lets our audio into the room, or keeps it out: mute, permission.
    Publishing(bool),
    /// The room is lost for now; the phone call should go on.
    Interrupted,
    /// The room is back.
    Restored(Restored),
    /// The session is over; nothing follows.
    Ended(End),
}

/// Where and as whom we stand in a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// The room's name.
    pub room: String,
    /// The room's id, `RM_…`.
    pub room_sid: String,
    /// Our id, `PA_…`; another one after a rejoin.
    pub participant_sid: String,
    /// How many others were there.
    pub others: usize,
}

/// Who else is in the room. Recorders and other participants without a voice or ear do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Audience {
    /// All others.
    pub participants: usize,
    /// Of them: callers like ours.
    pub sip: usize,
    /// Of them: agents.
    pub agents: usize,
    /// Audio tracks that they publish.
    pub audio_tracks: usize,
    /// Audio tracks whose stream has reached us.
    pub heard: usize,
}

impl Audience {
    /// Somebody's audio is there, or another phone that will speak: the moment to answer a call.
    pub fn is_audible(&self) -> bool {
        self.heard > 0 || self.sip > 0
    }
}

/// How a room came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// The same participant on a new signal connection.
    Resumed,
    /// A new participant of the same identity.
    Rejoined,
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// We were told to leave.
    Left,
    /// Somebody removed our participant.
    Removed,
    /// Somebody deleted the room.
    RoomDeleted,
    /// The server closed the room because all had left.
    RoomClosed,
    /// Another participant took our identity.
    DuplicateIdentity,
    /// The server went down and no other took us in before the limit.
    ServerShutdown,
    /// The server does not want us.
    Refused {
        /// HTTP status of the refusal.
        status: u16,
        /// The server's words.
        text: String,
    },
    /// The server ended it for another reason.
    Disconnected(proto::DisconnectReason),
    /// The room could not be reached within the limit.
    GaveUp {
        /// What went wrong last.
        last: String,
    },
}
