//! The configuration: one file and the environment, read once, checked as a whole, and typed from here on.
//!
//! The keys are those of livekit-sip with its meaning, and ours beside them. `key` is the one table of them: from it
//! come the defaults, the checks, the suggestions for a key that is none, and `docs/configuration.md`.

pub mod error;
pub(crate) mod key;
pub mod manual;
pub(crate) mod object;
pub mod read;
pub mod render;
pub mod state;
pub mod tree;
pub(crate) mod value;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use sip::NameAddr;

use crate::dispatch::acl::Network;
use crate::dispatch::{Answer, Codec, Reject};
use crate::prompts::Prompts;
use crate::stir;
use crate::store::{Bridging, Snapshot};

pub use error::{Error, Invalid};
pub use read::{Environment, Source, load};
pub use render::render;
pub use state::StoreFile;

/// A configuration that can be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Trunks and rules.
    pub snapshot: Snapshot,
    /// What the operator should know: keys without effect, doors that stand open. For the log, one line each.
    pub notes: Vec<Note>,
    /// Every key and its value, secrets hidden, for [`render`](fn@render).
    effective: Vec<(&'static str, String)>,
}

impl Loaded {
    /// The keys whose values are others in another configuration. What stands in the lists of trunks and rules does not
    /// count.
    pub fn changed_keys(&self, other: &Self) -> Vec<&'static str> {
        let values = |loaded: &Self| loaded.effective.iter().cloned().collect::<BTreeMap<_, _>>();
        let (before, after) = (values(self), values(other));
        let all: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
        let mut keys: Vec<_> = all.into_iter().filter(|key| before.get(key) != after.get(key)).collect();
        // Its value is not among those that are shown.
        if self.config.livekit.api_secret != other.config.livekit.api_secret && !keys.contains(&"api_secret") {
            keys.push("api_secret");
        }
        keys
    }
}

/// Something the operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: NoteLevel,
    /// In words.
    pub text: String,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteLevel {
    /// Good to know.
    Info,
    /// Probably not meant.
    Warning,
}

/// The settings of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// The LiveKit server.
    pub livekit: LiveKit,
    /// SIP.
    pub sip: Sip,
    /// Addresses that we bind and those that we tell others.
    pub addresses: Addresses,
    /// RTP and codecs.
    pub media: Media,
    /// Calls.
    pub calls: Calls,
    /// Calls out.
    pub outbound: Outbound,
    /// Transfers.
    pub transfer: Transfer,
    /// What callers hear of the gateway itself.
    pub prompts: Prompts,
    /// Whose signatures of callers' numbers are believed.
    pub stir: stir::Settings,
    /// The API, health and metrics.
    pub http: Http,
    /// Where the store is.
    pub store: StoreFile,
    /// Logs.
    pub logging: Logging,
}

/// Where rooms are.
#[derive(Clone, Debug)]
pub struct LiveKit {
    /// `ws_url`.
    pub url: String,
    /// `api_key`.
    pub api_key: String,
    /// `api_secret`.
    pub api_secret: Secret,
}

/// Text that never shows in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whom it is meant.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// SIP listeners and manners.
#[derive(Clone, Debug)]
pub struct Sip {
    /// The port that Via and Contact tell.
    pub port: u16,
    /// The port that is bound, UDP and TCP.
    pub port_listen: u16,
    /// The host name that Contact tells over TLS; empty for the address.
    pub hostname: String,
    /// TLS, if there are certificates.
    pub tls: Option<Tls>,
    /// Authorities to believe beside the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// How often a ringing call is told so.
    pub ringing_interval: Duration,
    /// Session timers, unless they are off.
    pub session_timers: Option<sip::endpoint::SessionTimers>,
    /// Which callers have to acknowledge that it rings.
    pub reliability: sip::endpoint::Reliability,
    /// What strangers get whom no trunk takes.
    pub reject: Reject,
    /// No answer at all, not even 100, before a trunk took the call.
    pub hide: bool,
    /// Which hashes a trunk with a password asks for.
    pub digest: Digest,
    /// The text of `User-Agent` and `Server`.
    pub user_agent: String,
}

/// The hashes of a challenge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256 and MD5, the caller chooses (RFC 8760).
    #[default]
    Both,
    /// MD5 alone.
    Md5,
    /// SHA-256 alone.
    Sha256,
}

impl Digest {
    /// The words of the configuration.
    pub(crate) const WORDS: &[&str] = &["both", "md5", "sha-256"];

