//! How much each source address may send: one token bucket an address, in a table that cannot grow.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use super::config::Rate;

/// The buckets of all sources.
#[derive(Debug)]
pub(crate) struct Sources {
    buckets: HashMap<IpAddr, Bucket>,
    capacity: usize,
    /// Shared by those that find no place in the table.
    overflow: Option<Bucket>,
    swept: Option<Instant>,
}

/// A bucket that fills with time.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In millionths of a token, so that no rate is rounded away.
    millionths: u64,
    filled: Instant,
    rate: Rate,
}

/// Sweeping the whole table is only worth it when buckets have had time to fill.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
const TOKEN: u64 = 1_000_000;

impl Sources {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { buckets: HashMap::new(), capacity, overflow: None, swept: None }
    }

    /// Takes a token of this source, and tells whether there was one.
    pub(crate) fn admit(&mut self, now: Instant, source: IpAddr, rate: Rate) -> bool {
        let source = owner(source);
        if !self.buckets.contains_key(&source) && self.buckets.len() >= self.capacity {
            self.sweep(now);
            if self.buckets.len() >= self.capacity {
                return self.overflow.get_or_insert(Bucket::full(now, rate)).take(now, rate);
            }
        }
        self.buckets.entry(source).or_insert_with(|| Bucket::full(now, rate)).take(now, rate)
    }

    /// Forgets whoever has been quiet for so long that the bucket is full again.
    fn sweep(&mut self, now: Instant) {
        if self.swept.is_some_and(|at| now < at + SWEEP_INTERVAL) {
            return;
        }
        self.swept = Some(now);
        self.buckets.retain(|_, bucket| !bucket.is_full(now));
    }
}

impl Bucket {
    fn full(now: Instant, rate: Rate) -> Self {
        Self { millionths: u64::from(rate.burst) * TOKEN, filled: now, rate }
    }

    fn take(&mut self, now: Instant, rate: Rate) -> bool {
        self.rate = rate;
        self.millionths = self.level(now);
        self.filled = self.filled.max(now);
        let Some(rest) = self.millionths.checked_sub(TOKEN) else { return false };
        self.millionths = rest;
        true
    }

    fn is_full(&self, now: Instant) -> bool {
        self.level(now) >= u64::from(self.rate.burst) * TOKEN
    }

    fn level(&self, now: Instant) -> u64 {
        // A token a second is a millionth a microsecond.
        let micros = u64::try_from(now.saturating_duration_since(self.filled).as_micros()).unwrap_or(u64::MAX);
        let gained = micros.saturating_mul(u64::from(self.rate.per_second));
        self.millionths.saturating_add(gained).min(u64::from(self.rate.burst) * TOKEN)
    }
}

/// Whoever has an IPv6 address has at least 2⁶⁴ of them: they count as one.
pub(crate) fn owner(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::epoch;

    const RATE: Rate = Rate { per_second: 2, burst: 3 };

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = epoch();
        let mut sources = Sources::new(8);
        let cases = [
            ("first of burst", 0, true),
            ("second", 0, true),
            ("third", 0, true),
            ("burst spent", 0, false),
            ("half a token", 250, false),
            ("one is back", 500, true),
            ("and gone", 500, false),
            ("no more than the burst comes back", 60_000, true),
            ("second", 60_000, true),
            ("third", 60_000, true),
            ("spent", 60_000, false),
        ];
        for (name, ms, admitted) in cases {
            let now = start + Duration::from_millis(ms);
            assert_eq!(sources.admit(now, address("192.0.2.1"), RATE), admitted, "{name}");
        }
        assert!(sources.admit(start, address("192.0.2.2"), RATE), "another address has its own");
    }

    #[test]
    fn addresses_of_one_owner_share() {
        let start = epoch();
        for (name, a, b, shared) in [
            ("one /64", "2001:db8::1", "2001:db8::ffff:1", true),
            ("two /64s", "2001:db8::1", "2001:db8:0:1::1", false),
            ("mapped", "192.0.2.1", "::ffff:192.0.2.1", true),
            ("two IPv4", "192.0.2.1", "192.0.2.2", false),
        ] {
            let mut sources = Sources::new(8);
            let one = Rate { per_second: 1, burst: 1 };
            assert!(sources.admit(start, address(a), one), "{name}");
            assert_eq!(sources.admit(start, address(b), one), !shared, "{name}");
        }
    }

    #[test]
    fn a_full_table_serves_the_rest_from_one_bucket_and_empties_with_time() {
        let start = epoch();
        let mut sources = Sources::new(2);
        let mut admitted = 0;
        for n in 1..=100 {
            admitted += u32::from(sources.admit(start, IpAddr::from([192, 0, 2, n]), RATE));
        }
        assert_eq!(admitted, 2 + RATE.burst);
        assert_eq!(sources.buckets.len(), 2);
        let later = start + Duration::from_secs(10);
        assert!(sources.admit(later, address("198.51.100.1"), RATE));
        assert_eq!(sources.buckets.len(), 1);
    }
}
