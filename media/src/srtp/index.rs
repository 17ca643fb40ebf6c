//! Which packet of the stream one is, beyond sixteen bits, and whether it was there before (RFC 3711 §3.3.1, §3.3.2).

/// Packets that may come late; the least that is allowed is 64.
const WINDOW: u64 = u128::BITS as u64;
/// Indexes of RTP have 48 bits.
const END: u64 = 1 << 48;

/// The index of the packet with this sequence number, nearest to the highest so far. The roll-over counter is what is above
/// sixteen bits.
pub(super) fn nearest(highest: u64, sequence: u16) -> Option<u64> {
    let ahead = sequence.wrapping_sub(highest as u16).cast_signed();
    highest.checked_add_signed(ahead.into()).filter(|index| *index < END)
}

/// The packets of one stream that were taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    highest: u64,
    /// A bit for each packet taken: the lowest is that of the highest.
    seen: u128,
}

impl Window {
    /// Begins with a packet, which is taken.
    pub(super) fn new(first: u64) -> Self {
        Self { highest: first, seen: 1 }
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether a packet is neither a repetition nor too late to know.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WINDOW && self.seen & 1 << behind == 0,
        }
    }

    /// Notes a packet whose tag is right.
    pub(super) fn take(&mut self, index: u64) {
        if let Some(behind) = self.highest.checked_sub(index) {
            self.seen |= if behind < WINDOW { 1 << behind } else { 0 };
            return;
        }
        let ahead = index - self.highest;
        self.seen = if ahead < WINDOW { self.seen << ahead } else { 0 } | 1;
        self.highest = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_index_is_meant() {
        let cases: &[(u64, u16, Option<u64>)] = &[
            (5, 6, Some(6)),
            (65_535, 0, Some(65_536)),
            (65_536, 65_535, Some(65_535)),
            (65_600, 65_000, Some(65_000)),
            (0, 65_535, None),
            (END - 1, 0, None),
            (3 << 16, 40_000, Some((2 << 16) + 40_000)),
        ];
        for (highest, sequence, expected) in cases {
            assert_eq!(nearest(*highest, *sequence), *expected, "{highest} {sequence}");
        }
    }

    #[test]
    fn each_packet_is_new_once() {
        let mut window = Window::new(1_000);
        let cases = [
            ("the first again", 1_000, false),
            ("the next", 1_001, true),
            ("late", 990, true),
            ("late and again", 990, false),
            ("a leap", 1_100, true),
            ("repeated after the leap", 1_001, false),
            ("the last that can be late", 1_100 - 127, true),
            ("too late to know", 1_100 - 128, false),
            ("far ahead", 2_000, true),
            ("nothing is left in the window", 1_900, true),
        ];
        for (name, index, expected) in cases {
            assert_eq!(window.is_new(index), expected, "{name}");
            if expected {
                window.take(index);
                assert!(!window.is_new(index), "{name}, twice");
            }
        }
    }
}
