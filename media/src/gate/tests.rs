use super::*;
use crate::{codec::g711::Law, random::Random};

const RATES: [Rate; 2] = [Rate::Narrow, Rate::Wide];
/// Frames before somebody speaks: what a gate needs to know the line, and more.
const BEFORE: usize = 250;

/// The amplitude of this level, as root of the mean square.
fn amplitude(level: f32) -> f32 {
    32_768.0 * 10f32.powf(-level / 20.0)
}

/// White noise; `None` is a line without any.
fn noise(random: &mut Random, level: Option<f32>) -> f32 {
    let even = (random.next() as i32) as f32 / 2_147_483_648.0;
    level.map_or(0.0, |level| even * 3f32.sqrt() * amplitude(level))
}

/// Something like a voice: pulses of a pitch that wanders, in vowels of which some begin with a hiss.
struct Voice {
    random: Random,
    level: f32,
    phase: f32,
    past: [f32; 2],
}

impl Voice {
    fn new(seed: u64, level: f32) -> Self {
        Self { random: Random::new(seed), level, phase: 0.0, past: [0.0; 2] }
    }

    /// The sample `n` after the word began; its attack takes ten milliseconds.
    fn speak(&mut self, rate: Rate, n: usize) -> f32 {
        let seconds = n as f32 / rate.hertz() as f32;
        let pitch = 110.0 + 25.0 * (seconds * 9.0).sin();
        self.phase += pitch / rate.hertz() as f32;
        let pulse = if self.phase >= 1.0 { 1.0 } else { 0.0 };
        self.phase = self.phase.fract();
        let breath = 0.05 * noise(&mut self.random, Some(0.0)) / 32_768.0;
        // A formant at 600 Hz, 200 Hz wide.
        let turn = std::f32::consts::TAU * 600.0 / rate.hertz() as f32;
        let radius = (-std::f32::consts::PI * 200.0 / rate.hertz() as f32).exp();
        let now = pulse + breath + 2.0 * radius * turn.cos() * self.past[0] - radius * radius * self.past[1];
        self.past = [now, self.past[0]];
        // The mean square of a ringing pulse, so many times a second, is known.
        let rings = rate.hertz() as f32 / pitch;
        let power = 1.0 / (rings * (1.0 - radius * radius) * 2.0 * turn.sin().powi(2));
        now / power.sqrt() * amplitude(self.level) * (seconds / 0.01).min(1.0)
    }
}

/// A line: noise of a level, through µ-law as telephones have it.
struct Line {
    rate: Rate,
    level: Option<f32>,
    random: Random,
    gate: Gate,
}

impl Line {
    fn new(rate: Rate, level: Option<f32>, seed: u64) -> Self {
        Self { rate, level, random: Random::new(seed), gate: Gate::new() }
    }

    /// A frame of what is said over the noise, which gets the number of the sample.
    fn frame(&mut self, mut say: impl FnMut(usize) -> f32) -> Verdict {
        let frame = self.rate.frame();
        let samples: Vec<i16> = (0..frame).map(|n| (say(n) + noise(&mut self.random, self.level)) as i16).collect();
        let (mut bytes, mut heard) = (vec![0; frame], vec![0; frame]);
        Law::Mu.encode(&samples, &mut bytes);
        Law::Mu.decode(&bytes, &mut heard);
        self.gate.judge(self.rate, &heard, &Loudness::of(&heard))
    }

    fn frames(&mut self, count: usize, mut say: impl FnMut(usize) -> f32) -> Vec<Verdict> {
        let frame = self.rate.frame();
        (0..count).map(|n| self.frame(|sample| say(n * frame + sample))).collect()
    }
}

fn silent(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| **verdict == Verdict::Silence).count()
}

