//! The time of day as RTCP writes it (RFC 3550 §4).

use std::time::{Duration, Instant};

/// From 1900, where NTP begins, to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// Maps the monotonic clock onto NTP time; fixed for a call, so that a step of the wall clock moves nothing.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    ntp: u64,
}

impl Clock {
    /// `unix` is the time since 1970 at `now`.
    pub fn new(now: Instant, unix: Duration) -> Self {
        Self { origin: now, ntp: (unix.as_secs().wrapping_add(NTP_EPOCH) << 32) | u64::from(fraction(unix)) }
    }

    /// Seconds in the high half, fractions in the low.
    pub fn ntp(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.origin);
        self.ntp.wrapping_add((elapsed.as_secs() << 32) | u64::from(fraction(elapsed)))
    }

    /// The middle half, which reports echo: it wraps every 18 hours and resolves 15 µs.
    pub fn middle(&self, now: Instant) -> u32 {
        middle(self.ntp(now))
    }
}

/// The middle 32 bits of an NTP time.
pub(super) fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// 65536ths of a second as a duration.
pub(super) fn from_middle(units: u32) -> Duration {
    Duration::from_nanos((u64::from(units) * 1_000_000_000) >> 16)
}

/// A duration in 65536ths of a second, at most what 32 bits hold.
pub(super) fn to_middle(duration: Duration) -> u32 {
    u32::try_from((duration.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

fn fraction(duration: Duration) -> u32 {
    ((u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn time_of_day_follows_the_monotonic_clock() {
        let start = start();
        let clock = Clock::new(start, Duration::new(1_000, 500_000_000));
        assert_eq!(clock.ntp(start), (NTP_EPOCH + 1_000) << 32 | 0x8000_0000);
        let later = start + Duration::from_millis(750);
        assert_eq!(clock.ntp(later), (NTP_EPOCH + 1_001) << 32 | 0x4000_0000);
        assert_eq!(from_middle(clock.middle(later).wrapping_sub(clock.middle(start))), Duration::from_millis(750));
        assert_eq!(to_middle(Duration::from_millis(250)), 1 << 14);
        assert_eq!(to_middle(Duration::from_secs(1 << 20)), u32::MAX);
    }
}
