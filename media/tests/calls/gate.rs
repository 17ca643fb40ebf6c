//! A caller who says nothing for a while: what is left out toward the room, and what the room hears of that.

use media::{
    codec::g711::Law,
    frame::{SILENCE, level},
};

use crate::{
    sound::{assert_tone, speech, tone_at},
    wire::{CLEAN, Call, Left, carrier_packets, ms, terms, wide_packets, wide_terms},
};

/// White noise of this level.
pub(crate) fn noise(level: f64, samples: usize) -> Vec<i16> {
    let peak = 32_768.0 * 3f64.sqrt() * 10f64.powf(-level / 20.0);
    let mut random = 1u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    };
    (0..samples).map(|_| (next() * peak) as i16).collect()
}

/// Eight seconds of a noisy line with a second of a tone from the fourth to the fifth.
fn line(rate: usize, noise_level: f64) -> Vec<i16> {
    let mut line = noise(noise_level, 8 * rate);
    let said = tone_at(rate as f64, 440.0, 20, rate);
    for (sample, said) in line[4 * rate..].iter_mut().zip(said) {
        *sample += said;
    }
    line
}

/// Number of the frame, marker, length and level of all that left for the room.
fn frames(call: &Call) -> Vec<(u32, bool, usize, u8)> {
    let first = call.left.iter().find_map(|(_, left)| match left {
        Left::Room { timestamp, .. } => Some(*timestamp),
        _ => None,
    });
    let frames = call.left.iter().filter_map(|(_, left)| match left {
        Left::Room { payload, timestamp, marker, level, .. } => {
            let at = timestamp.wrapping_sub(first?);
            assert_eq!(at % 960, 0);
            Some((at / 960, *marker, payload.len(), *level))
        }
        _ => None,
    });
    frames.collect()
}

/// What a receiver makes of it that takes gaps for silence, as those of WebRTC do: it asks its decoder to go on.
fn heard_through_gaps(call: &Call, rate: u32) -> Vec<i16> {
    let mut decoder = opus::Decoder::new(rate, opus::Channels::Mono).expect("a decoder");
    let frame = rate as usize / 50;
    let mut heard: Vec<i16> = Vec::new();
    let mut pcm = [0; 320];
    for (_, timestamp, payload) in call.room() {
        while heard.len() < timestamp as usize / 960 * frame {
            decoder.decode(&[], &mut pcm[..frame], false).expect("something made up");
            heard.extend_from_slice(&pcm[..frame]);
        }
        decoder.decode(payload, &mut pcm[..frame], false).expect("Opus");
        heard.extend_from_slice(&pcm[..frame]);
    }
    heard
}

#[test]
fn nothing_is_sent_while_nobody_speaks_but_how_that_sounds() {
    for (law, noise_level) in [(Law::Mu, 60.0), (Law::A, 60.0), (Law::Mu, 45.0), (Law::Mu, 120.0)] {
        let name = format!("{law:?} over -{noise_level} dBov");
        let payload_type = if law == Law::Mu { 0 } else { 8 };
        let mut call = Call::gated(&terms(&payload_type.to_string(), ""));
        call.send(CLEAN, carrier_packets(&line(8_000, noise_level), law, payload_type, 20));
        call.run(ms(8_500));
        // A line has to be known first, to the gate and to the encoder, which takes louder noise for a voice at the beginning.
        let known = if noise_level == 45.0 { 87 } else { 74 };
        // After speech 240 ms are kept, and from then on a frame every 400 ms.
        let coded: Vec<u32> =
            (0..known).chain((93..200).step_by(20)).chain(200..262).chain((281..400).step_by(20)).collect();
        // After each of those is said, in a byte, that nothing follows.
        let told: Vec<u32> =
            std::iter::once(known).chain((94..200).step_by(20)).chain((262..400).step_by(20)).collect();
        let frames = frames(&call);
        let of = |wanted: fn(usize) -> bool| -> Vec<u32> {
            frames.iter().filter(|frame| wanted(frame.2)).map(|frame| frame.0).collect()
        };
        assert_eq!(of(|length| length > 1), coded, "{name}");
        assert_eq!(of(|length| length == 1), told, "{name}");
        for (n, marker, _, level) in &frames {
            // Speech begins at the beginning and at the tone; what tells of silence begins none.
            assert_eq!(*marker, [0, 200].contains(n), "{name}: frame {n}");
            match n {
                200..250 => assert_eq!(*level, 20, "{name}: frame {n}"),
                _ if noise_level > 100.0 => assert_eq!(*level, SILENCE, "{name}: frame {n}"),
                _ => assert!(level.abs_diff(noise_level as u8) <= 2, "{name}: frame {n}, -{level} dBov"),
            }
        }
        let report = call.junction.report();
        assert_eq!((report.room_sent, report.room_left_out), (coded.len() as u64, 400 - coded.len() as u64), "{name}");
        assert_tone(&heard_through_gaps(&call, 8_000)[32_100..39_900], 440.0, 20, &name);
    }
}

