//! The gate before an encoder: whether anybody speaks.
//!
//! ```text
//!           quieter than the line for 240 ms             every 400 ms
//! Speech ───────────────────────────────────► Silence ─────────────────► Refresh
//!   ▲                                          │   ▲                       │
//!   └─────────── louder than the line ─────────┘   └───────────────────────┘
//! ```
//!
//! Loudness is held against the line's own noise: the quietest frame of the last seconds. What is steady is not thereby
//! silence. Loud things are always let through, and so is whatever can be foretold from its own past, as tones and music can:
//! a gate that lets noise pass costs some time of the processor, one that keeps a dial tone back breaks the call.

use crate::frame::{FRAME, Rate, SILENCE};

/// After the last speech so many ticks are still let through, 240 ms: the ends of words are soft, and a receiver learns from
/// them what the line sounds like.
const HANG_OVER: u32 = 12 * FRAME as u32;
/// So often, in ticks, silence is let through, for a receiver to hear how it sounds now: 400 ms, as libopus does.
const REFRESH: u32 = 20 * FRAME as u32;
/// The quietest frame is sought in this window of 1.5 s and in the one before.
const WINDOW: u32 = 75 * FRAME as u32;

/// Powers are mean squares of samples: -66 dBov, below which no line is told from another.
const QUIETEST: f32 = power(2.512e-7);
/// -36 dBov: louder things are never noise.
const LOUD: f32 = power(2.512e-4);
/// 4 dB above the quietest frame is speech. White noise is 1.2 dB above its quietest frame, give or take half of one.
const ABOVE: f32 = 2.5;
/// Noise that rumbles comes and goes more than that: speech is 3 dB above its mean, which is no more than 3 dB above the quietest
/// frame, or else it would be speech that is learned.
const ABOVE_MEAN: f32 = 2.0;
const MOST_UNSTEADY: f32 = 2.0;
/// 10 dB, for five milliseconds: a word that begins at a frame's end.
const ABOVE_SHORTLY: f32 = 10.0;
/// The mean is that of so many frames.
const REMEMBERED: f32 = 16.0;
/// What is left of a tone when what its past foretells is taken from it: less than -8 dB, and less than -11 dB of the worst pair of
/// tones. Of noise, be it white, pink or brown, through a telephone's filters or not, more is left.
const LEFT_OF_A_TONE: f32 = 0.158;
/// Before it is silence, so much of it must be no tone: of music some frames can be foretold and some cannot.
const DOUBT: u32 = 8 * FRAME as u32;
/// Rumble is no tone, though nothing is foretold more easily: what lies below 130 Hz is made weaker.
const RUMBLE: f32 = 0.9;
/// A frame's short parts.
const PARTS: usize = 4;
/// How far a tone is looked back into, in samples of 8 kHz: enough for four sines at once.
const PAST: usize = 8;

/// What is to become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Somebody speaks, or did a moment ago.
    Speech,
    /// Nobody does, but this frame tells how that sounds.
    Refresh,
    /// Nobody does.
    Silence,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// Ticks since the last speech, and since anything was let through.
    quiet: u32,
    held_back: u32,
    /// The quietest frame of the window that runs and of the one before, which at first is not known.
    quietest: f32,
    before: Option<f32>,
    /// The mean of those that were no speech.
    mean: f32,
    /// Ticks of the window that runs.
    window: u32,
}

impl Gate {
    pub(crate) const fn new() -> Self {
        Self { quiet: 0, held_back: 0, quietest: f32::MAX, before: None, mean: 0.0, window: 0 }
    }

    /// Judges the next frame, or a part of one.
    pub(crate) fn judge(&mut self, rate: Rate, samples: &[i16], loudness: &Loudness) -> Verdict {
        let ticks = rate.ticks(samples.len()) as u32;
        if self.is_speech(loudness) {
            self.quiet = 0;
        } else {
            self.quiet += ticks;
            self.mean += (loudness.mean - self.mean) / REMEMBERED;
        }
        self.learn(ticks, loudness.mean);
        // Looked into last, for it takes the longest.
        if self.quiet + DOUBT > HANG_OVER && loudness.mean > QUIETEST && is_tone(rate, samples) {
            self.quiet = 0;
        }
        if self.quiet <= HANG_OVER || self.before.is_none() {
            return self.let_through(Verdict::Speech);
        }
        // No sum of frames may come around to zero again.
        self.quiet = HANG_OVER + FRAME as u32;
        self.held_back += ticks;
        if self.held_back >= REFRESH { self.let_through(Verdict::Refresh) } else { Verdict::Silence }
    }

    /// Lets everything through for a moment.
    pub(crate) fn open(&mut self) {
        self.quiet = 0;
    }

