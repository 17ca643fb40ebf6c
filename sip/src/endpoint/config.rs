//! What an endpoint is told once, when it is made.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use super::flow::Listener;

/// Tells carriers from strangers, by the source address of the packet and nothing else.
///
/// It is asked once a message, before anything is parsed, and so has to be quick; let it look into a shared snapshot
/// that is replaced when the configuration changes.
pub type Acl = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Says yes or no, as things stand now; asked once for a message of a stranger, and so has to be quick too.
pub type Choice = Arc<dyn Fn() -> bool + Send + Sync>;

/// What an endpoint needs to know.
#[derive(Clone)]
pub struct Config {
    /// The addresses that we listen on; the first that fits the protocol and family of a peer is used toward it.
    pub listeners: Vec<Listener>,
    /// The text of User-Agent and Server; empty leaves both out.
    pub user_agent: String,
    /// Who is trusted.
    pub trusted: Acl,
    /// Whether strangers get the answers that the stack gives by itself (OPTIONS, 405, 481, 400, …). When false,
    /// whatever a stranger sends outside a call is met with silence; an INVITE is still passed up for a decision.
    pub answer_strangers: Choice,
    /// Option tags that the user above handles (RFC 3261 §19.2); a request that requires another gets 420.
    pub extensions: Vec<String>,
    /// Sizes of all tables.
    pub limits: Limits,
    /// Secret randomness. Tags, branches and Call-IDs are derived from it, so the same seed makes the same ones.
    pub seed: [u8; 32],
}

impl Config {
    /// Trusts everybody, answers everybody: for test phones behind a firewall, and to start from.
    pub fn new(listeners: Vec<Listener>, seed: [u8; 32]) -> Self {
        Self {
            listeners,
            user_agent: "Trunkline".to_owned(),
            trusted: Arc::new(|_| true),
            answer_strangers: Arc::new(|| true),
            extensions: Vec::new(),
            limits: Limits::default(),
            seed,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed is a secret and the predicates have no text.
        f.debug_struct("Config")
            .field("listeners", &self.listeners)
            .field("user_agent", &self.user_agent)
            .field("extensions", &self.extensions)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// How much of everything there may be. A request beyond a limit gets 503 with Retry-After and leaves nothing behind, or
/// nothing at all if it comes from a hidden-from stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls, in whatever state.
    pub calls: usize,
    /// Transactions, both sides together.
    pub transactions: usize,
    /// Bytes of messages kept in transactions for repetition.
    pub retained_bytes: usize,
    /// Inbound INVITEs without an answer. Strangers may take half of them.
    pub half_open: usize,
    /// Inbound INVITEs without an answer from one stranger's address.
    pub half_open_per_stranger: usize,
    /// Addresses whose rate is remembered.
    pub sources: usize,
    /// Messages a second from one stranger's address, and how many at once.
    pub stranger_rate: Rate,
    /// Messages a second from one trusted address, and how many at once.
    pub trusted_rate: Rate,
    /// What Retry-After says when a limit is reached; a bit more or less each time, so that not all come back at once.
    pub retry_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 10_000,
            transactions: 40_000,
            retained_bytes: 64 << 20,
            half_open: 4_000,
            half_open_per_stranger: 20,
            sources: 8_192,
            stranger_rate: Rate { per_second: 20, burst: 60 },
            trusted_rate: Rate { per_second: 20_000, burst: 40_000 },
            retry_after: Duration::from_secs(20),
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back each second.
    pub per_second: u32,
    /// Tokens that a full bucket holds.
    pub burst: u32,
}
