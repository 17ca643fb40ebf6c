//! Holding the phone from our side, and letting it go again: a re-INVITE with another direction (RFC 3264 §8.4). Where it
//! collides with an offer of the phone's, it is made again after a moment (RFC 3261 §14.1).
//!
//! ```text
//!          wanted              answered, refused
//! Settled ────────► Offered ─────────────────────► Settled
//!                    │   ▲
//!            glare   ▼   │ a moment later
//!                   Waiting
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often an offer is made before it is given up.
const ATTEMPTS: u8 = 4;

/// The machine.
#[derive(Debug)]
pub struct Holding {
    state: State,
    is_held: bool,
    owns_call_id: bool,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Settled,
    Offered { hold: bool, attempt: u8 },
    Waiting { hold: bool, attempt: u8, until: Instant },
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The phone is to be held, or let go.
    Wanted(bool),
    /// The phone took the offer.
    Answered,
    /// Another offer stood in the way. The number is random.
    Glare(u16),
    /// The phone does not take the offer.
    Refused,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Offer this: hold, or both ways.
    Offer(bool),
    /// It is over: whether the phone is as it was wanted.
    Tell(bool),
}

impl Holding {
    /// Nobody is held. `owns_call_id`: the call was placed by us, so that of two that collide the other one goes first.
    pub fn new(owns_call_id: bool) -> Self {
        Self { state: State::Settled, is_held: false, owns_call_id, actions: VecDeque::new() }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.state = match (self.state, input) {
            (State::Settled, Input::Wanted(hold)) if hold == self.is_held => {
                self.actions.push_back(Action::Tell(true));
                State::Settled
            }
            (State::Settled, Input::Wanted(hold)) => self.offer(hold, 1),
            (State::Offered { hold, .. }, Input::Answered) => {
                self.is_held = hold;
                self.actions.push_back(Action::Tell(true));
                State::Settled
            }
            (State::Offered { hold, attempt }, Input::Glare(random)) if attempt < ATTEMPTS => {
                State::Waiting { hold, attempt, until: now + self.pause(random) }
            }
            (State::Offered { .. }, Input::Glare(_) | Input::Refused) => {
                self.actions.push_back(Action::Tell(false));
                State::Settled
            }
            // One wish at a time; and answers to offers that are not ours.
            (state, Input::Wanted(_) | Input::Answered | Input::Glare(_) | Input::Refused) => state,
        };
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Waiting { hold, attempt, until } = self.state
            && now >= until
        {
            self.state = self.offer(hold, attempt + 1);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until, .. } => Some(until),
            State::Settled | State::Offered { .. } => None,
        }
    }

    /// What is to be done next. `None`: wait for input or time.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether a wish is under way.
    pub fn is_busy(&self) -> bool {
        self.state != State::Settled
    }

    /// Whether the phone is held.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    fn offer(&mut self, hold: bool, attempt: u8) -> State {
        self.actions.push_back(Action::Offer(hold));
        State::Offered { hold, attempt }
    }

    /// RFC 3261 §14.1: 2.1 to 4 seconds for the owner of the Call-ID, else up to two, in steps of ten milliseconds.
    fn pause(&self, random: u16) -> Duration {
        let steps = match self.owns_call_id {
            true => 210 + random % 191,
            false => random % 201,
        };
        Duration::from_millis(10) * steps.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Offer, Tell};
    use Input::{Answered, Glare, Refused, Wanted};

    fn actions(holding: &mut Holding) -> Vec<Action> {
        std::iter::from_fn(|| holding.poll_action()).collect()
    }

    #[test]
    fn wishes_and_what_comes_of_them() {
        let cases: &[(&str, &[Input], &[Action], bool)] = &[
            ("held", &[Wanted(true), Answered], &[Offer(true), Tell(true)], true),
            (
                "held and let go",
                &[Wanted(true), Answered, Wanted(false), Answered],
                &[Offer(true), Tell(true), Offer(false), Tell(true)],
                false,
            ),
            ("refused", &[Wanted(true), Refused], &[Offer(true), Tell(false)], false),
            (
                "not let go",
                &[Wanted(true), Answered, Wanted(false), Refused],
                &[Offer(true), Tell(true), Offer(false), Tell(false)],
                true,
            ),
            ("as it is", &[Wanted(false)], &[Tell(true)], false),
            ("two at once", &[Wanted(true), Wanted(false)], &[Offer(true)], false),
            ("answers to others", &[Answered, Refused, Glare(1)], &[], false),
        ];
        for (name, inputs, expected, is_held) in cases {
            let mut holding = Holding::new(true);
            for input in *inputs {
                holding.handle_input(Instant::now(), *input);
            }
            assert_eq!((actions(&mut holding).as_slice(), holding.is_held()), (*expected, *is_held), "{name}");
        }
    }

    #[test]
    fn glare_is_waited_out_and_not_for_ever() {
        for (owns_call_id, random, pause) in
            [(true, 0, 2_100), (true, 190, 4_000), (true, u16::MAX, 2_320), (false, 0, 0), (false, 200, 2_000)]
        {
            let (mut holding, mut now) = (Holding::new(owns_call_id), Instant::now());
            holding.handle_input(now, Wanted(true));
            for _ in 1..ATTEMPTS {
                holding.handle_input(now, Glare(random));
                assert_eq!(actions(&mut holding), [Offer(true)]);
                let until = holding.next_timeout().unwrap();
                assert_eq!((until - now).as_millis(), pause, "{owns_call_id} {random}");
                holding
                    .handle_timeout(now + Duration::from_millis(pause as u64).saturating_sub(Duration::from_millis(1)));
                now = until;
                holding.handle_timeout(now);
            }
            holding.handle_input(now, Glare(random));
            assert_eq!(actions(&mut holding), [Offer(true), Tell(false)]);
            assert!(!holding.is_busy());
        }
    }
}
