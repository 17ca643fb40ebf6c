//! When to look at which line again: a hashed wheel of one-millisecond slots.
//!
//! A line re-arms with every packet, so arming has to cost nothing. The wheel is lazy: an entry is a hint to look at a
//! line, never cancelled, and its owner arms only when it has to be woken earlier than it already will be. Putting in and
//! taking out touch one slot whatever the number of lines, and slots keep their room, so nothing is allocated once the
//! plane is warm. A turn of the wheel is half a second; entries further away stay in their slot for another turn.

use std::time::{Duration, Instant};

/// Slots of a turn, a multiple of the bits in a word of the map.
const SLOTS: usize = 512;
const WORD: usize = u64::BITS as usize;
const SLOT: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(crate) struct Wheel<T> {
    origin: Instant,
    /// The first tick that is not yet handed out.
    cursor: u64,
    /// The first tick that may still be put in: while the past is handed out, what is overdue waits for the future.
    floor: u64,
    slots: Vec<Vec<(u64, T)>>,
    /// A bit for each slot that holds something.
    occupied: [u64; SLOTS / WORD],
}

impl<T> Wheel<T> {
    pub(crate) fn new(now: Instant) -> Self {
        let slots = std::iter::repeat_with(Vec::new).take(SLOTS).collect();
        Self { origin: now, cursor: 0, floor: 0, slots, occupied: [0; SLOTS / WORD] }
    }

    /// Brings `item` back at `at`, never earlier, at most a slot later; what is overdue comes with the next tick.
    pub(crate) fn insert(&mut self, at: Instant, item: T) {
        let since = at.saturating_duration_since(self.origin);
        let tick = ticks(since + SLOT - Duration::from_nanos(1)).max(self.floor);
        let slot = slot_of(tick);
        self.slots[slot].push((tick, item));
        self.occupied[slot / WORD] |= 1 << (slot % WORD);
    }

    /// The next item that is due at `now`. One that is put in meanwhile and is already overdue is not due before the
    /// next tick, so a line that always wants to be looked at does not hold up the others.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let last = ticks(now.saturating_duration_since(self.origin));
        self.floor = self.floor.max(last + 1);
        while self.cursor <= last {
            let slot = slot_of(self.cursor);
            // Entries of later turns share the slot; those of this one left by an earlier call are due as well.
            let due = self.slots[slot].iter().position(|(tick, _)| *tick <= self.cursor);
            if let Some(due) = due {
                return Some(self.slots[slot].swap_remove(due).1);
            }
            if self.slots[slot].is_empty() {
                self.occupied[slot / WORD] &= !(1 << (slot % WORD));
            }
            self.cursor = (self.cursor + 1 + self.gap(slot_of(self.cursor + 1))).min(last + 1);
        }
        None
    }

    /// When to call [`Self::pop_due`] again, at the latest.
    pub(crate) fn next(&self) -> Option<Instant> {
        let gap = self.gap(slot_of(self.cursor));
        (gap < SLOTS as u64).then(|| self.origin + Duration::from_millis(self.cursor + gap))
    }

    /// Empty slots from `slot` on, going round.
    fn gap(&self, slot: usize) -> u64 {
        let (word, bit) = (slot / WORD, slot % WORD);
        let ahead = self.occupied[word] >> bit;
        if ahead != 0 {
            return u64::from(ahead.trailing_zeros());
        }
        let mut gap = WORD - bit;
        for step in 1..=self.occupied.len() {
            let bits = self.occupied[(word + step) % self.occupied.len()];
            if bits != 0 {
                return ((gap + bits.trailing_zeros() as usize).min(SLOTS)) as u64;
            }
            gap += WORD;
        }
        SLOTS as u64
    }
}

fn ticks(since: Duration) -> u64 {
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn slot_of(tick: u64) -> usize {
    (tick % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn drain(wheel: &mut Wheel<u32>, now: Instant) -> Vec<u32> {
        let mut due: Vec<_> = std::iter::from_fn(|| wheel.pop_due(now)).collect();
        due.sort_unstable();
        due
    }

    #[test]
    fn items_come_back_in_their_slot_and_never_early() {
        let start = Instant::now();
        let cases: &[(&str, Duration, u64)] = &[
            ("at once", Duration::ZERO, 0),
            ("a fraction is rounded up", Duration::from_micros(4_001), 5),
            ("whole milliseconds", ms(20), 20),
            ("a turn later", ms(512 + 3), 515),
            ("several turns later", ms(5_000), 5_000),
        ];
        for (name, after, expected) in cases {
            let mut wheel = Wheel::new(start);
            wheel.insert(start + *after, 1);
            let came = (0..6_000).find(|at| wheel.pop_due(start + ms(*at)).is_some());
            assert_eq!(came, Some(*expected), "{name}");
            assert_eq!(wheel.pop_due(start + ms(10_000)), None, "{name}");
        }
    }

    #[test]
    fn next_leads_to_every_item() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        assert_eq!(wheel.next(), None);
        for (at, item) in [(7, 1), (7, 2), (511, 3), (512, 4), (1_500, 5), (70_000, 6)] {
            wheel.insert(start + ms(at), item);
        }
        let mut came = Vec::new();
        for _ in 0..1_000 {
            let Some(now) = wheel.next() else { break };
            let at = now - start;
            came.extend(drain(&mut wheel, now).into_iter().map(|item| (at.as_millis(), item)));
        }
        assert_eq!(came, [(7, 1), (7, 2), (511, 3), (512, 4), (1_500, 5), (70_000, 6)]);
    }

    #[test]
    fn a_late_look_finds_everything() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        for item in 0..1_000 {
            wheel.insert(start + ms(u64::from(item)), item);
        }
        assert_eq!(drain(&mut wheel, start + ms(30_000)), (0..1_000).collect::<Vec<_>>());
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn an_item_that_is_always_overdue_does_not_hold_the_wheel() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        wheel.insert(start, 1);
        let now = start + ms(50);
        let mut turns = 0;
        while wheel.pop_due(now).is_some() {
            turns += 1;
            wheel.insert(start, 1);
            assert!(turns < 1_000, "the wheel hangs");
        }
    }
}
