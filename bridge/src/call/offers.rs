//! Whose offer is open in an answered call: one at a time, of either side, so that each answer is that to the offer it
//! answers ([RFC 6337 §4], [RFC 3261 §14]). What we want to offer meanwhile waits; where two offers have met, ours is made
//! again after a moment ([RFC 3261 §14.1]).
//!
//! ```text
//!            wanted                  the phone offers
//! Settled ───────────► Ours    any ──────────────────► Theirs
//!    ▲  taken, refused │  ▲                              │ refused, acknowledged, taken back
//!    ├─────────────────┤  │ a moment later               │
//!    │           glare ▼  │                              ▼
//!    │               Pausing                         Recalling, if ours is with the stack
//!    └───────────────────────────────────────────────────┘ and on to what has waited
//! ```
//!
//! The stack answers an offer of the peer with 491 as long as ours is on its way, so that only one that had come before is
//! told here: it goes first, and ours, which the stack does not send then, after it (`Recalling` until the stack says so).
//!
//! [RFC 6337 §4]: https://www.rfc-editor.org/rfc/rfc6337#section-4
//! [RFC 3261 §14]: https://www.rfc-editor.org/rfc/rfc3261#section-14
//! [RFC 3261 §14.1]: https://www.rfc-editor.org/rfc/rfc3261#section-14.1

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often an offer is made before it is given up.
const ATTEMPTS: u8 = 4;

/// The machine.
#[derive(Debug)]
pub struct Offers {
    state: State,
    /// What we want when the offer that is open is settled. One wish: [`Holding`](super::holding::Holding) has no more.
    next: Option<Turn>,
    owns_call_id: bool,
    actions: VecDeque<Action>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Settled,
    Ours(Turn),
    Pausing {
        turn: Turn,
        until: Instant,
    },
    /// `crossed`: one of ours is still with the stack, which will not send it.
    Theirs {
        has_ack: bool,
        crossed: bool,
    },
    /// The phone's is settled, and the stack has not yet said what became of ours.
    Recalling,
}

/// A wish, and how often it was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    wish: Wish,
    attempt: u8,
}

/// What an offer of ours is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To hold the phone, or to let it go.
    Hold(bool),
    /// To say that the session is alive (RFC 4028 §7.4). It never waits: every offer that is open says so as well, and the
    /// stack asks again when it was in vain.
    Refresh,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Something is to be offered.
    Wanted(Wish),
    /// The phone took our offer.
    Taken,
    /// The phone does not take it.
    Refused,
    /// Another one stood in its way. The number is random.
    Glare(u16),
    /// The phone offers, or asks for an offer of ours in the answer. An INVITE is over with its ACK, an UPDATE, which has
    /// none, with our answer.
    Offered {
        /// It is an INVITE.
        has_ack: bool,
    },
    /// We have taken the phone's offer, or refused it.
    Answered(bool),
    /// Our answer is acknowledged.
    Acknowledged,
    /// The phone has taken back what it offered.
    TakenBack,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Offer.
    Offer(Wish),
    /// Forget the offer: the phone's goes first.
    Withdraw,
    /// It is over: whether the phone took it.
    Done(Wish, bool),
}

