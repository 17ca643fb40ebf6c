//! Samples and media time.
//!
//! Everything between the two codecs is mono, 16 bit, at the carrier's rate. Media time is counted in ticks of 8 kHz, never in
//! packets, so that what goes out is as long as what came in: a tick is one sample of telephone audio, two of wideband, and one
//! step of the RTP clock of either.

mod fifo;

use std::time::{Duration, Instant};

pub(crate) use self::fifo::Fifo;

/// Ticks a second, and samples of G.711.
pub const RATE: u32 = 8_000;
/// Ticks in twenty milliseconds: one Opus frame.
pub const FRAME: usize = 160;
/// Samples in the widest frame.
pub(crate) const WIDE_FRAME: usize = 2 * FRAME;
/// Ticks in the longest packet accepted, 200 ms.
pub const LONGEST: usize = 1_600;
/// Ticks of the Opus RTP clock in one of ours; the clock is 48 kHz whatever is coded ([RFC 7587 §4.1]).
///
/// [RFC 7587 §4.1]: https://www.rfc-editor.org/rfc/rfc7587#section-4.1
pub(crate) const OPUS_TICKS: u32 = 48_000 / RATE;
/// Level of digital silence, in -dBov ([RFC 6464 §3]).
///
/// [RFC 6464 §3]: https://www.rfc-editor.org/rfc/rfc6464#section-3
pub const SILENCE: u8 = 127;

/// How many samples there are between the codecs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rate {
    /// 8 kHz: the telephone's.
    #[default]
    Narrow,
    /// 16 kHz.
    Wide,
}

impl Rate {
    /// Samples in so many ticks.
    #[inline]
    pub const fn samples(self, ticks: usize) -> usize {
        match self {
            Self::Narrow => ticks,
            Self::Wide => 2 * ticks,
        }
    }

    /// Whole ticks in so many samples.
    #[inline]
    pub const fn ticks(self, samples: usize) -> usize {
        match self {
            Self::Narrow => samples,
            Self::Wide => samples / 2,
        }
    }

    /// Samples in twenty milliseconds.
    #[inline]
    pub const fn frame(self) -> usize {
        self.samples(FRAME)
    }

    /// Samples a second.
    pub const fn hertz(self) -> u32 {
        self.samples(RATE as usize) as u32
    }

    /// A few samples that wait while the rate changes, at the other one: as long as before, and no more than that.
    pub(crate) fn convert(self, to: Self, samples: &[i16]) -> Vec<i16> {
        let mean = |a: i16, b: i16| ((i32::from(a) + i32::from(b)) / 2) as i16;
        match (self, to) {
            (Self::Narrow, Self::Wide) => {
                let next = samples.iter().skip(1).chain(samples.last());
                samples.iter().zip(next).flat_map(|(this, next)| [*this, mean(*this, *next)]).collect()
            }
            (Self::Wide, Self::Narrow) => samples.as_chunks().0.iter().map(|[a, b]| mean(*a, *b)).collect(),
            (Self::Narrow, Self::Narrow) | (Self::Wide, Self::Wide) => samples.to_vec(),
        }
    }
}

/// How long so many ticks are.
pub(crate) fn duration_of(ticks: u64) -> Duration {
    Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / u64::from(RATE)))
}

/// How many whole ticks fit into a duration.
pub(crate) fn samples_in(duration: Duration) -> u64 {
    let nanos_a_tick = u128::from(1_000_000_000 / RATE);
    u64::try_from(duration.as_nanos() / nanos_a_tick).unwrap_or(u64::MAX)
}

/// The earlier of two times to be woken at.
pub(crate) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

/// The level of some samples in -dBov: 0 is as loud as can be, [`SILENCE`] is nothing.
pub fn level(samples: &[i16]) -> u8 {
    let energy: i64 = samples.iter().map(|&s| i64::from(i32::from(s) * i32::from(s))).sum();
    if energy == 0 || samples.is_empty() {
        return SILENCE;
    }
    let mean = energy as f32 / samples.len() as f32;
    let below = -10.0 * (mean / (32_768.0 * 32_768.0)).log10();
    below.round().clamp(0.0, f32::from(SILENCE)) as u8
}

/// A beginning for tests, whose time is counted from it.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
pub(crate) fn beginning() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        let sine: Vec<i16> = (0..800).map(|n| ((f64::from(n) * 0.3).sin() * 3276.8) as i16).collect();
        let cases: &[(&str, &[i16], u8)] = &[
            ("nothing", &[], SILENCE),
            ("silence", &[0; 160], SILENCE),
            ("one step", &[1, -1], 90),
            ("full square", &[i16::MIN; 160], 0),
            ("a tenth of full sine", &sine, 23),
        ];
        for (name, samples, expected) in cases {
            assert_eq!(level(samples), *expected, "{name}");
        }
    }

    #[test]
    fn what_waits_is_as_long_at_the_other_rate() {
        use Rate::{Narrow, Wide};
        assert_eq!(Narrow.convert(Wide, &[0, 10, -10]), [0, 5, 10, 0, -10, -10]);
        assert_eq!(Wide.convert(Narrow, &[0, 5, 10, 0, i16::MAX, i16::MAX]), [2, 5, i16::MAX]);
        assert_eq!(Narrow.convert(Wide, &[]), []);
        assert_eq!(Wide.convert(Wide, &[1, 2]), [1, 2]);
        assert_eq!((Wide.hertz(), Wide.frame(), Wide.ticks(321)), (16_000, 320, 160));
    }

    #[test]
    fn media_time() {
        assert_eq!(duration_of(160), Duration::from_millis(20));
        assert_eq!(samples_in(Duration::from_micros(20_124)), 160);
        assert_eq!(samples_in(duration_of(123_457)), 123_457);
    }
}
