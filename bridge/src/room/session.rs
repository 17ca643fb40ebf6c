//! The room session as a machine.

use std::collections::VecDeque;
use std::time::Instant;

use super::{Action, Input, Profile};

/// One participant in one room, from the first join to its end.
#[derive(Debug)]
pub struct Session {
    profile: Profile,
    actions: VecDeque<Action>,
}

impl Session {
    /// Starts to join. `seed` spreads the retries of many sessions over time.
    pub fn new(_now: Instant, profile: Profile, _cloud: bool, _seed: u64) -> Self {
        Self { profile, actions: VecDeque::new() }
    }

    /// Takes in what happened.
    pub fn handle_input(&mut self, _now: Instant, _input: Input) {
        let _ = &self.profile;
    }

    /// Lets time pass; calling early is harmless.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When to call [`handle_timeout`](Self::handle_timeout) next.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next thing to do, or `None`: wait for input or time.
    pub fn poll_output(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }
}
