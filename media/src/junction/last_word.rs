//! When the call may end without cutting off what the room said last.

use std::time::{Duration, Instant};

/// From the last sound of the room that was sent until it counts as heard: what our stream may be ahead of the clock, and
/// about what a phone keeps in its jitter buffer, which it throws away when it is told of the end.
const TAIL: Duration = Duration::from_millis(120);

/// Waits until the room has been silent toward the carrier for long enough.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum LastWord {
    /// The call goes on.
    #[default]
    NotAsked,
    /// The call is to end.
    Awaited,
    /// It was told.
    Told,
}

impl LastWord {
    /// The call is to end.
    pub(crate) fn ask(&mut self) {
        if matches!(self, Self::NotAsked) {
            *self = Self::Awaited;
        }
    }

    /// Whether it has been heard; true once. `last` is when the room was heard last.
    pub(crate) fn poll(&mut self, now: Instant, last: Option<Instant>) -> bool {
        let is_over = matches!(self, Self::Awaited) && last.is_none_or(|last| now >= last + TAIL);
        if is_over {
            *self = Self::Told;
        }
        is_over
    }

    /// When to poll again.
    pub(crate) fn next_timeout(self, last: Option<Instant>) -> Option<Instant> {
        last.filter(|_| matches!(self, Self::Awaited)).map(|last| last + TAIL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
    fn the_last_word_is_over_when_nothing_was_said_for_a_while() {
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut word = LastWord::default();
        assert!(!word.poll(now, None), "nobody has asked");
        assert_eq!(word.next_timeout(Some(now)), None);
        word.ask();
        assert_eq!(word.next_timeout(Some(now)), Some(now + TAIL));
        assert!(!word.poll(now + ms(100), Some(now)));
        assert!(!word.poll(now + TAIL, Some(now + ms(20))), "somebody goes on speaking");
        assert!(word.poll(now + TAIL + ms(20), Some(now + ms(20))));
        word.ask();
        assert!(!word.poll(now + TAIL + ms(20), Some(now + ms(20))), "told once");

        let mut silent = LastWord::default();
        silent.ask();
        assert!(silent.poll(now, None), "nobody has ever spoken");
    }
}
