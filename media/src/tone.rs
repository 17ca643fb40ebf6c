//! The tone that says that somewhere else it rings: 425 Hz, one second on, four off, as most of Europe knows it. ETSI
//! TR 101 041-2 lists the tones of the networks.

use std::f32::consts::{PI, TAU};

use crate::frame::Rate;

/// Sound, and sound and silence together, in steps of 16 kHz, as all times here.
const ON: u32 = Rate::Wide.hertz();
const CYCLE: u32 = 5 * ON;
/// The sine repeats after so many steps, in which it swings so many times: that makes 425 Hz. A cycle is a multiple of it.
const PERIOD: u32 = 640;
const SWINGS: u32 = 17;
/// The sine's peak at -20 dBm0; the loudest sine of G.711 is at 3.14 dBm0.
const PEAK: f32 = 2_283.0;
/// How long it swells and fades, 5 ms, so that nothing clicks.
const EDGE: u8 = 80;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tone {
    /// Within the cycle.
    position: u32,
    ending: Option<Ending>,
}

/// Its last steps: as loud as it was, and how many are left.
#[derive(Clone, Copy, Debug)]
struct Ending {
    loudness: f32,
    left: u8,
}

impl Tone {
    /// Lets it fade from here on.
    pub(crate) fn end(&mut self) {
        let loudness = swell(distance(self.position));
        self.ending.get_or_insert(Ending { loudness, left: EDGE });
    }

    /// The next samples.
    pub(crate) fn speak(&mut self, rate: Rate, samples: &mut [i16]) {
        samples.iter_mut().for_each(|sample| *sample = self.sample(rate));
    }

    /// The next samples, together with what is there.
    pub(crate) fn speak_into(&mut self, rate: Rate, samples: &mut [i16]) {
        samples.iter_mut().for_each(|sample| *sample = sample.saturating_add(self.sample(rate)));
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    fn sample(&mut self, rate: Rate) -> i16 {
        let steps = match rate {
            Rate::Narrow => 2,
            Rate::Wide => 1,
        };
        let loudness = match &mut self.ending {
            None => swell(distance(self.position)),
            Some(Ending { loudness, left }) => {
                *left = left.saturating_sub(steps);
                *loudness * swell(u32::from(*left))
            }
        };
        let turn = (self.position * SWINGS % PERIOD) as f32 / PERIOD as f32;
        self.position = (self.position + u32::from(steps)) % CYCLE;
        (PEAK * loudness * (turn * TAU).sin()) as i16
    }
}

/// How many steps it is from here to the nearer edge of the sound; none in the silence.
fn distance(position: u32) -> u32 {
    position.min(ON.saturating_sub(position))
}

/// How loud it is so many steps from an edge, 0 to 1.
fn swell(steps: u32) -> f32 {
    let part = steps.min(EDGE.into()) as f32 / f32::from(EDGE);
    0.5 - 0.5 * (part * PI).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desk::pitch, frame::level};

    fn spoken(samples: usize) -> (Tone, Vec<i16>) {
        let (mut tone, mut spoken) = (Tone::default(), vec![0; samples]);
        tone.speak(Rate::Narrow, &mut spoken);
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
    fn it_is_the_same_at_either_rate() {
        let (mut narrow, mut wide) = (Tone::default(), Tone::default());
        for end in [false, true] {
            let (mut at_8, mut at_16) = (vec![0; 20_000], vec![0; 40_000]);
            narrow.speak(Rate::Narrow, &mut at_8);
            wide.speak(Rate::Wide, &mut at_16);
            assert!(at_8.iter().eq(at_16.iter().step_by(2)), "ending: {end}");
            narrow.end();
            wide.end();
        }
    }

    #[test]
    fn it_ends_without_a_click_wherever_it_is() {
        for samples in [0, 1, 20, 100, 4_000, 4_019, 7_970, 7_999, 8_000, 20_000, 39_999] {
            let (mut tone, mut spoken) = spoken(samples);
            tone.end();
            let mut last = [0; 200];
            tone.speak(Rate::Narrow, &mut last);
            spoken.extend(last);
            assert!(largest_step(&spoken) < 800, "after {samples}");
            assert!(last[40..].iter().all(|sample| *sample == 0), "after {samples}");
            assert_eq!(last.iter().any(|sample| *sample != 0), (1..8_000).contains(&samples), "after {samples}");
        }
    }

    #[test]
    fn its_end_lies_below_what_comes_next() {
        let (mut tone, _) = spoken(1_000);
        tone.end();
        let (mut alone, mut mixed) = ([0; 60], [1_000; 60]);
        tone.clone().speak(Rate::Narrow, &mut alone);
        tone.speak_into(Rate::Narrow, &mut mixed);
        assert!(alone.iter().zip(mixed).all(|(alone, mixed)| alone + 1_000 == mixed));
    }
}
