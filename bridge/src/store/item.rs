//! Trunks and rules as they were read: LiveKit's objects, and what we add to them.

use livekit_protocol as proto;
use serde::{Deserialize, Serialize};

/// An inbound trunk as it was read.
#[derive(Clone, Default, PartialEq)]
pub struct InboundItem {
    /// LiveKit's object.
    pub info: proto::SipInboundTrunkInfo,
    /// What its callers may do to other calls.
    pub transfers: Transfers,
}

/// An outbound trunk as it was read.
#[derive(Clone, Default, PartialEq)]
pub struct OutboundItem {
    /// LiveKit's object.
    pub info: proto::SipOutboundTrunkInfo,
    /// What we add to it.
    pub ours: OutboundExtras,
}

/// What LiveKit's outbound trunk does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutboundExtras {
    /// Calls that name no trunk go out here.
    pub default_outbound: bool,
    /// Calls at a time; `None` for what the configuration says, 0 for no limit.
    pub max_calls: Option<u32>,
    /// Calls begun a second; `None` for what the configuration says, 0 for no limit.
    pub calls_per_second: Option<u32>,
    /// What is possible with its calls.
    #[serde(flatten)]
    pub transfers: Transfers,
}

/// What becomes of transfers on a trunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfers {
    /// Whether the peer may transfer us (REFER from outside); `None` for what the configuration says.
    pub allow_refer: Option<bool>,
    /// Whether we call the target ourselves; `None` for what the configuration says.
    pub bridge_transfers: Option<Bridging>,
}

/// When a transfer is a call of our own to the target, in place of a REFER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bridging {
    /// The peer does it or nobody.
    #[default]
    Never,
    /// Where the peer refuses.
    Fallback,
    /// The peer is not asked.
    Always,
}

impl Bridging {
    /// The words of the configuration.
    pub const WORDS: &[&str] = &["never", "fallback", "always"];

    /// Reads one of [`Bridging::WORDS`].
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "never" => Some(Self::Never),
            "fallback" => Some(Self::Fallback),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}
