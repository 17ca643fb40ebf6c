//! When each of many machines wants to be woken.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    time::Instant,
};

/// One instant a key, and the earliest of all at hand.
#[derive(Debug)]
pub(crate) struct Alarms<K> {
    queue: BTreeSet<(Instant, K)>,
    set: HashMap<K, Instant>,
}

impl<K: Copy + Ord + Hash> Alarms<K> {
    pub(crate) fn new() -> Self {
        Self { queue: BTreeSet::new(), set: HashMap::new() }
    }

    /// Sets, moves or removes the alarm of a key.
    pub(crate) fn set(&mut self, key: K, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.set.insert(key, at),
            None => self.set.remove(&key),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.queue.remove(&(before, key));
        }
        if let Some(at) = at {
            self.queue.insert((at, key));
        }
    }

    /// Takes out an alarm that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = self.queue.first().copied()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.set.remove(&key);
        Some(key)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transaction::epoch;

    #[test]
    fn the_earliest_comes_first_and_only_the_last_setting_counts() {
        let start = epoch();
        let at = |ms| start + Duration::from_millis(ms);
        let mut alarms = Alarms::new();
        alarms.set('a', Some(at(30)));
        alarms.set('b', Some(at(20)));
        alarms.set('c', Some(at(10)));
        alarms.set('a', Some(at(5)));
        alarms.set('c', None);
        alarms.set('b', Some(at(20)));
        assert_eq!(alarms.next(), Some(at(5)));
        assert_eq!(alarms.pop_due(at(4)), None);
        assert_eq!(alarms.pop_due(at(25)), Some('a'));
        assert_eq!(alarms.pop_due(at(25)), Some('b'));
        assert_eq!((alarms.pop_due(at(25)), alarms.len()), (None, 0));
    }
}
