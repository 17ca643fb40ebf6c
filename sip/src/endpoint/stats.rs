//! Counters and levels, for metrics and for tests that look for what was left behind.

/// What an endpoint has done and holds. Counters only grow; levels are of the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Level: calls.
    pub calls: usize,
    /// Level: dialogs.
    pub dialogs: usize,
    /// Level: transactions that we answer.
    pub server_transactions: usize,
    /// Level: transactions that we started.
    pub client_transactions: usize,
    /// Level: inbound INVITEs without an answer.
    pub half_open: usize,
    /// Level: bytes kept for repetition.
    pub retained_bytes: usize,
    /// Level: alarms set.
    pub alarms: usize,
    /// Messages that came.
    pub received: u64,
    /// Messages sent, repetitions included.
    pub sent: u64,
    /// Messages dropped because their source sent too many.
    pub throttled: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Requests of strangers that met with silence.
    pub hidden: u64,
    /// Requests refused because a table was full.
    pub overloaded: u64,
    /// Responses that answer nothing of ours.
    pub unmatched_responses: u64,
    /// ACKs that acknowledge nothing of ours.
    pub unmatched_acks: u64,
}
