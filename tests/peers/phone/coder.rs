//! The codecs of the small phone, a byte a sample of 8 kHz.

use std::ops::RangeInclusive;

use super::rtp::Law;
use crate::audio;

/// One direction of a codec.
#[derive(Debug)]
pub(super) enum Coder {
    /// G.711 µ-law.
    Mu,
    /// G.711 A-law.
    A,
    /// G.722.
    Wide(Box<LowerBand>),
}

impl Coder {
    pub(super) fn new(law: Law) -> Self {
        match law {
            Law::Mu => Self::Mu,
            Law::A => Self::A,
            Law::Wide => Self::Wide(Box::default()),
        }
    }

    pub(super) fn encode(&mut self, sample: i16) -> u8 {
        match self {
            Self::Mu => audio::to_ulaw(sample),
            Self::A => audio::to_alaw(sample),
            Self::Wide(band) => band.encode(sample),
        }
    }

    pub(super) fn decode(&mut self, byte: u8) -> i16 {
        match self {
            Self::Mu => audio::from_ulaw(byte),
            Self::A => audio::from_alaw(byte),
            Self::Wide(band) => band.decode(byte),
        }
    }
}

/// The lower band of G.722 without its filters (ITU-T G.722 §3): a tone well below 4 kHz lies in it alone, at half its level.
#[derive(Debug)]
pub(super) struct LowerBand {
    /// The logarithm of the step, and the step.
    scale: (i32, i32),
    /// What the zeros and the whole predictor expect.
    expected: (i32, i32),
    /// The last differences, partial and whole signals, and what they weigh.
    differences: [i32; 6],
    zeros: [i32; 6],
    partial: [i32; 2],
    signal: [i32; 2],
    poles: [i32; 2],
    /// Which of the two smallest steps the upper band takes next.
    up: bool,
}

impl Default for LowerBand {
    fn default() -> Self {
        Self {
            scale: (0, 32),
            expected: (0, 0),
            differences: [0; 6],
            zeros: [0; 6],
            partial: [0; 2],
            signal: [0; 2],
            poles: [0; 2],
            up: false,
        }
    }
}

/// ITU-T G.722, tables 5 and 6 for what is heard (six bits) and for what is expected (four bits).
const FINE: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576,
    -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040,
    -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
    4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
const COARSE: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
/// How a step of each size changes the logarithm of the scale.
const STEPS: [i32; 16] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// The codes that a sender may use (the first four are reserved).
const CODES: RangeInclusive<u8> = 4..=63;

impl LowerBand {
    fn encode(&mut self, sample: i16) -> u8 {
        let wanted = i32::from(sample) / 2 - self.expected.1;
        let code = CODES.min_by_key(|&code| (self.step(FINE[usize::from(code)]) - wanted).abs()).unwrap_or(63);
        self.adapt(code);
        self.up = !self.up;
        code | if self.up { 0xc0 } else { 0x40 }
    }

    fn decode(&mut self, byte: u8) -> i16 {
        let code = byte & 0x3f;
        let heard = self.expected.1 + self.step(FINE[usize::from(code)]);
        self.adapt(code);
        limited(2 * heard) as i16
    }

    fn step(&self, size: i32) -> i32 {
        (self.scale.1 * size) >> 15
    }

    /// What both sides learn from a code.
    fn adapt(&mut self, code: u8) {
        let coarse = usize::from(code >> 2);
        let difference = self.step(COARSE[coarse]);
        let log = (((self.scale.0 * 127) >> 7) + STEPS[coarse]).clamp(0, 18_432);
        // The fraction of a power of two, in 32 parts.
        let part = (2_048.0 * 2_f64.powf(f64::from(log >> 6 & 31) / 32.0)).round() as i32;
        let shift = 8 - (log >> 11);
        self.scale = (log, (if shift < 0 { part << -shift } else { part >> shift }) << 2);

        let partial = limited(self.expected.0 + difference);
        let signal = limited(self.expected.1 + difference);
        self.poles = self.next_poles(partial);
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, &old) in self.zeros.iter_mut().zip(&self.differences) {
            let same = (old < 0) == (difference < 0);
            *zero = limited(if same { push } else { -push } + ((*zero * 32_640) >> 15));
        }
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        self.partial = [partial, self.partial[0]];
        self.signal = [signal, self.signal[0]];
        let weighed = |weight: i32, value: i32| (weight * limited(2 * value)) >> 15;
        let sum = |weights: &[i32], values: &[i32]| -> i32 {
            weights.iter().zip(values).map(|(&weight, &value)| weighed(weight, value)).sum()
        };
        let zeros = limited(sum(&self.zeros, &self.differences));
        self.expected = (zeros, limited(limited(sum(&self.poles, &self.signal)) + zeros));
    }

    fn next_poles(&self, partial: i32) -> [i32; 2] {
        let same = |other: i32| (other < 0) == (partial < 0);
        let [first, second] = self.poles;
        let turn = limited(4 * first);
        let turn = if same(self.partial[0]) { -turn } else { turn }.min(32_767);
        let push = if same(self.partial[1]) { 128 } else { -128 };
        let second = (push + (turn >> 7) + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let push = if same(self.partial[0]) { 192 } else { -192 };
        let most = limited(15_360 - second);
        [limited(push + ((first * 32_640) >> 15)).clamp(-most, most), second]
    }
}

fn limited(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}
