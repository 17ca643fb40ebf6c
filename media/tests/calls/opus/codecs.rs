//! Calls that change between Opus and the telephone's codecs.

use media::codec::g711::Law;

use super::{OPUS, packets, wide};
use crate::{
    sound::{assert_tone, tone},
    wire::{CLEAN, Call, Input, Left, encode, ms, opus_terms, room_packets_at, rtp},
};

#[test]
fn the_codec_changes_with_an_offer_and_back_and_no_clock_notices() {
    let (said, narrow) = (wide(440.0, 96_000), tone(440.0, 20, 48_000));
    let mut call = Call::heard(&opus_terms("0", ""));
    call.send(CLEAN, room_packets_at(16_000, &said, 7, 0));
    let opus = packets(&said, 20, 0);
    // The carrier's timestamps go on under the same source, at the rate of whatever it speaks.
    let (mut timestamp, mut number) = (160u32, 1u16);
    for (part, format) in [(0usize, "0"), (1, "107"), (2, "0"), (3, "9"), (4, "107"), (5, "0")] {
        for n in part * 50..(part + 1) * 50 {
            let (payload_type, step, payload) = match format {
                "0" => (0, 160, encode(Law::Mu, &narrow[n * 160..(n + 1) * 160])),
                "9" => {
                    let mut bytes = vec![0; 160];
                    let mut encoder = media::codec::g722::Encoder::default();
                    encoder.encode(&said[n * 320..(n + 1) * 320], &mut bytes);
                    (9, 160, bytes)
                }
                _ => (OPUS, 960, opus[n].clone()),
            };
            call.at(ms(20 * (n as u64 + 1)), Input::Rtp(rtp(number, timestamp, payload_type, 0x1234, &payload)));
            (timestamp, number) = (timestamp.wrapping_add(step), number + 1);
        }
        call.junction.set_carrier(call.now, &opus_terms(format, "")).unwrap();
        // The last packets of before are still on their way.
        call.run(ms(1_000 * (part as u64 + 1) - 30));
    }
    call.run(ms(6_000));
    assert_eq!(call.junction.report().carrier.unusable, 0);
    for (n, (_, timestamp, _)) in call.room().into_iter().enumerate() {
        assert_eq!(timestamp, n as u32 * 960, "frame {n}");
    }
    let heard = call.heard_by_room();
    assert_eq!(heard.len(), 48_000 + 160);
    for part in [0, 1, 2, 4, 5] {
        assert_tone(&heard[part * 8_000 + 800..(part + 1) * 8_000 - 800], 440.0, 20, &format!("room, part {part}"));
    }
    // Toward the carrier every packet is worth its time, whatever the clock of its codec: no packet is missing, none is more.
    let mut before: Option<(u8, u32)> = None;
    let mut ticks = 0;
    for (_, left) in &call.left {
        let Left::Rtp { payload_type, timestamp, marker, .. } = left else { continue };
        let step = if *payload_type == OPUS { 960 } else { 160 };
        if let Some((kind, last)) = before {
            let same = (kind == OPUS) == (*payload_type == OPUS);
            let last_step = if kind == OPUS { 960 } else { 160 };
            assert_eq!(timestamp.wrapping_sub(last), last_step, "from {kind} to {payload_type}");
            assert_eq!(*marker, !same, "from {kind} to {payload_type}");
        }
        ticks += step / if step == 960 { 6 } else { 1 };
        before = Some((*payload_type, *timestamp));
    }
    assert!((47_500..=48_300).contains(&ticks), "{ticks}");
}

#[test]
fn the_peer_may_change_between_opus_and_the_telephone() {
    let (said, narrow) = (wide(440.0, 96_000), tone(440.0, 20, 48_000));
    let opus = packets(&said, 20, 0);
    // What is heard was agreed upon under both numbers: by an earlier answer, of the same peer.
    let mut call = Call::heard(&opus_terms("0", ""));
    call.junction.set_carrier(call.start, &opus_terms("107", "")).unwrap();
    let mut timestamp = 160u32;
    for n in 0..300usize {
        let law = n / 50 % 2 == 0;
        let (payload_type, payload) = match law {
            true => (0, encode(Law::Mu, &narrow[n * 160..(n + 1) * 160])),
            false => (OPUS, opus[n].clone()),
        };
        call.at(ms(20 * (n as u64 + 1)), Input::Rtp(rtp(n as u16 + 1, timestamp, payload_type, 0x1234, &payload)));
        timestamp = timestamp.wrapping_add(if law { 160 } else { 960 });
    }
    call.run(ms(6_000));
    for (n, (_, timestamp, _)) in call.room().into_iter().enumerate() {
        assert_eq!(timestamp, n as u32 * 960, "frame {n}");
    }
    for (n, second) in call.heard_by_room()[160..].chunks_exact(8_000).enumerate() {
        assert_tone(second, 440.0, 20, &format!("second {n}"));
    }
}
