//! Holding the phone from our side, and letting it go again: an offer with another direction (RFC 3264 §8.4). When it is
//! made is a matter of [`Offers`](super::offers::Offers).
//!
//! ```text
//!          wanted            taken, refused
//! Settled ────────► Offering ───────────────► Settled
//! ```

use std::collections::VecDeque;

/// The machine.
#[derive(Debug)]
pub struct Holding {
    state: State,
    is_held: bool,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Settled,
    Offering { hold: bool },
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The phone is to be held, or let go.
    Wanted(bool),
    /// Whether the phone took the offer.
    Done(bool),
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Have this offered: hold, or both ways.
    Offer(bool),
    /// It is over: whether the phone is as it was wanted.
    Tell(bool),
}

impl Holding {
    /// Nobody is held.
    pub fn new() -> Self {
        Self { state: State::Settled, is_held: false, actions: VecDeque::new() }
    }

    /// Something happened.
    pub fn handle_input(&mut self, input: Input) {
        self.state = match (self.state, input) {
            (State::Settled, Input::Wanted(hold)) if hold == self.is_held => {
                self.actions.push_back(Action::Tell(true));
                State::Settled
            }
            (State::Settled, Input::Wanted(hold)) => {
                self.actions.push_back(Action::Offer(hold));
                State::Offering { hold }
            }
            (State::Offering { hold }, Input::Done(taken)) => {
                if taken {
                    self.is_held = hold;
                }
                self.actions.push_back(Action::Tell(taken));
                State::Settled
            }
            // One wish at a time; and the end of what nobody wanted.
            (state @ State::Offering { .. }, Input::Wanted(_)) | (state @ State::Settled, Input::Done(_)) => state,
        };
    }

    /// What is to be done next. `None`: wait for input.
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
}

impl Default for Holding {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Offer, Tell};
    use Input::{Done, Wanted};

    #[test]
    fn wishes_and_what_comes_of_them() {
        let cases: &[(&str, &[Input], &[Action], bool)] = &[
            ("held", &[Wanted(true), Done(true)], &[Offer(true), Tell(true)], true),
            (
                "held and let go",
                &[Wanted(true), Done(true), Wanted(false), Done(true)],
                &[Offer(true), Tell(true), Offer(false), Tell(true)],
                false,
            ),
            ("refused", &[Wanted(true), Done(false)], &[Offer(true), Tell(false)], false),
            (
                "not let go",
                &[Wanted(true), Done(true), Wanted(false), Done(false)],
                &[Offer(true), Tell(true), Offer(false), Tell(false)],
                true,
            ),
            ("as it is", &[Wanted(false)], &[Tell(true)], false),
            ("two at once", &[Wanted(true), Wanted(false)], &[Offer(true)], false),
            ("the end of others", &[Done(true), Done(false)], &[], false),
        ];
        for (name, inputs, expected, is_held) in cases {
            let mut holding = Holding::new();
            for input in *inputs {
                holding.handle_input(*input);
            }
            let actions: Vec<_> = std::iter::from_fn(|| holding.poll_action()).collect();
            assert_eq!((actions.as_slice(), holding.is_held()), (*expected, *is_held), "{name}");
        }
    }
}
