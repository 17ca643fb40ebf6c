//! Holds of either side, and what the call is resumed with ([RFC 3264 §8.4]): the same offers and answers as in a call.
//!
//! [RFC 3264 §8.4]: https://www.rfc-editor.org/rfc/rfc3264#section-8.4

use std::time::Duration;

use media::{
    Event, Sound,
    codec::{g711::Law, g722},
    sdp::{Codec, Direction, Exchange, Negotiated, Session},
};

use crate::{
    sound::{assert_tone, tone, tone_at},
    wire::{
        CLEAN, Call, Input, Left, carrier_packets, later, local, ms, peer, room_packets, room_packets_at, wide_packets,
        wide_policy,
    },
};

/// What is said while nobody holds, and longer than any media timeout of the hold after it.
const TALK: u64 = 2_000;
const HELD: u64 = 20_000;

/// How the carrier goes on.
struct Resumed {
    name: &'static str,
    address: &'static str,
    port: u16,
    formats: &'static str,
    attributes: &'static str,
    payload_type: u8,
    codec: Codec,
}

const RESUMED: [Resumed; 6] = [
    Resumed { name: "as it was", ..SAME },
    Resumed { name: "at another port", port: 4_444, ..SAME },
    Resumed { name: "at another address", address: "192.0.2.77", ..SAME },
    Resumed {
        name: "under another type",
        formats: "97",
        attributes: "a=rtpmap:97 PCMU/8000\r\n",
        payload_type: 97,
        ..SAME
    },
    Resumed { name: "in the other law", formats: "8", payload_type: 8, codec: Codec::Pcma, ..SAME },
    Resumed {
        name: "in another codec, elsewhere",
        address: "192.0.2.78",
        port: 5_556,
        formats: "9",
        payload_type: 9,
        codec: Codec::G722,
        ..SAME
    },
];
const SAME: Resumed = Resumed {
    name: "",
    address: "192.0.2.1",
    port: 4_000,
    formats: "0",
    attributes: "",
    payload_type: 0,
    codec: Codec::Pcmu,
};

fn session(address: &str, port: u16, formats: &str, attributes: &str) -> Session {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {formats}\r\n{attributes}"
    );
    Session::parse(text.as_bytes()).expect("a session")
}

/// Counts of packets to the carrier, of reports, and of frames to the room, within that time.
fn counts(call: &Call, from: u64, until: u64) -> [usize; 3] {
    let within = |time: &Duration| (ms(from)..ms(until)).contains(time);
    let count = |is_it: fn(&Left) -> bool| call.left.iter().filter(|(time, left)| within(time) && is_it(left)).count();
    [
        count(|left| matches!(left, Left::Rtp { .. })),
        count(|left| matches!(left, Left::Rtcp)),
        count(|left| matches!(left, Left::Room { .. })),
    ]
}

/// What the carrier hears after that time, at 8 kHz or in G.722 at 16.
fn heard_after(call: &Call, time: u64, codec: Codec) -> Vec<i16> {
    let mut wide = g722::Decoder::default();
    let mut heard = Vec::new();
    for (_, left) in call.left.iter().filter(|(at, _)| *at >= ms(time)) {
        let Left::Rtp { payload, .. } = left else { continue };
        let mut pcm = vec![0; payload.len() * if codec == Codec::G722 { 2 } else { 1 }];
        let _ = match codec {
            Codec::G722 => wide.decode(payload, &mut pcm),
            Codec::Pcma => Law::A.decode(payload, &mut pcm),
            _ => Law::Mu.decode(payload, &mut pcm),
        };
        heard.extend_from_slice(&pcm);
    }
    heard
}

/// Every other sample, which is enough for a tone.
fn narrow(samples: Vec<i16>, codec: Codec) -> Vec<i16> {
    samples.into_iter().step_by(if codec == Codec::G722 { 2 } else { 1 }).collect()
}

