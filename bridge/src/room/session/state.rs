//! What a session knows about where it stands.

use std::time::{Duration, Instant};

use livekit_protocol as proto;

use crate::room::heartbeat::Heartbeat;

/// Where the signal connection stands. Media has a life of its own.
#[derive(Debug)]
pub(super) enum State {
    /// A fresh peer connection makes the offer that the join carries.
    Offering { give_up: Instant },
    /// The signal connection is being opened with a join.
    Joining { offer: Box<proto::SessionDescription>, give_up: Instant },
    /// In the room.
    Joined { heartbeat: Heartbeat },
    /// The signal connection is being opened again for the same participant.
    Resuming { give_up: Instant },
    /// Open again; the peers are asked for what the server wants to know.
    Syncing { heartbeat: Heartbeat, sync: Box<Sync>, give_up: Instant },
    /// Between two attempts.
    Waiting { until: Instant, next: Next },
    /// Over.
    Ended,
}

/// What the next attempt begins with.
#[derive(Debug)]
pub(super) enum Next {
    /// A fresh peer connection.
    Open,
    /// A join with an offer that no server has taken yet.
    Join(Box<proto::SessionDescription>),
    /// A resume.
    Resume,
}

/// The descriptions that the peers gave.
#[derive(Debug, Default)]
pub(super) struct Sync {
    pub(super) publisher: Option<Described>,
    pub(super) subscriber: Option<Described>,
}

#[derive(Debug)]
pub(super) struct Described {
    pub(super) local: Option<String>,
    pub(super) remote: Option<String>,
    pub(super) channels: Vec<(String, u32)>,
}

/// The room is not there, from the first sign of it until signal and media are both up.
#[derive(Debug)]
pub(super) struct Outage {
    pub(super) since: Instant,
    pub(super) limit: Duration,
    /// What went wrong last.
    pub(super) last: String,
    /// The server said that it goes down.
    pub(super) shutdown: bool,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// We have never been in the room.
    First,
    /// The participant may still be there.
    Resume,
    /// It is given up for a new one.
    Rejoin,
}
