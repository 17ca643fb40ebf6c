//! Samples and media time.
//!
//! Everything between the two codecs is mono, 16 bit, at the carrier's rate. Media time is counted in samples, never in
//! packets, so that what goes out is as long as what came in.

mod fifo;

use std::time::{Duration, Instant};

pub(crate) use self::fifo::Fifo;

/// Samples a second between the codecs: that of G.711.
pub const RATE: u32 = 8_000;
/// Samples in twenty milliseconds: one Opus frame.
pub const FRAME: usize = 160;
/// Samples in the longest packet accepted, 200 ms of G.711.
pub const LONGEST: usize = 1_600;
/// Ticks of the Opus RTP clock in one sample; the clock is 48 kHz whatever is coded ([RFC 7587 §4.1]).
///
/// [RFC 7587 §4.1]: https://www.rfc-editor.org/rfc/rfc7587#section-4.1
pub(crate) const OPUS_TICKS: u32 = 48_000 / RATE;
/// Level of digital silence, in -dBov ([RFC 6464 §3]).
///
/// [RFC 6464 §3]: https://www.rfc-editor.org/rfc/rfc6464#section-3
pub const SILENCE: u8 = 127;

/// How long so many samples are.
pub(crate) fn duration_of(samples: u64) -> Duration {
    Duration::from_nanos(samples.saturating_mul(1_000_000_000 / u64::from(RATE)))
}

/// How many whole samples fit into a duration.
pub(crate) fn samples_in(duration: Duration) -> u64 {
    let nanos_a_sample = u128::from(1_000_000_000 / RATE);
    u64::try_from(duration.as_nanos() / nanos_a_sample).unwrap_or(u64::MAX)
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
    fn media_time() {
        assert_eq!(duration_of(160), Duration::from_millis(20));
        assert_eq!(samples_in(Duration::from_micros(20_124)), 160);
        assert_eq!(samples_in(duration_of(123_457)), 123_457);
    }
}
