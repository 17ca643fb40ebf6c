//! What a packet of Opus tells without being decoded ([RFC 6716 §3.1]), for those that are handed on as they are.
//!
//! [RFC 6716 §3.1]: https://www.rfc-editor.org/rfc/rfc6716#section-3.1

use super::{CELT_CONFIGURATIONS, frame_samples, is_silence};
use crate::frame::{FRAME, SILENCE};

/// Told of what nobody has measured: the level of usual speech, in -dBov.
const SPEECH: u8 = 26;
/// The same of a line on which nobody speaks.
const BACKGROUND: u8 = 60;
/// Digital silence: a CELT frame of which only that is said (RFC 6716 §4.3), all that is left of it when its rest is cut off.
const SILENT_FRAME: [u8; 2] = [0xff, 0xfe];
/// The longest packet that says no more than that.
const SILENT_PACKET: usize = 1 + SILENT_FRAME.len();
/// Fullband CELT, mono: frames of 2.5, 5, 10 and 20 ms (RFC 6716 §3.1, configurations 28 to 31).
const FULLBAND: u8 = 28;

/// Whether it holds two channels.
pub(crate) fn is_stereo(payload: &[u8]) -> bool {
    payload.first().is_some_and(|toc| toc & 4 != 0)
}

/// Whether it holds nothing but silence, digital or of an encoder that has stopped talking.
pub(crate) fn says_nothing(payload: &[u8]) -> bool {
    payload.len() <= SILENT_PACKET
}

/// How loud it may be. Nobody has decoded it, so this is a guess for those who only ask whether somebody speaks: SILK says so
/// itself (RFC 6716 §4.2.3), and of CELT whatever is no silence is sound.
pub(crate) fn told_level(payload: &[u8]) -> u8 {
    match *payload {
        _ if is_silence(payload) || says_nothing(payload) => SILENCE,
        [toc, first, ..] if toc >> 3 < CELT_CONFIGURATIONS && toc & 3 == 0 => {
            // The frame begins with a bit of voice activity for each twenty milliseconds.
            let spoken = first >> (8 - (frame_samples(toc) / FRAME).max(1));
            if spoken == 0 { BACKGROUND } else { SPEECH }
        }
        _ => SPEECH,
    }
}

/// Whether somebody speaks in it, by the same guess.
pub(crate) fn is_speech(payload: &[u8]) -> bool {
    told_level(payload) == SPEECH
}

/// Writes a packet of digital silence of so many ticks, or of as many of them as one packet has room for; returns its length
/// and its ticks.
pub(crate) fn write_silence(ticks: usize, payload: &mut [u8]) -> Option<(usize, usize)> {
    let (configuration, frame) = match ticks {
        0..80 => return None,
        80..160 => (FULLBAND + 2, FRAME / 2),
        _ => (FULLBAND + 3, FRAME),
    };
    // Of up to six frames of twenty milliseconds; several of one length are announced by their number (RFC 6716 §3.2.5).
    let count = (ticks / frame).min(6);
    let code = if count == 1 { 0 } else { 3 };
    let head: &[u8] = if count == 1 { &[configuration << 3] } else { &[configuration << 3 | code, count as u8] };
    let length = head.len() + count * SILENT_FRAME.len();
    let payload = payload.get_mut(..length)?;
    let (start, frames) = payload.split_at_mut(head.len());
    start.copy_from_slice(head);
    frames.chunks_exact_mut(SILENT_FRAME.len()).for_each(|frame| frame.copy_from_slice(&SILENT_FRAME));
    Some((length, count * frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::opus::{Decoder, Encoder, LARGEST, LONGEST, Profile, samples};
    use crate::frame::Rate;

    #[test]
    fn silence_of_any_length_is_silence() {
        for (asked, made) in [(80, 80), (100, 80), (160, 160), (240, 160), (320, 320), (480, 480), (2_000, 960)] {
            let mut payload = [0; LARGEST];
            let (length, ticks) = write_silence(asked, &mut payload).unwrap();
            let payload = &payload[..length];
            assert_eq!((ticks, samples(payload)), (made, Some(made)), "{asked}");
            assert_eq!(told_level(&payload[..payload.len().min(3)]), SILENCE);
            let mut decoder = Decoder::new(Rate::Narrow).unwrap();
            let mut pcm = [1; LONGEST];
            assert_eq!(decoder.decode(payload, &mut pcm), Some(made), "{asked}");
            assert!(pcm[..made].iter().all(|sample| *sample == 0), "{asked}");
        }
        assert_eq!(write_silence(40, &mut [0; 10]), None);
        assert_eq!(write_silence(160, &mut [0; 2]), None);
    }

    #[test]
    fn who_speaks_is_told_from_who_does_not() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let mut encoder = Encoder::new(rate, Profile::default()).unwrap();
            let mut payload = [0; LARGEST];
            let mut loud = |amplitude: f32| {
                let levels = (0..100).map(|n| {
                    let wave = |i: usize| {
                        ((n * rate.frame() + i) as f32 * 0.13).sin() + ((n * rate.frame() + i) as f32 * 0.31).sin()
                    };
                    let syllables = if n / 10 % 2 == 0 { 1.0 } else { 0.3 };
                    let pcm: Vec<_> = (0..rate.frame()).map(|i| (wave(i) * amplitude * syllables) as i16).collect();
                    let length = encoder.encode(&pcm, &mut payload).unwrap();
                    assert!(!is_stereo(&payload[..length]));
                    told_level(&payload[..length])
                });
                levels.filter(|level| *level == SPEECH).count()
            };
            let (loud, silent) = (loud(8_000.0), loud(0.0));
            assert!(loud > 50 && silent < 20, "{rate:?}: {loud}, {silent}");
        }
        let cases: &[(&str, &[u8], u8, bool)] = &[
            ("nothing", &[], SILENCE, false),
            ("an encoder that stopped talking", &[0x48], SILENCE, false),
            ("digital silence", &[0xf8, 0xff, 0xfe], SILENCE, false),
            ("the same in stereo", &[0xfc, 0xff, 0xfe], SILENCE, true),
            ("SILK that hears a voice", &[0x48, 0x80, 1, 2], SPEECH, false),
            ("SILK that hears none", &[0x48, 0x40, 1, 2], BACKGROUND, false),
            ("CELT", &[0xf8, 0x40, 1, 2], SPEECH, false),
        ];
        for (name, payload, level, stereo) in cases {
            assert_eq!((told_level(payload), is_stereo(payload)), (*level, *stereo), "{name}");
        }
    }
}
