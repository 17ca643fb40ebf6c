//! Asking a caller for a PIN.
//!
//! ```text
//!         prompt over               key            `#`, 16 digits, 5 s
//! Asking ─────────────► Waiting ─────────► Typing ────────────────────► Judging
//!   ▲  │ key               │ 10 s            ▲  ▲ key                     │   │ right
//!   │  └───────────────────┼─────────────────┘  │                  wrong  │   ▼
//!   └──────────────────────┴─────────────────── Regretting ◄──────────────┘ Greeting ──► Admitted
//!        prompt over, a try is left                 │
//!                                                   └── no try is left, prompt over ──► Refused
//! ```
//!
//! What is typed is in no log: [`Typed`] does not show it.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::Key;

/// How often a caller may try.
const TRIES: u8 = 3;
/// How long we wait for the first key, once we have asked.
const FIRST_KEY: Duration = Duration::from_secs(10);
/// How long we wait for another one.
const NEXT_KEY: Duration = Duration::from_secs(5);
/// The longest PIN.
const LONGEST: usize = 16;
/// From so long after the beginning on, a key is the last of its PIN: nobody occupies a line by typing on and on.
const HURRY: Duration = Duration::from_secs(120);
/// How long a prompt may take: one that a phone on hold does not hear has no end.
const PROMPT: Duration = Duration::from_secs(30);

/// The machine.
#[derive(Debug)]
pub struct Entry {
    state: State,
    /// Tries that are left.
    left: u8,
    hurry: Instant,
    actions: VecDeque<Action>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Asking { until: Instant },
    Waiting { until: Instant },
    Typing { typed: Typed, until: Instant },
    Judging,
    Regretting { until: Instant },
    Greeting { until: Instant },
    Over,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The caller pressed a key.
    Key(Key),
    /// A prompt was played to its end.
    Played,
    /// A rule takes what was typed, or none does.
    Judged(bool),
}

/// What it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Play this in place of all else, or nothing any more.
    Play(Option<Prompt>),
    /// Find the rule of what was typed; answered by [`Input::Judged`].
    Judge(Typed),
    /// Let the caller into the room.
    Admit,
    /// Hang up.
    Refuse,
}

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prompt {
    /// That he is to type his PIN.
    EnterPin,
    /// That it was wrong.
    WrongPin,
    /// That he is let in.
    RoomJoin,
}

impl Prompt {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::EnterPin, Self::WrongPin, Self::RoomJoin];
}

/// What a caller has typed: nothing stands for `#` alone. Its `Debug` does not tell.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Typed(String);

impl Typed {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(·)")
    }
}

impl Entry {
    /// Begins to ask.
    pub fn new(now: Instant) -> Self {
        let mut entry = Self { state: State::Over, left: TRIES, hurry: now + HURRY, actions: VecDeque::new() };
        entry.state = entry.ask(now);
        entry
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match (state, input) {
            (State::Asking { .. } | State::Waiting { .. }, Input::Key(key)) => self.begin(now, key),
            // Nobody has to hear out that he was wrong, if he may try again.
            (State::Regretting { .. }, Input::Key(key)) if self.left > 0 => self.begin(now, key),
            (State::Typing { typed, .. }, Input::Key(key)) => self.typed(now, typed, key),
            (State::Asking { .. }, Input::Played) => State::Waiting { until: now + FIRST_KEY },
            (State::Regretting { .. }, Input::Played) => self.regretted(now),
            (State::Greeting { .. }, Input::Played) => self.admit(),
            (State::Judging, Input::Judged(true)) => {
                self.actions.push_back(Action::Play(Some(Prompt::RoomJoin)));
                State::Greeting { until: now + PROMPT }
            }
            (State::Judging, Input::Judged(false)) => self.wrong(now),
            // Keys behind the last one; the end of a prompt that was broken off.
            (state, Input::Key(_) | Input::Played | Input::Judged(_)) => state,
        };
    }