    /// Reads one of [`Digest::WORDS`].
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "both" => Some(Self::Both),
            "md5" => Some(Self::Md5),
            "sha-256" => Some(Self::Sha256),
            _ => None,
        }
    }

    /// Whether this hash is asked for.
    pub fn asks_for(self, algorithm: sip::digest::Algorithm) -> bool {
        use sip::digest::Algorithm;
        match self {
            Self::Both => true,
            Self::Md5 => algorithm == Algorithm::Md5,
            Self::Sha256 => algorithm == Algorithm::Sha256,
        }
    }
}

/// The TLS listener.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The port that Via and Contact tell.
    pub port: u16,
    /// The port that is bound.
    pub port_listen: u16,
    /// Certificates, the first for clients that name no host.
    pub certs: Vec<Certificate>,
    /// TLS 1.2 is refused too.
    pub only_1_3: bool,
    /// TLS 1.3 is not offered.
    pub only_1_2: bool,
    /// Protocols offered by ALPN; empty for none.
    pub alpn: Vec<String>,
}

/// A certificate chain and its key, in PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The chain.
    pub cert_file: PathBuf,
    /// The key.
    pub key_file: PathBuf,
}

/// Addresses.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where SIP listens; empty for every address of either family that the machine has.
    pub listen: Vec<IpAddr>,
    /// Our own address is looked for in this network.
    pub local_net: Option<Network>,
    /// The address that SIP tells others.
    pub signalling: External,
    /// The address that SDP tells others.
    pub media: External,
}

/// The address by which others reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum External {
    /// The one we bind.
    Local,
    /// The one a STUN server sees.
    Discover,
    /// This one.
    Fixed(IpAddr),
}

/// RTP and codecs.
#[derive(Clone, Debug)]
pub struct Media {
    /// UDP ports.
    pub ports: RangeInclusive<u16>,
    /// How long a port rests after a call until late packets have stopped; `None` for not at all.
    pub quarantine: Option<Quarantine>,
    /// How long the first packet of an answered call may take.
    pub timeout_initial: Duration,
    /// How long later packets may stay away.
    pub timeout: Duration,
    /// Packets go where packets come from, whatever SDP says.
    pub symmetric_rtp: bool,
    /// Calls may send media over loopback addresses.
    pub allow_loopback: bool,
    /// Codecs that are on, best first.
    pub codecs: Vec<Codec>,
    /// Codecs that are off, but on for a trunk that lists them.
    pub listable: Vec<Codec>,
    /// Media threads; `None` for one a core.
    pub threads: Option<usize>,
    /// Opus toward the room.
    pub opus: Opus,
    /// Comfort noise toward carriers in place of silence, where they know it.
    pub comfort_noise: bool,
    /// The room hears keys as tones.
    pub audible_keys: bool,
}

/// How long a port rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Until no packet has come for this long.
    pub idle: Duration,
    /// But no longer than this.
    pub limit: Duration,
}

/// The Opus encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opus {
    /// Bits a second.
    pub bitrate: u32,
    /// 0 to 10.
    pub complexity: u8,
    /// Whether frames in which nobody speaks are left out.
    pub dtx: bool,
}

/// Calls.
#[derive(Clone, Debug)]
pub struct Calls {
    /// When a call is answered whose rule does not say.
    pub answer: Answer,
    /// Whether callers who wait hear the room, where their rule does not say.
    pub early_media: bool,
    /// Calls at a time; `None` for no limit.
    pub max_active: Option<usize>,
    /// How long calls may last on after the order to stop.
    pub drain_timeout: Duration,
    /// How long a call waits for a room that was lost.
    pub room_reconnect_limit: Duration,
}

/// Calls out.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Name servers; empty for those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// Networks that no call may go to.
    pub deny: Vec<Network>,
    /// Emergency numbers may be called.
    pub allow_emergency: bool,
    /// Calls at a time on a trunk that does not say; `None` for no limit.
    pub max_calls: Option<u32>,
    /// Calls begun a second on a trunk that does not say; `None` for no limit.
    pub calls_per_second: Option<u32>,
    /// How long a server may be silent before the next one is tried.
    pub patience: Duration,
    /// The proxies that calls are sent by, where nothing else is said.
    pub route: Vec<NameAddr>,
}

/// Transfers, where the trunk does not say.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    /// Peers may transfer us.
    pub refer: bool,
    /// When a transfer is a call of our own.
    pub bridge: Bridging,
}

/// HTTP listeners.
#[derive(Clone, Copy, Debug)]
pub struct Http {
    /// The API.
    pub api: Option<SocketAddr>,
    /// What is not for the API goes on to the LiveKit server.
    pub api_proxy: bool,
    /// Health.
    pub health: Option<SocketAddr>,
    /// Metrics.
    pub prometheus: Option<SocketAddr>,
}

/// Logs.
#[derive(Clone, Debug)]
pub struct Logging {
    /// `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// A JSON object a line.
    pub json: bool,
}

#[cfg(test)]
pub(crate) mod tests;