#[test]
fn no_word_loses_more_than_a_frame_of_its_beginning() {
    let mut lost = 0.0;
    for rate in RATES {
        for (noise, level) in [(None, 26.0), (Some(60.0), 26.0), (Some(50.0), 26.0), (Some(40.0), 26.0)]
            .into_iter()
            .chain([(None, 35.0), (Some(60.0), 35.0), (Some(50.0), 35.0), (Some(40.0), 35.0)])
        {
            for seed in 0..100 {
                let name = format!("{rate:?}, -{level} dBov over {noise:?}, seed {seed}");
                let mut line = Line::new(rate, noise, seed);
                let before = line.frames(BEFORE, |_| 0.0);
                assert!(silent(&before[150..]) >= 90, "{name}: {}", silent(&before[150..]));
                // The word begins anywhere in a frame.
                let (mut voice, begin) = (Voice::new(seed, level), rate.frame() * (seed as usize % 20) / 20);
                let said = line.frames(50, |n| n.checked_sub(begin).map_or(0.0, |n| voice.speak(rate, n)));
                let first = said.iter().position(|verdict| *verdict == Verdict::Speech);
                assert!(first.is_some_and(|first| first <= 1), "{name}: frame {first:?}");
                let first = first.unwrap_or(0);
                lost += (first * rate.frame()).saturating_sub(begin) as f32 / rate.samples(8) as f32 / 1_600.0;
                assert_eq!(silent(&said[first..]), 0, "{name}: nothing is cut out of a word");
                // Nor of its end: what is soft goes on for a while.
                let after = line.frames(60, |_| 0.0);
                assert_eq!(silent(&after[..12]), 0, "{name}");
                assert!(silent(&after[13..]) >= 43, "{name}: {} of 47", silent(&after[13..]));
            }
        }
    }
    assert!(lost < 2.0, "{lost} ms of a word's beginning are lost in the mean");
}

#[test]
fn the_voice_of_these_tests_is_as_loud_as_it_is_told_to_be() {
    for rate in RATES {
        for told in [26, 35] {
            let mut voice = Voice::new(1, f32::from(told));
            let said: Vec<i16> = (0..rate.hertz() as usize).map(|n| voice.speak(rate, n) as i16).collect();
            assert!(crate::frame::level(&said).abs_diff(told) <= 1, "-{told} dBov, {rate:?}");
        }
    }
}

#[test]
fn a_tone_is_never_held_back() {
    let tones: &[&[f32]] = &[
        &[50.0],
        &[100.0],
        &[425.0],
        &[440.0],
        &[950.0],
        &[1_100.0],
        &[1_800.0],
        &[2_100.0],
        &[3_300.0],
        &[350.0, 440.0],
        &[440.0, 480.0],
        &[480.0, 620.0],
        &[697.0, 1_209.0],
        &[941.0, 1_633.0],
        &[262.0, 330.0, 392.0],
    ];
    for rate in RATES {
        for tone in tones {
            for level in [10.0, 20.0, 30.0, 40.0, 50.0, 60.0] {
                let mut line = Line::new(rate, None, 1);
                let each = amplitude(level) * (2.0 / tone.len() as f32).sqrt();
                let sine =
                    |n: usize, hertz: f32| (n as f32 / rate.hertz() as f32 * hertz).fract() * std::f32::consts::TAU;
                line.frames(BEFORE, |_| 0.0);
                let heard = line.frames(1_000, |n| tone.iter().map(|hertz| sine(n, *hertz).sin() * each).sum());
                assert_eq!(silent(&heard), 0, "{tone:?} Hz at -{level} dBov, {rate:?}");
            }
        }
    }
}

#[test]
fn quiet_music_is_never_held_back() {
    for rate in RATES {
        for (level, decay) in [(38.0, 0.0), (45.0, 0.0), (38.0, 3.0), (45.0, 3.0), (52.0, 1.0)] {
            // Notes of four tenths of a second, each of six partials, with a little vibrato.
            let note = rate.hertz() as usize * 2 / 5;
            let music = |n: usize| -> f32 {
                let seconds = n as f32 / rate.hertz() as f32;
                let pitch = [220.0, 277.2, 329.6, 440.0, 392.0][n / note % 5];
                let within = (n % note) as f32 / rate.hertz() as f32;
                let phase = pitch * within + 0.2 * (seconds * 31.0).sin();
                let partials = (1..=6).map(|part| (std::f32::consts::TAU * phase * part as f32).sin() / part as f32);
                partials.sum::<f32>() * amplitude(level) * 1.15 * (-within * decay).exp()
            };
            let mut line = Line::new(rate, None, 5);
            line.frames(BEFORE, |_| 0.0);
            let heard = line.frames(1_000, music);
            assert_eq!(silent(&heard), 0, "-{level} dBov, decay {decay}, {rate:?}");
        }
    }
}

