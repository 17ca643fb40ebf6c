//! Comfort noise ([RFC 3389]): what is heard of a line on which nobody speaks. Only its level is told; its colour is white.
//!
//! [RFC 3389]: https://www.rfc-editor.org/rfc/rfc3389

use crate::{frame::SILENCE, random::Random};

/// The payload type of comfort noise for codecs whose clock is 8 kHz ([RFC 3389 §4]).
///
/// [RFC 3389 §4]: https://www.rfc-editor.org/rfc/rfc3389#section-4
pub(crate) const PAYLOAD_TYPE: u8 = 13;
/// The clock of that.
pub(crate) const CLOCK_RATE: u32 = 8_000;

/// The level that a packet tells, in -dBov; what else it says of the spectrum is passed over (RFC 3389 §3).
pub(crate) fn level(payload: &[u8]) -> u8 {
    payload.first().map_or(SILENCE, |level| level & 0x7f)
}

/// What a packet of ours tells: the level alone (RFC 3389 §3).
pub(crate) fn payload(level: u8) -> [u8; 1] {
    [level.min(SILENCE)]
}

/// Makes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    random: Random,
    level: u8,
}

impl Noise {
    pub(crate) fn new(level: u8) -> Self {
        Self { random: Random::new(level.into()), level }
    }

    /// Is as loud as this from here on, in -dBov.
    pub(crate) fn set_level(&mut self, level: u8) {
        self.level = level;
    }

    /// How loud it is, in -dBov.
    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    /// The next samples.
    pub(crate) fn speak(&mut self, samples: &mut [i16]) {
        if self.level >= SILENCE {
            return samples.fill(0);
        }
        // Of even distribution, whose peak is higher than its mean power by the root of three.
        let peak = 32_768.0 * 3f32.sqrt() * 10f32.powf(-f32::from(self.level) / 20.0);
        for sample in samples {
            let part = (self.random.next() as i32) as f32 / 2_147_483_648.0;
            *sample = (part * peak) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_loud_as_it_is_told_to_be() {
        let mut noise = Noise::new(0);
        for told in [10, 30, 50, 70] {
            let mut samples = [0; 8_000];
            noise.set_level(told);
            noise.speak(&mut samples);
            assert!(crate::frame::level(&samples).abs_diff(told) <= 1, "-{told} dBov");
        }
        let mut samples = [7; 160];
        Noise::new(SILENCE).speak(&mut samples);
        assert_eq!(samples, [0; 160]);
    }

    #[test]
    fn levels_are_read() {
        let cases: &[(&[u8], u8)] = &[(&[], SILENCE), (&[60], 60), (&[0x80 | 60, 1, 2], 60), (&[127], 127)];
        for (payload, expected) in cases {
            assert_eq!(level(payload), *expected, "{payload:?}");
        }
    }
}
