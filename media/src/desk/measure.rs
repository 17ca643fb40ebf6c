//! What came back: how loud, how high, and how late.

use std::time::{Duration, Instant};

use super::{Desk, Play};
use crate::frame::{RATE, SILENCE, level};

/// Frames quieter than this do not count into the level: pauses are no measure of a line.
const PAUSE: u8 = 60;
/// Samples compared to find the delay, one second.
const WINDOW: usize = 8_000;
/// The longest delay looked for, two seconds.
const REACH: usize = 16_000;
/// Each sample of the first, coarse comparison stands for so many.
const COARSE: usize = 4;
/// Less alike than this is not the same sound.
const ALIKE: f32 = 0.5;

/// See [`Desk::measure`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measurement {
    /// How long anything louder than a pause was heard.
    pub sound: Duration,
    /// How loud that was, in -dBov; 127 for none.
    pub level: u8,
    /// The strongest frequency in it.
    pub pitch: Option<f32>,
    /// From sending a sample to its return, on average over a second; known when what is played is found in what is heard.
    pub delay: Option<Duration>,
    /// How alike what was found is to what was played, 1 for the same.
    pub likeness: f32,
}

pub(super) fn measure(desk: &Desk) -> Measurement {
    let loud = || desk.recording.chunks(160).filter(|frame| level(frame) < PAUSE);
    let sound: Vec<i16> = loud().flatten().copied().collect();
    let start = loudest_second(&desk.recording);
    let window = start.map(|start| &desk.recording[start..start + WINDOW]);
    let returned = start.and_then(|start| find_return(desk, start));
    Measurement {
        sound: crate::frame::duration_of(sound.len() as u64),
        level: if sound.is_empty() { SILENCE } else { level(&sound) },
        pitch: window.filter(|_| !sound.is_empty()).and_then(pitch),
        delay: returned.map(|(delay, _)| delay),
        likeness: returned.map_or(0.0, |(_, likeness)| likeness),
    }
}

/// The strongest frequency between 60 Hz and 3.5 kHz, by Goertzel's filter; `None` for silence.
pub fn pitch(samples: &[i16]) -> Option<f32> {
    let scan = |from: f32, to: f32, step: f32| {
        let steps = ((to - from) / step).round() as usize;
        (0..=steps)
            .map(|n| from + n as f32 * step)
            .map(|frequency| (power(samples, frequency), frequency))
            .max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (_, coarse) = scan(60.0, 3_500.0, 4.0)?;
    let (power, fine) = scan(coarse - 4.0, coarse + 4.0, 0.25)?;
    (power > 0.0).then_some(fine)
}

/// The mean power at one frequency (Goertzel), under a window that keeps its neighbours out.
fn power(samples: &[i16], frequency: f32) -> f32 {
    let turn = std::f32::consts::TAU * frequency / RATE as f32;
    let factor = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0f32, 0.0f32);
    let step = std::f32::consts::TAU / samples.len() as f32;
    for (n, sample) in samples.iter().enumerate() {
        let weight = 0.5 - 0.5 * (n as f32 * step).cos();
        let next = f32::from(*sample) / 32_768.0 * weight + factor * last - before;
        (before, last) = (last, next);
    }
    last * last + before * before - factor * last * before
}

/// Where `needle` begins in `hay`, and how alike it is there: the highest normalised cross-correlation.
pub fn correlate(needle: &[f32], hay: &[f32]) -> Option<(usize, f32)> {
    let places = hay.len().checked_sub(needle.len())? + 1;
    let own: f32 = needle.iter().map(|x| x * x).sum();
    let mut energy: f64 = hay[..needle.len()].iter().map(|x| f64::from(x * x)).sum();
    let mut best = None;
    for place in 0..places {
        let there = &hay[place..place + needle.len()];
        let product: f32 = needle.iter().zip(there).map(|(a, b)| a * b).sum();
        let likeness = product / ((energy as f32) * own).sqrt().max(1e-6);
        if best.is_none_or(|(_, highest)| likeness > highest) {
            best = Some((place, likeness));
        }
        if let Some(next) = hay.get(place + needle.len()) {
            energy += f64::from(next * next) - f64::from(there[0] * there[0]);
        }
    }
    best
}