#[test]
fn coloured_noise_is_silence() {
    for rate in RATES {
        // How much of the sample before is in the next one: the more, the more the noise rumbles.
        for colour in [0.5, 0.8, 0.9] {
            let mut random = Random::new(9);
            let mut before = 0.0;
            let mut rumble = |_| {
                before = colour * before + noise(&mut random, Some(50.0)) * (1.0f32 - colour * colour).sqrt();
                before
            };
            let heard = Line::new(rate, Some(75.0), 9).frames(1_000, &mut rumble);
            assert!(silent(&heard[150..]) > 400, "{colour}, {rate:?}: {}", silent(&heard[150..]));
        }
    }
}

#[test]
fn an_offset_is_silence() {
    for offset in [8.0, 100.0, 400.0, -400.0] {
        let heard = Line::new(Rate::Narrow, None, 1).frames(200, |_| offset);
        assert!(silent(&heard) > 100, "{offset}: {}", silent(&heard));
    }
}

#[test]
fn a_line_on_which_there_is_nothing_at_times_is_known() {
    let mut line = Line::new(Rate::Narrow, Some(60.0), 1);
    assert_eq!((1..=20).find(|_| line.gate.idle(160)), Some(13));
    // What is louder than nothing is speech, until it proves to be noise.
    let heard = line.frames(200, |_| 0.0);
    assert_eq!(silent(&heard[..50]), 0);
    assert!(silent(&heard[100..]) > 80, "{}", silent(&heard[100..]));
    assert!(line.gate.idle(160), "it has been silent for long");
    line.level = Some(45.0);
    assert_eq!(line.frame(|_| 0.0), Verdict::Speech);
    assert!(!line.gate.idle(160));
}

#[test]
fn loud_noise_is_never_held_back() {
    // Fax sounds like that.
    for rate in RATES {
        for level in [10.0, 20.0, 30.0, 35.0] {
            assert_eq!(silent(&Line::new(rate, Some(level), 1).frames(1_000, |_| 0.0)), 0, "-{level} dBov, {rate:?}");
        }
    }
}

#[test]
fn a_silent_line_is_heard_every_400_ms() {
    for rate in RATES {
        for level in [None, Some(70.0), Some(60.0), Some(50.0), Some(40.0)] {
            let mut line = Line::new(rate, level, 7);
            let first = line.frames(75, |_| 0.0);
            assert_eq!(silent(&first[..74]), 0, "a line has to be known first");
            let heard = line.frames(400, |_| 0.0);
            let refreshed: Vec<usize> =
                heard.iter().enumerate().filter(|(_, verdict)| **verdict != Verdict::Silence).map(|(n, _)| n).collect();
            assert!(refreshed.windows(2).all(|pair| pair[1] - pair[0] == 20), "{level:?}, {rate:?}: {refreshed:?}");
            assert!((19..=20).contains(&refreshed.len()), "{level:?}, {rate:?}: {refreshed:?}");
        }
    }
}

#[test]
fn a_line_that_becomes_noisier_is_known_after_three_seconds() {
    for (before, after) in [(70.0, 45.0), (60.0, 50.0), (45.0, 65.0)] {
        let mut line = Line::new(Rate::Narrow, Some(before), 3);
        line.frames(BEFORE, |_| 0.0);
        line.level = Some(after);
        let heard = line.frames(400, |_| 0.0);
        assert!(silent(&heard[170..]) >= 215, "from -{before} to -{after} dBov: {}", silent(&heard[170..]));
    }
}

#[test]
fn loudness_is_that_of_the_whole_and_of_the_loudest_part() {
    let mut samples = [0; 160];
    samples[40..80].fill(1_000);
    let loudness = Loudness::of(&samples);
    assert_eq!((loudness.mean, loudness.peak), (250_000.0, 1_000_000.0));
    assert_eq!(loudness.level(), crate::frame::level(&samples));
    let cases: [&[i16]; 4] = [&[], &[0; 160], &[1, -1], &[i16::MIN; 320]];
    for samples in cases {
        assert_eq!(Loudness::of(samples).level(), crate::frame::level(samples));
    }
}
