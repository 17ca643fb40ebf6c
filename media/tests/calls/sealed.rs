//! Calls whose packets are encrypted.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use media::{
    Config, Junction, Output, Profile,
    codec::g711::Law,
    dtmf::{Event, Press},
    rtcp::packets,
    rtp::{Header, Packet, Ssrc},
    sdp::{Direction, Encryption, Exchange, Local, Policy, Session},
    srtp::{Keys, OVERHEAD, Receiver, Secret, Sender, Suite},
};

use crate::{
    sound::{assert_tone, tone},
    wire::{Input, beginning, carrier_config, ms, peer, room_packets},
};

/// A call with a peer that encrypts, and what came out of it.
struct Call {
    start: Instant,
    junction: Junction,
    exchange: Exchange,
    peer: Sender,
    ours: Receiver,
    /// Payloads that the peer has heard.
    heard: Vec<(u32, Vec<u8>)>,
    reports: usize,
    /// Timestamps and frames that the room has heard.
    room: Vec<(u32, Vec<u8>)>,
}

fn peer_keys(suite: Suite, generation: u32) -> Keys {
    Secret::new([9; 32]).keys(suite, generation)
}

fn offer(suite: Suite, keys: &Keys) -> Session {
    offer_from(suite, keys, 4_000)
}

fn offer_from(suite: Suite, keys: &Keys, port: u16) -> Session {
    let text = format!(
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio {port} RTP/SAVP 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n\
         a=crypto:1 {} inline:{}\r\n",
        suite.name(),
        keys.to_base64()
    );
    Session::parse(text.as_bytes()).expect("a session")
}

impl Call {
    fn new(suite: Suite, seed: u64) -> Self {
        let start = beginning();
        let local = Local {
            address: [192, 0, 2, 9].into(),
            rtp_port: 5_000,
            rtcp_port: 5_001,
            session_id: 7,
            version: 1,
            direction: Direction::SendRecv,
        };
        let encryption = Encryption::Require(Secret::new([1; 32]));
        let mut exchange = Exchange::new(local, Policy { encryption, ..Policy::default() });
        let keys = peer_keys(suite, 0);
        let (negotiated, _) = exchange.answer(&offer(suite, &keys)).expect("an answer");
        let config = Config {
            carrier: media::CarrierConfig { seed, ..carrier_config(start) },
            profile: Profile { complexity: 0, ..Profile::default() },
        };
        let mut junction = Junction::new(start, &config).expect("a junction");
        junction.set_carrier(start, &negotiated).expect("terms that can be met");
        junction.start(start);
        let ours = Receiver::new(&negotiated.encryption().expect("keys").ours);
        Self {
            start,
            junction,
            exchange,
            peer: Sender::new(&keys),
            ours,
            heard: Vec::new(),
            reports: 0,
            room: Vec::new(),
        }
    }

    fn at(&self, frame: u32) -> Instant {
        self.start + ms(20) * frame
    }

    /// The peer's packet of this frame, sealed.
    fn packet(&mut self, frame: u32, first: u16, payload: &[u8]) -> Vec<u8> {
        let mut buffer = plain(frame, first, payload);
        let length = buffer.len();
        buffer.resize(length + OVERHEAD, 0);
        let sealed = self.peer.seal_rtp(&mut buffer, length).expect("RTP");
        buffer.truncate(sealed);
        buffer
    }

    fn receive(&mut self, frame: u32, datagram: &[u8]) {
        self.junction.handle_rtp(self.at(frame), peer(), datagram);
        self.drain();
    }

    /// Lets the time of a frame pass.
    fn pass(&mut self, frame: u32) {
        let end = self.at(frame + 1);
        while let Some(at) = self.junction.next_timeout().filter(|at| *at < end) {
            self.junction.handle_timeout(at.max(self.at(frame)));
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut into = [0; 2_048];
        while let Some(output) = self.junction.poll_output() {
            match output {
                Output::Rtp { datagram, .. } => {
                    let length = self.ours.open_rtp(datagram, &mut into).expect("our packets can be opened");
                    let packet = Packet::parse(&into[..length]).expect("RTP");
                    self.heard.push((packet.timestamp(), packet.payload().to_vec()));
                }
                Output::Rtcp { datagram, .. } => {
                    let length = self.ours.open_rtcp(datagram, &mut into).expect("our reports can be opened");
                    assert!(packets(&into[..length]).count() >= 2);
                    self.reports += 1;
                }
                Output::Room { payload, timestamp, .. } => self.room.push((timestamp, payload.to_vec())),
                Output::Event(_) => {}
            }
        }
    }

    /// The peer speaks for so many frames, each packet at its time.
    fn speak(&mut self, frames: Range<u32>, first: u16) {
        for frame in frames {
            let packet = self.packet(frame, first, &[0x55; 160]);
            self.receive(frame, &packet);
            self.pass(frame);
        }
    }

    /// The longest time that the room heard nothing.
    fn longest_gap(&self) -> Duration {
        let steps = self.room.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0));
        Duration::from_micros(u64::from(steps.max().unwrap_or(u32::MAX)) * 125 / 6)
    }
}