impl Offers {
    /// No offer is open. `owns_call_id`: the call was placed by us, so that of two that collide the other one goes first.
    pub fn new(owns_call_id: bool) -> Self {
        Self { state: State::Settled, next: None, owns_call_id, actions: VecDeque::new() }
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        self.state = match (self.state, input) {
            (State::Settled, Input::Wanted(wish)) => self.offer(Turn { wish, attempt: 1 }),
            (state, Input::Wanted(Wish::Refresh)) => state,
            (state, Input::Wanted(wish)) if self.next.is_none() => {
                self.next = Some(Turn { wish, attempt: 1 });
                state
            }
            (state, Input::Wanted(wish)) => {
                self.actions.push_back(Action::Done(wish, false));
                state
            }

            (State::Ours(turn), Input::Taken) => self.finish(turn, true),
            (State::Ours(turn), Input::Glare(random)) if turn.attempt < ATTEMPTS && turn.wish != Wish::Refresh => {
                State::Pausing { turn, until: now + self.pause(random) }
            }
            (State::Ours(turn), Input::Refused | Input::Glare(_)) => self.finish(turn, false),
            (State::Ours(turn), Input::Offered { has_ack }) => {
                self.actions.push_back(Action::Withdraw);
                self.put_off(Turn { attempt: turn.attempt + 1, ..turn });
                State::Theirs { has_ack, crossed: true }
            }

            (State::Pausing { turn, .. }, Input::Offered { has_ack }) => {
                self.put_off(Turn { attempt: turn.attempt + 1, ..turn });
                State::Theirs { has_ack, crossed: false }
            }
            (State::Recalling, Input::Offered { has_ack }) => State::Theirs { has_ack, crossed: true },
            (State::Settled, Input::Offered { has_ack }) => State::Theirs { has_ack, crossed: false },
            (State::Theirs { crossed, .. }, Input::Offered { has_ack }) => State::Theirs { has_ack, crossed },
            (State::Theirs { has_ack, crossed: true }, Input::Taken | Input::Refused | Input::Glare(_)) => {
                State::Theirs { has_ack, crossed: false }
            }
            (state @ State::Theirs { has_ack: true, .. }, Input::Answered(true)) => state,
            (State::Theirs { crossed: true, .. }, Input::Answered(_) | Input::Acknowledged | Input::TakenBack) => {
                State::Recalling
            }
            (State::Theirs { .. }, Input::Answered(_) | Input::Acknowledged | Input::TakenBack) => self.go_on(),
            // Should it have been sent after all, because the phone has taken back what stood in its way, then it is made
            // again: nothing that we have agreed upon since is older.
            (State::Recalling, Input::Taken | Input::Refused | Input::Glare(_)) => self.go_on(),

            // Nothing of ours is on its way; and the ACK of the call's own INVITE.
            (
                state @ (State::Settled | State::Pausing { .. } | State::Theirs { .. }),
                Input::Taken | Input::Refused | Input::Glare(_),
            )
            | (
                state @ (State::Settled | State::Ours(_) | State::Pausing { .. } | State::Recalling),
                Input::Answered(_) | Input::Acknowledged | Input::TakenBack,
            ) => state,
        };
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Pausing { turn, until } = self.state
            && now >= until
        {
            self.state = self.offer(Turn { attempt: turn.attempt + 1, ..turn });
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Pausing { until, .. } => Some(until),
            State::Settled | State::Ours(_) | State::Theirs { .. } | State::Recalling => None,
        }
    }

    /// What is to be done next. `None`: wait for input or time.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether an answer of the phone's is that to an offer of ours.
    pub fn is_ours(&self) -> bool {
        matches!(self.state, State::Ours(_))
    }

    fn offer(&mut self, turn: Turn) -> State {
        self.actions.push_back(Action::Offer(turn.wish));
        State::Ours(turn)
    }

    fn finish(&mut self, turn: Turn, taken: bool) -> State {
        self.actions.push_back(Action::Done(turn.wish, taken));
        self.go_on()
    }

    fn go_on(&mut self) -> State {
        match self.next.take() {
            Some(turn) => self.offer(turn),
            None => State::Settled,
        }
    }