/// What the carrier says from some time on, in one stream with what it has said so far.
fn said_by_carrier(negotiated: &Negotiated, from: u64, packets_before: u16) -> Vec<(Duration, Input)> {
    let mut packets = match negotiated.codec {
        Codec::G722 => wide_packets(&tone_at(16_000.0, 440.0, 20, TALK as usize * 16), negotiated.payload_type, 20),
        Codec::Pcma => carrier_packets(&tone(440.0, 20, TALK as usize * 8), Law::A, negotiated.payload_type, 20),
        _ => carrier_packets(&tone(440.0, 20, TALK as usize * 8), Law::Mu, negotiated.payload_type, 20),
    };
    for (_, packet) in &mut packets {
        let Input::Rtp(datagram) = packet else { continue };
        let sequence = u16::from_be_bytes([datagram[2], datagram[3]]).wrapping_add(packets_before);
        let timestamp = u32::from_be_bytes([datagram[4], datagram[5], datagram[6], datagram[7]]);
        datagram[2..4].copy_from_slice(&sequence.to_be_bytes());
        datagram[4..8].copy_from_slice(&timestamp.wrapping_add(from as u32 * 8).to_be_bytes());
    }
    later(ms(from), packets)
}

#[test]
fn every_hold_ends_in_every_way() {
    // What is offered, whether anything is sent to the carrier meanwhile, whether the room hears it, whether reports go on.
    let holds: &[(&str, &str, &str, bool, bool, bool)] = &[
        ("sendonly", "192.0.2.1", "a=sendonly\r\n", false, true, true),
        ("recvonly", "192.0.2.1", "a=recvonly\r\n", true, false, true),
        ("inactive", "192.0.2.1", "a=inactive\r\n", false, false, true),
        ("0.0.0.0", "0.0.0.0", "", false, true, false),
        ("0.0.0.0 and inactive", "0.0.0.0", "a=inactive\r\n", false, false, false),
    ];
    for (hold, address, attributes, hears, is_heard, reports) in holds {
        for resumed in &RESUMED {
            let name = format!("{hold}, resumed {}", resumed.name);
            let mut exchange = Exchange::new(local(), wide_policy());
            let (first, _) = exchange.answer(&session("192.0.2.1", 4_000, "0", "")).expect("an answer");
            let mut call = Call::new(&first);
            call.send(CLEAN, said_by_carrier(&first, 0, 0));
            let total = (TALK + HELD + TALK) as usize;
            call.send(CLEAN, room_packets(&tone(880.0, 20, total * 8), 7, 0));
            call.run(ms(TALK));
            assert_tone(&call.heard_by_room(), 440.0, 20, &name);
            assert_tone(&heard_after(&call, 0, Codec::Pcmu), 880.0, 20, &name);

            let (held, _) = exchange.answer(&session(address, 4_000, "0", attributes)).expect("an answer");
            assert_eq!(held.is_held(), !hears, "{name}");
            call.junction.set_carrier(call.now, &held).expect("terms that can be met");
            // Whoever holds may play something for a while.
            call.send(CLEAN, said_by_carrier(&first, TALK, 100));
            call.run(ms(TALK + HELD));
            let [packets, rtcp, _] = counts(&call, TALK + 100, TALK + HELD);
            assert_eq!(packets > 0, *hears, "{name}: {packets} packets to a carrier on hold");
            assert_eq!(rtcp > 0, *reports, "{name}: {rtcp} reports");
            let [.., frames] = counts(&call, TALK + 100, 2 * TALK);
            assert_eq!(frames > 0, *is_heard, "{name}: {frames} frames of music");
            assert!(!call.events().contains(&Event::MediaTimeout) || *hears, "{name}: given up on hold");
            if *hears {
                continue;
            }

            let offer = session(resumed.address, resumed.port, resumed.formats, resumed.attributes);
            let (back, _) = exchange.answer(&offer).expect("an answer");
            assert_eq!((back.codec, back.payload_type), (resumed.codec, resumed.payload_type), "{name}");
            call.junction.set_carrier(call.now, &back).expect("terms that can be met");
            call.peer = (peer().ip(), resumed.port).into();
            call.peer.set_ip(resumed.address.parse().expect("an address"));
            call.send(CLEAN, said_by_carrier(&back, TALK + HELD, 200));
            call.run(ms(TALK + HELD + TALK));
            assert_eq!(call.sent_to, Some(call.peer), "{name}");
            let [packets, ..] = counts(&call, TALK + HELD, TALK + HELD + TALK);
            assert!(packets >= 95, "{name}: {packets} packets in two seconds");
            assert_tone(&narrow(heard_after(&call, TALK + HELD, resumed.codec), resumed.codec), 880.0, 20, &name);
            let room = call.heard_by_room();
            assert_tone(&room[room.len() - 14_000..], 440.0, 20, &name);
            assert!(!call.events().contains(&Event::MediaTimeout), "{name}");
            // One stream: no number is missing, and the clock went on while nothing was sent.
            let rtp = call.rtp();
            let numbers: Vec<_> = rtp.iter().map(|(_, sequence, ..)| usize::from(*sequence)).collect();
            assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "{name}");
            let last = rtp.last().expect("packets").2;
            assert!(u64::from(last).abs_diff((TALK + HELD + TALK) * 8) < 800, "{name}: {last}");
        }
    }
}

