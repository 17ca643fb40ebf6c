//! What a [`Session`](super::Session) wants done.

use std::collections::BTreeMap;
use std::fmt;

use livekit_protocol as proto;

use super::{Event, Rights};
use crate::plane::{PeerCommand, Role};

/// One thing for the driver to do. They are performed in order.
#[derive(Debug)]
pub enum Action {
    /// Opens a signal connection; one that is open is dropped first, and nothing of it is heard any more.
    Connect(Box<Connect>),
    /// Closes the signal connection when what was sent before is out.
    Disconnect,
    /// Sends a message on the signal connection.
    Send(Box<proto::signal_request::Message>),
    /// For a peer connection of the line.
    Peer(Role, PeerCommand),
    /// Whether our audio may go into the room; the media clock runs on while it may not.
    Publish(bool),
    /// A remote stream is over, its decoder can go.
    Forget {
        /// Its source.
        ssrc: u32,
    },
    /// Asks Cloud for the addresses of its regions; answered by [`SignalEvent::Regions`](super::SignalEvent::Regions).
    FindRegions,
    /// Tells the call.
    Event(Event),
}

/// How to open a signal connection.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Where, when not at the address that was configured: a region of Cloud.
    pub url: Option<String>,
    /// Which of the server's entrances.
    pub path: Path,
    /// With what right.
    pub token: Token,
    /// What we are and want; on [`Path::Dual`] the part of it that a query can say.
    pub request: proto::JoinRequest,
}

/// The two ways into a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// `/rtc/v1`: one peer connection, our offer inside the join.
    Single,
    /// `/rtc`: one peer connection for each direction.
    Dual,
}

/// The access token of a connection.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// To be signed now, for this room and these attributes: a join.
    Fresh {
        /// The room, which need not be the one of the first join: the server may move a participant.
        room: String,
        /// The attributes as they are now, not as they were at the first join.
        attributes: BTreeMap<String, String>,
        /// What the participant may do: all of it at first, what is left of it after a moderator's word.
        rights: Rights,
    },
    /// The newest one that the server gave us: a resume.
    Given(String),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh { .. } => "Fresh",
            Self::Given(_) => "Given",
        })
    }
}
