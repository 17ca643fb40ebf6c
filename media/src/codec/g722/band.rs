//! One band: what is expected of the next sample, and how coarsely the difference is told (G.722 §3.2 to §3.6).

use super::tables::{HIGH_2, HIGH_GROWTH, HIGH_LEVEL, LOW_4, LOW_6, LOW_GROWTH, LOW_LEVELS, POWERS};

/// The most that the logarithm of the step may be.
const LOW_MOST: i32 = 18_432;
const HIGH_MOST: i32 = 22_528;
/// The lower band may take steps of four times the size.
const LOW_SHIFT: i32 = 8;
const HIGH_SHIFT: i32 = 10;

/// The state that encoder and decoder share. Numbers are of 16 bits and held at their ends.
#[derive(Clone, Debug)]
pub(super) struct Band {
    step: i32,
    step_log: i32,
    /// What is expected, and the part of it that comes from the differences alone.
    expected: i32,
    expected_zeros: i32,
    /// The last two samples as the decoder knows them.
    known: [i32; 2],
    /// The last two differences with the part above.
    partial: [i32; 2],
    /// The last six differences.
    differences: [i32; 6],
    poles: [i32; 2],
    zeros: [i32; 6],
}

impl Band {
    pub(super) fn low() -> Self {
        Self::new(32)
    }

    pub(super) fn high() -> Self {
        Self::new(8)
    }

    fn new(step: i32) -> Self {
        Self {
            step,
            step_log: 0,
            expected: 0,
            expected_zeros: 0,
            known: [0; 2],
            partial: [0; 2],
            differences: [0; 6],
            poles: [0; 2],
            zeros: [0; 6],
        }
    }

    /// Six bits for a sample of the lower band.
    pub(super) fn encode_low(&mut self, sample: i32) -> u8 {
        let missed = held(sample - self.expected);
        let magnitude = mirrored(missed);
        let interval = LOW_LEVELS.partition_point(|level| (level * self.step) >> 12 <= magnitude) as u8;
        // Codewords fall as differences grow, so that the most usual are rich in ones; those of a negative difference follow
        // the positive ones but for the two next to zero.
        let word = match (missed < 0, interval) {
            (false, _) => 61 - interval,
            (true, interval @ 0..2) => 63 - interval,
            (true, _) => 33 - interval,
        };
        self.learn_low(word);
        word
    }

    /// Two bits for a sample of the upper band.
    pub(super) fn encode_high(&mut self, sample: i32) -> u8 {
        let missed = held(sample - self.expected);
        let large = mirrored(missed) >= (HIGH_LEVEL * self.step) >> 12;
        let word = match (missed < 0, large) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        self.learn_high(word);
        word
    }

    /// The sample of a codeword of the lower band, in 15 bits.
    pub(super) fn decode_low(&mut self, word: u8) -> i32 {
        let difference = (self.step * LOW_6[usize::from(word & 0x3f)]) >> 15;
        let sample = audible(self.expected + difference);
        self.learn_low(word);
        sample
    }

    /// The same of the upper band.
    pub(super) fn decode_high(&mut self, word: u8) -> i32 {
        let difference = (self.step * HIGH_2[usize::from(word & 3)]) >> 15;
        let sample = audible(self.expected + difference);
        self.learn_high(word);
        sample
    }

    fn learn_low(&mut self, word: u8) {
        let coarse = usize::from(word >> 2 & 15);
        let difference = (self.step * LOW_4[coarse]) >> 15;
        self.scale(LOW_GROWTH[coarse], LOW_MOST, LOW_SHIFT);
        self.predict(difference);
    }

    fn learn_high(&mut self, word: u8) {
        let word = usize::from(word & 3);
        let difference = (self.step * HIGH_2[word]) >> 15;
        self.scale(HIGH_GROWTH[word], HIGH_MOST, HIGH_SHIFT);
        self.predict(difference);
    }

    /// The next step; without growth it shrinks toward the smallest, in which the effect of a bit error dies away.
    fn scale(&mut self, growth: i32, most: i32, shift: i32) {
        self.step_log = (((self.step_log * 127) >> 7) + growth).clamp(0, most);
        let power = POWERS[(self.step_log >> 6 & 31) as usize];
        let down = shift - (self.step_log >> 11);
        self.step = if down < 0 { power << -down } else { power >> down } << 2;
    }

    /// Takes in what was told of a sample and predicts the next one.
    fn predict(&mut self, difference: i32) {
        let known = held(self.expected + difference);
        let partial = held(self.expected_zeros + difference);
        self.adapt_poles(partial);
        self.adapt_zeros(difference);

        self.known = [known, self.known[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;

        let weigh = |weight: i32, value: i32| (weight * held(2 * value)) >> 15;
        let by_poles = held(weigh(self.poles[0], self.known[0]) + weigh(self.poles[1], self.known[1]));
        let zeros = self.zeros.iter().zip(&self.differences);
        self.expected_zeros = held(zeros.map(|(zero, difference)| weigh(*zero, *difference)).sum());
        self.expected = held(by_poles + self.expected_zeros);
    }

    /// Moves the poles toward what would have predicted better, and keeps them where the filter is stable.
    fn adapt_poles(&mut self, partial: i32) {
        let [first, second] = self.poles;
        let agrees = |before: i32| (partial ^ before) >= 0;
        let quadruple = held(4 * first);
        let pull = if agrees(self.partial[0]) { held(-quadruple) } else { quadruple };
        let push = if agrees(self.partial[1]) { 128 } else { -128 };
        let second = (push + (pull >> 7) + ((second * 32_512) >> 15)).clamp(-12_288, 12_288);
        let push = if agrees(self.partial[0]) { 192 } else { -192 };
        let most = 15_360 - second;
        let first = held(push + ((first * 32_640) >> 15)).clamp(-most, most);
        self.poles = [first, second];
    }

    fn adapt_zeros(&mut self, difference: i32) {
        let push = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(&self.differences) {
            let push = if (difference ^ before) >= 0 { push } else { -push };
            *zero = held(push + ((*zero * 32_640) >> 15));
        }
    }
}

/// Held at the ends of 16 bits.
fn held(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// Held at the ends of the 15 bits of a sample.
fn audible(value: i32) -> i32 {
    held(value).clamp(-16_384, 16_383)
}

/// The magnitude; a negative one is less by one.
fn mirrored(value: i32) -> i32 {
    if value < 0 { !value } else { value }
}
