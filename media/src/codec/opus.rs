//! Opus at the carrier's rate ([RFC 6716], [RFC 7587]).
//!
//! libopus encodes from and decodes to 8 and 16 kHz itself, so nothing is resampled; what is coded is told by each packet's first
//! byte, and any receiver takes it.
//!
//! [RFC 6716]: https://www.rfc-editor.org/rfc/rfc6716
//! [RFC 7587]: https://www.rfc-editor.org/rfc/rfc7587

mod packet;

use opus::{Application, Bandwidth, Bitrate, Channels, Signal};

pub(crate) use self::packet::{is_speech, is_stereo, says_nothing, told_level, write_silence};

use crate::{
    Error,
    frame::{FRAME, Rate},
    sdp::OpusTerms,
};

/// The longest payload kept: a packet of several frames that still fits a usual path.
pub(crate) const LARGEST: usize = 1_500;
/// Ticks in the longest packet Opus knows, 120 ms.
pub(crate) const LONGEST: usize = 960;

/// How to encode toward the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Bits a second. Eight kilobits more are far cheaper than complexity.
    pub bitrate: i32,
    /// 0 to 10; above 5 nothing is gained at 8 kHz.
    pub complexity: u8,
    /// Loss expected on the way to the room, in percent. Redundancy is coded when it is not zero.
    pub loss: u8,
}

impl Default for Profile {
    fn default() -> Self {
        Self { bitrate: 32_000, complexity: 0, loss: 0 }
    }
}

/// Encodes twenty milliseconds at a time.
#[derive(Debug)]
pub(crate) struct Encoder(opus::Encoder);

impl Encoder {
    pub(crate) fn new(rate: Rate, profile: Profile) -> Result<Self, Error> {
        let mut inner = opus::Encoder::new(rate.hertz(), Channels::Mono, Application::Voip)?;
        inner.set_signal(Signal::Voice)?;
        inner.set_inband_fec(true)?;
        let mut encoder = Self(inner);
        encoder.set(profile)?;
        Ok(encoder)
    }

    /// Changes what may change while running.
    pub(crate) fn set(&mut self, profile: Profile) -> Result<(), Error> {
        self.0.set_bitrate(Bitrate::Bits(profile.bitrate))?;
        self.0.set_complexity(i32::from(profile.complexity.min(10)))?;
        self.0.set_packet_loss_perc(i32::from(profile.loss.min(100)))?;
        Ok(())
    }

    /// What another end wishes: of redundancy, packets of one size, and no more than it can play.
    pub(crate) fn set_wishes(&mut self, terms: &OpusTerms) -> Result<(), Error> {
        self.0.set_inband_fec(terms.redundancy)?;
        self.0.set_vbr(!terms.constant)?;
        self.0.set_max_bandwidth(match terms.playback {
            0..12_000 => Bandwidth::Narrowband,
            12_000..16_000 => Bandwidth::Mediumband,
            _ => Bandwidth::Wideband,
        })?;
        Ok(())
    }

    /// Forgets what was said: what follows begins a stream, or goes on after somebody else's packets.
    pub(crate) fn reset(&mut self) {
        // As with a decoder, there is no way to fail.
        let _ = self.0.reset_state();
    }

    /// Encodes a frame of the encoder's rate, of any length that Opus has; returns the payload's length, or `None` when libopus refuses.
    pub(crate) fn encode(&mut self, frame: &[i16], payload: &mut [u8]) -> Option<usize> {
        // libopus clears all of the buffer that it is given. The stack is in the cache; a call's own memory is not.
        let mut scratch = [0; LARGEST];
        let length = self.0.encode(frame, &mut scratch).ok()?;
        payload.get_mut(..length)?.copy_from_slice(&scratch[..length]);
        Some(length)
    }
}

/// Decodes one stream to mono.
#[derive(Debug)]
pub(crate) struct Decoder(opus::Decoder);

impl Decoder {
    pub(crate) fn new(rate: Rate) -> Result<Self, Error> {
        Ok(Self(opus::Decoder::new(rate.hertz(), Channels::Mono)?))
    }

    /// Forgets the stream, for another to take its place.
    pub(crate) fn reset(&mut self) {
        // The request has no way to fail on a live decoder; a decoder that did keep its past would only sound odd for a frame.
        let _ = self.0.reset_state();
    }

    /// Decodes a packet; returns its samples, or `None` when it is malformed.
    pub(crate) fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> Option<usize> {
        // An empty payload would mean a lost one to libopus.
        (!payload.is_empty()).then(|| self.0.decode(payload, samples, false).ok())?
    }

    /// Makes up for lost audio that fills `samples`, a multiple of 2.5 ms.
    pub(crate) fn conceal(&mut self, samples: &mut [i16]) -> bool {
        self.0.decode(&[], samples, false).is_ok()
    }

    /// Decodes what the packet after the lost one repeats of it; `samples` is as long as the lost one was.
    pub(crate) fn recover(&mut self, next: &[u8], samples: &mut [i16]) -> bool {
        self.0.decode(next, samples, true).is_ok()
    }
}

/// Ticks in a packet, from its first bytes ([RFC 6716 §3.1]); `None` when there is no such packet.
///
/// [RFC 6716 §3.1]: https://www.rfc-editor.org/rfc/rfc6716#section-3.1
pub(crate) fn samples(payload: &[u8]) -> Option<usize> {
    let total = frame_samples(*payload.first()?) * frames(payload)?;
    (total <= LONGEST).then_some(total)
}

