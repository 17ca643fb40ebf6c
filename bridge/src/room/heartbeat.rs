//! Pings of the signal connection: is the other end alive, and how far is it?

use std::time::{Duration, Instant};

use livekit_protocol as proto;

/// What the clock asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Beat {
    /// Nothing yet.
    Quiet,
    /// This ping is to be sent.
    Ping(proto::Ping),
    /// Nothing was heard for too long.
    Dead,
}

/// Counts from the moment of its making.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    epoch: Instant,
    next: Instant,
    heard: Instant,
    round_trip: Option<Duration>,
}

impl Heartbeat {
    /// With the server's own interval and timeout in seconds; 0 means that it names none.
    pub(super) fn new(now: Instant, interval: i32, timeout: i32) -> Self {
        let interval = seconds(interval, 5, 60);
        let timeout = seconds(timeout, 15, 120).max(interval * 2);
        Self { interval, timeout, epoch: now, next: now + interval, heard: now, round_trip: None }
    }

    /// Some message arrived.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The answer to a ping arrived.
    pub(super) fn pong(&mut self, now: Instant, pong: &proto::Pong) {
        let sent = u64::try_from(pong.last_ping_timestamp).ok().map(Duration::from_millis);
        // A number that we never sent is no measurement.
        self.round_trip = sent.and_then(|sent| (now - self.epoch).checked_sub(sent)).or(self.round_trip);
    }

    pub(super) fn tick(&mut self, now: Instant) -> Beat {
        if now >= self.heard + self.timeout {
            return Beat::Dead;
        }
        if now < self.next {
            return Beat::Quiet;
        }
        self.next = now + self.interval;
        Beat::Ping(proto::Ping { timestamp: millis(now - self.epoch), rtt: self.round_trip.map_or(0, millis) })
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.next.min(self.heard + self.timeout)
    }

    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

fn seconds(value: i32, default: u64, most: u64) -> Duration {
    let value = u64::try_from(value).ok().filter(|value| *value > 0).unwrap_or(default);
    Duration::from_secs(value.min(most))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_at_the_servers_interval_and_measures_the_round_trip() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start, 5, 15);
        assert_eq!(heartbeat.tick(start), Beat::Quiet);
        let at = start + Duration::from_secs(5);
        assert_eq!(heartbeat.next_timeout(), at);
        assert_eq!(heartbeat.tick(at), Beat::Ping(proto::Ping { timestamp: 5_000, rtt: 0 }));
        let back = at + Duration::from_millis(40);
        heartbeat.heard(back);
        heartbeat.pong(back, &proto::Pong { last_ping_timestamp: 5_000, timestamp: 0 });
        assert_eq!(heartbeat.round_trip(), Some(Duration::from_millis(40)));
        assert_eq!(
            heartbeat.tick(start + Duration::from_secs(10)),
            Beat::Ping(proto::Ping { timestamp: 10_000, rtt: 40 })
        );
    }

    #[test]
    fn silence_is_death() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start, 5, 15);
        assert!(matches!(heartbeat.tick(start + Duration::from_millis(14_999)), Beat::Ping(_)));
        assert_eq!(heartbeat.tick(start + Duration::from_secs(15)), Beat::Dead);
    }

    #[test]
    fn odd_numbers_of_a_server_do_no_harm() {
        let start = Instant::now();
        for (name, interval, timeout, first) in [
            ("none", 0, 0, 5),
            ("negative", -1, i32::MIN, 5),
            ("huge", i32::MAX, i32::MAX, 60),
            ("timeout first", 10, 1, 10),
        ] {
            let heartbeat = Heartbeat::new(start, interval, timeout);
            assert_eq!(heartbeat.next_timeout(), start + Duration::from_secs(first), "{name}");
        }
        let mut heartbeat = Heartbeat::new(start, 5, 15);
        for stamp in [-1, i64::MIN, i64::MAX, 99_999] {
            heartbeat.pong(start, &proto::Pong { last_ping_timestamp: stamp, timestamp: 0 });
            assert_eq!(heartbeat.round_trip(), None, "{stamp}");
        }
    }
}
