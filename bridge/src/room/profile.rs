//! Which server, which room, and as whom.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use livekit_protocol as proto;

/// What it takes to join a room.
#[derive(Clone, Debug)]
pub struct JoinConfig {
    /// Where, and with whose key.
    pub server: Server,
    /// As whom.
    pub profile: Profile,
}

/// A LiveKit server and the right to sign tokens for it.
#[derive(Clone)]
pub struct Server {
    /// `ws://`, `wss://`, `http://` or `https://`.
    pub url: String,
    /// API key.
    pub key: String,
    /// API secret.
    pub secret: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Server {
    /// Whether this is LiveKit Cloud, which has regions to turn to when the nearest one fails.
    pub(crate) fn is_cloud(&self) -> bool {
        let host = self.url.split("://").last().unwrap_or_default();
        let host = host.split(['/', ':', '?']).next().unwrap_or_default();
        host.ends_with(".livekit.cloud")
    }
}

/// A participant to be, and how hard it tries.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The room's name.
    pub room: String,
    /// A preset of the server for a room that does not exist yet.
    pub room_preset: String,
    /// Settings and agents for a room that does not exist yet.
    pub room_config: Option<proto::RoomConfiguration>,
    /// Unique in the room.
    pub identity: String,
    /// For people to read.
    pub name: String,
    /// For applications to read.
    pub metadata: String,
    /// Caller or ordinary participant.
    pub kind: Kind,
    /// At the join; [`Command::Attributes`](super::Command::Attributes) changes them later.
    pub attributes: BTreeMap<String, String>,
    /// Listens from the start.
    pub subscribe: bool,
    /// Goes straight to the two connections of `/rtc`.
    pub dual: bool,
    /// How long the first join may take, retries included.
    pub join_limit: Duration,
    /// How long a room may be lost before the session ends.
    pub reconnect_limit: Duration,
}

impl Profile {
    /// A caller that listens from the start, without name, metadata or attributes.
    pub fn new(room: impl Into<String>, identity: impl Into<String>) -> Self {
        Self {
            room: room.into(),
            room_preset: String::new(),
            room_config: None,
            identity: identity.into(),
            name: String::new(),
            metadata: String::new(),
            kind: Kind::Sip,
            attributes: BTreeMap::new(),
            subscribe: true,
            dual: false,
            join_limit: Duration::from_secs(10),
            reconnect_limit: Duration::from_secs(30),
        }
    }
}

/// The kind of participant that others see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A caller.
    Sip,
    /// Anybody.
    Standard,
}

impl Kind {
    /// As the token says it. A word that the server does not know means an ordinary participant.
    pub(crate) fn claim(self) -> &'static str {
        match self {
            Self::Sip => "sip",
            Self::Standard => "standard",
        }
    }
}
