//! How much of each tone of a keypad there is in a block of audio, and how the two loudest turn ([ITU-T Q.23] names the tones).
//!
//! A block is 16 ms under a Hann window, and another one is read every 8 ms. The window keeps the tones of one group out of the
//! measure of the other. It is too short to tell 697 Hz from 721 Hz by loudness: that is read from how far the phase of a tone
//! has turned from one block to the next, to about a hertz.
//!
//! [ITU-T Q.23]: https://www.itu.int/rec/T-REC-Q.23

use std::f32::consts::{PI, TAU};

use crate::frame::Rate;

/// The tones of the rows.
pub(super) const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// The tones of the columns.
pub(super) const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// Samples of 8 kHz in a block.
const BLOCK: usize = 128;
/// Samples of 8 kHz from block to block.
pub(super) const STEP: usize = 64;
/// Of 16 kHz.
const WIDEST: usize = 2 * BLOCK;

/// Reads blocks of one stream.
#[derive(Debug)]
pub(super) struct Bank {
    rate: Rate,
    window: [f32; WIDEST],
    /// The last samples; the block is read when it is full, and its later half is the beginning of the next one.
    block: [f32; WIDEST],
    filled: usize,
}

/// The two loudest tones of a block, one of each group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) row: Tone,
    pub(super) column: Tone,
    /// The energy of all there is, as the mean square of the samples.
    pub(super) total: f32,
}

/// A tone of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tone {
    /// Which one.
    pub(super) index: usize,
    /// Its mean square, as far as its frequency is what it should be.
    pub(super) power: f32,
    /// Its phase, seen from the nominal frequency: it stands still if the frequency is right.
    phase: f32,
}

impl Bank {
    pub(super) fn new(rate: Rate) -> Self {
        let length = rate.samples(BLOCK);
        let mut window = [0.0; WIDEST];
        for (n, weight) in window.iter_mut().take(length).enumerate() {
            *weight = 0.5 - 0.5 * ((n as f32 + 0.5) * TAU / length as f32).cos();
        }
        Self { rate, window, block: [0.0; WIDEST], filled: 0 }
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// Samples in a block.
    pub(super) fn length(&self) -> usize {
        self.rate.samples(BLOCK)
    }

    /// Samples that the block wants yet.
    pub(super) fn missing(&self) -> usize {
        self.rate.samples(BLOCK) - self.filled
    }

    /// Takes in samples, [`Self::missing`] at most; a block that is full by them is read.
    pub(super) fn push(&mut self, samples: &[i16]) -> Option<Reading> {
        let free = &mut self.block[self.filled..self.rate.samples(BLOCK)];
        let count = samples.len().min(free.len());
        for (slot, sample) in free.iter_mut().zip(samples) {
            *slot = f32::from(*sample);
        }
        self.filled += count;
        if self.missing() > 0 {
            return None;
        }
        let reading = self.read();
        let kept = self.rate.samples(BLOCK - STEP);
        self.block.copy_within(self.filled - kept..self.filled, 0);
        self.filled = kept;
        Some(reading)
    }

    /// Forgets the block: what follows is not related to what was.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    fn read(&self) -> Reading {
        let length = self.filled;
        let mut windowed = [0.0; WIDEST];
        let mut energy = 0.0;
        let samples = self.block.iter().zip(&self.window).take(length);
        for (to, (sample, weight)) in windowed.iter_mut().zip(samples) {
            *to = sample * weight;
            energy += *to * *to;
        }
        let windowed = &windowed[..length];
        let hertz = self.rate.hertz() as f32;
        // The squares of a Hann window sum up to three eighths of its length, the weights to half of it.
        let total = energy / (0.375 * length as f32);
        let loudest = |group: &[f32; 4]| {
            let tones = group.iter().enumerate().map(|(index, frequency)| {
                let (re, im) = goertzel(windowed, TAU * frequency / hertz);
                Tone { index, power: 8.0 * (re * re + im * im) / (length * length) as f32, phase: im.atan2(re) }
            });
            tones.max_by(|a, b| a.power.total_cmp(&b.power)).unwrap_or(Tone { index: 0, power: 0.0, phase: 0.0 })
        };
        Reading { row: loudest(&ROWS), column: loudest(&COLUMNS), total }
    }
}

impl Tone {
    /// How far off its nominal frequency a tone is, in hertz, from what it was in the block before.
    pub(super) fn drift(&self, before: &Self, frequency: f32) -> f32 {
        let seconds = STEP as f32 / 8_000.0;
        let turned = self.phase - before.phase - TAU * frequency * seconds;
        let turned = turned - TAU * (turned / TAU).round();
        turned / (TAU * seconds)
    }
}

/// The part of a power that is measured of a tone which is so many hertz off the middle of its filter: the response of a Hann
/// window of 16 ms.
pub(super) fn response(hertz: f32) -> f32 {
    let bins = hertz.abs() * BLOCK as f32 / 8_000.0;
    if bins < 0.01 {
        return 1.0;
    }
    let sinc = (PI * bins).sin() / (PI * bins);
    let amplitude = sinc / (1.0 - bins * bins);
    if (bins - 1.0).abs() < 0.01 { 0.25 } else { amplitude * amplitude }
}

/// The part of the samples that swings at so many radians a sample, seen from the first of them ([Goertzel 1958]).
///
/// [Goertzel 1958]: https://doi.org/10.2307/2310304
fn goertzel(samples: &[f32], step: f32) -> (f32, f32) {
    let (sin, cos) = step.sin_cos();
    let (mut last, mut before) = (0.0f32, 0.0f32);
    for sample in samples {
        (last, before) = (sample + 2.0 * cos * last - before, last);
    }
    // That is as seen from the last sample: turned back to the first.
    let (re, im) = (last - before * cos, before * sin);
    let (sin, cos) = (step * (samples.len() as f32 - 1.0)).sin_cos();
    (re * cos + im * sin, im * cos - re * sin)
}