    /// A wish has its turn after the phone's, and goes before whatever has waited: it came first.
    fn put_off(&mut self, turn: Turn) {
        if turn.wish == Wish::Refresh || turn.attempt > ATTEMPTS {
            self.actions.push_back(Action::Done(turn.wish, false));
            return;
        }
        if let Some(Turn { wish, .. }) = self.next.replace(turn) {
            self.actions.push_back(Action::Done(wish, false));
        }
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
    use Action::{Done, Offer, Withdraw};
    use Input::{Acknowledged, Answered, Glare, Offered, Refused, Taken, TakenBack, Wanted};
    use Wish::{Hold, Refresh};

    const INVITE: Input = Offered { has_ack: true };
    const UPDATE: Input = Offered { has_ack: false };

    fn actions(offers: &mut Offers) -> Vec<Action> {
        std::iter::from_fn(|| offers.poll_action()).collect()
    }

    #[test]
    fn one_offer_at_a_time_and_each_answer_to_its_own() {
        let cases: &[(&str, &[Input], &[Action])] = &[
            ("held", &[Wanted(Hold(true)), Taken], &[Offer(Hold(true)), Done(Hold(true), true)]),
            ("refused", &[Wanted(Hold(true)), Refused], &[Offer(Hold(true)), Done(Hold(true), false)]),
            ("refreshed", &[Wanted(Refresh), Taken], &[Offer(Refresh), Done(Refresh, true)]),
            (
                "a hold during a refresh",
                &[Wanted(Refresh), Wanted(Hold(true)), Taken, Taken],
                &[Offer(Refresh), Done(Refresh, true), Offer(Hold(true)), Done(Hold(true), true)],
            ),
            (
                "a hold during a refresh that is refused",
                &[Wanted(Refresh), Wanted(Hold(true)), Refused, Taken],
                &[Offer(Refresh), Done(Refresh, false), Offer(Hold(true)), Done(Hold(true), true)],
            ),
            (
                "a refresh during a hold",
                &[Wanted(Hold(true)), Wanted(Refresh), Taken],
                &[Offer(Hold(true)), Done(Hold(true), true)],
            ),
            (
                "a refresh that collides is the stack's to say again",
                &[Wanted(Refresh), Glare(1)],
                &[Offer(Refresh), Done(Refresh, false)],
            ),
            (
                "a second wish that waits",
                &[Wanted(Refresh), Wanted(Hold(true)), Wanted(Hold(false))],
                &[Offer(Refresh), Done(Hold(false), false)],
            ),
            (
                "a hold during the phone's INVITE",
                &[INVITE, Wanted(Hold(true)), Answered(true), Acknowledged],
                &[Offer(Hold(true))],
            ),
            ("a hold during the phone's INVITE without its ACK", &[INVITE, Wanted(Hold(true)), Answered(true)], &[]),
            ("a hold during the phone's UPDATE", &[UPDATE, Wanted(Hold(true)), Answered(true)], &[Offer(Hold(true))]),
            (
                "a hold during an offer that we refuse",
                &[INVITE, Wanted(Hold(true)), Answered(false)],
                &[Offer(Hold(true))],
            ),
            (
                "a hold during an offer that is taken back",
                &[INVITE, Wanted(Hold(true)), TakenBack],
                &[Offer(Hold(true))],
            ),
            (
                "the phone's was there before the stack had ours",
                &[Wanted(Hold(true)), INVITE, Glare(1), Answered(true), Acknowledged, Taken],
                &[Offer(Hold(true)), Withdraw, Offer(Hold(true)), Done(Hold(true), true)],
            ),
            (
                "what the stack says of the one it did not send comes after the phone's is settled",
                &[Wanted(Hold(true)), UPDATE, Answered(true), Glare(1), Taken],
                &[Offer(Hold(true)), Withdraw, Offer(Hold(true)), Done(Hold(true), true)],
            ),
            (
                "the stack has sent it, for the phone's was taken back",
                &[Wanted(Hold(true)), INVITE, TakenBack, Taken, Taken],
                &[Offer(Hold(true)), Withdraw, Offer(Hold(true)), Done(Hold(true), true)],
            ),
            (
                "the same with a refresh",
                &[Wanted(Refresh), INVITE, Glare(1), Answered(true), Acknowledged],
                &[Offer(Refresh), Withdraw, Done(Refresh, false)],
            ),
            (
                "the phone's comes while ours pauses, and ours after it",
                &[Wanted(Hold(true)), Glare(1), INVITE, Answered(true), Acknowledged, Taken],
                &[Offer(Hold(true)), Offer(Hold(true)), Done(Hold(true), true)],
            ),
            ("answers to others", &[Taken, Refused, Glare(1), Acknowledged, Answered(true), TakenBack], &[]),
        ];
        for (name, inputs, expected) in cases {
            let mut offers = Offers::new(true);
            for input in *inputs {
                offers.handle_input(Instant::now(), *input);
            }
            assert_eq!(actions(&mut offers), *expected, "{name}");
        }
    }

    #[test]
    fn glare_is_waited_out_and_not_for_ever() {
        for (owns_call_id, random, pause) in
            [(true, 0, 2_100), (true, 190, 4_000), (true, u16::MAX, 2_320), (false, 0, 0), (false, 200, 2_000)]
        {
            let (mut offers, mut now) = (Offers::new(owns_call_id), Instant::now());
            offers.handle_input(now, Wanted(Hold(true)));
            for _ in 1..ATTEMPTS {
                offers.handle_input(now, Glare(random));
                assert_eq!(actions(&mut offers), [Offer(Hold(true))]);
                let until = offers.next_timeout().unwrap();
                assert_eq!((until - now).as_millis(), pause, "{owns_call_id} {random}");
                offers
                    .handle_timeout(now + Duration::from_millis(pause as u64).saturating_sub(Duration::from_millis(1)));
                now = until;
                offers.handle_timeout(now);
            }
            offers.handle_input(now, Glare(random));
            assert_eq!(actions(&mut offers), [Offer(Hold(true)), Done(Hold(true), false)]);
            assert_eq!(offers.next_timeout(), None);
        }
    }

    /// A phone that offers again and again puts ours off, but not for ever.
    #[test]
    fn attempts_are_counted_across_offers_of_the_phone() {
        let (mut offers, now) = (Offers::new(false), Instant::now());
        offers.handle_input(now, Wanted(Hold(true)));
        for _ in 0..ATTEMPTS {
            for input in [INVITE, Glare(0), Answered(true), Acknowledged] {
                offers.handle_input(now, input);
            }
        }
        let seen = actions(&mut offers);
        assert_eq!(seen.iter().filter(|action| **action == Offer(Hold(true))).count(), usize::from(ATTEMPTS));
        assert_eq!(seen.last(), Some(&Done(Hold(true), false)));
    }
}
