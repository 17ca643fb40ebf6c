//! Reordering: packets are put into their place and taken out in order.
//!
//! [`Ring`] is the place: a fixed number of slots, found by sequence number. `Hold` says how long a gap in it stays open. A
//! packet that is in order is taken out at once; nothing here delays a clean stream. `Again` tells a sender that has restarted from
//! copies that a wire makes.

mod again;
mod hold;

pub(crate) use again::Again;
pub(crate) use hold::Hold;

use std::time::Instant;

/// Says that a place has no slot.
const NONE: u8 = u8::MAX;

/// A fixed ring of received packets.
///
/// Places are found by number; the bytes of a packet lie in the lowest free slot. So a stream in order uses one slot over and
/// over, which stays in the cache, and the others are only touched when packets wait: their memory is claimed from the start
/// and costs nothing until then.
#[derive(Debug)]
pub struct Ring<const SLOTS: usize, const BYTES: usize> {
    /// As many as were ever needed at once, with room for all of them.
    slots: Vec<Slot<BYTES>>,
    /// The slot of each number, by its remainder; only numbers from `next` on, at most `SLOTS` of them, have one.
    places: [u8; SLOTS],
    /// The slots that are free, as bits.
    free: u64,
    /// The number to be taken next.
    next: u64,
    /// Of the 64 numbers before `next`, those that were there when they were passed.
    passed: u64,
}

/// A packet in its place. In the order written here, so that what describes a packet lies beside its first bytes.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Slot<const BYTES: usize> {
    /// When it came.
    pub arrived: Instant,
    /// Of its first sample.
    pub timestamp: u32,
    /// Whatever the owner wants to know of a packet besides its bytes.
    pub tag: u16,
    length: u16,
    bytes: [u8; BYTES],
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It waits for its turn, which may be now.
    Stored,
    /// It is there already, or was taken.
    Repeated,
    /// Its turn has passed without it.
    Late,
    /// Its turn is further away than there are slots.
    Beyond,
    /// It is longer than a slot.
    TooLong,
}

impl<const SLOTS: usize, const BYTES: usize> Ring<SLOTS, BYTES> {
    const ALL_FREE: u64 = {
        assert!(SLOTS > 0 && SLOTS < 64 && BYTES <= u16::MAX as usize);
        (1 << SLOTS) - 1
    };

    /// An empty ring; `next` is the number of the first packet.
    pub fn new(next: u64) -> Self {
        Self { slots: Vec::with_capacity(SLOTS), places: [NONE; SLOTS], free: Self::ALL_FREE, next, passed: 0 }
    }

    /// Empties the ring and starts at another number.
    pub fn restart(&mut self, next: u64) {
        self.places = [NONE; SLOTS];
        (self.free, self.next, self.passed) = (Self::ALL_FREE, next, 0);
    }

    /// Puts a packet into its place.
    pub fn insert(&mut self, now: Instant, number: u64, timestamp: u32, tag: u16, bytes: &[u8]) -> Placed {
        if self.is_known(number) {
            return Placed::Repeated;
        }
        if number < self.next {
            return Placed::Late;
        }
        if number - self.next >= SLOTS as u64 {
            return Placed::Beyond;
        }
        if bytes.len() > BYTES {
            return Placed::TooLong;
        }
        // There are as many slots as places, and this place has none: one is free.
        let index = self.free.trailing_zeros();
        if index as usize == self.slots.len() && self.slots.len() < SLOTS {
            self.slots.push(Slot { arrived: now, timestamp, tag, length: 0, bytes: [0; BYTES] });
        }
        let Some(slot) = self.slots.get_mut(index as usize) else { return Placed::Beyond };
        self.free &= !(1 << index);
        self.places[Self::place(number)] = index as u8;
        (slot.arrived, slot.timestamp, slot.tag) = (now, timestamp, tag);
        slot.length = bytes.len() as u16;
        slot.bytes[..bytes.len()].copy_from_slice(bytes);
        Placed::Stored
    }

