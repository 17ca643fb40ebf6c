//! The media timeout.
//!
//! ```text
//!         start            packet              nothing for too long
//! Off ──────────► Waiting ────────► Hearing ◄─┐ ─────────────────────► Over, told once
//!  ▲                 │                 └──────┘
//!  └──── on hold ────┴───────┘
//! ```

use std::time::{Duration, Instant};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    state: State,
    first: Duration,
    later: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Off { heard: bool },
    Waiting { since: Instant },
    Hearing { last: Instant },
    Over { told: bool },
}

impl Watch {
    /// Zero means never.
    pub(super) fn new(first: Duration, later: Duration) -> Self {
        Self { state: State::Off { heard: false }, first, later }
    }

    /// Whether anything is to be expected from now on.
    pub(super) fn set(&mut self, now: Instant, expecting: bool) {
        self.state = match (self.state, expecting) {
            (State::Off { heard: false }, true) => State::Waiting { since: now },
            (State::Off { heard: true }, true) => State::Hearing { last: now },
            (State::Waiting { .. }, false) => State::Off { heard: false },
            (State::Hearing { .. }, false) => State::Off { heard: true },
            // Nothing changes, and what is over stays over.
            (state, _) => state,
        };
    }

    /// Somebody else is to be heard, of whom nothing was heard yet.
    pub(super) fn restart(&mut self) {
        if let State::Off { heard } = &mut self.state {
            *heard = false;
        }
    }

    pub(super) fn handle_packet(&mut self, now: Instant) {
        self.state = match self.state {
            State::Waiting { .. } | State::Hearing { .. } => State::Hearing { last: now },
            State::Off { .. } => State::Off { heard: true },
            // Too late.
            State::Over { told } => State::Over { told },
        };
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|at| at <= now) {
            self.state = State::Over { told: false };
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let (since, limit) = match self.state {
            State::Waiting { since } => (since, self.first),
            State::Hearing { last } => (last, self.later),
            State::Off { .. } | State::Over { .. } => return None,
        };
        (!limit.is_zero()).then(|| since + limit)
    }

    /// Whether it has run out; true once.
    pub(super) fn poll_timeout(&mut self) -> bool {
        let over = self.state == State::Over { told: false };
        if over {
            self.state = State::Over { told: true };
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::beginning;

    fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn tells_once_that_nothing_comes() {
        let start = beginning();
        let mut watch = Watch::new(s(30), s(15));
        assert_eq!(watch.next_timeout(), None);
        watch.set(start, true);
        assert_eq!(watch.next_timeout(), Some(start + s(30)));
        watch.handle_packet(start + s(10));
        assert_eq!(watch.next_timeout(), Some(start + s(25)));
        watch.handle_timeout(start + s(24));
        assert!(!watch.poll_timeout(), "early is harmless");
        watch.handle_timeout(start + s(25));
        assert!(watch.poll_timeout());
        assert!(!watch.poll_timeout());
        watch.handle_packet(start + s(26));
        assert_eq!(watch.next_timeout(), None);
    }

    #[test]
    fn rests_on_hold() {
        let start = beginning();
        let mut watch = Watch::new(s(30), s(15));
        watch.handle_packet(start);
        watch.set(start, true);
        assert_eq!(watch.next_timeout(), Some(start + s(15)), "early media was heard");
        watch.set(start + s(1), false);
        assert_eq!(watch.next_timeout(), None);
        watch.set(start + s(100), true);
        assert_eq!(watch.next_timeout(), Some(start + s(115)));
    }

    #[test]
    fn one_who_was_heard_early_is_not_one_who_answers() {
        let start = beginning();
        let mut watch = Watch::new(s(30), s(15));
        watch.handle_packet(start);
        watch.restart();
        watch.set(start, true);
        assert_eq!(watch.next_timeout(), Some(start + s(30)));
    }

    #[test]
    fn zero_is_never() {
        let start = beginning();
        let mut watch = Watch::new(s(0), s(0));
        watch.set(start, true);
        assert_eq!(watch.next_timeout(), None);
    }
}
