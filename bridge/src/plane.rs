//! The media plane: pinned threads, each the sole owner of the sockets, junctions and peer connections of its calls.
//!
//! A [`Line`] is one call on one thread, from its first packet to its last. The control plane sends it [`Command`]s
//! and receives two streams of events: [`PeerEvent`]s for the room session, [`LineEvent`]s for the call. All three
//! channels are bounded. A room session holds a [`RoomSide`] of the line; a call that moves to another room has two of
//! them for a moment.
//!
//! ```text
//! Plane ── reserve() ─► Reservation (RTP and RTCP sockets, a thread) ── open(Spec) ─► Line
//!
//! LineHandle ── Command ──────►  worker thread:              ──► LineEvent
//! RoomSide ──── SideCommand ──►  poll, wheel, slab of lines  ──► PeerEvent
//! ```

mod circuit;
mod engine;
mod gauges;
mod line;
mod load;
mod outbox;
mod peer;
mod ports;
mod redundancy;
mod side;
mod slab;
mod socket;
mod stand;
mod start;
#[cfg(test)]
mod tests;
mod wheel;
mod worker;

pub use engine::{EngineReport, EngineSpec};
pub use gauges::ThreadStats;
pub use line::{Command, Line, LineEvent, LineHandle, Refused};
pub use ports::{Family, Reservation};
pub use side::{Attach, RoomSide, Side, SideCommand};
pub use start::{Config, Error, Interface, Plane, Spec, Stats};

use bytes::Bytes;

/// Which peer connection of a line is meant. A single-connection session has only the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Carries our track, and in a single-connection session everything else.
    Publisher,
    /// Carries the tracks of others where the server wants two connections.
    Subscriber,
}

/// What the room session asks of a peer connection.
#[derive(Debug)]
pub enum PeerCommand {
    /// Makes the connection; one that stood in its place is closed first (full rejoin).
    Open(PeerConfig),
    /// Creates an offer with this many more receive-only audio sections; answered by [`PeerEvent::Offer`].
    Offer {
        /// Receive-only audio sections to add.
        more_audio: usize,
        /// New ICE credentials.
        restart_ice: bool,
    },
    /// The server's answer to our offer; answered by [`PeerEvent::Answered`].
    SetAnswer(String),
    /// The server's offer; answered by [`PeerEvent::Answer`].
    Accept(String),
    /// One trickled candidate, JSON of `RTCIceCandidateInit`. Those that are not UDP are passed over.
    Candidate(String),
    /// A message for a data channel.
    Data {
        /// Which one.
        channel: Channel,
        /// What.
        bytes: Bytes,
    },
    /// Asks for [`PeerEvent::Described`].
    Describe,
    /// Ends the connection.
    Close,
}

/// How to make a peer connection.
#[derive(Clone, Debug, Default)]
pub struct PeerConfig {
    /// Client track id of the audio track we publish.
    pub publish: Option<String>,
    /// Receive-only audio sections in the first offer.
    pub receive_audio: usize,
    /// Open `_reliable` and `_lossy` before the first offer.
    pub data_channels: bool,
}

/// LiveKit's two data channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// `_reliable`: ordered, retransmitted.
    Reliable,
    /// `_lossy`: unordered, not retransmitted.
    Lossy,
}

impl Channel {
    /// Its name on the wire.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reliable => "_reliable",
            Self::Lossy => "_lossy",
        }
    }
}

/// What a peer connection tells the room session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// Our offer, ready to be sent.
    Offer(String),
    /// Our answer to the server's offer.
    Answer(String),
    /// The server's answer was applied.
    Answered,
    /// The descriptions in force and the ids of our data channels, for `SyncState`.
    Described {
        /// Ours.
        local: Option<String>,
        /// The server's.
        remote: Option<String>,
        /// Label and stream id.
        channels: Vec<(String, u32)>,
    },
    /// The connection came up, stumbled or ended.
    State(PeerState),
    /// A data channel is open.
    ChannelOpen(String),
    /// A message on a data channel.
    Data {
        /// The channel's label.
        label: String,
        /// The message.
        bytes: Bytes,
    },
    /// A remote stream is there; reported once a stream.
    Track {
        /// Its media section.
        mid: String,
        /// Its stream id, `PA_…|…`.
        stream: String,
        /// Its source.
        ssrc: u32,
    },
    /// A command could not be carried out.
    Failed(String),
}

/// State of a peer connection, as WebRTC names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// ICE and DTLS are up.
    Connected,
    /// No word from the other side for a while; it may come back.
    Disconnected,
    /// Gone for good.
    Failed,
    /// Closed by us.
    Closed,
}

/// Counters of a line.
#[derive(Clone, Debug)]
pub struct Report {
    /// What its engine counted.
    pub engine: EngineReport,
    /// Packets of ours sent into the room.
    pub room_sent: u64,
    /// Packets received from the room.
    pub room_received: u64,
}
