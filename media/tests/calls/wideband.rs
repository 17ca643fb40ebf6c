//! Calls of G.722, and of peers that change between codecs.

use media::{
    Error, Event, Phone,
    codec::{g711::Law, g722},
    desk::{Desk, Play},
    dtmf,
    sdp::{Codec, Negotiated},
};

use crate::{
    sound::{assert_tone, assert_wide_tone, delay, energy, speech, tone, tone_at},
    wire::{
        CLEAN, Call, Input, Left, Wire, answered, carrier_config, carrier_packets, encode, later, ms, peer,
        room_packets, room_packets_at, rtp, terms, wide_packets, wide_terms,
    },
};

fn wide_tone(frequency: f32, samples: usize) -> Vec<i16> {
    tone_at(16_000.0, frequency, 20, samples)
}

/// Frames of the room follow each other, and so do packets of the carrier.
#[track_caller]
fn assert_unbroken(call: &Call) {
    for (n, (_, timestamp, _)) in call.room().into_iter().enumerate() {
        assert_eq!(timestamp, n as u32 * 960, "frame {n}");
    }
    let mut expected = 0;
    for (n, (_, sequence, timestamp, payload)) in call.rtp().into_iter().enumerate() {
        assert_eq!((usize::from(sequence), timestamp), (n, expected), "packet {n}");
        expected += payload.len() as u32;
    }
}

#[test]
fn what_is_high_arrives_both_ways() {
    for frequency in [1_000.0, 5_000.0] {
        for ptime in [10, 20, 30, 40, 60] {
            let name = format!("{frequency} Hz in {ptime} ms");
            let terms = wide_terms("0 9 8", &format!("a=ptime:{ptime}\r\n"));
            assert_eq!((terms.codec, terms.payload_type), (Codec::G722, 9));
            let mut call = Call::new(&terms);
            call.send(CLEAN, wide_packets(&wide_tone(frequency, 32_000), 9, ptime));
            call.send(CLEAN, room_packets_at(16_000, &wide_tone(frequency, 32_000), 7, 0));
            call.run(ms(2_000));
            assert_unbroken(&call);
            assert_wide_tone(&call.heard_by_room_at(16_000), frequency, 20, &name);
            assert_wide_tone(&call.heard_by_wide_carrier(), frequency, 20, &name);
            assert!(call.rtp().iter().all(|(.., payload)| payload.len() as u64 == ptime * 8), "{name}");
        }
    }
}

#[test]
fn packets_of_any_length_may_be_mixed() {
    let said = wide_tone(440.0, 32_000);
    let narrow = tone(440.0, 20, 16_000);
    for wide in [true, false] {
        let mut call = Call::new(&if wide { wide_terms("9", "") } else { terms("0", "") });
        let mut encoder = g722::Encoder::default();
        let (mut at, mut n) = (0, 0u16);
        while at + 480 <= 16_000 {
            let ticks = [80, 160, 240, 320, 480][usize::from(n % 5)];
            let mut bytes = encode(Law::Mu, &narrow[at..at + ticks]);
            if wide {
                encoder.encode(&said[2 * at..2 * (at + ticks)], &mut bytes);
            }
            let packet = rtp(n, at as u32, if wide { 9 } else { 0 }, 1, &bytes);
            call.at(ms((at + ticks) as u64 / 8), Input::Rtp(packet));
            (at, n) = (at + ticks, n + 1);
        }
        call.run(ms(2_100));
        assert_unbroken(&call);
        assert_tone(&call.heard_by_room(), 440.0, 20, &format!("wide: {wide}"));
        assert_eq!(call.room().len(), at / 160, "wide: {wide}");
    }
}