#[test]
fn a_gap_sounds_like_the_line() {
    for (rate, payload_type) in [(8_000, 0), (16_000, 9)] {
        for noise_level in [40, 45, 50, 55] {
            let said = line(rate, f64::from(noise_level));
            let mut call = Call::gated(&wide_terms(&payload_type.to_string(), ""));
            call.send(
                CLEAN,
                if rate == 8_000 { carrier_packets(&said, Law::Mu, 0, 20) } else { wide_packets(&said, 9, 20) },
            );
            call.run(ms(8_500));
            // In the loudest noise the encoder hears a voice for some seconds, and as long nothing is left out.
            let least = if noise_level == 40 { 120 } else { 200 };
            assert!(call.junction.report().room_left_out > least, "{rate} Hz, -{noise_level} dBov");
            let heard = heard_through_gaps(&call, rate as u32);
            // From a second after the noise is known, and from half a second after the tone.
            let quiet = (5 * rate / 2..4 * rate - 200)
                .step_by(rate / 10)
                .chain((11 * rate / 2..15 * rate / 2).step_by(rate / 10));
            let levels: Vec<u8> = quiet.map(|at| level(&heard[at..at + rate / 10 - 200])).collect();
            println!("{rate} Hz, -{noise_level} dBov: {levels:?}");
            for level in &levels {
                assert!(level.abs_diff(noise_level) <= 4, "{rate} Hz, -{noise_level} dBov: {levels:?}");
            }
        }
    }
}

/// The same samples at twice the rate.
fn widened(samples: &[i16]) -> Vec<i16> {
    let next = samples.iter().skip(1).chain(samples.last());
    let mean = |a: i16, b: i16| ((i32::from(a) + i32::from(b)) / 2) as i16;
    samples.iter().zip(next).flat_map(|(this, next)| [*this, mean(*this, *next)]).collect()
}

/// Two seconds of silence, and then two of speech and two of silence in turns, in whole frames.
fn conversation(speech: &[i16], shift: usize) -> Vec<i16> {
    let mut said = vec![0; 16_000 + shift];
    for talk in speech.chunks(16_000) {
        said.extend_from_slice(talk);
        said.extend_from_slice(&[0; 16_000]);
    }
    said.truncate(said.len() / 160 * 160);
    said
}

/// Which frames of this over noise reach the room, through PCMU or at 16 kHz through G.722.
fn coded(said: &[i16], noise_level: u8, is_wide: bool) -> Vec<bool> {
    let count = said.len() / 160;
    let said = if is_wide { widened(said) } else { said.to_vec() };
    let noise = noise(f64::from(noise_level), said.len());
    let said: Vec<i16> = said.iter().zip(noise).map(|(sample, noise)| sample.saturating_add(noise)).collect();
    let mut call = Call::gated(&wide_terms(if is_wide { "9" } else { "0" }, ""));
    call.send(CLEAN, if is_wide { wide_packets(&said, 9, 20) } else { carrier_packets(&said, Law::Mu, 0, 20) });
    call.run(ms(20 * count as u64 + 100));
    let mut coded = vec![false; count];
    for (n, _, length, _) in frames(&call) {
        coded[n as usize] = length > 1;
    }
    coded
}

#[test]
fn real_words_lose_no_more_than_a_frame() {
    // What lies between words is 20 dB softer than they are, and of those below the noise nothing can be told.
    const WORD: u8 = 46;
    for (quieter, part) in [(0, 1.0), (9, 0.355)] {
        let speech: Vec<i16> = speech().iter().map(|sample| (f32::from(*sample) * part) as i16).collect();
        for noise_level in [120, 60, 50, 40] {
            for (is_wide, shift) in
                [false, true].into_iter().flat_map(|wide| [0, 37, 80, 123].map(|shift| (wide, shift)))
            {
                let name = format!("-{} dBov over -{noise_level}, wide {is_wide}, {shift} later", 26 + quieter);
                let said = conversation(&speech, shift);
                let least = (WORD + quieter).min(noise_level - 5);
                let words: Vec<bool> = said.chunks_exact(160).map(|frame| level(frame) <= least).collect();
                let coded = coded(&said, noise_level, is_wide);
                for n in 1..words.len() {
                    assert!(coded[n] || !(words[n - 1] && words[n]), "{name}: frame {n} is of a word, and left out");
                    let ends = (n.saturating_sub(12)..n).any(|before| words[before] && coded[before]);
                    assert!(coded[n] || !ends, "{name}: frame {n} ends a word, and is left out");
                }
                let left_out = coded.iter().filter(|coded| !**coded).count();
                assert!(left_out > words.len() / 4, "{name}: {left_out} of {}", words.len());
            }
        }
    }
}

/// An encoder takes a steady tone for noise, and what follows it for a voice. A receiver that learns from this what the line
/// sounds like would go on with the tone where frames are left out.
#[test]
fn a_tone_is_not_heard_on_in_the_silence_after_it() {
    for (pitch, tone_level) in [(440.0, 15), (425.0, 20), (1_000.0, 30)] {
        for noise_level in [40.0, 50.0, 60.0, 120.0] {
            let name = format!("{pitch} Hz at -{tone_level} dBov, then -{noise_level} dBov");
            let mut line = tone_at(8_000.0, pitch, tone_level, 24_000);
            line.extend(noise(noise_level, 40_000));
            let mut call = Call::gated(&terms("0", ""));
            call.send(CLEAN, carrier_packets(&line, Law::Mu, 0, 20));
            call.run(ms(8_500));
            let heard = heard_through_gaps(&call, 8_000);
            let worst = heard[24_400..].chunks_exact(400).map(level).min().expect("five seconds");
            assert!(f64::from(worst) >= noise_level.min(80.0) - 4.0, "{name}: -{worst} dBov in the silence");
        }
    }
}
