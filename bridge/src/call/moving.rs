//! One move of a call from its room into another.
//!
//! ```text
//!          in the room             media is up
//! Joining ─────────────► Standing ─────────────► moved: the audio goes there, the old room is left
//!    └──────────┬────────────┘
//!               └─ refused, lost, limit, end of the call ──► not moved: the call stays where it was
//! ```

use std::time::{Duration, Instant};

/// How long the room and its media may take. Until then the caller hears the old room.
const LIMIT: Duration = Duration::from_secs(15);

/// What happens to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The participant is in the target room.
    Joined,
    /// Its media is up.
    Connected,
    /// The target room does not have us, or no longer.
    Ended,
    /// The call is over, or somebody ends the move.
    Cancelled,
}

/// What comes of a move. There is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The audio goes to the target now; leave the old room.
    Moved,
    /// Stay; leave the target, as far as it was reached.
    Stayed(Why),
}

/// Why a call was not moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The target room did not take us in.
    Refused,
    /// It took too long.
    TimedOut,
    /// The call is over.
    Cancelled,
}

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct Moving {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Joining { give_up: Instant },
    Standing { give_up: Instant },
    Over(Outcome),
}

impl Moving {
    /// The join is under way.
    pub fn new(now: Instant) -> Self {
        Self { state: State::Joining { give_up: now + LIMIT } }
    }

    /// Something happened.
    pub fn handle_input(&mut self, input: Input) {
        self.state = match (self.state, input) {
            (over @ State::Over(_), _) => over,
            (State::Joining { give_up } | State::Standing { give_up }, Input::Joined) => State::Standing { give_up },
            (State::Standing { .. }, Input::Connected) => State::Over(Outcome::Moved),
            (_, Input::Ended) => State::Over(Outcome::Stayed(Why::Refused)),
            (_, Input::Cancelled) => State::Over(Outcome::Stayed(Why::Cancelled)),
            // Media without a place in the room: the place is told of first.
            (state @ State::Joining { .. }, Input::Connected) => state,
        };
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|at| now >= at) {
            self.state = State::Over(Outcome::Stayed(Why::TimedOut));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Joining { give_up } | State::Standing { give_up } => Some(give_up),
            State::Over(_) => None,
        }
    }

    /// What came of it; `None` while it is under way.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Over(outcome) => Some(outcome),
            State::Joining { .. } | State::Standing { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_room_is_left_for_one_that_is_heard_and_for_no_other() {
        use Input::{Cancelled, Connected, Ended, Joined};
        let stayed = |why| Some(Outcome::Stayed(why));
        let cases: &[(&str, &[Input], Option<Outcome>)] = &[
            ("nothing yet", &[], None),
            ("in the room", &[Joined], None),
            ("media too", &[Joined, Connected], Some(Outcome::Moved)),
            ("joined again on the way", &[Joined, Joined, Connected], Some(Outcome::Moved)),
            ("refused", &[Ended], stayed(Why::Refused)),
            ("lost before its media", &[Joined, Ended], stayed(Why::Refused)),
            ("the caller hangs up", &[Joined, Cancelled], stayed(Why::Cancelled)),
            ("lost after the move", &[Joined, Connected, Ended], Some(Outcome::Moved)),
            ("media before the place", &[Connected], None),
        ];
        for (name, inputs, expected) in cases {
            let mut moving = Moving::new(Instant::now());
            inputs.iter().for_each(|input| moving.handle_input(*input));
            assert_eq!(moving.outcome(), *expected, "{name}");
        }
    }

    #[test]
    fn a_room_that_is_not_heard_in_time_is_not_waited_for() {
        let start = Instant::now();
        for joined in [false, true] {
            let mut moving = Moving::new(start);
            if joined {
                moving.handle_input(Input::Joined);
            }
            assert_eq!(moving.next_timeout(), Some(start + LIMIT));
            moving.handle_timeout(start + LIMIT - Duration::from_millis(1));
            assert_eq!(moving.outcome(), None);
            moving.handle_timeout(start + LIMIT);
            assert_eq!(moving.outcome(), Some(Outcome::Stayed(Why::TimedOut)));
            assert_eq!(moving.next_timeout(), None);
        }
    }
}
