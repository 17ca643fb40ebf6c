//! Keys pressed for a peer by INFO: one at a time, each answered before the next.
//!
//! ```text
//!          key: Tell              answered                 time over
//! Idle ──────────────► Telling ────────────► Resting ────────────────► Idle, or the next
//!   └─────── pause ────────────────────────────►┘
//! ```
//!
//! Keys come in batches. A key that is refused takes the rest of its batch with it: half a number is none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sip::Status;

use super::Key;
use crate::dispatch::outbound::Press;

/// How long a key is held.
pub const HELD: Duration = Duration::from_millis(250);
/// From one key to the next: as long a gap as the key. Some peers play them one over the other.
const PERIOD: Duration = Duration::from_millis(500);
/// Longer than the stack waits for an answer (RFC 3261 Timer F).
const PATIENCE: Duration = Duration::from_secs(40);
/// Keys, pauses and ends of batches that may wait.
const MOST: usize = 600;

/// The machine.
#[derive(Debug, Default)]
pub struct Keying {
    state: State,
    queue: VecDeque<(Batch, Step)>,
    batches: Batch,
    actions: VecDeque<Action>,
}

/// Numbers those who press keys.
pub type Batch = u64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Telling {
        batch: Batch,
        next: Instant,
        give_up: Instant,
    },
    Resting {
        until: Instant,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Press(Press),
    End,
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell the peer of this key; answered by [`Keying::handle_answer`].
    Tell(Key),
    /// All keys of a batch were taken, or one was not.
    Done(Batch, Result<(), Refused>),
}

/// Why keys were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// By the peer.
    #[error("the peer answers {0}")]
    Status(Status),
    /// It said nothing.
    #[error("the peer does not answer")]
    Silence,
    /// Too many wait already.
    #[error("too many keys are waiting")]
    Full,
}

impl Keying {
    /// Presses keys, after those before them; [`Action::Done`] tells how it went.
    pub fn press(&mut self, now: Instant, keys: &[Press]) -> Batch {
        self.batches += 1;
        let batch = self.batches;
        if self.queue.len() + keys.len() >= MOST {
            self.actions.push_back(Action::Done(batch, Err(Refused::Full)));
            return batch;
        }
        let steps = keys.iter().map(|press| Step::Press(*press)).chain([Step::End]);
        self.queue.extend(steps.map(|step| (batch, step)));
        self.go_on(now);
        batch
    }

    /// The peer has answered, or never will.
    pub fn handle_answer(&mut self, now: Instant, status: Option<Status>) {
        // An answer that comes after we have given up is of no use.
        let State::Telling { batch, next, .. } = self.state else { return };
        self.state = State::Resting { until: next };
        match status {
            Some(status) if status.is_success() => {}
            Some(status) => self.fail(batch, Refused::Status(status)),
            None => self.fail(batch, Refused::Silence),
        }
        self.go_on(now);
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Telling { batch, give_up, .. } = self.state
            && now >= give_up
        {
            self.state = State::Idle;
            self.fail(batch, Refused::Silence);
        }
        self.go_on(now);
    }

    /// When [`Self::handle_timeout`] is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Idle => None,
            State::Telling { give_up, .. } => Some(give_up),
            State::Resting { until } => Some(until),
        }
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn go_on(&mut self, now: Instant) {
        loop {
            match self.state {
                State::Resting { until } if now >= until => self.state = State::Idle,
                State::Idle => {}
                State::Resting { .. } | State::Telling { .. } => return,
            }
            let Some((batch, step)) = self.queue.pop_front() else { return };
            match step {
                Step::Press(Press::Key(key)) => {
                    self.actions.push_back(Action::Tell(Key(key)));
                    self.state = State::Telling { batch, next: now + PERIOD, give_up: now + PATIENCE };
                }
                Step::Press(Press::Pause(pause)) => self.state = State::Resting { until: now + pause },
                Step::End => self.actions.push_back(Action::Done(batch, Ok(()))),
            }
        }
    }

    fn fail(&mut self, batch: Batch, why: Refused) {
        self.queue.retain(|(of, _)| *of != batch);
        self.actions.push_back(Action::Done(batch, Err(why)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::outbound::press;

    /// What is done, with the milliseconds since the beginning, when the peer answers each key so after so long.
    fn run(batches: &[&str], answer: Option<Status>, after: Duration) -> Vec<(u128, Action)> {
        let start = Instant::now();
        let (mut keying, mut now, mut done) = (Keying::default(), start, Vec::new());
        for keys in batches {
            keying.press(now, &press(keys).unwrap());
        }
        let mut answers = VecDeque::new();
        loop {
            while let Some(action) = keying.poll_action() {
                if let Action::Tell(_) = action {
                    answers.push_back(now + after);
                }
                done.push(((now - start).as_millis(), action));
            }
            let due = [answers.front().copied(), keying.next_timeout()].into_iter().flatten().min();
            let Some(due) = due else { return done };
            now = due;
            if answers.front() == Some(&now) {
                answers.pop_front();
                keying.handle_answer(now, answer);
            } else {
                keying.handle_timeout(now);
            }
        }
    }

    fn tell(key: char) -> Action {
        Action::Tell(Key(key))
    }

    #[test]
    fn one_at_a_time() {
        let ms = Duration::from_millis;
        let ok = Some(Status::OK);
        let cases = [
            ("quick", "1w2", ms(10), vec![(0, tell('1')), (1_000, tell('2')), (1_500, Action::Done(1, Ok(())))]),
            ("slow", "12", ms(700), vec![(0, tell('1')), (700, tell('2')), (1_400, Action::Done(1, Ok(())))]),
            ("nothing", "", ms(1), vec![(0, Action::Done(1, Ok(())))]),
        ];
        for (name, keys, after, expected) in cases {
            assert_eq!(run(&[keys], ok, after), expected, "{name}");
        }
    }

    #[test]
    fn a_refusal_ends_the_batch_and_the_next_one_is_tried() {
        let refused = Status::new(415).unwrap();
        let why = Refused::Status(refused);
        let done = run(&["123", "4"], Some(refused), Duration::from_millis(10));
        let expected =
            [(0, tell('1')), (10, Action::Done(1, Err(why))), (500, tell('4')), (510, Action::Done(2, Err(why)))];
        assert_eq!(done, expected);
        let done = run(&["12"], None, Duration::from_secs(32));
        assert_eq!(done, [(0, tell('1')), (32_000, Action::Done(1, Err(Refused::Silence)))]);
        let done = run(&["12"], Some(Status::OK), Duration::from_secs(50));
        assert_eq!(done, [(0, tell('1')), (40_000, Action::Done(1, Err(Refused::Silence)))], "too late");
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut keying, now) = (Keying::default(), Instant::now());
        let keys = press(&"1".repeat(256)).unwrap();
        let batches: Vec<_> = (0..3).map(|_| keying.press(now, &keys)).collect();
        let actions: Vec<_> = std::iter::from_fn(|| keying.poll_action()).collect();
        assert_eq!(actions, [tell('1'), Action::Done(batches[2], Err(Refused::Full))]);
    }
}
