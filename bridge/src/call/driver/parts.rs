//! What a call is given: the gateway's parts, what the configuration says, and the lines to the rest of the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, watch};

use crate::call::order::Order;
use crate::dispatch::Answer;
use crate::dns::Resolver;
use crate::metrics::Metrics;
use crate::phone::{Listing, Placer, Switchboard};
use crate::plane::Plane;
use crate::prompts::Prompts;
use crate::room as rooms;
use crate::stir::Verifier;
use crate::store::{Bridging, Store};

/// What every call needs of the gateway. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The SIP endpoint.
    pub sip: sip::net::Handle,
    /// The media plane.
    pub plane: Plane,
    /// The LiveKit server.
    pub server: rooms::Server,
    /// Names of carriers.
    pub resolver: Resolver,
    /// Makes placements for transfers.
    pub placer: Placer,
    /// Where calls leave their records.
    pub store: Store,
    /// What the configuration says about calls.
    pub settings: Arc<Settings>,
    /// Verifies signatures of callers, if it is to be done.
    pub stir: Option<Verifier>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What the configuration says about calls.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When callers are answered where their rule says nothing.
    pub answer: Answer,
    /// Whether callers who wait hear the room, where their rule says nothing.
    pub early_media: bool,
    /// How often 180 is repeated.
    pub ringing_interval: Duration,
    /// How long a room may be lost before the call ends.
    pub room_reconnect_limit: Duration,
    /// Codecs that are enabled, the best first.
    pub codecs: Vec<::media::sdp::Codec>,
    /// Those that are spoken as well where a trunk lists them.
    pub listable: Vec<::media::sdp::Codec>,
    /// Whether media may go to and come from this machine itself.
    pub allow_loopback: bool,
    /// How a caller's address is told from a stranger's.
    pub source: ::media::source::Mode,
    /// No RTP since the answer.
    pub media_timeout_initial: Duration,
    /// RTP that has stopped.
    pub media_timeout: Duration,
    /// Opus toward the room, in bits a second.
    pub opus_bitrate: u32,
    /// Whether frames in which nobody speaks are left out toward the room.
    pub dtx: bool,
    /// Whether comfort noise is agreed upon with carriers.
    pub comfort_noise: bool,
    /// Whether the room hears keys of the phone as tones.
    pub audible_keys: bool,
    /// Listeners of ours that media must not be aimed at.
    pub own: Vec<SocketAddr>,
    /// How long a server of a carrier may be silent before the next one is tried.
    pub patience: Duration,
    /// Whether peers may transfer us, where their trunk does not say.
    pub allow_refer: bool,
    /// When we call the target of a transfer ourselves, where the trunk does not say.
    pub bridge_transfers: Bridging,
    /// What callers hear of us; others when the configuration is read anew.
    pub prompts: Arc<ArcSwap<Prompts>>,
}

/// What the gateway asks of all its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stop {
    /// Nothing.
    #[default]
    Run,
    /// End now.
    End,
}

/// The lines between a call and the rest of the gateway.
#[derive(Debug)]
pub struct Wires {
    /// What the endpoint tells of it.
    pub sip_events: mpsc::Receiver<sip::Event>,
    /// What others ask of it.
    pub orders: mpsc::Receiver<Order>,
    /// Its place in the list of calls.
    pub(crate) listing: Listing,
    /// The way to other calls.
    pub switchboard: Switchboard,
    /// What is asked of all calls.
    pub stop: watch::Receiver<Stop>,
}
