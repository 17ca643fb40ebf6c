//! Keys pressed for a peer by INFO: one at a time, each answered before the next.
//!
//! ```text
//!          key: Tell              answered                 time over
//! Idle ──────────────► Telling ────────────► Resting ────────────────► Idle, or the next
//!   │                  │  ▲ └─ 415, and it takes the other format: Tell once more
//!   │                  │  └──────┘              ▲
//!   │                  └─ it takes none by INFO: HandOver, this key and all behind it; so is all that comes later
//!   └─────── pause ─────────────────────────────┘
//! ```
//!
//! Which format a peer takes no RFC says, and it may say that only by refusing (RFC 3261 §21.4.13); what it took is kept to. A peer
//! that knows no INFO at all hears keys as it would have on a trunk that says nothing of INFO.
//!
//! Keys come in batches. A key that is refused for another reason takes the rest of its batch with it: half a number is none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sip::{KeyFormat, Status};

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
/// Keys and pauses that the line has room for.
const MOST_ON_LINE: usize = 256;

/// The machine.
#[derive(Debug, Default)]
pub struct Keying {
    state: State,
    manner: Manner,
    queue: VecDeque<(Batch, Step)>,
    batches: Batch,
    actions: VecDeque<Action>,
}

/// Numbers those who press keys.
pub type Batch = u64;

/// How the peer takes keys, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Info(KeyFormat),
    /// Not by INFO.
    OnLine,
}

