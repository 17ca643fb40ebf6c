//! How many calls a trunk may have at a time, and begin within a second.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::error::Cap;
use crate::dispatch::outbound::Caps;

/// The span that calls per second are counted over.
const SPAN: Duration = Duration::from_secs(1);

/// What each trunk is doing. Trunks without calls are not in it. Clones are handles to the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Trunks {
    by_id: Arc<Mutex<HashMap<String, Use>>>,
}

/// The place of one call in what its trunk allows. Dropping it makes room for another.
#[derive(Debug)]
pub struct Permit {
    trunks: Trunks,
    trunk: String,
}

#[derive(Debug, Default)]
struct Use {
    calls: u32,
    /// When calls were begun within the last second, the oldest first. Never more than the limit.
    begun: VecDeque<Instant>,
}

impl Trunks {
    /// Counts a call in, or says which limit it would break. A refused call is not counted.
    pub(super) fn admit(&self, now: Instant, trunk: &str, allowed: Caps) -> Result<Permit, Cap> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = by_id.get_mut(trunk) {
            used.forget(now);
            match (allowed.max_calls, allowed.calls_per_second) {
                (Some(limit), _) if used.calls >= limit => return Err(Cap::Calls(limit)),
                (_, Some(limit)) if used.begun.len() >= limit as usize => return Err(Cap::Rate(limit)),
                _ => {}
            }
        }
        let used = by_id.entry(trunk.to_owned()).or_default();
        used.calls += 1;
        if allowed.calls_per_second.is_some() {
            used.begun.push_back(now);
        }
        Ok(Permit { trunks: self.clone(), trunk: trunk.to_owned() })
    }

    /// A call that was counted in is over.
    fn release(&self, now: Instant, trunk: &str) {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = by_id.get_mut(trunk) {
            used.calls = used.calls.saturating_sub(1);
        }
        by_id.retain(|_, used| {
            used.forget(now);
            used.calls > 0 || !used.begun.is_empty()
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.trunks.release(Instant::now(), &self.trunk);
    }
}

impl Use {
    fn forget(&mut self, now: Instant) {
        while self.begun.front().is_some_and(|at| now.saturating_duration_since(*at) >= SPAN) {
            self.begun.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_at_a_time() {
        let now = Instant::now();
        let allowed = Caps { max_calls: Some(2), calls_per_second: None };
        let trunks = Trunks::default();
        let first = trunks.admit(now, "a", allowed).unwrap();
        let _second = trunks.admit(now, "a", allowed).unwrap();
        assert_eq!(trunks.admit(now, "a", allowed).unwrap_err(), Cap::Calls(2));
        assert!(trunks.admit(now, "b", allowed).is_ok(), "another trunk");
        drop(first);
        let _third = trunks.admit(now, "a", allowed).unwrap();
        assert!(trunks.admit(now, "a", Caps::default()).is_ok(), "no limit");
    }

    #[test]
    fn no_second_has_more_calls_than_allowed() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let allowed = Caps { max_calls: None, calls_per_second: Some(2) };
        let trunks = Trunks::default();
        for (millis, admitted) in [
            (0, true),
            (900, true),
            (950, false),
            (999, false),
            (1_000, true),
            (1_899, false),
            (1_900, true),
            (1_950, false),
        ] {
            assert_eq!(trunks.admit(at(millis), "a", allowed).is_ok(), admitted, "{millis} ms");
        }
    }

    #[test]
    fn trunks_that_are_quiet_take_no_room() {
        let now = Instant::now();
        let allowed = Caps { max_calls: Some(9), calls_per_second: Some(9) };
        let trunks = Trunks::default();
        for trunk in ["a", "b"] {
            drop(trunks.admit(now, trunk, allowed).unwrap());
        }
        assert_eq!(trunks.by_id.lock().unwrap().len(), 2, "their second is not over");
        trunks.release(now + 2 * SPAN, "a");
        assert!(trunks.by_id.lock().unwrap().is_empty());
    }
}
