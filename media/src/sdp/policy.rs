//! What our side wants.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Codec, Direction};
use crate::srtp::Secret;

/// What we accept and prefer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Those we speak, the best first.
    pub codecs: Vec<Codec>,
    /// Whose order decides.
    pub preference: Preference,
    /// Whether telephone events are agreed upon.
    pub events: bool,
    /// Whether comfort noise (RFC 3389) is agreed upon, and sent in place of silence; heard it is anyway.
    pub comfort_noise: bool,
    /// Whether the peer may be on this machine: for tests, and for a PBX beside us.
    pub allow_loopback: bool,
    /// Listeners of our own that media must not be aimed at.
    pub own: Vec<SocketAddr>,
    /// What we offer, and send to a peer that asks for nothing.
    pub ptime: Duration,
    /// Whether our offers propose `rtcp-mux`; that of a peer is accepted anyway.
    pub offer_mux: bool,
    /// Whether packets are encrypted.
    pub encryption: Encryption,
}

/// Whose order of codecs decides in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Preference {
    /// Ours, as livekit-sip does.
    #[default]
    Ours,
    /// The offerer's (RFC 3264 §6.1 would rather have this).
    Theirs,
}

/// Whether packets are encrypted (RFC 4568), with what our keys are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encryption {
    /// Never: an offer of nothing else is refused.
    #[default]
    Disable,
    /// If the peer can. Our offer is one of plain RTP with keys beside it, as PBXs do it, for a peer that knows of none.
    Allow(Secret),
    /// Always: an offer or an answer without is refused.
    Require(Secret),
}

/// Our end of the media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// The address that the peer is told.
    pub address: IpAddr,
    /// Where we hear RTP.
    pub rtp_port: u16,
    /// Where we hear RTCP; the same as `rtp_port` if there is only one socket.
    pub rtcp_port: u16,
    /// The number of the session in `o=`, any that is unique.
    pub session_id: u64,
    /// The version in `o=`.
    pub version: u64,
    /// What we want to do: less than [`Direction::SendRecv`] puts the peer on hold.
    pub direction: Direction,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            preference: Preference::default(),
            events: true,
            comfort_noise: false,
            allow_loopback: false,
            own: Vec::new(),
            ptime: Duration::from_millis(20),
            offer_mux: false,
            encryption: Encryption::Disable,
        }
    }
}

impl Policy {
    /// The listed codecs first; after them the usual ones, unless only the listed are wanted.
    pub fn with_codecs(listed: &[Codec], only_listed: bool) -> Self {
        let mut policy = Self::default();
        let usual = std::mem::take(&mut policy.codecs);
        let more = usual.iter().filter(|_| !only_listed);
        for codec in listed.iter().chain(more) {
            if !policy.codecs.contains(codec) {
                policy.codecs.push(*codec);
            }
        }
        policy
    }
}

impl Encryption {
    pub(super) fn secret(self) -> Option<Secret> {
        match self {
            Self::Disable => None,
            Self::Allow(secret) | Self::Require(secret) => Some(secret),
        }
    }
}
