//! One call through all that a call may go through: hold, resume, refresh, another address, other codecs.

use std::net::SocketAddr;

use media::{
    Output,
    codec::{g711::Law, g722},
    rtp::Packet,
    sdp::{self, Direction, Negotiated, Session},
};

use crate::{
    sound::{assert_tone, tone, tone_at},
    wire::{Call, Input, encode, ms, peer, room_packets, rtp, wide_policy},
};

/// How many packets a step lasts: two seconds.
const FRAMES: usize = 100;

/// What the last offer of the peer has come to.
struct Step {
    name: &'static str,
    format: u8,
    extra: &'static str,
    port: u16,
}

const fn step(name: &'static str, format: u8, extra: &'static str, port: u16) -> Step {
    Step { name, format, extra, port }
}

const STEPS: [Step; 9] = [
    step("answered", 0, "", 4000),
    step("held by the peer", 0, "a=inactive\r\n", 4000),
    step("resumed", 0, "", 4000),
    step("refreshed", 0, "", 4000),
    step("moved", 0, "", 4002),
    step("PCMA", 8, "", 4002),
    step("G.722", 9, "", 4002),
    step("held in G.722", 9, "a=inactive\r\n", 4002),
    step("resumed in PCMU where it began", 0, "", 4000),
];

fn terms(step: &Step) -> Negotiated {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio {} RTP/AVP {} 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n{}",
        step.port, step.format, step.extra
    );
    let local = sdp::Local {
        address: "192.0.2.9".parse().expect("an address"),
        rtp_port: 5000,
        rtcp_port: 5001,
        session_id: 7,
        version: 1,
        direction: Direction::SendRecv,
    };
    let session = Session::parse(text.as_bytes()).expect("a session");
    sdp::answer(&session, &local, &wide_policy()).expect("an answer").0
}

/// A packet that left for the peer: where it went, its numbers, its kind and what it says.
struct Sent {
    to: SocketAddr,
    sequence: u16,
    timestamp: u32,
    kind: u8,
    payload: Vec<u8>,
}

#[test]
fn a_call_keeps_its_audio_and_its_clocks_through_every_change() {
    let said = tone(440.0, 20, STEPS.len() * FRAMES * 160);
    let said_wide = tone_at(16_000.0, 440.0, 20, STEPS.len() * FRAMES * 320);
    let spoken = room_packets(&tone(700.0, 20, said.len()), 7, 0);
    let mut call = Call::heard(&terms(&STEPS[0]));
    let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).expect("a decoder");
    let (mut mouth, mut ear) = (g722::Encoder::default(), g722::Decoder::default());
    let mut number = 0;
    let mut last_sent: Option<(u16, u32)> = None;
    let mut last_told: Option<u32> = None;
    for (nth, step) in STEPS.iter().enumerate() {
        let Step { name, format, extra, port } = step;
        let from = SocketAddr::new(peer().ip(), *port);
        call.junction.set_carrier(call.now, &terms(step)).expect("terms that can be met");
        let (mut sent, mut told) = (Vec::new(), Vec::new());
        for n in nth * FRAMES..(nth + 1) * FRAMES {
            call.now = call.start + ms(20 * (n as u64 + 1));
            while let Some(at) = call.junction.next_timeout().filter(|at| *at <= call.now) {
                call.junction.handle_timeout(at.max(call.start));
                drain(&mut call, &mut sent, &mut told);
            }
            let mut bytes = encode(if *format == 8 { Law::A } else { Law::Mu }, &said[n * 160..(n + 1) * 160]);
            if *format == 9 {
                mouth.encode(&said_wide[n * 320..(n + 1) * 320], &mut bytes);
            }
            if extra.is_empty() {
                // The first number is that of the packet that was heard before all; who is silent counts time alone.
                number += 1;
                let packet = rtp(number, (n as u32 + 1) * 160, *format, 0x1234, &bytes);
                call.junction.handle_rtp(call.now, from, &packet);
            }
            if let (_, Input::Room { ssrc, sequence, timestamp, payload }) = &spoken[n] {
                call.junction.handle_room(call.now, *ssrc, *sequence, *timestamp, payload);
            }
            drain(&mut call, &mut sent, &mut told);
        }

        // Sequence numbers have no gap, and timestamps are those of the time that has passed.
        for packet in &sent {
            if let Some((sequence, timestamp)) = last_sent {
                assert_eq!(packet.sequence, sequence.wrapping_add(1), "{name}");
                let step = packet.timestamp.wrapping_sub(timestamp);
                assert!(step == 160 || (step > 160 && nth > 0 && step < 3 * 16_000), "{name}: {step} ticks");
            }
            last_sent = Some((packet.sequence, packet.timestamp));
        }
        for (timestamp, _) in &told {
            let step = last_told.map_or(960, |last| timestamp.wrapping_sub(last));
            assert!(step > 0 && step.is_multiple_of(960), "{name}: {step} ticks toward the room");
            last_told = Some(*timestamp);
        }
        if !extra.is_empty() {
            // What was under way when it was agreed upon may still go out.
            assert!(sent.len() <= 2 && told.len() <= 10, "{name}: {} and {} packets", sent.len(), told.len());
            continue;
        }
        assert!(sent.len() >= FRAMES - 5 && told.len() >= FRAMES - 15, "{name}: {} and {}", sent.len(), told.len());
        let late = sent.len() - FRAMES / 2;
        for packet in &sent[late..] {
            assert_eq!((packet.to, packet.kind), (from, *format), "{name}");
        }
        let mut heard = Vec::new();
        for packet in sent.iter().filter(|packet| packet.kind == *format) {
            let mut pcm = vec![0; packet.payload.len()];
            match packet.kind {
                8 => assert_eq!(Law::A.decode(&packet.payload, &mut pcm), packet.payload.len()),
                9 => {
                    let mut wide = vec![0; 2 * packet.payload.len()];
                    ear.decode(&packet.payload, &mut wide);
                    pcm = wide.into_iter().step_by(2).collect();
                }
                _ => assert_eq!(Law::Mu.decode(&packet.payload, &mut pcm), packet.payload.len()),
            }
            heard.extend(pcm);
        }
        assert_tone(&heard, 700.0, 20, &format!("{name}, at the phone"));
        let mut heard = Vec::new();
        for (_, payload) in &told {
            let mut pcm = [0; 160];
            assert_eq!(decoder.decode(payload, &mut pcm, false).expect("valid Opus"), 160);
            heard.extend(pcm);
        }
        assert_tone(&heard, 440.0, 20, &format!("{name}, in the room"));
    }
    let report = call.junction.report();
    assert_eq!((report.carrier.unusable, report.carrier_concealed), (0, 0));
}

/// Sorts what left.
fn drain(call: &mut Call, sent: &mut Vec<Sent>, told: &mut Vec<(u32, Vec<u8>)>) {
    while let Some(output) = call.junction.poll_output() {
        match output {
            Output::Rtp { to, datagram } => {
                let packet = Packet::parse(datagram).expect("RTP");
                let (sequence, timestamp) = (packet.sequence(), packet.timestamp());
                let (kind, payload) = (packet.payload_type(), packet.payload().to_vec());
                sent.push(Sent { to, sequence, timestamp, kind, payload });
            }
            Output::Room { payload, timestamp, .. } => told.push((timestamp, payload.to_vec())),
            Output::Rtcp { .. } | Output::Event(_) => {}
        }
    }
}