    /// Passes the packet whose turn it is, whether it is there or not.
    pub fn advance(&mut self) {
        let place = &mut self.places[Self::place(self.next)];
        let there = *place != NONE;
        if there {
            self.free |= 1 << *place;
            *place = NONE;
        }
        self.passed = self.passed << 1 | u64::from(there);
        self.next += 1;
    }

    /// Passes the packet whose turn it is and lends it, as long as nothing is inserted.
    pub fn take(&mut self) -> Option<&Slot<BYTES>> {
        let index = self.places[Self::place(self.next)];
        if index == NONE {
            return None;
        }
        self.advance();
        self.slots.get(usize::from(index))
    }

    /// The packet whose turn it is.
    pub fn front(&self) -> Option<&Slot<BYTES>> {
        self.get(self.next)
    }

    /// The first packet there is, and how many are missing before it.
    pub fn first(&self) -> Option<(u64, &Slot<BYTES>)> {
        if self.is_empty() {
            return None;
        }
        (0..SLOTS as u64).find_map(|missing| Some((missing, self.get(self.next + missing)?)))
    }

    /// Whether a packet of this number is there, or was when its turn came; of long ago that is assumed.
    pub fn is_known(&self, number: u64) -> bool {
        if number < self.next {
            let back = self.next - 1 - number;
            return back >= 64 || self.passed >> back & 1 == 1;
        }
        number - self.next < SLOTS as u64 && self.places[Self::place(number)] != NONE
    }

    /// The number to be taken next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.free == Self::ALL_FREE
    }

    fn get(&self, number: u64) -> Option<&Slot<BYTES>> {
        self.slots.get(usize::from(self.places[Self::place(number)]))
    }

    fn place(number: u64) -> usize {
        (number % SLOTS as u64) as usize
    }
}

impl<const BYTES: usize> Slot<BYTES> {
    /// What it carries.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::beginning;

    const FIRST: u64 = 65_536;

    #[test]
    fn packets_come_out_in_order_whatever_order_they_came_in() {
        let now = beginning();
        let mut ring = Ring::<8, 4>::new(FIRST);
        for n in [2, 0, 1, 3] {
            assert_eq!(ring.insert(now, FIRST + n, 0, 0, &[n as u8]), Placed::Stored);
        }
        for n in 0..4 {
            assert_eq!(ring.front().unwrap().bytes(), [n]);
            ring.advance();
        }
        assert_eq!((ring.front().is_none(), ring.is_empty()), (true, true));
    }

    #[test]
    fn every_packet_has_one_place() {
        let now = beginning();
        let mut ring = Ring::<8, 4>::new(FIRST);
        ring.insert(now, FIRST, 0, 0, &[]);
        ring.advance();
        ring.advance(); // FIRST + 1 is lost
        ring.insert(now, FIRST + 2, 0, 0, &[]);
        let cases = [
            ("played", FIRST, Placed::Repeated),
            ("lost", FIRST + 1, Placed::Late),
            ("waiting", FIRST + 2, Placed::Repeated),
            ("last slot", FIRST + 9, Placed::Stored),
            ("one further", FIRST + 10, Placed::Beyond),
            ("long ago", FIRST - 1_000, Placed::Repeated),
        ];
        for (name, number, expected) in cases {
            assert_eq!(ring.insert(now, number, 0, 0, &[]), expected, "{name}");
        }
        assert_eq!(ring.insert(now, FIRST + 3, 0, 0, &[0; 5]), Placed::TooLong);
        assert_eq!(ring.first().map(|(missing, _)| missing), Some(0));
        ring.advance();
        assert_eq!(ring.first().map(|(missing, _)| missing), Some(6));
        assert_eq!((ring.slots.len(), ring.slots.capacity()), (2, 8), "slots are made when they are needed");
        ring.restart(FIRST);
        assert!(ring.first().is_none());
    }
}
