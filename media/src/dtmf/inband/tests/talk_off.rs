//! Voices are no keys.

use std::path::Path;

use super::*;
use crate::codec::g711::Law;

/// Speakers of a generated conversation: their pitch, and what their formants are multiplied by.
const SPEAKERS: [(f64, f64); 6] =
    [(85.0, 0.92), (110.0, 1.0), (140.0, 1.05), (185.0, 1.12), (230.0, 1.18), (320.0, 1.3)];
/// The first three formants of vowels.
const VOWELS: [[f64; 3]; 8] = [
    [270.0, 2_290.0, 3_010.0],
    [390.0, 1_990.0, 2_550.0],
    [530.0, 1_840.0, 2_480.0],
    [660.0, 1_720.0, 2_410.0],
    [730.0, 1_090.0, 2_440.0],
    [570.0, 840.0, 2_410.0],
    [440.0, 1_020.0, 2_240.0],
    [490.0, 1_350.0, 1_690.0],
];

/// The keys that are heard of a voice, over a line of µ-law.
fn heard_over_line(rate: Rate, said: &[i16]) -> String {
    let mut said = said.to_vec();
    for packet in said.chunks_mut(160) {
        let mut bytes = vec![0; packet.len()];
        Law::Mu.encode(packet, &mut bytes);
        Law::Mu.decode(&bytes, packet);
    }
    heard(rate, &said.into_iter().map(f64::from).collect::<Vec<_>>())
}

/// Twenty seconds of vowels and noises, as a row of pulses that resonators ring to: every pitch glides, and every vowel is
/// another one after a fifth of a second.
fn voice(rate: Rate, seed: u64) -> Vec<i16> {
    let mut random = Random::new(seed);
    let mut unit = move || (random.next() >> 40) as f64 / f64::from(1 << 24);
    let hertz = f64::from(rate.hertz());
    let mut said = Vec::new();
    let (pitch, stretch) = SPEAKERS[seed as usize % SPEAKERS.len()];
    let (mut phase, mut memory) = (0.0, [[0.0; 2]; 3]);
    while (said.len() as f64) < 20.0 * hertz {
        let vowel = VOWELS[(unit() * 8.0) as usize % 8];
        let (voiced, length) = (unit() > 0.2, (0.06 + 0.3 * unit()) * hertz);
        let (from, to) = (pitch * (0.8 + 0.6 * unit()), pitch * (0.8 + 0.6 * unit()));
        // Some are held as a singer does: in tune all the time.
        let to = if unit() > 0.8 { from } else { to };
        let loud = 300.0 + 2_500.0 * unit();
        for n in 0..length as usize {
            phase += (from + (to - from) * n as f64 / length) / hertz;
            let pulse = if phase >= 1.0 { 12.0 } else { 0.0 };
            phase -= phase.floor();
            let source = if voiced { pulse } else { unit() - 0.5 };
            let mut sample = 0.0;
            for ((formant, memory), bandwidth) in vowel.iter().zip(&mut memory).zip([60.0, 90.0, 120.0]) {
                let radius = (-std::f64::consts::PI * bandwidth / hertz).exp();
                let turn = 2.0 * radius * (std::f64::consts::TAU * formant * stretch / hertz).cos();
                let next = source + turn * memory[0] - radius * radius * memory[1];
                *memory = [next, memory[0]];
                sample += next * bandwidth / 100.0;
            }
            said.push((sample * loud).clamp(-32_000.0, 32_000.0) as i16);
        }
    }
    said
}

#[test]
fn half_an_hour_of_voices_is_no_key() {
    for rate in RATES {
        for seed in 0..45 {
            assert_eq!(heard_over_line(rate, &voice(rate, seed)), "", "voice {seed} at {} Hz", rate.hertz());
        }
    }
}

#[test]
fn speech_is_no_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/speech.wav");
    for gain in [0.25, 1.0, 4.0] {
        let said: Vec<i16> = read(Path::new(path)).iter().map(|sample| (f64::from(*sample) * gain) as i16).collect();
        assert_eq!(heard_over_line(Rate::Narrow, &said), "", "{gain} times as loud");
    }
}

/// Half an hour of recordings, where they are installed (Debian: asterisk-core-sounds-en-wav).
#[test]
fn recorded_voices_are_no_keys() {
    let folder = Path::new("/usr/share/asterisk/sounds/en_US_f_Allison");
    let mut folders = vec![folder.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "wav") {
                assert_eq!(heard_over_line(Rate::Narrow, &read(&path)), "", "{}", path.display());
                count += 1;
            }
        }
    }
    if count == 0 {
        eprintln!("skipped: no recordings in {}", folder.display());
    }
}

/// The samples of a file of 8 kHz, mono.
fn read(path: &Path) -> Vec<i16> {
    let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file[44..].as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect()
}
