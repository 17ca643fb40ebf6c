//! How much audio a peer may send: no more than time passes, and a little. Each packet is decoded and encoded once more, and
//! whoever sends a hundred times as many would take that from all other calls of the thread.

use std::time::{Duration, Instant};

use crate::frame::{duration_of, samples_in};

/// What may come at once: all that a network has held back for so long.
const BURST: Duration = Duration::from_secs(5);
/// Parts of a tick. In the time of a tick one part more than these is earned: clocks differ by less than a thousandth, a quarter is
/// for those that are wrong.
const PARTS: u64 = 4;

/// Runs out when more audio comes than time passes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ration {
    /// Parts of ticks that may come yet, as far as they were earned by `counted`.
    left: u64,
    counted: Instant,
}

impl Ration {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: samples_in(BURST) * PARTS, counted: now }
    }

    /// Whether a packet of so many ticks may come now.
    pub(super) fn take(&mut self, now: Instant, ticks: u64) -> bool {
        let passed = samples_in(now.saturating_duration_since(self.counted));
        // Less than a tick is left to be counted the next time.
        self.counted += duration_of(passed);
        let earned = passed.saturating_mul(PARTS + 1);
        let left = self.left.saturating_add(earned).min(samples_in(BURST) * PARTS);
        let rest = left.checked_sub(ticks.saturating_mul(PARTS));
        self.left = rest.unwrap_or(left);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::beginning;

    #[test]
    fn as_much_as_time_passes_and_a_burst() {
        // Ticks of a packet, microseconds from one to the next, seconds in all; how many seconds of audio are heard.
        let cases = [
            ("as it should be", 160, 20_000, 3_600, 3_600),
            ("a clock that is a tenth too fast", 160, 18_180, 600, 660),
            ("small packets", 8, 1_000, 60, 60),
            ("at twice the speed", 160, 10_000, 100, 130),
            ("a hundred times", 160, 200, 100, 130),
            ("long packets, a thousand times", 1_600, 200, 10, 17),
        ];
        for (name, ticks, every, seconds, expected) in cases {
            let start = beginning();
            let mut ration = Ration::new(start);
            let packets = seconds * 1_000_000 / every;
            let taken = (0..packets).filter(|n| ration.take(start + Duration::from_micros(n * every), ticks)).count();
            let heard = taken as u64 * ticks / 8_000;
            assert!(heard.abs_diff(expected) <= 1, "{name}: {heard} s");
        }
        let start = beginning();
        let mut ration = Ration::new(start);
        let after = start + Duration::from_secs(100);
        let burst = (0..1_000).filter(|_| ration.take(after, 160)).count();
        assert_eq!(burst, 250, "what a stall held back, for five seconds of it");
    }
}
