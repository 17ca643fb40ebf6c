//! Sounds to send, and what to ask of those that arrive.

use media::{
    codec::g711::Law,
    desk::{correlate, pitch},
};

/// So many samples of a sine.
pub(crate) fn tone(frequency: f32, level: u8, samples: usize) -> Vec<i16> {
    tone_at(8_000.0, frequency, level, samples)
}

/// The same at another rate.
pub(crate) fn tone_at(rate: f64, frequency: f32, level: u8, samples: usize) -> Vec<i16> {
    let step = f64::from(frequency) * std::f64::consts::TAU / rate;
    let peak = 32_768.0 * 10f64.powf((3.01 - f64::from(level)) / 20.0);
    (0..samples).map(|n| (peak * (n as f64 * step).sin()) as i16).collect()
}

/// Twelve seconds of speech at -26 dBov.
pub(crate) fn speech() -> Vec<i16> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/speech.wav");
    let file = std::fs::read(path).expect("the speech is in the tree");
    file[44..].as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect()
}

/// Asserts that a tone is what was heard, within 5 Hz and 3 dB.
#[track_caller]
pub(crate) fn assert_tone(heard: &[i16], frequency: f32, level: u8, name: &str) {
    let window = &heard[heard.len() / 4..heard.len() * 3 / 4];
    let found = pitch(&window[..window.len().min(8_000)]).unwrap_or(0.0);
    assert!((found - frequency).abs() <= 5.0, "{name}: {found} Hz instead of {frequency}");
    let loud = media::frame::level(window);
    assert!(loud.abs_diff(level) <= 3, "{name}: -{loud} dBov instead of -{level}");
}

/// The same at 16 kHz, above what [`pitch`] looks for: the share of one frequency in all that is heard, and the level.
#[track_caller]
pub(crate) fn assert_wide_tone(heard: &[i16], frequency: f32, level: u8, name: &str) {
    let window = &heard[heard.len() / 4..heard.len() * 3 / 4];
    let step = f64::from(frequency) * std::f64::consts::TAU / 16_000.0;
    let (mut sin, mut cos) = (0.0, 0.0);
    for (n, sample) in window.iter().enumerate() {
        let (s, c) = (n as f64 * step).sin_cos();
        (sin, cos) = (sin + f64::from(*sample) * s, cos + f64::from(*sample) * c);
    }
    let share = 2.0 * (sin * sin + cos * cos) / window.len() as f64 / energy(window).max(1.0);
    assert!(share > 0.8, "{name}: {share:.2} of it is {frequency} Hz");
    let loud = media::frame::level(window);
    assert!(loud.abs_diff(level) <= 3, "{name}: -{loud} dBov instead of -{level}");
}

/// By how many samples `heard` is behind `said` around a place, and how alike they are there.
pub(crate) fn delay(said: &[i16], heard: &[i16], at: usize, reach: usize) -> (i64, f32) {
    let float = |samples: &[i16]| -> Vec<f32> { samples.iter().copied().map(f32::from).collect() };
    let from = at.saturating_sub(reach);
    let hay = &heard[from..(at + 4_000 + reach).min(heard.len())];
    let (place, likeness) = correlate(&float(&said[at..at + 4_000]), &float(hay)).expect("a window within both");
    (from as i64 + place as i64 - at as i64, likeness)
}

/// The same speech through the codecs alone: µ-law, and Opus as it is set where nothing else is said. No line can make it
/// more alike to what was said.
pub(crate) fn through_codecs(said: &[i16]) -> Vec<i16> {
    let mut encoder = opus::Encoder::new(8_000, opus::Channels::Mono, opus::Application::Voip).expect("an encoder");
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).expect("a bit rate");
    encoder.set_complexity(0).expect("a complexity");
    let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).expect("a decoder");
    let mut heard = Vec::with_capacity(said.len());
    for frame in said.chunks_exact(160) {
        let (mut law, mut pcm, mut packet) = ([0; 160], [0; 160], [0; 1_500]);
        Law::Mu.encode(frame, &mut law);
        Law::Mu.decode(&law, &mut pcm);
        let length = encoder.encode(&pcm, &mut packet).expect("Opus");
        decoder.decode(&packet[..length], &mut pcm, false).expect("valid Opus");
        heard.extend_from_slice(&pcm);
    }
    heard
}

/// How loud one frequency is in what is heard, in dB below full scale.
pub(crate) fn level_of(heard: &[i16], frequency: f32) -> f32 {
    let step = f64::from(frequency) * std::f64::consts::TAU / 8_000.0;
    let (sin, cos) = heard.iter().enumerate().fold((0.0, 0.0), |(sin, cos), (n, sample)| {
        let (s, c) = (n as f64 * step).sin_cos();
        (sin + f64::from(*sample) * s, cos + f64::from(*sample) * c)
    });
    let mean = 2.0 * (sin * sin + cos * cos) / (heard.len() as f64).powi(2);
    (-10.0 * (mean / 32_768.0f64.powi(2)).log10()) as f32
}

/// The share of a tone's energy that arrived.
pub(crate) fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum()
}
