//! Which proofs have been used: each counts once ([RFC 7616 §3.4], `nc`).
//!
//! [RFC 7616 §3.4]: https://www.rfc-editor.org/rfc/rfc7616#section-3.4

use std::{collections::BTreeMap, time::Duration};

use super::nonce::Stamp;

/// The uses of nonces that are still alive. Only a right password makes an entry, so a stranger cannot fill it; and when
/// it is full all the same, the oldest nonces die early instead of being forgotten.
#[derive(Debug)]
pub(crate) struct Replay {
    uses: BTreeMap<Stamp, Uses>,
    /// Nonces up to this one are dead.
    dead: Option<Stamp>,
    capacity: usize,
}

/// Counts may arrive out of order; this many behind the highest are told apart, older ones count as used.
const WINDOW: u32 = u64::BITS;

#[derive(Debug)]
enum Uses {
    /// The highest count used, and as bits those below it: bit 0 is `highest` itself.
    Counted { highest: u32, window: u64 },
    /// Used without a count, as in RFC 2069: no other use.
    Once,
}

impl Replay {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { uses: BTreeMap::new(), dead: None, capacity }
    }

    /// Notes a use and says whether it is the first of its kind. `nc` is `None` for a reply without one.
    pub(crate) fn admit(&mut self, stamp: Stamp, nc: Option<u32>) -> bool {
        if self.is_dead(stamp) {
            return false;
        }
        match (self.uses.get_mut(&stamp), nc) {
            (Some(Uses::Counted { highest, window }), Some(nc)) => admit_count(highest, window, nc),
            // Already used, or used in the other manner.
            (Some(_), _) => false,
            (None, None) => self.insert(stamp, Uses::Once),
            (None, Some(nc)) => self.insert(stamp, Uses::Counted { highest: nc, window: 1 }),
        }
    }

    /// Forgets nonces issued before this time, which must be too old to be accepted by now.
    pub(crate) fn forget_before(&mut self, time: Duration) {
        while let Some(oldest) = self.uses.first_entry().filter(|oldest| oldest.key().issued < time) {
            oldest.remove();
        }
    }

    fn insert(&mut self, stamp: Stamp, uses: Uses) -> bool {
        self.uses.insert(stamp, uses);
        if self.uses.len() > self.capacity {
            self.dead = self.uses.pop_first().map(|(stamp, _)| stamp).max(self.dead);
        }
        !self.is_dead(stamp)
    }

    fn is_dead(&self, stamp: Stamp) -> bool {
        self.dead.is_some_and(|dead| stamp <= dead)
    }
}

fn admit_count(highest: &mut u32, window: &mut u64, nc: u32) -> bool {
    if nc > *highest {
        *window = window.checked_shl(nc - *highest).unwrap_or(0) | 1;
        *highest = nc;
        return true;
    }
    let behind = *highest - nc;
    if behind >= WINDOW || *window & (1 << behind) != 0 {
        return false;
    }
    *window |= 1 << behind;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(serial: u64) -> Stamp {
        Stamp { issued: Duration::from_secs(serial), serial }
    }

    #[test]
    fn each_count_once_in_any_order() {
        let cases: &[(&str, &[(u32, bool)])] = &[
            ("rising", &[(1, true), (2, true), (3, true)]),
            ("again", &[(1, true), (1, false), (2, true), (2, false), (1, false)]),
            ("out of order", &[(2, true), (1, true), (2, false), (1, false)]),
            ("behind the window", &[(1, true), (100, true), (36, false), (37, true), (37, false), (1, false)]),
            ("a jump as wide as the window", &[(1, true), (65, true), (1, false), (2, true)]),
            ("the ends", &[(u32::MAX, true), (0, false), (u32::MAX, false), (u32::MAX - 63, true)]),
        ];
        for (name, uses) in cases {
            let mut replay = Replay::new(8);
            for (nc, expected) in *uses {
                assert_eq!(replay.admit(stamp(1), Some(*nc)), *expected, "{name}: {nc}");
            }
        }
    }

    #[test]
    fn without_a_count_once_and_in_no_other_manner() {
        let mut replay = Replay::new(8);
        let uses = [(1, None), (1, None), (1, Some(1)), (2, Some(1)), (2, None)];
        assert_eq!(uses.map(|(serial, nc)| replay.admit(stamp(serial), nc)), [true, false, false, true, false]);
    }

    #[test]
    fn when_full_the_oldest_nonces_die_and_none_can_be_used_again() {
        let mut replay = Replay::new(2);
        assert_eq!([1, 2, 3].map(|serial| replay.admit(stamp(serial), None)), [true; 3]);
        assert_eq!([1, 2, 3].map(|serial| replay.admit(stamp(serial), None)), [false; 3]);
        assert!(!replay.admit(stamp(0), None), "older than the dead");
        assert!(replay.admit(stamp(4), None), "new ones go on");
        assert_eq!(replay.uses.len(), 2);
    }

    #[test]
    fn expired_nonces_make_room() {
        let mut replay = Replay::new(2);
        replay.admit(stamp(1), None);
        replay.admit(stamp(2), None);
        replay.forget_before(Duration::from_secs(2));
        assert!(replay.admit(stamp(3), None));
        assert!(!replay.admit(stamp(2), None), "still remembered");
        assert_eq!(replay.dead, None);
    }
}
