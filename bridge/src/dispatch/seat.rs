//! The seat of a caller in a room: everything that the call needs to join, to answer and to end in time.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use livekit_protocol as proto;
use serde::{Deserialize, Serialize};

use super::{Dtmf, Voice};

/// How long a caller waits for an answer where his trunk says nothing.
pub const RINGING_TIMEOUT: Duration = Duration::from_secs(180);

/// The longest call, and the length where a trunk says nothing.
pub const MAX_CALL_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// Where, as whom and on which terms a caller joins.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The room.
    pub room: RoomName,
    /// Identity of the participant.
    pub identity: String,
    /// Name of the participant.
    pub name: String,
    /// Metadata of the participant.
    pub metadata: String,
    /// Attributes of the participant, all but `sip.callStatus`, which is the call's.
    pub attributes: BTreeMap<String, String>,
    /// What the room is made with if this caller is the first: agents among it. Signed into the token.
    pub room_config: Option<proto::RoomConfiguration>,
    /// A preset of the server; empty for none. Signed into the token.
    pub room_preset: String,
    /// Headers of the trunk for our 200.
    pub headers: BTreeMap<String, String>,
    /// Which headers of the caller become attributes named `sip.h.…`.
    pub include_headers: IncludeHeaders,
    /// Headers of the caller that become attributes of the trunk's choice. Applied already; kept for later requests.
    pub headers_to_attributes: BTreeMap<String, String>,
    /// Attributes that become headers of our 200, of a refusal and of our BYE.
    pub attributes_to_headers: BTreeMap<String, String>,
    /// How long the caller waits for an answer.
    pub ringing_timeout: Duration,
    /// The status for a caller who was not answered in time; `None` for the usual one.
    pub ringing_timeout_status: Option<u16>,
    /// How long the call may last.
    pub max_call_duration: Duration,
    /// Codecs, encryption and patience with a silent caller.
    pub media: Media,
    /// When to answer; `None` leaves it to the configuration.
    pub answer: Option<Answer>,
    /// Whether the caller hears the room before the answer; `None` leaves it to the configuration.
    pub early_media: Option<bool>,
    /// What he hears of the gateway itself.
    pub voice: Voice,
    /// Noise cancellation was asked for.
    pub krisp: bool,
    /// The trunk.
    pub trunk_id: String,
    /// The rule.
    pub rule_id: String,
    /// The caller's carrier knows his number, and he does not want it to be told.
    pub hides_caller: bool,
    /// Things that did not go as the rule says, in words for the log: a template without a result, a header too long.
    pub notes: Vec<String>,
}

/// Name of a room.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(String);

impl RoomName {
    /// The longest name, in bytes.
    pub const MAX: usize = 255;

    /// Takes a name that is not empty and not longer than [`RoomName::MAX`].
    pub fn new(name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        (!name.is_empty() && name.len() <= Self::MAX).then_some(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When a caller is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// As soon as the room is joined.
    Immediately,
    /// When somebody else is in the room.
    OnParticipant,
    /// When somebody's audio is there.
    #[default]
    OnTrack,
    /// When a participant asks for it.
    OnRequest,
}

impl Answer {
    /// The words of the configuration.
    pub(crate) const WORDS: &[&str] = &["immediately", "on_participant", "on_track", "on_request"];

    /// Reads one of [`Answer::WORDS`].
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "immediately" => Some(Self::Immediately),
            "on_participant" => Some(Self::OnParticipant),
            "on_track" => Some(Self::OnTrack),
            "on_request" => Some(Self::OnRequest),
            _ => None,
        }
    }

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Immediately => "immediately",
            Self::OnParticipant => "on_participant",
            Self::OnTrack => "on_track",
            Self::OnRequest => "on_request",
        }
    }
}

/// Which headers of the caller become attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IncludeHeaders {
    /// None.
    #[default]
    No,
    /// Those that begin with `X-`.
    X,
    /// All.
    All,
}

/// What a trunk and its rule say about media.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// How long the caller's packets may stay away; `None` leaves it to the configuration.
    pub timeout: Option<Duration>,
    /// Codecs in the order of preference.
    pub listed: Vec<Codec>,
    /// No codec beside the listed ones.
    pub only_listed: bool,
    /// Whether packets are encrypted.
    pub encryption: Encryption,
    /// How keys travel.
    pub dtmf: Dtmf,
    /// Whether frames of silence are left out toward the room; `None` leaves it to the configuration.
    pub dtx: Option<bool>,
}

impl Media {
    /// The codecs of the call: those listed that are enabled, then the others that are, unless only the list counts.
    pub fn codecs(&self, enabled: &[Codec]) -> Vec<Codec> {
        let mut codecs: Vec<_> = self.listed.iter().filter(|codec| enabled.contains(codec)).cloned().collect();
        if !self.only_listed {
            let others: Vec<_> = enabled.iter().filter(|codec| !codecs.contains(codec)).cloned().collect();
            codecs.extend(others);
        }
        codecs
    }
}

/// A codec as SDP names it.
#[derive(Clone, Debug)]
pub struct Codec {
    /// Its encoding name; case does not matter.
    pub name: String,
    /// Its RTP clock rate.
    pub rate: u32,
}

impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        self.rate == other.rate && self.name.eq_ignore_ascii_case(&other.name)
    }
}

impl Eq for Codec {}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.rate)
    }
}

/// Whether media is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    #[default]
    Disable,
    /// If the other side offers it.
    Allow,
    /// Always.
    Require,
}