    /// The clock has moved.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_none_or(|at| now < at) {
            return;
        }
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match state {
            State::Asking { .. } => State::Waiting { until: now + FIRST_KEY },
            State::Waiting { .. } => self.missed(now),
            State::Typing { typed, .. } => self.judge(typed),
            State::Regretting { .. } => self.regretted(now),
            State::Greeting { .. } => self.admit(),
            // They wait for nothing.
            state @ (State::Judging | State::Over) => state,
        };
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Asking { until }
            | State::Waiting { until }
            | State::Typing { until, .. }
            | State::Regretting { until }
            | State::Greeting { until } => Some(until),
            State::Judging | State::Over => None,
        }
    }

    /// What is to be done next. `None`: wait for input or time.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    fn ask(&mut self, now: Instant) -> State {
        self.actions.push_back(Action::Play(Some(Prompt::EnterPin)));
        State::Asking { until: now + PROMPT }
    }

    fn begin(&mut self, now: Instant, key: Key) -> State {
        self.actions.push_back(Action::Play(None));
        self.typed(now, Typed::default(), key)
    }

    fn typed(&mut self, now: Instant, mut typed: Typed, Key(key): Key) -> State {
        match key {
            '#' => return self.judge(typed),
            // Whoever has mistyped begins anew.
            '*' => typed.0.clear(),
            '0'..='9' => typed.0.push(key),
            // No key of an ordinary phone.
            _ => {}
        }
        match typed.0.len() {
            LONGEST.. => self.judge(typed),
            _ if now >= self.hurry => self.judge(typed),
            _ => State::Typing { typed, until: now + NEXT_KEY },
        }
    }

    fn judge(&mut self, typed: Typed) -> State {
        self.actions.push_back(Action::Judge(typed));
        State::Judging
    }

    fn wrong(&mut self, now: Instant) -> State {
        self.left = self.left.saturating_sub(1);
        self.actions.push_back(Action::Play(Some(Prompt::WrongPin)));
        State::Regretting { until: now + PROMPT }
    }

    fn regretted(&mut self, now: Instant) -> State {
        match self.left {
            0 => self.refuse(),
            _ => self.ask(now),
        }
    }

    /// Not a key came: that is a try as well.
    fn missed(&mut self, now: Instant) -> State {
        self.left = self.left.saturating_sub(1);
        self.regretted(now)
    }

    fn admit(&mut self) -> State {
        self.actions.extend([Action::Play(None), Action::Admit]);
        State::Over
    }

    fn refuse(&mut self) -> State {
        self.actions.extend([Action::Play(None), Action::Refuse]);
        State::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Prompt::{EnterPin, RoomJoin, WrongPin};

    /// What is done to an entry, in a text: keys as they are, `p` a prompt is over, `y` and `n` a verdict, `.` a second.
    fn run(script: &str) -> (Vec<Action>, Entry) {
        let mut now = Instant::now();
        let mut entry = Entry::new(now);
        for step in script.chars() {
            match step {
                'p' => entry.handle_input(now, Input::Played),
                'y' | 'n' => entry.handle_input(now, Input::Judged(step == 'y')),
                '.' => {
                    now += Duration::from_secs(1);
                    entry.handle_timeout(now);
                }
                key => entry.handle_input(now, Input::Key(Key(key))),
            }
        }
        (std::iter::from_fn(|| entry.poll_action()).collect(), entry)
    }

    fn play(prompt: Prompt) -> Action {
        Action::Play(Some(prompt))
    }

    fn judge(digits: &str) -> Action {
        Action::Judge(Typed(digits.to_owned()))
    }

    #[test]
    fn what_a_caller_can_do() {
        let quiet = || Action::Play(None);
        let asked = || play(EnterPin);
        let in_time = [asked(), quiet(), judge("42")];
        let let_in = [&in_time[..], &[play(RoomJoin), quiet(), Action::Admit]].concat();
        let wrong = [&in_time[..], &[play(WrongPin)]].concat();
        let again = [&wrong[..], &[asked()]].concat();
        let one = || [quiet(), judge("1"), play(WrongPin)];
        let thrice = [&[asked()], &one()[..], &one()[..], &one()[..], &[quiet(), Action::Refuse]].concat();
        let cases: &[(&str, &str, Vec<Action>)] = &[
            ("right", "p42#yp", let_in.clone()),
            ("in the middle of the prompt", "42#yp", let_in.clone()),
            ("the greeting has no end", &format!("42#y{}", ".".repeat(30)), let_in),
            ("without a hash", "p4.2.....", in_time.to_vec()),
            ("not yet", "p4.2....", vec![asked(), quiet()]),
            ("no more than sixteen", "p12345678901234567", vec![asked(), quiet(), judge("1234567890123456")]),
            ("a hash alone", "p#", vec![asked(), quiet(), judge("")]),
            ("mistyped", "p99*42#", in_time.to_vec()),
            ("letters are no digits", "p4A2#", in_time.to_vec()),
            ("keys while it is judged", "p42#77", in_time.to_vec()),
            ("wrong, and asked again", "p42#np", again),
            ("wrong three times", "p1#n1#n1#np", thrice),
            ("nobody hears out that he may not try again", "p1#n1#n1#n1", {
                [&[asked()], &one()[..], &one()[..], &one()[..]].concat()
            }),
            ("silence, until we ask again", "p..........", vec![asked(), asked()]),
            ("silence", "p..........p..........p..........", {
                vec![asked(), asked(), asked(), quiet(), Action::Refuse]
            }),
        ];
        for (name, script, expected) in cases {
            assert_eq!(run(script).0, *expected, "{name}");
        }
    }

    #[test]
    fn it_always_comes_to_an_end() {
        let (actions, entry) = run(&".".repeat(3 * (30 + 10)));
        assert_eq!(actions.last(), Some(&Action::Refuse));
        assert_eq!(entry.next_timeout(), None);
        let (actions, _) = run(&format!("{}n1n1np", "1*.".repeat(121)));
        assert_eq!(actions.last(), Some(&Action::Refuse), "who types on and on");
        let (actions, entry) = run(&format!("1#n2#n3#n{}", ".".repeat(30)));
        assert_eq!((actions.last(), entry.next_timeout()), (Some(&Action::Refuse), None));
    }

    #[test]
    fn nothing_of_it_shows() {
        let (actions, _) = run("p987654321#");
        let (_, entry) = run("p987654321");
        let shown = format!("{actions:?} {entry:?}");
        assert!(shown.contains("Judge") && shown.contains("Typing") && !shown.contains("9876"), "{shown}");
        assert!(!format!("{:?}", Input::Key(Key('9'))).contains('9'));
    }
}
