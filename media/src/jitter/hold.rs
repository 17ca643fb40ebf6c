//! How long a gap in the carrier's packets is held open.
//!
//! ```text
//!        a packet came too late for its gap
//! Open ──────────────────────────────────────► Holding ◄─┐ a gap was filled in time, or missed again
//!   ▲               ten seconds in order         │   └────┘
//!   └────────────────────────────────────────────┘
//! ```
//!
//! Most lines never reorder: there a gap is a loss and waiting would only add delay.

use std::time::{Duration, Instant};

const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(40);
/// A packet later than this is no sign of reordering that could be waited for.
const HOPELESS: Duration = Duration::from_millis(120);
/// In order for so long, a line counts as clean again.
const FORGET: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Gaps are not held.
    Open,
    /// Gaps are held for a time.
    Holding { time: Duration, since: Instant },
}

impl Hold {
    /// A packet came so long after its gap was noticed that the gap had been given up.
    pub(crate) fn handle_late(&mut self, now: Instant, by: Duration) {
        if by <= HOPELESS {
            let time = self.time(now).max(by + by / 4).clamp(SHORTEST, LONGEST);
            *self = Self::Holding { time, since: now };
        }
    }

    /// A gap was filled while it was held: it is worth holding on.
    pub(crate) fn handle_filled(&mut self, now: Instant) {
        if let Self::Holding { since, .. } = self {
            *since = now;
        }
    }

    /// How long to hold a gap that is noticed now.
    pub(crate) fn time(self, now: Instant) -> Duration {
        match self {
            Self::Holding { time, since } if now.saturating_duration_since(since) < FORGET => time,
            // Clean, or clean again.
            Self::Open | Self::Holding { .. } => Duration::ZERO,
        }
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
    fn a_clean_line_is_not_delayed_and_a_reordering_one_is_remembered() {
        let start = beginning();
        type Late = (u64, u64);
        let cases: &[(&str, &[Late], u64, u64)] = &[
            ("clean", &[], 0, 0),
            ("once, slightly", &[(0, 1)], 1, 20),
            ("once, a packet", &[(0, 24)], 1, 30),
            ("once, much", &[(0, 100)], 1, 40),
            ("hopeless", &[(0, 121)], 1, 0),
            ("the worst counts", &[(0, 28), (100, 2)], 200, 35),
            ("long ago", &[(0, 28)], 10_001, 0),
        ];
        for (name, late, at, expected) in cases {
            let mut hold = Hold::Open;
            for (at, by) in *late {
                hold.handle_late(start + ms(*at), ms(*by));
            }
            assert_eq!(hold.time(start + ms(*at)), ms(*expected), "{name}");
        }
    }

    #[test]
    fn filled_gaps_keep_it_going() {
        let start = beginning();
        let mut hold = Hold::Open;
        hold.handle_filled(start);
        assert_eq!(hold, Hold::Open, "nothing to keep going");
        hold.handle_late(start, ms(20));
        hold.handle_filled(start + ms(9_000));
        assert_eq!(hold.time(start + ms(18_000)), ms(25));
    }
}