/// Whether a packet only says that there is nothing to say ([RFC 7587 §3.1.3]).
///
/// [RFC 7587 §3.1.3]: https://www.rfc-editor.org/rfc/rfc7587#section-3.1.3
pub(crate) fn is_silence(payload: &[u8]) -> bool {
    payload.len() <= 2
}

/// Whether a packet repeats its forerunner at a lower rate ([RFC 6716 §4.2.4]). Only packets of one frame or of two equal ones
/// are looked into: nobody sends redundancy in others.
///
/// [RFC 6716 §4.2.4]: https://www.rfc-editor.org/rfc/rfc6716#section-4.2.4
pub(crate) fn has_redundancy(payload: &[u8]) -> bool {
    let [toc, first, ..] = *payload else { return false };
    if toc >> 3 >= CELT_CONFIGURATIONS || toc & 3 > 1 {
        return false;
    }
    // The mid channel's header opens the frame: one voice-activity bit a SILK frame, then the redundancy flag.
    let silk_frames = (frame_samples(toc) / FRAME).max(1);
    first >> (7 - silk_frames) & 1 == 1
}

/// From this configuration number on there is no SILK layer.
const CELT_CONFIGURATIONS: u8 = 16;

fn frame_samples(toc: u8) -> usize {
    let configuration = toc >> 3;
    match configuration {
        0..12 => [80, 160, 320, 480][usize::from(configuration & 3)],
        12..CELT_CONFIGURATIONS => [80, 160][usize::from(configuration & 1)],
        _ => [20, 40, 80, 160][usize::from(configuration & 3)],
    }
}

fn frames(payload: &[u8]) -> Option<usize> {
    match payload[0] & 3 {
        0 => Some(1),
        1 | 2 => Some(2),
        _ => payload.get(1).map(|count| usize::from(count & 0x3f)).filter(|count| *count > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_lengths() {
        let cases: &[(&str, &[u8], Option<usize>)] = &[
            ("empty", &[], None),
            ("SILK 10 ms", &[0 << 3, 0], Some(80)),
            ("SILK 20 ms", &[1 << 3, 0], Some(160)),
            ("SILK 60 ms", &[3 << 3, 0], Some(480)),
            ("hybrid 20 ms", &[15 << 3, 0], Some(160)),
            ("CELT 2.5 ms", &[28 << 3, 0], Some(20)),
            ("two of 60 ms", &[3 << 3 | 1, 0], Some(960)),
            ("three of 60 ms", &[3 << 3 | 3, 3], None),
            ("six of 20 ms", &[1 << 3 | 3, 6], Some(960)),
            ("none of 20 ms", &[1 << 3 | 3, 0], None),
            ("count cut off", &[1 << 3 | 3], None),
        ];
        for (name, payload, expected) in cases {
            assert_eq!(samples(payload), *expected, "{name}");
            assert_eq!(
                samples(payload),
                opus::packet::get_nb_samples(payload, 8_000).ok().filter(|samples| *samples > 0),
                "{name}, asked of libopus"
            );
        }
    }

    #[test]
    fn redundancy_is_seen_when_it_is_there() {
        let tone: Vec<i16> = (0..FRAME * 50)
            .map(|n| ((n as f64 * 0.2).sin() * 8_000.0 + (n as f64 * 0.31).sin() * 4_000.0) as i16)
            .collect();
        for (loss, expected) in [(0, false), (20, true)] {
            let mut encoder = Encoder::new(Rate::Narrow, Profile { loss, ..Profile::default() }).unwrap();
            let mut payload = [0; LARGEST];
            let seen = tone
                .chunks_exact(FRAME)
                .filter(|frame| {
                    let length = encoder.encode(frame, &mut payload).unwrap();
                    assert_eq!(samples(&payload[..length]), Some(FRAME));
                    has_redundancy(&payload[..length])
                })
                .count();
            assert_eq!(seen > 25, expected, "loss {loss} %: {seen} of 50");
        }
    }

    #[test]
    fn wishes_are_kept() {
        let noise: Vec<i16> = (0..16_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 18) as i16).collect();
        let mut payload = [0; LARGEST];
        for (playback, constant, widest) in
            [(8_000, false, 0), (12_000, true, 1), (16_000, false, 2), (48_000, true, 2)]
        {
            let mut encoder = Encoder::new(Rate::Wide, Profile::default()).unwrap();
            encoder.set_wishes(&OpusTerms { playback, constant, ..OpusTerms::default() }).unwrap();
            let packets = noise.chunks_exact(320).map(|frame| {
                let length = encoder.encode(frame, &mut payload).unwrap();
                // Of SILK four configurations are of one width.
                (payload[0] >> 5, length)
            });
            let packets: Vec<_> = packets.skip(10).collect();
            assert!(packets.iter().all(|(width, _)| *width == widest), "{playback}: {packets:?}");
            let same = packets.windows(2).all(|pair| pair[0].1 == pair[1].1);
            assert_eq!(same, constant, "{playback}: {packets:?}");
        }
    }

    #[test]
    fn a_malformed_packet_is_refused() {
        let mut decoder = Decoder::new(Rate::Narrow).unwrap();
        let mut out = [0; LONGEST];
        assert_eq!(decoder.decode(&[], &mut out), None);
        assert_eq!(decoder.decode(&[0xff; 5], &mut out), None, "63 frames of 20 ms");
    }
}
