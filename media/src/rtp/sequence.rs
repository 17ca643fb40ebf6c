//! Sequence numbers beyond sixteen bits ([RFC 3550 A.1]).
//!
//! [RFC 3550 A.1]: https://www.rfc-editor.org/rfc/rfc3550#appendix-A.1

/// A step forward smaller than this is loss; at 50 packets a second, a minute of it.
const MAX_DROPOUT: u16 = 3_000;
/// A step back smaller than this is reordering.
const MAX_MISORDER: u16 = 100;
const CYCLE: u64 = 1 << 16;

/// How far `later` is ahead of `earlier`, negative when it is behind; right across the wrap.
pub fn distance(earlier: u16, later: u16) -> i16 {
    later.wrapping_sub(earlier).cast_signed()
}

/// Counts the wraps of one stream.
///
/// The first packet gets its own number plus one cycle, so that a packet from just before it has a number too.
#[derive(Clone, Copy, Debug)]
pub struct Sequence {
    highest: u64,
    /// The number that would prove that a wild jump was a restart.
    restart_at: Option<u16>,
}

/// Where a packet stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extended {
    /// In order, lost-before, late or repeated: its place is known.
    At(u64),
    /// The sender began anew: two packets in order agree, this is the second.
    Restarted(u64),
    /// Far from everything before; waiting for a second one to confirm it.
    Wild,
}

impl Sequence {
    /// Starts at the first packet heard.
    pub fn new(first: u16) -> Self {
        Self { highest: CYCLE + u64::from(first), restart_at: None }
    }

    /// Places a packet, and moves the highest number on if it is newer.
    pub fn extend(&mut self, sequence: u16) -> Extended {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest += u64::from(ahead);
            self.restart_at = None;
            return Extended::At(self.highest);
        }
        if let behind @ ..=MAX_MISORDER = ahead.wrapping_neg() {
            return Extended::At(self.highest - u64::from(behind));
        }
        if self.restart_at == Some(sequence) {
            *self = Self::new(sequence);
            return Extended::Restarted(self.highest);
        }
        self.restart_at = Some(sequence.wrapping_add(1));
        Extended::Wild
    }

    /// The highest number seen.
    pub fn highest(&self) -> u64 {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = CYCLE;

    #[test]
    fn distance_is_right_across_the_wrap() {
        let cases: &[(u16, u16, i16)] = &[
            (1, 2, 1),
            (2, 1, -1),
            (65_535, 0, 1),
            (0, 65_535, -1),
            (65_000, 100, 636),
            (7, 7, 0),
            (0, 32_768, i16::MIN),
        ];
        for (earlier, later, expected) in cases {
            assert_eq!(distance(*earlier, *later), *expected, "{earlier} {later}");
        }
    }

    #[test]
    fn each_packet_has_its_place() {
        use Extended::{At, Restarted, Wild};
        let cases: &[(&str, u16, &[u16], &[Extended])] = &[
            ("in order", 5, &[6, 7], &[At(BASE + 6), At(BASE + 7)]),
            ("repeated", 5, &[5], &[At(BASE + 5)]),
            ("lost", 5, &[9], &[At(BASE + 9)]),
            ("late", 5, &[7, 6], &[At(BASE + 7), At(BASE + 6)]),
            ("before the first", 0, &[65_535], &[At(BASE - 1)]),
            ("wrapped", 65_535, &[0, 65_534, 1], &[At(BASE + CYCLE), At(BASE + 65_534), At(BASE + CYCLE + 1)]),
            ("most that can be lost", 0, &[2_999], &[At(BASE + 2_999)]),
            ("a jump", 0, &[3_000, 1], &[Wild, At(BASE + 1)]),
            ("most that can be late", 500, &[400, 399], &[At(BASE + 400), Wild]),
            ("begun anew", 50_000, &[9, 10, 11], &[Wild, Restarted(BASE + 10), At(BASE + 11)]),
            ("two jumps that do not agree", 50_000, &[9, 11, 50_001], &[Wild, Wild, At(BASE + 50_001)]),
            ("an old packet between makes them no row", 50_000, &[9, 50_001, 10], &[Wild, At(BASE + 50_001), Wild]),
        ];
        for (name, first, rest, expected) in cases {
            let mut sequence = Sequence::new(*first);
            let places: Vec<_> = rest.iter().map(|number| sequence.extend(*number)).collect();
            assert_eq!(places, *expected, "{name}");
        }
    }

    #[test]
    fn wraps_are_counted_for_days() {
        let mut sequence = Sequence::new(0);
        for number in 1..1_000_000u64 {
            assert_eq!(sequence.extend(number as u16), Extended::At(BASE + number));
        }
    }
}