#[test]
fn loss_is_made_up_for() {
    let said: Vec<i16> = speech().iter().flat_map(|sample| [*sample; 2]).collect();
    for (seed, ptime) in [(1, 20), (2, 10), (3, 60)] {
        let wire = Wire { loss: 5, seed, ..CLEAN };
        let (mut wide, mut narrow) = (Call::new(&wide_terms("9", "")), Call::new(&terms("0", "")));
        wide.send(wire, wide_packets(&said, 9, ptime));
        narrow.send(wire, carrier_packets(&speech(), Law::Mu, 0, ptime));
        let [wide, narrow] = [wide, narrow].map(|mut call| {
            call.run(ms(13_000));
            (call.junction.report().carrier_concealed, delay(&speech(), &call.heard_by_room(), 80_000, 4_000))
        });
        assert!(wide.0 > 0 && wide.0 == narrow.0, "seed {seed}: {wide:?}, {narrow:?}");
        // No later, but for the filters, and no less alike than the same losses leave of G.711.
        let ((late, likeness), (narrow_late, narrow_likeness)) = (wide.1, narrow.1);
        assert!(late.abs_diff(narrow_late) < 20, "seed {seed}: {late}, {narrow_late}");
        assert!(likeness > narrow_likeness - 0.1, "seed {seed}: {likeness}, {narrow_likeness}");
    }
    let mut call = Call::new(&wide_terms("9", ""));
    let mut packets = wide_packets(&wide_tone(300.0, 32_000), 9, 20);
    packets.remove(50);
    call.send(CLEAN, packets);
    call.run(ms(2_000));
    assert_unbroken(&call);
    let heard = call.heard_by_room();
    assert!(energy(&heard[8_100..8_240]) > 0.6 * energy(&heard[6_100..6_240]));
}

#[test]
fn the_codec_changes_with_an_offer_and_back_and_no_clock_notices() {
    let said = tone(440.0, 20, 48_000);
    let mut call = Call::heard(&wide_terms("0", ""));
    call.send(CLEAN, room_packets(&said, 7, 0));
    let said_wide = wide_tone(440.0, 96_000);
    let packets = |n: usize, wide: bool| -> Vec<_> {
        let mut encoder = g722::Encoder::default();
        let packets = (n * 100..(n + 1) * 100).map(|n| {
            let narrow = &said[n * 160..(n + 1) * 160];
            let mut bytes = encode(Law::Mu, narrow);
            if wide {
                encoder.encode(&said_wide[n * 320..(n + 1) * 320], &mut bytes);
            }
            // The first number is that of the packet that was heard before all.
            let packet = rtp(n as u16 + 1, (n as u32 + 1) * 160, if wide { 9 } else { 0 }, 0x1234, &bytes);
            (ms(20 * (n as u64 + 1)), Input::Rtp(packet))
        });
        packets.collect()
    };
    for (n, format) in [(0, "0"), (1, "9"), (2, "0")] {
        call.send(CLEAN, packets(n, format == "9"));
        call.junction.set_carrier(call.now, &wide_terms(format, "")).unwrap();
        // The last packets of before are still on their way.
        call.run(ms(2_000 * (n as u64 + 1) - 30));
    }
    call.run(ms(6_000));
    assert_eq!(call.junction.report().carrier.unusable, 0);
    assert_unbroken(&call);
    let heard = call.heard_by_room();
    assert_eq!(heard.len(), 48_000 + 160);
    for n in 0..3 {
        assert_tone(&heard[n * 16_000 + 800..(n + 1) * 16_000 - 800], 440.0, 20, &format!("room, part {n}"));
    }
    let (mut decoder, mut parts) = (g722::Decoder::default(), [Vec::new(), Vec::new(), Vec::new()]);
    for (time, left) in &call.left {
        let Left::Rtp { payload_type, payload, .. } = left else { continue };
        let part = &mut parts[(time.as_millis() as usize / 1_970).min(2)];
        let mut pcm = vec![0; payload.len()];
        match payload_type {
            0 => assert_eq!(Law::Mu.decode(payload, &mut pcm), payload.len()),
            9 => {
                let mut wide = vec![0; 2 * payload.len()];
                decoder.decode(payload, &mut wide);
                pcm = wide.into_iter().step_by(2).collect();
            }
            other => panic!("payload type {other}"),
        }
        part.extend(pcm);
    }
    for (n, part) in parts.iter().enumerate() {
        assert_tone(&part[1_600..], 440.0, 20, &format!("carrier, part {n}"));
    }
}