fn plain(frame: u32, first: u16, payload: &[u8]) -> Vec<u8> {
    let sequence = first.wrapping_add(frame as u16);
    let header = Header { marker: false, payload_type: 0, sequence, timestamp: frame * 160, ssrc: Ssrc(0x1234) };
    let mut buffer = vec![0; Header::LEN];
    header.write(&mut buffer).expect("room for a header");
    buffer.extend_from_slice(payload);
    buffer
}

#[test]
fn with_every_suite_both_hear_each_other() {
    let (said, answered) = (tone(440.0, 20, 80_000), tone(1_000.0, 20, 80_000));
    for suite in Suite::ALL {
        let mut call = Call::new(suite, 42);
        let room = room_packets(&answered, 7, 0);
        let mut coded = vec![0; 80_000];
        Law::Mu.encode(&said, &mut coded);
        for (frame, payload) in (0..).zip(coded.chunks(160)) {
            let packet = call.packet(frame, 100, payload);
            call.receive(frame, &packet);
            let Some((_, Input::Room { ssrc, sequence, timestamp, payload })) = room.get(frame as usize) else {
                panic!("a packet of the room")
            };
            call.junction.handle_room(call.at(frame), *ssrc, *sequence, *timestamp, payload);
            call.drain();
            call.pass(frame);
        }
        let report = call.junction.report();
        assert_eq!((report.carrier.forged, report.carrier.replayed, report.carrier.unusable), (0, 0, 0), "{suite:?}");
        assert!(call.reports > 0, "{suite:?}");
        let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).expect("a decoder");
        let mut by_room = Vec::new();
        for (_, payload) in &call.room {
            let mut pcm = [0; 960];
            let samples = decoder.decode(payload, &mut pcm, false).expect("valid Opus");
            by_room.extend_from_slice(&pcm[..samples]);
        }
        let by_peer = call.heard.iter().flat_map(|(_, payload)| {
            let mut pcm = vec![0; payload.len()];
            Law::Mu.decode(payload, &mut pcm);
            pcm
        });
        let by_peer: Vec<i16> = by_peer.collect();
        assert_tone(&by_room, 440.0, 20, &format!("{suite:?}: the room"));
        assert_tone(&by_peer, 1_000.0, 20, &format!("{suite:?}: the peer"));
    }
}

#[test]
fn broken_tags_replays_and_plain_packets_are_dropped_and_the_call_goes_on() {
    let mut call = Call::new(Suite::AesCm128Sha1Tag80, 42);
    let mut sent = Vec::new();
    for frame in 0..1_000 {
        let packet = call.packet(frame, 0, &[0x55; 160]);
        let mut broken = packet.clone();
        // Not in the header: another sequence number may be one that was there.
        let at = Header::LEN + frame as usize % (broken.len() - Header::LEN);
        broken[at] ^= 1 << (frame % 8);
        call.receive(frame, &broken);
        if frame % 10 == 0 {
            call.receive(frame, &plain(frame, 0, &[0x33; 160]));
        }
        call.receive(frame, &packet);
        sent.push(packet);
        call.pass(frame);
    }
    let before = (call.room.len(), call.longest_gap());
    for packet in &sent {
        call.receive(1_000, packet);
    }
    let report = call.junction.report();
    assert_eq!((report.carrier.forged, report.carrier.replayed), (1_100, 1_000));
    assert_eq!((report.carrier.stream.received, report.carrier.repeated), (1_000, 0), "none was decoded");
    assert_eq!((call.room.len(), report.room_sent), (before.0, before.0 as u64));
    assert_eq!(before.1, ms(20));
    call.speak(1_000..1_100, 0);
    assert_eq!(call.room.len(), before.0 + 100);
}

#[test]
fn sequence_numbers_wrap_without_a_gap() {
    for suite in [Suite::AesCm128Sha1Tag80, Suite::AesGcm256] {
        // Theirs after a second, and once more.
        let mut call = Call::new(suite, 42);
        call.speak(0..200, 65_486);
        assert!(call.longest_gap() <= ms(20) && call.room.len() >= 199, "{suite:?}");
        // Ours after eleven minutes at least: they are opened as they come.
        let mut frame = 200;
        while call.heard.len() < 66_000 {
            if frame % 50 == 0 {
                let packet = call.packet(frame, 65_486, &[0x55; 160]);
                call.receive(frame, &packet);
            }
            call.pass(frame);
            frame += 1;
        }
        let steps = call.heard.windows(2).map(|pair| pair[1].0.wrapping_sub(pair[0].0));
        assert!(steps.max() == Some(160), "{suite:?}: nothing is left out");
    }
}

