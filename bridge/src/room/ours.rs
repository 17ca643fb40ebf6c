//! Our own participant, as the server sees it.

use livekit_protocol as proto;

/// What outlives a single connection: a rejoin takes the moderator's word along.
#[derive(Debug)]
pub(super) struct Ours {
    /// The room we are in; the server can move us to another.
    pub(super) room: String,
    /// Our id.
    pub(super) sid: String,
    /// The newest token of the server.
    pub(super) token: String,
    /// Our track, when the server has taken it.
    pub(super) published: Option<proto::TrackInfo>,
    /// What we may do.
    pub(super) may: Rights,
    /// Muted by the server.
    pub(super) muted: bool,
    /// The server's ping interval and timeout in seconds.
    pub(super) pings: (i32, i32),
}

/// What a participant may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Be heard.
    pub publish: bool,
    /// Hear.
    pub subscribe: bool,
    /// Send data.
    pub publish_data: bool,
}

impl Rights {
    pub(super) const ALL: Self = Self { publish: true, subscribe: true, publish_data: true };

    fn new(permission: &proto::ParticipantPermission) -> Self {
        let sources = &permission.can_publish_sources;
        let microphone = sources.is_empty() || sources.contains(&(proto::TrackSource::Microphone as i32));
        Self {
            publish: permission.can_publish && microphone,
            subscribe: permission.can_subscribe,
            publish_data: permission.can_publish_data,
        }
    }
}

/// What a word of the server about ourselves changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Turned {
    /// We may publish again. The old track is dead for good.
    pub(super) publish_again: bool,
    /// We may subscribe again.
    pub(super) subscribe_again: bool,
}

impl Ours {
    pub(super) fn new(room: String) -> Self {
        let (sid, token) = (String::new(), String::new());
        Self { room, sid, token, published: None, may: Rights::ALL, muted: false, pings: (0, 0) }
    }

    /// Takes in the server's view of us.
    pub(super) fn update(&mut self, info: &proto::ParticipantInfo) -> Turned {
        if let Some(published) = &mut self.published
            && let Some(track) = info.tracks.iter().find(|track| track.sid == published.sid)
        {
            published.clone_from(track);
            self.muted = track.muted;
        }
        let Some(permission) = &info.permission else { return Turned::default() };
        let before = std::mem::replace(&mut self.may, Rights::new(permission));
        Turned {
            publish_again: !before.publish && self.may.publish,
            subscribe_again: !before.subscribe && self.may.subscribe,
        }
    }

    /// The server mutes a track, or lets it be heard again. Before it has named ours it can mean no other.
    pub(super) fn set_muted(&mut self, track: &str, muted: bool) {
        if self.published.as_ref().is_none_or(|published| published.sid == track) {
            self.muted = muted;
        }
    }

    /// Whether our audio may go into the room.
    pub(super) fn is_open(&self) -> bool {
        self.may.publish && !self.muted
    }
}