/// Where the loudest second begins, in steps of a tenth.
fn loudest_second(recording: &[i16]) -> Option<usize> {
    let last = recording.len().checked_sub(WINDOW)?;
    (0..=last)
        .step_by(800)
        .map(|start| (level(&recording[start..start + WINDOW]), start))
        .filter(|(level, _)| *level < SILENCE)
        .min()
        .map(|(_, start)| start)
}

/// Finds a second of what was heard in what was said before it.
fn find_return(desk: &Desk, start: usize) -> Option<(Duration, f32)> {
    if !matches!(desk.play, Play::Samples { .. }) {
        // A tone looks the same everywhere.
        return None;
    }
    let heard = time_of(&desk.heard_at, start as u64)?;
    let said = position_at(&desk.said_at, heard)?;
    let from = (said + WINDOW as u64).saturating_sub((WINDOW + REACH) as u64);
    let needle: Vec<f32> = desk.recording[start..start + WINDOW].iter().copied().map(f32::from).collect();
    let hay: Vec<f32> = (from..said + WINDOW as u64).map(|at| f32::from(desk.play.sample(at))).collect();

    let (coarse, _) = correlate(&thin(&needle), &thin(&hay))?;
    let near = (coarse * COARSE).saturating_sub(2 * COARSE);
    let until = (near + 4 * COARSE + WINDOW).min(hay.len());
    let (place, likeness) = correlate(&needle, hay.get(near..until)?)?;
    let said_first = from + (near + place) as u64;
    let delay = mean_delay(desk, start as u64, said_first)?;
    (likeness >= ALIKE).then_some((delay, likeness))
}

/// The mean over the window of the time between the packet that said a sample and the packet that brought it back.
fn mean_delay(desk: &Desk, heard: u64, said: u64) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut count = 0;
    for offset in (0..WINDOW as u64).step_by(40) {
        let back = time_of(&desk.heard_at, heard + offset)?;
        let out = time_of(&desk.said_at, said + offset)?;
        sum += back.saturating_duration_since(out);
        count += 1;
    }
    Some(sum / count)
}

fn thin(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(COARSE).map(|four| four.iter().sum()).collect()
}

/// When the stretch that holds a position was noted.
fn time_of(entries: &[(u64, Instant)], position: u64) -> Option<Instant> {
    let after = entries.partition_point(|(start, _)| *start <= position);
    Some(entries.get(after.checked_sub(1)?)?.1)
}

/// The last position noted before a time.
fn position_at(entries: &[(u64, Instant)], time: Instant) -> Option<u64> {
    let after = entries.partition_point(|(_, at)| *at <= time);
    Some(entries.get(after.checked_sub(1)?)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f32, level: u8) -> Vec<i16> {
        let play = Play::Tone { frequency, level };
        (0..8_000).map(|n| play.sample(n)).collect()
    }

    #[test]
    fn tones_have_the_pitch_and_level_asked_for() {
        for (frequency, wanted) in [(100.0, 20), (440.0, 26), (1_000.5, 10), (3_400.0, 40)] {
            let samples = tone(frequency, wanted);
            let heard = pitch(&samples).unwrap();
            assert!((heard - frequency).abs() < 0.5, "{frequency} Hz heard as {heard}");
            assert_eq!(level(&samples), wanted, "{frequency} Hz");
        }
        assert_eq!(pitch(&[0; 8_000]), None);
    }

    #[test]
    fn a_sound_is_found_where_it_is() {
        let mut random = crate::random::Random::new(7);
        let hay: Vec<f32> = (0..4_000).map(|_| (random.next() % 2_000) as f32 - 1_000.0).collect();
        let (place, likeness) = correlate(&hay[1_234..1_534], &hay).unwrap();
        assert_eq!(place, 1_234);
        assert!(likeness > 0.999, "{likeness}");
        assert_eq!(correlate(&hay, &hay[1..]), None);
    }
}