#[test]
fn new_keys_of_the_peer_are_taken_without_a_gap() {
    let suite = Suite::AesCm128Sha1Tag32;
    let mut call = Call::new(suite, 42);
    call.speak(0..100, 0);
    let ours = *call.exchange.negotiated().and_then(|terms| terms.encryption()).expect("keys");
    let keys = peer_keys(suite, 1);
    let (negotiated, _) = call.exchange.answer(&offer(suite, &keys)).expect("an answer");
    let now = negotiated.encryption().expect("keys");
    assert!(now.ours == ours.ours && now.theirs == keys, "ours stay, theirs are new");
    call.junction.set_carrier(call.at(100), &negotiated).expect("terms that can be met");
    // Our answer is under way, and so are packets under the old keys.
    call.speak(100..105, 0);
    call.peer = Sender::new(&keys);
    call.speak(105..200, 0);
    assert_eq!(call.junction.report().carrier.forged, 0);
    assert!(call.longest_gap() <= ms(20) && call.room.len() >= 199);
    let old = Sender::new(&peer_keys(suite, 0));
    call.peer = old;
    call.speak(200..210, 0);
    assert_eq!(call.junction.report().carrier.forged, 10, "the old keys are over with the first packet under the new");
}

#[test]
fn keys_that_come_back_count_on() {
    let suite = Suite::AesCm128Sha1Tag80;
    let mut call = Call::new(suite, 42);
    // Two wraps of theirs, in leaps that no replay window minds, and one of ours.
    let mut replayed = Vec::new();
    for (frame, first) in [0, 30_000, 60_000, 24_464, 54_464, 18_928].into_iter().enumerate() {
        call.speak(2 * frame as u32..2 * frame as u32 + 2, first);
        replayed.push(call.packet(2 * frame as u32, first + 5, &[0x55; 160]));
        let packet = replayed[frame].clone();
        call.receive(2 * frame as u32, &packet);
    }
    let mut frame = 12;
    while call.heard.len() < 66_000 {
        if frame % 50 == 0 {
            call.speak(frame..frame + 1, 18_928);
        } else {
            call.pass(frame);
        }
        frame += 1;
    }
    let first = 18_928;
    let (before, theirs) = (call.exchange.clone(), peer_keys(suite, 1));
    let was = *before.negotiated().and_then(|terms| terms.encryption()).expect("keys");
    // The media moves to another phone with keys of its own, and back: the offer was taken back, or the call was.
    let (moved, _) = call.exchange.answer(&offer_from(suite, &theirs, 4_002)).expect("an answer");
    let now = *moved.encryption().expect("keys");
    assert!(now.ours != was.ours && now.theirs != was.theirs);
    call.junction.set_carrier(call.at(frame), &moved).expect("terms that can be met");
    let ours = std::mem::replace(&mut call.ours, Receiver::new(&now.ours));
    call.pass(frame);
    call.exchange = before;
    let agreed = call.exchange.negotiated().cloned().expect("what was in force");
    call.junction.set_carrier(call.at(frame + 1), &agreed).expect("terms that can be met");
    call.ours = ours;
    // Whatever leaves is opened as it comes, by one who has counted a wrap.
    let heard = call.heard.len();
    call.speak(frame + 1..frame + 50, first);
    assert!(call.heard.len() >= heard + 48);
    let report = call.junction.report().carrier;
    assert_eq!((report.forged, report.replayed), (0, 0), "and theirs by us, after two");
    for packet in &replayed {
        call.receive(frame + 50, packet);
    }
    let again = call.junction.report().carrier;
    assert_eq!(again.stream.received, report.stream.received, "what was heard once is not heard again");
    assert_eq!(again.forged + again.replayed, replayed.len() as u64);
}

#[test]
fn keys_pressed_for_the_peer_are_encrypted_like_the_rest() {
    let mut call = Call::new(Suite::AesGcm128, 42);
    call.speak(0..10, 0);
    let keys = [Press::Key(Event(5))];
    call.junction.press(call.at(10), &keys).expect("the peer takes events");
    // Whatever leaves is opened as it comes.
    call.speak(10..60, 0);
    assert!(call.heard.iter().filter(|(_, payload)| payload.len() == 4 && payload[0] == 5).count() > 10);
}