#[test]
fn the_peer_may_change_between_the_codecs_agreed_upon() {
    let (narrow, wide) = (tone(440.0, 20, 48_000), wide_tone(440.0, 96_000));
    // Of the call that is wide by its answer, and of the one that is narrow.
    for (format, codec) in [("9 0 8", Codec::G722), ("0 8 9", Codec::Pcmu)] {
        let terms = answered(format, "");
        assert_eq!((terms.codec, terms.receive.len()), (codec, 3));
        let mut call = Call::new(&terms);
        let mut encoder = g722::Encoder::default();
        for n in 0..300usize {
            let pcm = &narrow[n * 160..(n + 1) * 160];
            let (payload_type, bytes) = match n / 50 % 3 {
                0 => (0, encode(Law::Mu, pcm)),
                1 => {
                    let mut bytes = vec![0; 160];
                    encoder.encode(&wide[n * 320..(n + 1) * 320], &mut bytes);
                    (9, bytes)
                }
                _ => (8, encode(Law::A, pcm)),
            };
            let packet = rtp(n as u16, n as u32 * 160, payload_type, 1, &bytes);
            call.at(ms(20 * (n as u64 + 1)), Input::Rtp(packet));
        }
        call.run(ms(6_000));
        assert_unbroken(&call);
        let heard = call.heard_by_room();
        for (n, second) in heard.chunks_exact(8_000).enumerate() {
            assert_tone(second, 440.0, 20, &format!("{codec:?}, second {n}"));
        }
        assert_eq!(call.junction.report().carrier.unusable, 0);
    }
}

#[test]
fn each_side_has_its_own_numbers() {
    // The callee answers with numbers that are not those of our offer.
    let terms = answered("96 98", "a=rtpmap:96 PCMA/8000\r\na=rtpmap:98 telephone-event/8000\r\na=fmtp:98 0-15\r\n");
    let Negotiated { payload_type, events, receive_events, .. } = terms;
    assert_eq!((payload_type, events, receive_events), (96, Some(98), Some(101)));
    // One who sends as it should, under our numbers, and one who keeps to its own.
    for (name, audio, event) in [("ours", 8, 101), ("theirs", 96, 98)] {
        let mut call = Call::new(&terms);
        let mut packets = carrier_packets(&tone(440.0, 20, 16_000), Law::A, audio, 20);
        for n in 40..50u16 {
            let end = if n > 46 { 0x80 } else { 0 };
            let duration = (n.min(47) - 39) * 160;
            let payload = [5, end, (duration >> 8) as u8, duration as u8];
            packets[usize::from(n)].1 = Input::Rtp(rtp(n, 40 * 160, event, 0x1234, &payload));
        }
        call.send(CLEAN, packets);
        call.send(CLEAN, later(ms(5), room_packets(&tone(600.0, 20, 16_000), 7, 0)));
        call.run(ms(100));
        call.junction.press(call.now, &[dtmf::Press::Key(dtmf::Event(3))]).unwrap();
        call.run(ms(2_000));
        assert_eq!(call.events()[..2], [Event::FirstRtp, Event::FirstRoom { ssrc: 7 }], "{name}");
        assert!(call.events().contains(&Event::Digit(dtmf::Event(5))), "{name}");
        assert_eq!(call.junction.report().carrier.unusable, 0, "{name}");
        assert_tone(&call.heard_by_room()[9_000..], 440.0, 20, name);
        let sent = |number| {
            let same = |left: &&(_, Left)| matches!(left.1, Left::Rtp { payload_type, .. } if payload_type == number);
            call.left.iter().filter(same).count()
        };
        assert!(sent(96) > 70 && sent(98) > 10, "{name}: {} and {}", sent(96), sent(98));
        assert_eq!((sent(8), sent(101)), (0, 0), "{name}");
    }
}

#[test]
fn the_ring_back_tone_is_heard_at_either_rate() {
    for (name, terms) in [("narrow", terms("0", "")), ("wide", wide_terms("9", ""))] {
        let mut call = Call::heard(&terms);
        call.junction.set_ringback(call.start, true);
        call.junction.set_dialtone(call.start, true);
        call.run(ms(900));
        assert_tone(&call.heard_by_room(), 425.0, 26, name);
        let heard = match terms.codec {
            Codec::G722 => call.heard_by_wide_carrier().into_iter().step_by(2).collect(),
            _ => call.heard_by_carrier(Law::Mu),
        };
        assert_tone(&heard, 425.0, 26, name);
    }
}

#[test]
fn a_test_phone_speaks_no_g722() {
    let call = Call::unstarted();
    let mut phone = Phone::new(call.start, &carrier_config(call.start), Desk::new(Play::Silence, ms(10)));
    assert!(matches!(phone.set_carrier(call.start, &wide_terms("9", "")), Err(Error::Codec(Codec::G722))));
    phone.handle_rtp(call.start, peer(), &[]);
}