/// The phone hears what we play, the room hears nothing, and nobody is missed.
#[test]
fn a_phone_that_the_room_holds_hears_music_or_silence() {
    for music in [true, false] {
        let mut exchange = Exchange::new(local(), wide_policy());
        exchange.offer();
        let first = exchange.accept_answer(&session("192.0.2.1", 4_000, "0", "")).expect("agreement");
        let mut call = Call::new(&first);
        call.send(CLEAN, said_by_carrier(&first, 0, 0));
        call.send(CLEAN, room_packets_at(8_000, &tone(880.0, 20, (TALK + HELD + TALK) as usize * 8), 7, 0));
        call.run(ms(TALK));
        exchange.set_direction(Direction::SendOnly);
        exchange.offer();
        let held = exchange.accept_answer(&session("192.0.2.1", 4_000, "0", "a=recvonly\r\n")).expect("agreement");
        assert_eq!((held.direction, held.is_held()), (Direction::SendOnly, false));
        call.junction.set_carrier(call.now, &held).expect("terms that can be met");
        let samples = if music { tone(600.0, 20, 8_000) } else { Vec::new() };
        call.junction.play(call.now, Some(Sound::endless(samples.into())));
        call.send(CLEAN, said_by_carrier(&first, TALK, 100));
        call.run(ms(TALK + HELD));
        let heard = heard_after(&call, TALK + 500, Codec::Pcmu);
        assert!(heard.len() as u64 >= (HELD - 600) * 8, "{} samples", heard.len());
        match music {
            true => assert_tone(&heard[..8_000], 600.0, 20, "music"),
            false => assert!(heard.iter().all(|sample| sample.abs() < 20), "silence"),
        }
        let [_, reports, frames] = counts(&call, TALK + 100, TALK + HELD);
        assert!(frames == 0 && reports > 0, "{frames} frames, {reports} reports");
        assert!(!call.events().contains(&Event::MediaTimeout), "a held phone may be silent");

        exchange.set_direction(Direction::SendRecv);
        exchange.offer();
        let back = exchange.accept_answer(&session("192.0.2.1", 4_000, "0", "")).expect("agreement");
        call.junction.set_carrier(call.now, &back).expect("terms that can be met");
        call.junction.play(call.now, None);
        call.send(CLEAN, said_by_carrier(&back, TALK + HELD, 200));
        call.run(ms(TALK + HELD + TALK));
        assert_tone(&heard_after(&call, TALK + HELD + 200, Codec::Pcmu), 880.0, 20, "the room again");
        let room = call.heard_by_room();
        assert_tone(&room[room.len() - 14_000..], 440.0, 20, "the phone again");
    }
}