    /// So many ticks pass in which there is nothing to be judged. Returns whether it has been silent for long.
    pub(crate) fn idle(&mut self, ticks: usize) -> bool {
        // Nothing is quieter than nothing, so a line on which there is nothing at times is known.
        self.before.get_or_insert(QUIETEST);
        self.pass(ticks as u32);
        self.quiet = (self.quiet + ticks as u32).min(HANG_OVER + 1);
        self.quiet > HANG_OVER
    }

    fn let_through(&mut self, verdict: Verdict) -> Verdict {
        self.held_back = 0;
        verdict
    }

    fn is_speech(&self, loudness: &Loudness) -> bool {
        let quietest = self.before.map_or(self.quietest, |before| before.min(self.quietest)).clamp(QUIETEST, LOUD);
        let mean = self.mean.clamp(quietest, quietest * MOST_UNSTEADY);
        let silence = (quietest * ABOVE).max(mean * ABOVE_MEAN).min(LOUD);
        loudness.mean > silence || loudness.peak > quietest * ABOVE_SHORTLY
    }

    fn learn(&mut self, ticks: u32, mean: f32) {
        self.quietest = self.quietest.min(mean);
        self.pass(ticks);
    }

    fn pass(&mut self, ticks: u32) {
        self.window += ticks;
        if self.window >= WINDOW {
            let is_known = self.quietest < f32::MAX;
            self.before = if is_known { Some(self.quietest) } else { self.before };
            (self.quietest, self.window) = (f32::MAX, 0);
        }
    }
}

/// How loud some samples are: mean squares of all of them, and of the loudest quarter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loudness {
    mean: f32,
    peak: f32,
}

impl Loudness {
    #[inline]
    pub(crate) fn of(samples: &[i16]) -> Self {
        if samples.is_empty() {
            return Self { mean: 0.0, peak: 0.0 };
        }
        let part = samples.len().div_ceil(PARTS);
        let (mut sum, mut peak) = (0, 0);
        for samples in samples.chunks(part) {
            let energy: i64 = samples.iter().map(|&sample| i64::from(i32::from(sample) * i32::from(sample))).sum();
            sum += energy;
            peak = peak.max(energy);
        }
        Self { mean: sum as f32 / samples.len() as f32, peak: peak as f32 / part as f32 }
    }

    /// In -dBov, as [`level`](crate::frame::level) has it.
    #[inline]
    pub(crate) fn level(&self) -> u8 {
        if self.mean == 0.0 {
            return SILENCE;
        }
        let below = -10.0 * (self.mean / power(1.0)).log10();
        below.round().clamp(0.0, f32::from(SILENCE)) as u8
    }
}

/// A part of full scale as a mean square.
const fn power(part: f32) -> f32 {
    part * 32_768.0 * 32_768.0
}

/// Whether most of this can be foretold from its own past: linear prediction by autocorrelation, with the recursion of
/// Levinson and Durbin.
fn is_tone(rate: Rate, samples: &[i16]) -> bool {
    let mut narrow = [0.0; FRAME + PAST];
    let count = match rate {
        Rate::Narrow => fill(&mut narrow, samples.iter().map(|&sample| f32::from(sample))),
        // By half the rate: of the upper half there is nothing in most noise, which would make it foretellable.
        Rate::Wide => {
            fill(&mut narrow, samples.as_chunks().0.iter().map(|[a, b]| (f32::from(*a) + f32::from(*b)) / 2.0))
        }
    };
    let mut likeness = [0.0; PAST + 1];
    for window in narrow[..count + PAST].windows(PAST + 1) {
        for (likeness, later) in likeness.iter_mut().zip(window) {
            *likeness += window[0] * later;
        }
    }
    left_over(&likeness) < LEFT_OF_A_TONE
}

/// Fills from the beginning, without rumble, and leaves a frame's past free behind; returns how many there were.
fn fill(narrow: &mut [f32; FRAME + PAST], mut samples: impl Iterator<Item = f32>) -> usize {
    let Some(mut before) = samples.next() else { return 0 };
    let mut filtered = 0.0;
    let places = narrow[1..FRAME].iter_mut().zip(samples).map(|(place, sample)| {
        filtered = sample - before + RUMBLE * filtered;
        before = sample;
        *place = filtered;
    });
    1 + places.count()
}

/// The part of the energy that cannot be foretold.
fn left_over(likeness: &[f32; PAST + 1]) -> f32 {
    let whole = likeness[0];
    if whole <= 0.0 {
        // What does not move is no sound.
        return 1.0;
    }
    let (mut rest, mut weights) = (whole, [0.0; PAST]);
    for order in 0..PAST {
        if rest <= 0.0 {
            return 0.0;
        }
        let known: f32 = (0..order).map(|n| weights[n] * likeness[order - n]).sum();
        let reflection = (likeness[order + 1] - known) / rest;
        let before = weights;
        for n in 0..order {
            weights[n] = before[n] - reflection * before[order - 1 - n];
        }
        weights[order] = reflection;
        rest *= 1.0 - reflection * reflection;
    }
    rest / whole
}

#[cfg(test)]
mod tests;
