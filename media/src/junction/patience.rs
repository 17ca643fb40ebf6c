//! How long a carrier's stream waits for those who speak.
//!
//! A talker whose packet is late is waited for until it should have come, by his own timestamps. Those may say anything; so what
//! all talkers say together is held against the clock as well. Once it has fallen behind by more than any jitter explains, whoever
//! keeps the others waiting is made up for at once.

use std::time::{Duration, Instant};

use super::downlink::AHEAD;
use crate::frame::duration_of;

/// More than is waited for a packet on the worst of lines, and less than is left out as too late.
const LIMIT: Duration = Duration::from_millis(80);

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// What was said lasts until then; `None` while there is nobody to wait for.
    until: Option<Instant>,
}

impl Patience {
    /// So many ticks of all talkers went on their way.
    pub(super) fn handle_said(&mut self, now: Instant, ticks: usize) {
        self.until = Some(self.until.unwrap_or(now) + duration_of(ticks as u64));
    }

    /// They did not, because the stream is that far ahead of the clock.
    pub(super) fn handle_left_out(&mut self, now: Instant) {
        self.until = Some(now + AHEAD);
    }

    /// Nobody spoke for so many ticks, which were filled.
    pub(super) fn handle_filled(&mut self, ticks: usize) {
        self.until = self.until.map(|until| until + duration_of(ticks as u64));
    }

    /// Somebody keeps the others waiting.
    pub(super) fn handle_wait(&mut self, now: Instant) {
        self.until.get_or_insert(now);
    }

    /// Nobody speaks and nothing is to be filled, or nobody is to hear it.
    pub(super) fn handle_silence(&mut self) {
        self.until = None;
    }

    /// Whether it is at an end.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.next_timeout().is_some_and(|at| now >= at)
    }

    /// When it will be.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.until.map(|until| until + LIMIT)
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
    fn ends_once_less_is_said_than_time_takes() {
        let start = beginning();
        // When something was said, and of how many milliseconds; none is what was left out.
        type Said = (u64, usize);
        let steady: Vec<Said> = (0..50).map(|n| (20 * n, 20)).collect();
        let short: Vec<Said> = (0..5).map(|n| (20 * n, 5)).collect();
        let cases: &[(&str, &[Said], Option<u64>)] = &[
            ("nothing", &[], None),
            ("once", &[(0, 20)], Some(100)),
            ("in time", &steady, Some(1_080)),
            ("late once", &[(0, 20), (90, 20)], Some(120)),
            ("too little each time", &short, Some(105)),
            ("a burst", &[(0, 20), (0, 20), (0, 20)], Some(140)),
            ("more than there is time for", &[(0, 100), (0, 0), (0, 0)], Some(140)),
        ];
        for (name, said, expected) in cases {
            let mut patience = Patience::default();
            for (at, long) in *said {
                match long {
                    0 => patience.handle_left_out(start + ms(*at)),
                    long => patience.handle_said(start + ms(*at), 8 * long),
                }
            }
            assert_eq!(patience.next_timeout(), expected.map(|at| start + ms(at)), "{name}");
            if let Some(at) = expected {
                assert!(!patience.is_over(start + ms(*at - 1)) && patience.is_over(start + ms(*at)), "{name}");
            }
            patience.handle_silence();
            assert_eq!(patience.next_timeout(), None, "{name}");
        }
    }
}
