//! What Q.24 asks of a receiver, and what is not to be taken for a key.

use super::*;
use crate::random::Random;

const KEYS: &str = "0123456789*#ABCD";
const RATES: [Rate; 2] = [Rate::Narrow, Rate::Wide];
/// 0 dBm0 of a sine as its peak.
const ZERO: f64 = 22_830.0;

/// A key as it is pressed: deviations of its tones, their levels in dBm0, and the signal to noise ratio in dB.
#[derive(Clone, Copy, Debug)]
struct Sent {
    detune: (f64, f64),
    levels: (f64, f64),
    noise: Option<f64>,
    /// Milliseconds of the tone.
    tone: f64,
}

const PLAIN: Sent = Sent { detune: (0.0, 0.0), levels: (-9.0, -9.0), noise: None, tone: 50.0 };

fn silence(rate: Rate, ms: f64) -> Vec<f64> {
    vec![0.0; (ms * f64::from(rate.hertz()) / 1_000.0) as usize]
}

fn press(rate: Rate, key: char, sent: Sent) -> Vec<f64> {
    let (row, column) = Event::from_digit(key).and_then(Event::place).unwrap();
    let mut samples = silence(rate, sent.tone);
    let hertz = f64::from(rate.hertz());
    let swing = |n: usize, frequency: f32, detune: f64, level: f64| {
        let turns = n as f64 * f64::from(frequency) * (1.0 + detune) / hertz + 0.13 * f64::from(frequency);
        ZERO * 10f64.powf(level / 20.0) * (turns * std::f64::consts::TAU).sin()
    };
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample =
            swing(n, ROWS[row], sent.detune.0, sent.levels.0) + swing(n, COLUMNS[column], sent.detune.1, sent.levels.1);
    }
    samples
}

/// The noise that there is beside a key, before, under and behind it.
fn add_noise(samples: &mut [f64], sent: Sent, seed: u64) {
    let Some(ratio) = sent.noise else { return };
    let power = |level: f64| ZERO * ZERO / 2.0 * 10f64.powf(level / 10.0);
    let deviation = ((power(sent.levels.0) + power(sent.levels.1)) / 10f64.powf(ratio / 10.0)).sqrt();
    let mut random = Random::new(seed);
    for sample in samples {
        // Twelve even numbers make a normal one.
        let normal: f64 = (0..12).map(|_| (random.next() >> 40) as f64 / f64::from(1 << 24)).sum::<f64>() - 6.0;
        *sample += normal * deviation;
    }
}

/// What is heard of samples in packets of 20 ms.
fn heard(rate: Rate, samples: &[f64]) -> String {
    let mut detector = Detector::new(rate);
    let mut samples: Vec<i16> = samples.iter().map(|sample| sample.clamp(-32_768.0, 32_767.0) as i16).collect();
    let mut digits = String::new();
    for packet in samples.chunks_mut(rate.frame()) {
        detector.hear(packet);
        digits.extend(detector.poll().and_then(Event::digit));
    }
    digits
}

/// One press with silence around it, at some place within the blocks.
fn heard_of(rate: Rate, key: char, sent: Sent, place: usize) -> String {
    let mut samples = vec![0.0; rate.samples(400 + 13 * place)];
    samples.extend(press(rate, key, sent));
    samples.extend(silence(rate, 60.0));
    add_noise(&mut samples, sent, place as u64 + 1);
    heard(rate, &samples)
}

#[test]
fn what_is_a_key_and_what_is_not() {
    let off = |row: f64, column: f64| (row / 100.0, column / 100.0);
    let cases: &[(&str, Sent, bool)] = &[
        ("plain", PLAIN, true),
        ("as short as may be", Sent { tone: 40.0, ..PLAIN }, true),
        ("too short", Sent { tone: 23.0, ..PLAIN }, false),
        ("loud", Sent { levels: (0.0, 0.0), ..PLAIN }, true),
        ("quiet", Sent { levels: (-36.0, -36.0), ..PLAIN }, true),
        ("next to nothing", Sent { levels: (-55.0, -55.0), ..PLAIN }, false),
        ("high", Sent { detune: off(1.5, 1.5), ..PLAIN }, true),
        ("low", Sent { detune: off(-1.5, -1.5), ..PLAIN }, true),
        ("apart", Sent { detune: off(1.5, -1.5), ..PLAIN }, true),
        ("high and short", Sent { detune: off(1.5, 1.5), tone: 40.0, ..PLAIN }, true),
        ("row too high", Sent { detune: off(3.5, 0.0), ..PLAIN }, false),
        ("row too low", Sent { detune: off(-3.5, 0.0), ..PLAIN }, false),
        ("column too high", Sent { detune: off(0.0, 3.5), ..PLAIN }, false),
        ("column too low", Sent { detune: off(0.0, -3.5), ..PLAIN }, false),
        ("for long and too high", Sent { detune: off(3.5, 3.5), tone: 500.0, ..PLAIN }, false),
        ("column 4 dB louder", Sent { levels: (-12.0, -8.0), ..PLAIN }, true),
        ("row 8 dB louder", Sent { levels: (-8.0, -16.0), ..PLAIN }, true),
        ("column 8 dB louder", Sent { levels: (-16.0, -8.0), ..PLAIN }, false),
        ("row 12 dB louder", Sent { levels: (-8.0, -20.0), ..PLAIN }, false),
        ("noise", Sent { noise: Some(15.0), ..PLAIN }, true),
        ("noise and detuned", Sent { noise: Some(15.0), detune: off(1.5, -1.5), ..PLAIN }, true),
        (
            "noise, twisted, detuned",
            Sent { noise: Some(15.0), detune: off(-1.5, 1.5), levels: (-8.0, -16.0), ..PLAIN },
            true,
        ),
        ("noise, twisted, quiet", Sent { noise: Some(15.0), levels: (-36.0, -32.0), ..PLAIN }, true),
        ("noise and too high", Sent { noise: Some(15.0), detune: off(3.5, 3.5), ..PLAIN }, false),
        ("more noise than key", Sent { noise: Some(0.0), ..PLAIN }, false),
    ];
    let mut wrong = Vec::new();
    for rate in RATES {
        for (name, sent, is_key) in cases {
            for key in KEYS.chars() {
                let expected = if *is_key { key.to_string() } else { String::new() };
                let all = (0..12).map(|place| heard_of(rate, key, *sent, place));
                let bad = all.filter(|digits| *digits != expected).count();
                if bad > 0 {
                    wrong.push(format!("{name}, {key} at {} Hz: {bad} of 12", rate.hertz()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
