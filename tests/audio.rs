//! Tones, and what pitch and level somebody heard. Written apart from the product's codecs: it judges them.

use std::f64::consts::PI;
use std::path::Path;

/// What was heard in a stretch of audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard {
    /// The strongest frequency in Hz.
    pub pitch: f64,
    /// Root mean square in dBFS; a full-scale sine has -3.
    pub level: f64,
    /// The share of all power that is at that frequency: 1 for a clean tone, small for noise.
    pub share: f64,
}

impl Heard {
    /// Whether this is that tone: within 5 Hz and 3 dB, and little besides.
    pub fn is_tone(&self, pitch: f64, level: f64) -> bool {
        (self.pitch - pitch).abs() <= 5.0 && (self.level - level).abs() <= 3.0 && self.share >= 0.8
    }
}

/// A sine of that pitch and root-mean-square level.
pub fn tone(pitch: f64, level: f64, rate: u32, seconds: f64) -> Vec<i16> {
    let amplitude = 32_768.0 * 10_f64.powf(level / 20.0) * 2_f64.sqrt();
    let count = (f64::from(rate) * seconds) as usize;
    (0..count).map(|n| ((2.0 * PI * pitch * n as f64 / f64::from(rate)).sin() * amplitude).round() as i16).collect()
}

/// Measures a stretch of audio; the first second of it is enough.
pub fn measure(samples: &[i16], rate: u32) -> Heard {
    let part = &samples[..samples.len().min(rate as usize)];
    let power: f64 = part.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / part.len().max(1) as f64;
    let level = 10.0 * (power / 32_768_f64.powi(2)).max(1e-12).log10();
    let windowed: Vec<f64> = part.iter().enumerate().map(|(n, &s)| f64::from(s) * hann(n, part.len())).collect();
    let highest = (rate / 2).clamp(4_000, 8_000) - 100;
    // A quarter of a second finds the neighbourhood, all of it the place.
    let start = &windowed[..windowed.len().min(rate as usize / 4)];
    let coarse = strongest((60..highest).step_by(4).map(f64::from), start, rate);
    let pitch = strongest((-40..=40).map(|n| coarse + f64::from(n) * 0.25), &windowed, rate);
    let all: f64 = windowed.iter().map(|s| s * s).sum::<f64>().max(1e-9);
    // Through a Hann window a clean tone's coefficient has a third of its energy times its length.
    let share = (power_at(pitch, &windowed, rate) * 3.0 / (all * windowed.len().max(1) as f64)).min(1.0);
    Heard { pitch, level, share }
}

/// The share of all power that is at one frequency.
pub fn share_at(hz: f64, samples: &[i16], rate: u32) -> f64 {
    let windowed: Vec<f64> = samples.iter().enumerate().map(|(n, &s)| f64::from(s) * hann(n, samples.len())).collect();
    let all: f64 = windowed.iter().map(|s| s * s).sum::<f64>().max(1e-9);
    (power_at(hz, &windowed, rate) * 3.0 / (all * windowed.len().max(1) as f64)).min(1.0)
}

/// The loudest stretch of that length: what was heard once the talking had begun.
pub fn loudest(samples: &[i16], rate: u32, seconds: f64) -> &[i16] {
    let length = ((f64::from(rate) * seconds) as usize).min(samples.len());
    let step = (rate as usize / 10).max(1);
    let energy = |from: usize| samples[from..from + length].iter().map(|&s| f64::from(s).powi(2)).sum::<f64>();
    let starts = (0..=samples.len() - length).step_by(step);
    let best = starts.max_by(|&a, &b| energy(a).total_cmp(&energy(b))).unwrap_or(0);
    &samples[best..best + length]
}

/// Whether that is what [`measure`] finds: at little cost where it is something else, for those who ask again and again.
pub fn is_tone(samples: &[i16], rate: u32, pitch: f64, level: f64) -> bool {
    // A quarter of a second tells what is near and what is not; one of two may have a gap.
    let part = samples.len().min(rate as usize / 4);
    let ends = [&samples[..part], &samples[samples.len() - part..]];
    ends.iter().any(|end| share_at(pitch, end, rate) > 0.2) && measure(samples, rate).is_tone(pitch, level)
}

/// Whether a whole second of it is that tone.
pub fn has_tone(samples: &[i16], rate: u32, pitch: f64, level: f64) -> bool {
    let (second, step) = (rate as usize, (rate as usize / 10).max(1));
    second > 0 && samples.windows(second).step_by(step).any(|part| is_tone(part, rate, pitch, level))
}

/// Writes a mono file of 16 bits.
pub fn write(path: &Path, samples: &[i16], rate: u32) {
    write_channels(path, samples, rate, 1);
}

/// The same with so many channels, all alike.
pub fn write_channels(path: &Path, samples: &[i16], rate: u32, channels: u16) {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).expect("a sound file can be made");
    for &sample in samples {
        for _ in 0..channels {
            writer.write_sample(sample).expect("a sample can be written");
        }
    }
    writer.finalize().expect("a sound file can be finished");
}

/// Reads the first channel of a file of 16 bits, and its rate. A file that its writer never finished is read to its end.
pub fn read(path: &Path) -> Option<(Vec<i16>, u32)> {
    let mut reader = hound::WavReader::open(path).ok()?;
    let spec = reader.spec();
    let samples = reader.samples::<i16>().map_while(Result::ok).step_by(usize::from(spec.channels)).collect();
    Some((samples, spec.sample_rate))
}

/// One sample as G.711 µ-law.
pub fn to_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (i32::from(sample).abs().min(32_635) + 132) as u32;
    let exponent = (31 - magnitude.leading_zeros()).saturating_sub(7);
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

/// One byte of G.711 µ-law as a sample.
pub fn from_ulaw(byte: u8) -> i16 {
    let bits = !byte;
    let magnitude = ((((i32::from(bits) & 0x0f) << 3) + 132) << ((bits >> 4) & 7)) - 132;
    (if bits & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

/// One sample as G.711 A-law.
pub fn to_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample) } else { (0x80, sample) };
    let steps = (magnitude as u16) >> 4;
    let exponent = (16 - steps.leading_zeros()).saturating_sub(4);
    let mantissa = steps >> exponent.saturating_sub(1) & 0x0f;
    (sign | (exponent as u8) << 4 | mantissa as u8) ^ 0x55
}

/// One byte of G.711 A-law as a sample.
pub fn from_alaw(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let (exponent, mantissa) = (bits >> 4 & 7, i32::from(bits & 0x0f));
    let magnitude = if exponent == 0 { 2 * mantissa + 1 } else { (2 * mantissa + 33) << (exponent - 1) } << 3;
    (if bits & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

fn hann(n: usize, length: usize) -> f64 {
    0.5 - 0.5 * (2.0 * PI * n as f64 / length as f64).cos()
}

fn strongest(candidates: impl Iterator<Item = f64>, samples: &[f64], rate: u32) -> f64 {
    let measured = candidates.map(|hz| (hz, power_at(hz, samples, rate)));
    measured.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0.0, |(hz, _)| hz)
}

/// The squared length of one Fourier coefficient, by Goertzel's sum.
fn power_at(hz: f64, samples: &[f64], rate: u32) -> f64 {
    let turn = 2.0 * (2.0 * PI * hz / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for &sample in samples {
        (last, before) = (sample + turn * last - before, last);
    }
    last * last + before * before - turn * last * before
}
