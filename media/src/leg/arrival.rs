//! When the packets of a talker come, against when they should.

use std::time::{Duration, Instant};

/// Where the wait begins before anything is known of a line.
const FIRST_PEAK: Duration = Duration::from_millis(15);
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(60);
/// Added to the worst lateness seen.
const MARGIN: Duration = Duration::from_millis(5);
/// A packet later than this says that the line has changed.
const STEP: Duration = Duration::from_secs(1);

/// The schedule of one stream: as early as its packets can come, and how much later they do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// When the packet with `timestamp` would come without any jitter.
    at: Instant,
    timestamp: u32,
    /// The worst lateness, slowly forgotten.
    peak: Duration,
}

impl Arrival {
    /// A schedule that begins with this packet.
    pub(crate) fn new(now: Instant, timestamp: u32) -> Self {
        Self { at: now, timestamp, peak: FIRST_PEAK }
    }

    /// Takes in a packet; returns how late it is.
    pub(crate) fn handle_packet(&mut self, now: Instant, timestamp: u32) -> Duration {
        let due = self.due(timestamp);
        let late = now.saturating_duration_since(due);
        let early = due.saturating_duration_since(now);
        if late > STEP || early > STEP {
            *self = Self { peak: self.peak, ..Self::new(now, timestamp) };
            return Duration::ZERO;
        }
        // The earliest packet sets the schedule; the rest pull it along slowly, for two clocks never agree.
        (self.at, self.timestamp) = (due - early + late / 256, timestamp);
        self.peak = late.min(LONGEST).max(self.peak - self.peak / 512);
        late
    }

    /// The line has become slower: what came now came on time.
    pub(crate) fn shift(&mut self, now: Instant, timestamp: u32) {
        (self.at, self.timestamp) = (now, timestamp);
    }

    /// When a packet should come.
    pub(crate) fn due(&self, timestamp: u32) -> Instant {
        let ahead = timestamp.wrapping_sub(self.timestamp).cast_signed();
        let apart = Duration::from_nanos(u64::from(ahead.unsigned_abs()) * 1_000_000 / 48);
        if ahead < 0 { self.at.checked_sub(apart).unwrap_or(self.at) } else { self.at + apart }
    }

    /// How long to wait past that.
    pub(crate) fn wait(&self) -> Duration {
        (self.peak + MARGIN).clamp(SHORTEST, LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::beginning;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_wait_follows_the_jitter() {
        // Every packet is late by up to so much, in turns.
        let cases = [("clean", 0, 10, 11), ("some", 20, 24, 26), ("much", 55, 58, 60), ("wild", 200, 60, 60)];
        for (name, jitter, at_least, at_most) in cases {
            let start = beginning();
            let mut arrival = Arrival::new(start, 0);
            for n in 1..2_000u32 {
                let late = ms(u64::from(n % 5) * jitter / 4);
                arrival.handle_packet(start + ms(u64::from(n) * 20) + late, n * 960);
            }
            let wait = arrival.wait();
            assert!(wait >= ms(at_least) && wait <= ms(at_most), "{name}: {wait:?}");
        }
    }

    #[test]
    fn the_schedule_follows_a_clock_that_is_a_little_wrong() {
        for parts_per_million in [-200i64, 200] {
            let start = beginning();
            let mut arrival = Arrival::new(start, 0);
            let mut late = Duration::ZERO;
            for n in 1..30_000u32 {
                let step = 20_000_000 + 20 * parts_per_million;
                let now = start + Duration::from_nanos(u64::from(n) * step.unsigned_abs());
                late = arrival.handle_packet(now, n * 960);
            }
            assert!(late < ms(2), "{parts_per_million} ppm: {late:?}");
        }
    }

    #[test]
    fn a_new_timeline_is_taken_as_it_is() {
        let start = beginning();
        let mut arrival = Arrival::new(start, 0);
        assert_eq!(arrival.handle_packet(start + ms(20), 500_000_000), Duration::ZERO);
        assert_eq!(arrival.due(500_000_960), start + ms(40));
        assert_eq!(arrival.due(499_999_040), start);
    }
}