impl Default for Manner {
    fn default() -> Self {
        Self::Info(KeyFormat::Relay)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Telling {
        batch: Batch,
        key: Key,
        /// In which format this key was refused already.
        refused: Option<KeyFormat>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Tell the peer of this key; answered by [`Keying::handle_answer`].
    Tell(Key, KeyFormat),
    /// Press these keys, the rest of a batch, in the audio or beside it. Nothing more is said of the batch.
    HandOver(Batch, Vec<Press>),
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
    /// Tells keys in this format, as long as nothing else is known of the peer than what it says of itself.
    pub fn prefer(&mut self, format: KeyFormat) {
        if self.batches == 0 {
            self.manner = Manner::Info(format);
        }
    }

    /// Presses keys, after those before them; [`Action::Done`] tells how it went, unless they are handed over.
    pub fn press(&mut self, now: Instant, keys: &[Press]) -> Batch {
        self.batches += 1;
        let batch = self.batches;
        if self.manner == Manner::OnLine {
            self.actions.push_back(Action::HandOver(batch, keys.to_vec()));
            return batch;
        }
        if self.queue.len() + keys.len() >= MOST {
            self.actions.push_back(Action::Done(batch, Err(Refused::Full)));
            return batch;
        }
        let steps = keys.iter().map(|press| Step::Press(*press)).chain([Step::End]);
        self.queue.extend(steps.map(|step| (batch, step)));
        self.go_on(now);
        batch
    }

    /// The peer has answered, or never will. A 415 may say what it takes.
    pub fn handle_answer(&mut self, now: Instant, status: Option<Status>, accepts: &[KeyFormat]) {
        // An answer that comes after we have given up is of no use.
        let State::Telling { batch, key, refused, next, .. } = self.state else { return };
        self.state = State::Resting { until: next };
        match (status, self.manner) {
            (Some(status), _) if status.is_success() => {}
            (Some(Status::UNSUPPORTED_MEDIA_TYPE), Manner::Info(format))
                if refused.is_none() && accepts.contains(&format.other()) =>
            {
                self.manner = Manner::Info(format.other());
                self.tell(now, batch, key, Some(format));
            }
            (Some(Status::UNSUPPORTED_MEDIA_TYPE | Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED), _) => {
                self.hand_over(key);
            }
            (Some(status), _) => self.fail(batch, Refused::Status(status)),
            (None, _) => self.fail(batch, Refused::Silence),
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
                Step::Press(Press::Key(key)) => self.tell(now, batch, Key(key), None),
                Step::Press(Press::Pause(pause)) => self.state = State::Resting { until: now + pause },
                Step::End => self.actions.push_back(Action::Done(batch, Ok(()))),
            }
        }
    }

    fn tell(&mut self, now: Instant, batch: Batch, key: Key, refused: Option<KeyFormat>) {
        // Whoever takes none by INFO has nothing waiting here.
        let Manner::Info(format) = self.manner else { return };
        self.actions.push_back(Action::Tell(key, format));
        self.state = State::Telling { batch, key, refused, next: now + PERIOD, give_up: now + PATIENCE };
    }

    /// The peer takes no keys by INFO: this one and those behind it go another way, in their order, each batch whole or not at all.
    fn hand_over(&mut self, key: Key) {
        self.manner = Manner::OnLine;
        self.state = State::Idle;
        let (mut room, mut keys) = (MOST_ON_LINE, vec![Press::Key(key.0)]);
        for (batch, step) in std::mem::take(&mut self.queue) {
            match step {
                Step::Press(press) => keys.push(press),
                Step::End if keys.len() <= room => {
                    room -= keys.len();
                    self.actions.push_back(Action::HandOver(batch, std::mem::take(&mut keys)));
                }
                Step::End => {
                    keys.clear();
                    self.actions.push_back(Action::Done(batch, Err(Refused::Full)));
                }
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
        run_with(batches, after, |_| (answer, vec![]))
    }

    type Answer = (Option<Status>, Vec<KeyFormat>);

    /// The same of a peer that answers as it likes to each format.
    fn run_with(batches: &[&str], after: Duration, mut answer: impl FnMut(KeyFormat) -> Answer) -> Vec<(u128, Action)> {
        let start = Instant::now();
        let (mut keying, mut now, mut done) = (Keying::default(), start, Vec::new());
        for keys in batches {
            keying.press(now, &press(keys).unwrap());
        }
        let mut answers = VecDeque::new();
        loop {
            while let Some(action) = keying.poll_action() {
                if let Action::Tell(_, format) = action {
                    answers.push_back((now + after, answer(format)));
                }
                done.push(((now - start).as_millis(), action));
            }
            let next = answers.front().map(|(at, _)| *at);
            let due = [next, keying.next_timeout()].into_iter().flatten().min();
            let Some(due) = due else { return done };
            now = due;
            if next == Some(now)
                && let Some((_, (status, accepts))) = answers.pop_front()
            {
                keying.handle_answer(now, status, &accepts);
            } else {
                keying.handle_timeout(now);
            }
        }
    }

    fn tell(key: char) -> Action {
        Action::Tell(Key(key), KeyFormat::Relay)
    }

    fn tell_plainly(key: char) -> Action {
        Action::Tell(Key(key), KeyFormat::Plain)
    }

    fn hand_over(batch: Batch, keys: &str) -> Action {
        Action::HandOver(batch, press(keys).unwrap())
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
        let refused = Status::new(603).unwrap();
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

    const MS: Duration = Duration::from_millis(10);
    const NEVER: Status = Status::METHOD_NOT_ALLOWED;
    const OTHERS: Status = Status::UNSUPPORTED_MEDIA_TYPE;

    #[test]
    fn a_key_is_told_in_the_other_format_where_the_peer_takes_that() {
        // Answers to the first format, to the other, and what is done.
        use KeyFormat::{Plain, Relay};
        type Row<'a> = (&'a str, Answer, Answer, Vec<(u128, Action)>);
        let (taken, done) = (|| (Some(Status::OK), vec![]), |at, batch| (at, Action::Done(batch, Ok(()))));
        let cases: [Row<'_>; 5] = [
            (
                "the other one, from then on",
                (Some(OTHERS), vec![Plain]),
                taken(),
                vec![
                    (0, tell('1')),
                    (10, tell_plainly('1')),
                    (510, tell_plainly('2')),
                    done(1_010, 1),
                    (1_010, tell_plainly('3')),
                    done(1_510, 2),
                ],
            ),
            (
                "neither: each is tried once",
                (Some(OTHERS), vec![Plain]),
                (Some(OTHERS), vec![Relay]),
                vec![(0, tell('1')), (10, tell_plainly('1')), (20, hand_over(1, "12")), (20, hand_over(2, "3"))],
            ),
            (
                "the other one is refused for itself",
                (Some(OTHERS), vec![Relay, Plain]),
                (Some(Status::DECLINE), vec![]),
                vec![
                    (0, tell('1')),
                    (10, tell_plainly('1')),
                    (20, Action::Done(1, Err(Refused::Status(Status::DECLINE)))),
                    (510, tell_plainly('3')),
                    (520, Action::Done(2, Err(Refused::Status(Status::DECLINE)))),
                ],
            ),
            (
                "nothing is said of another",
                (Some(OTHERS), vec![]),
                taken(),
                vec![(0, tell('1')), (10, hand_over(1, "12")), (10, hand_over(2, "3"))],
            ),
            (
                "the same one is named",
                (Some(OTHERS), vec![Relay]),
                taken(),
                vec![(0, tell('1')), (10, hand_over(1, "12")), (10, hand_over(2, "3"))],
            ),
        ];
        for (name, first, other, expected) in cases {
            let done = run_with(&["12", "3"], MS, |format| if format == Relay { first.clone() } else { other.clone() });
            assert_eq!(done, expected, "{name}");
        }
    }

    #[test]
    fn the_first_format_may_be_the_plain_one() {
        let (mut keying, now) = (Keying::default(), Instant::now());
        keying.prefer(KeyFormat::Plain);
        keying.press(now, &press("12").unwrap());
        assert_eq!(keying.poll_action(), Some(tell_plainly('1')));
        keying.handle_answer(now, Some(OTHERS), &[KeyFormat::Relay]);
        assert_eq!(keying.poll_action(), Some(tell('1')));
        keying.handle_answer(now, Some(Status::OK), &[]);
        keying.prefer(KeyFormat::Plain);
        keying.handle_timeout(keying.next_timeout().unwrap());
        assert_eq!(keying.poll_action(), Some(tell('2')), "what was found out stays");
    }

    #[test]
    fn who_knows_no_info_gets_all_keys_another_way_in_their_order() {
        for status in [NEVER, Status::NOT_IMPLEMENTED, OTHERS] {
            let mut answers = [(Some(Status::OK), vec![]), (Some(status), vec![])].into_iter();
            let done = run_with(&["1w2w3", "4"], MS, |_| answers.next().unwrap());
            let expected =
                [(0, tell('1')), (1_000, tell('2')), (1_010, hand_over(1, "2w3")), (1_010, hand_over(2, "4"))];
            assert_eq!(done, expected, "{status:?}");
        }
        let (mut keying, now) = (Keying::default(), Instant::now());
        keying.press(now, &press("1").unwrap());
        keying.handle_answer(now, Some(NEVER), &[]);
        keying.press(now, &press("w2").unwrap());
        let actions: Vec<_> = std::iter::from_fn(|| keying.poll_action()).collect();
        assert_eq!(actions, [tell('1'), hand_over(1, "1"), hand_over(2, "w2")]);
        assert_eq!(keying.next_timeout(), None);
        keying.handle_answer(now, Some(Status::OK), &[]);
        assert_eq!(keying.poll_action(), None, "an answer to nothing");
    }

    #[test]
    fn no_more_is_handed_over_than_there_is_room_for() {
        let (mut keying, now) = (Keying::default(), Instant::now());
        for keys in ["1".repeat(200), "2".repeat(200), "3".repeat(56)] {
            keying.press(now, &press(&keys).unwrap());
        }
        keying.handle_answer(now, Some(NEVER), &[]);
        let actions: Vec<_> = std::iter::from_fn(|| keying.poll_action()).collect();
        let expected = [
            tell('1'),
            hand_over(1, &"1".repeat(200)),
            Action::Done(2, Err(Refused::Full)),
            hand_over(3, &"3".repeat(56)),
        ];
        assert_eq!(actions, expected);
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
