//! The filters that take the bands apart and put them together (G.722 §3.1, §4.4). What each folds over, the other unfolds.

use super::tables::MIRROR;

/// Samples that a filter sees.
const TAPS: usize = 2 * MIRROR.len();

/// Samples of 16 kHz to two bands at half the rate.
#[derive(Clone, Debug, Default)]
pub(super) struct Analysis {
    seen: [i32; TAPS],
}

/// Two bands to samples at twice their rate.
#[derive(Clone, Debug, Default)]
pub(super) struct Synthesis {
    seen: [i32; TAPS],
}

impl Analysis {
    /// The lower and the upper band of two samples, in 15 bits.
    pub(super) fn split(&mut self, [first, second]: [i16; 2]) -> (i32, i32) {
        shift_in(&mut self.seen, first.into(), second.into());
        let (pairs, _) = self.seen.as_chunks::<2>();
        let pairs = pairs.iter().zip(MIRROR).zip(MIRROR.into_iter().rev());
        let (even, odd) = pairs.fold((0, 0), |(even, odd), (([first, second], tap), mirrored)| {
            (even + first * tap, odd + second * mirrored)
        });
        ((odd + even) >> 14, (odd - even) >> 14)
    }
}

impl Synthesis {
    /// The two samples of both bands, each given in 16 bits.
    pub(super) fn join(&mut self, low: i32, high: i32) -> [i16; 2] {
        shift_in(&mut self.seen, low + high, low - high);
        let (pairs, _) = self.seen.as_chunks::<2>();
        let pairs = pairs.iter().zip(MIRROR).zip(MIRROR.into_iter().rev());
        let (first, second) = pairs.fold((0, 0), |(first, second), (([sum, difference], tap), mirrored)| {
            (first + difference * mirrored, second + sum * tap)
        });
        [first, second].map(|sum| (sum >> 12).clamp(i16::MIN.into(), i16::MAX.into()) as i16)
    }
}

fn shift_in(seen: &mut [i32; TAPS], first: i32, second: i32) {
    seen.copy_within(2.., 0);
    (seen[TAPS - 2], seen[TAPS - 1]) = (first, second);
}
