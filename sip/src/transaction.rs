//! Transactions: one request and everything that answers it ([RFC 3261 §17], [RFC 6026]).
//!
//! The four machines know nothing of the text of messages. They are given what kind of message came and the bytes that
//! may have to be repeated, and give back bytes to send and whether what came is news for the user above.
//!
//! [RFC 3261 §17]: https://www.rfc-editor.org/rfc/rfc3261#section-17
//! [RFC 6026]: https://www.rfc-editor.org/rfc/rfc6026

pub(crate) mod client;
pub(crate) mod invite_client;
pub(crate) mod invite_server;
pub(crate) mod server;

use std::time::{Duration, Instant};

use bytes::Bytes;

/// Estimate of a round trip (RFC 3261 §17.1.1.1).
pub(crate) const T1: Duration = Duration::from_millis(500);
/// Longest interval between repetitions of a request that is not INVITE, and of a final answer to INVITE.
pub(crate) const T2: Duration = Duration::from_secs(4);
/// How long a message may stay in the network.
pub(crate) const T4: Duration = Duration::from_secs(5);
/// Timers B, F, H, J, L and M: how long anybody waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(32);
/// Timer D: how long repeated refusals are answered with the same ACK over UDP.
pub(crate) const TIMER_D: Duration = PATIENCE;

/// What a machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Send this to where the transaction's messages go.
    Send(Bytes),
    /// The message just handled is news: pass it up.
    Deliver,
    /// The other side never answered.
    TimedOut,
    /// The message could not be sent.
    Unreachable,
}

/// A message repeated at growing intervals, until whoever owns this drops it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resend {
    at: Instant,
    interval: Duration,
    longest: Duration,
}

impl Resend {
    /// First repetition after T1, then twice as long each time, at most `longest` apart.
    pub(crate) fn doubling(now: Instant, longest: Duration) -> Self {
        Self { at: now + T1, interval: T1, longest }
    }

    /// Tells whether it is time, and sets the next one if so.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.at {
            return false;
        }
        self.interval = (self.interval * 2).min(self.longest);
        // Counted from the planned instant, so that a late driver does not stretch the schedule; never into the past.
        let planned = self.at + self.interval;
        self.at = if planned > now { planned } else { now + self.interval };
        true
    }

    /// From now on at `longest` intervals: what a provisional answer does to Timer E (RFC 3261 §17.1.2.2).
    pub(crate) fn slowed(self) -> Self {
        Self { interval: self.longest, ..self }
    }

    pub(crate) fn at(&self) -> Instant {
        self.at
    }
}

/// The earlier of two instants, either of which may be absent.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Where virtual time begins in tests.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "there is no other way to make an instant; nothing waits for it")]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
