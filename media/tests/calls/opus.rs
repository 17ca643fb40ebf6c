//! Calls with carriers that speak Opus: what is passed on as it came, and what is not.

mod codecs;
mod from_carrier;
mod from_room;
mod tones;

use std::time::Duration;

use crate::{
    sound::{speech, tone_at},
    wire::{Call, Input, ms, opus_terms, rtp},
};

const OPUS: u8 = 107;

fn call() -> Call {
    Call::heard(&opus_terms("107", ""))
}

/// Packets of Opus of this length, of what is at 16 kHz.
fn packets(pcm: &[i16], ptime: usize, loss: i32) -> Vec<Vec<u8>> {
    let mut encoder = encoder(16_000, opus::Channels::Mono);
    encoder.set_inband_fec(loss > 0).expect("redundancy");
    encoder.set_packet_loss_perc(loss).expect("a loss");
    pcm.chunks_exact(ptime * 16).map(|frame| encoder.encode_vec(frame, 1_500).expect("Opus")).collect()
}

fn encoder(rate: u32, channels: opus::Channels) -> opus::Encoder {
    let mut encoder = opus::Encoder::new(rate, channels, opus::Application::Voip).expect("an encoder");
    encoder.set_bitrate(opus::Bitrate::Bits(24_000)).expect("a bit rate");
    encoder
}

/// They as a carrier sends them, the first after the one that every call begins with.
fn from_carrier(payloads: &[Vec<u8>], ptime: usize) -> Vec<(Duration, Input)> {
    let packets = payloads.iter().enumerate().map(|(n, payload)| {
        let packet = rtp(n as u16 + 1, 960 + (n * ptime * 48) as u32, OPUS, 0x1234, payload);
        (ms(((n + 1) * ptime) as u64), Input::Rtp(packet))
    });
    packets.collect()
}

/// They as a participant sends them.
fn from_room(payloads: &[Vec<u8>], ptime: usize, ssrc: u32) -> Vec<(Duration, Input)> {
    let packets = payloads.iter().enumerate().map(|(n, payload)| {
        let (sequence, timestamp) = ((n as u16).wrapping_sub(20), ((n * ptime * 48) as u32).wrapping_sub(9_600));
        let input = Input::Room { ssrc, sequence, timestamp, payload: payload.clone() };
        (ms(((n + 1) * ptime) as u64 + 5), input)
    });
    packets.collect()
}

/// What a phone hears, laid out by timestamp.
fn heard_by_phone(call: &Call) -> Vec<i16> {
    let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).expect("a decoder");
    let mut heard = Vec::new();
    for (_, _, timestamp, payload) in call.rtp() {
        let mut pcm = [0; 960];
        let samples = decoder.decode(payload, &mut pcm, false).expect("valid Opus");
        let at = (timestamp / 6) as usize;
        assert!(at >= heard.len(), "packets never overlap: {at} < {}", heard.len());
        heard.resize(at, 0);
        heard.extend_from_slice(&pcm[..samples]);
    }
    heard
}

fn wide(frequency: f32, samples: usize) -> Vec<i16> {
    tone_at(16_000.0, frequency, 20, samples)
}

/// Speech at 16 kHz.
fn wide_speech() -> Vec<i16> {
    speech().iter().flat_map(|sample| [*sample; 2]).collect()
}
