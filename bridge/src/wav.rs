//! WAV files in and out of the telephone's format: 8000 Hz, mono, 16 bit.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

const RATE: u32 = 8000;
/// The largest file that is read: six minutes of the best there is.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads a WAV file of any common rate and width; the channels are mixed to one.
pub fn read(path: &Path) -> Result<Arc<[i16]>, String> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    decode(BufReader::new(file).take(LARGEST))
        .map_err(|error| format!("{}: this is no WAV file: {error}", path.display()))
}

/// The same of the bytes of a file.
pub(crate) fn decode(file: impl Read) -> Result<Arc<[i16]>, hound::Error> {
    let mut reader = hound::WavReader::new(file)?;
    let spec = reader.spec();
    let samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let full = f32::from(1u16 << 15) * 2f32.powi(i32::from(spec.bits_per_sample) - 16);
            reader.samples::<i32>().map(|s| s.map(|s| s as f32 / full)).collect::<Result<_, _>>()?
        }
    };
    let channels = usize::from(spec.channels.max(1));
    let mono: Vec<f32> =
        samples.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() / channels as f32).collect();
    Ok(resample(&mono, spec.sample_rate).iter().map(|s| (s * 32767.0).clamp(-32768.0, 32767.0) as i16).collect())
}

/// Writes what was heard.
pub fn write(path: &Path, samples: &[i16]) -> Result<(), String> {
    let unwritten = |error: hound::Error| format!("{}: {error}", path.display());
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).map_err(unwritten)?;
    for &sample in samples {
        writer.write_sample(sample).map_err(unwritten)?;
    }
    writer.finalize().map_err(unwritten)
}

/// Band-limited interpolation with a windowed sinc: a file is converted once, so its cost does not matter.
fn resample(input: &[f32], rate: u32) -> Vec<f32> {
    if rate == RATE || rate == 0 {
        return input.to_vec();
    }
    const HALF: f64 = 16.0;
    let step = f64::from(rate) / f64::from(RATE);
    let cutoff = (1.0 / step).min(1.0);
    let reach = HALF / cutoff;
    let length = (input.len() as f64 / step) as usize;
    let value_at = |centre: f64| -> f32 {
        let first = (centre - reach).ceil().max(0.0) as usize;
        let last = ((centre + reach).floor() as usize).min(input.len().saturating_sub(1));
        let sum: f64 = (first..=last)
            .map(|i| {
                let x = i as f64 - centre;
                let window = 0.5 + 0.5 * (std::f64::consts::PI * x / reach).cos();
                f64::from(input[i]) * sinc(x * cutoff) * cutoff * window
            })
            .sum();
        sum as f32
    };
    (0..length).map(|n| value_at(n as f64 * step)).collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_pitch_and_level_from_every_rate() {
        for rate in [8000u32, 16_000, 22_050, 44_100, 48_000, 6000] {
            let tone: Vec<f32> =
                (0..rate).map(|n| (std::f32::consts::TAU * 440.0 * n as f32 / rate as f32).sin() * 0.5).collect();
            let out = resample(&tone, rate);
            let middle = &out[800..7200];
            let rises = middle.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count() as f32;
            let hz = rises * 8000.0 / middle.len() as f32;
            let peak = middle.iter().fold(0f32, |a, s| a.max(s.abs()));
            assert!((hz - 440.0).abs() < 3.0, "{rate}: {hz} Hz");
            assert!((peak - 0.5).abs() < 0.02, "{rate}: {peak}");
        }
    }
}
