//! The tone that says that somewhere else it rings ([ETSI TR 101 041-2]): 425 Hz, one second on, four off.
//!
//! [ETSI TR 101 041-2]: https://www.etsi.org/deliver/etsi_tr/101000_101099/10104102/01.01.01_60/tr_10104102v010101p.pdf

use std::f32::consts::{PI, TAU};

use crate::frame::RATE;

/// Samples of sound, and of sound and silence together.
const ON: u64 = RATE as u64;
const CYCLE: u64 = 5 * RATE as u64;
/// The sine repeats after so many samples, in which it swings so many times: 425 Hz at 8 kHz.
const PERIOD: u64 = 320;
const SWINGS: u64 = 17;
/// The sine's peak at -20 dBm0; the loudest sine of G.711 is at 3.14 dBm0.
const PEAK: f32 = 2_283.0;
/// Samples in which it swells and fades, 5 ms, so that nothing clicks.
pub(crate) const EDGE: usize = 40;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tone {
    position: u64,
}

impl Tone {
    /// The next samples.
    pub(crate) fn speak(&mut self, samples: &mut [i16]) {
        for sample in samples {
            let within = self.position % CYCLE;
            let edge = within.min(ON.saturating_sub(within + 1));
            *sample = self.sine(if within < ON { swell(edge) } else { 0.0 });
            self.position += 1;
        }
    }

    /// The last samples, when it is to end now; `None` while it is silent anyway.
    pub(crate) fn end(mut self) -> Option<[i16; EDGE]> {
        let within = self.position % CYCLE;
        let loudness = swell(within.min(ON.saturating_sub(within)));
        (within < ON).then(|| {
            let mut samples = [0; EDGE];
            for (n, sample) in samples.iter_mut().enumerate() {
                *sample = self.sine(loudness * swell((EDGE - 1 - n) as u64));
                self.position += 1;
            }
            samples
        })
    }

    fn sine(self, loudness: f32) -> i16 {
        let turn = (self.position * SWINGS % PERIOD) as f32 / PERIOD as f32;
        (PEAK * loudness * (turn * TAU).sin()) as i16
    }
}

/// How loud it is so many samples from an edge, 0 to 1.
fn swell(samples: u64) -> f32 {
    let part = samples.min(EDGE as u64) as f32 / EDGE as f32;
    0.5 - 0.5 * (part * PI).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desk::pitch, frame::level};

    fn spoken(samples: usize) -> (Tone, Vec<i16>) {
        let (mut tone, mut spoken) = (Tone::default(), vec![0; samples]);
        tone.speak(&mut spoken);
        (tone, spoken)
    }

    /// The largest step from sample to sample; that of the sine itself is below 800.
    fn largest_step(samples: &[i16]) -> i32 {
        samples.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap_or(0)
    }

    #[test]
    fn one_second_on_four_off() {
        let (_, spoken) = spoken(80_000);
        let frames: Vec<u8> = spoken.chunks_exact(160).map(level).collect();
        for cycle in frames.chunks_exact(250) {
            // -20 dBm0 is -26 dBov of a sine's mean power.
            assert!(cycle[1..49].iter().all(|level| level.abs_diff(26) <= 1), "{:?}", &cycle[..50]);
            assert!(cycle[50..].iter().all(|level| *level == 127));
        }
        let pitch = pitch(&spoken[..8_000]).unwrap();
        assert!((pitch - 425.0).abs() < 1.0, "{pitch}");
        assert!(largest_step(&spoken) < 800);
    }

    #[test]
    fn it_ends_without_a_click_wherever_it_is() {
        for samples in [0, 1, 20, 100, 4_000, 4_019, 7_970, 7_999] {
            let (tone, mut spoken) = spoken(samples);
            spoken.extend(tone.end().unwrap());
            spoken.extend([0; 10]);
            assert!(largest_step(&spoken) < 800, "after {samples}");
        }
        for samples in [8_000, 20_000, 39_999] {
            assert!(spoken(samples).0.end().is_none(), "after {samples}");
        }
    }
}
