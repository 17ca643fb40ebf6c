//! The clock of a stream we send: which sample belongs to which instant.

use std::time::{Duration, Instant};

use crate::frame::{duration_of, samples_in};

/// Maps samples sent onto time, from the moment sending began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    origin: Instant,
}

impl Pace {
    pub(crate) fn new(origin: Instant) -> Self {
        Self { origin }
    }

    /// When the sample at this position is due.
    pub(crate) fn due(self, position: u64) -> Instant {
        self.origin + duration_of(position)
    }

    /// How far the stream is ahead of the clock.
    pub(crate) fn lead(self, now: Instant, position: u64) -> Duration {
        self.due(position).saturating_duration_since(now)
    }

    /// How far it is behind, in samples.
    pub(crate) fn lag(self, now: Instant, position: u64) -> u64 {
        samples_in(now.saturating_duration_since(self.due(position)))
    }
}
