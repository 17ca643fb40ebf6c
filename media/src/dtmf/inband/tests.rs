//! What Q.24 asks of a receiver, and what is not to be taken for a key.

mod talk_off;

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
    let mut detector = Detector::new(rate, true);
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

/// A row of stretches: a key or silence, for so many milliseconds, so much quieter in dB than usual.
fn stretches(rate: Rate, stretches: &[(char, f64, f64)]) -> Vec<f64> {
    let mut samples = silence(rate, 37.0);
    for (key, ms, quieter) in stretches {
        let levels = (-9.0 - quieter, -9.0 - quieter);
        samples.extend(match key {
            ' ' => silence(rate, *ms),
            key => press(rate, *key, Sent { levels, tone: *ms, ..PLAIN }),
        });
    }
    samples.extend(silence(rate, 60.0));
    samples
}

#[test]
fn where_a_key_ends_and_the_next_one_begins() {
    type Stretch = (char, f64, f64);
    let cases: &[(&str, &[Stretch], &str)] = &[
        ("for long", &[('5', 3_000.0, 0.0)], "5"),
        ("pressed twice", &[('5', 40.0, 0.0), (' ', 40.0, 0.0), ('5', 40.0, 0.0)], "55"),
        (
            "as quick as may be",
            &[('1', 45.0, 0.0), (' ', 40.0, 0.0), ('2', 45.0, 0.0), (' ', 40.0, 0.0), ('2', 45.0, 0.0)],
            "122",
        ),
        ("a break of 10 ms", &[('5', 60.0, 0.0), (' ', 10.0, 0.0), ('5', 60.0, 0.0)], "5"),
        ("a break of 20 ms", &[('5', 60.0, 0.0), (' ', 20.0, 0.0), ('5', 60.0, 0.0)], "5"),
        ("one after the other", &[('5', 60.0, 0.0), ('6', 60.0, 0.0)], "56"),
        ("quieter in the middle", &[('5', 100.0, 0.0), ('5', 300.0, 10.0)], "5"),
        ("louder in the middle", &[('5', 100.0, 10.0), ('5', 300.0, 0.0)], "5"),
        ("its echo", &[('5', 80.0, 0.0), ('5', 60.0, 12.0), (' ', 60.0, 0.0), ('7', 60.0, 0.0)], "57"),
    ];
    for rate in RATES {
        for (name, row, expected) in cases {
            assert_eq!(heard(rate, &stretches(rate, row)), *expected, "{name} at {} Hz", rate.hertz());
        }
    }
}

#[test]
fn harmonics_and_other_company_make_a_voice_of_it() {
    let with = |frequency: f32, level: f64| {
        let mut samples = press(Rate::Narrow, '5', Sent { tone: 200.0, ..PLAIN });
        for (n, sample) in samples.iter_mut().enumerate() {
            let turns = n as f64 * f64::from(frequency) / 8_000.0;
            *sample += ZERO * 10f64.powf(level / 20.0) * (turns * std::f64::consts::TAU).sin();
        }
        heard(Rate::Narrow, &samples)
    };
    assert_eq!(with(2.0 * ROWS[1], -11.0), "", "the second harmonic of the row");
    assert_eq!(with(2.0 * COLUMNS[1], -11.0), "", "that of the column");
    assert_eq!(with(3.0 * ROWS[1], -11.0), "", "the third of the row");
    assert_eq!(with(350.0, -11.0), "", "another tone");
    assert_eq!(with(2.0 * ROWS[1], -25.0), "5", "as much as a bad line adds");
}

#[test]
fn what_is_made_up_begins_no_key_and_ends_none() {
    let mut detector = Detector::new(Rate::Narrow, true);
    let tone: Vec<i16> = press(Rate::Narrow, '5', PLAIN).into_iter().map(|sample| sample as i16).collect();
    detector.guess(&mut tone.repeat(4));
    assert_eq!(detector.poll(), None);
    detector.hear(&mut [0; 800]);
    detector.hear(&mut tone.repeat(2));
    assert_eq!(detector.poll(), Event::from_digit('5'));
    detector.guess(&mut [0; 480]);
    detector.hear(&mut tone.repeat(2));
    assert_eq!(detector.poll(), None, "it was held all the time");
    detector.pause(400);
    detector.hear(&mut tone.repeat(2));
    assert_eq!(detector.poll(), Event::from_digit('5'), "after a pause it is another one");
}
