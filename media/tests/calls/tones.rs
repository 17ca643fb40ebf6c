//! Keys as tones in the audio, from the carrier and for it.

use media::{
    Event,
    codec::g711::Law,
    dtmf::{self, Press, Tones},
    sdp::Negotiated,
};

use crate::{
    sound::{energy, speech, tone, tone_at},
    wire::{
        CLEAN, Call, Wire, answered, carrier_packets, ms, room_packets, room_packets_at, rtp, terms, wide_packets,
        wide_terms,
    },
};

const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

fn place(key: char) -> (usize, usize) {
    let at = "123A456B789C*0#D".find(key).expect("a key");
    (at / 4, at % 4)
}

/// Keys as a phone sends them: each so long, with as much silence behind it.
fn keys(rate: f64, keys: &str, on: u64, off: u64) -> Vec<i16> {
    let samples = |ms: u64| (rate as u64 * ms / 1_000) as usize;
    let mut pcm = vec![0; samples(200)];
    for key in keys.chars() {
        let (row, column) = place(key);
        let (low, high) = (tone_at(rate, ROWS[row], 16, samples(on)), tone_at(rate, COLUMNS[column], 15, samples(on)));
        pcm.extend(low.iter().zip(high).map(|(low, high)| low + high));
        pcm.extend(vec![0; samples(off)]);
    }
    pcm.extend(vec![0; samples(200)]);
    pcm
}

/// A call in which tones are keys.
fn listening(negotiated: &Negotiated, tones: Tones) -> Call {
    let mut call = Call::new(negotiated);
    call.junction.set_tones(call.now, tones).expect("a detector");
    call
}

fn without_events(mut negotiated: Negotiated) -> Negotiated {
    (negotiated.events, negotiated.receive_events) = (None, None);
    negotiated
}

fn told(call: &Call) -> String {
    let keys = call.events().into_iter().filter_map(|event| match event {
        Event::Tone(key) => key.digit(),
        _ => None,
    });
    keys.collect()
}

#[test]
fn tones_are_keys_where_they_are_asked_for() {
    let (plain, without) = (terms("0", ""), without_events(terms("0", "")));
    let cases: &[(&str, &Negotiated, Tones, &str)] = &[
        ("never", &without, Tones::Ignored, ""),
        ("not beside events", &plain, Tones::WithoutEvents, ""),
        ("in their absence", &without, Tones::WithoutEvents, "159D*0#"),
        ("always", &plain, Tones::Heard, "159D*0#"),
    ];
    for (name, terms, tones, expected) in cases {
        let mut call = listening(terms, *tones);
        call.send(CLEAN, carrier_packets(&keys(8_000.0, "159D*0#", 80, 80), Law::Mu, 0, 20));
        call.run(ms(3_000));
        assert_eq!(told(&call), *expected, "{name}");
    }
}

#[test]
fn every_key_is_heard_in_every_codec() {
    let all = "1234567890*#ABCD55";
    let cases: Vec<(&str, Negotiated, Vec<_>)> = vec![
        ("A-law", terms("8", ""), carrier_packets(&keys(8_000.0, all, 50, 50), Law::A, 8, 20)),
        ("10 ms", terms("0", ""), carrier_packets(&keys(8_000.0, all, 50, 50), Law::Mu, 0, 10)),
        ("200 ms", terms("0", ""), carrier_packets(&keys(8_000.0, all, 50, 50), Law::Mu, 0, 200)),
        ("30 ms", terms("0", ""), carrier_packets(&keys(8_000.0, all, 60, 60), Law::Mu, 0, 30)),
        ("G.722", wide_terms("9", ""), wide_packets(&keys(16_000.0, all, 60, 60), 9, 20)),
        ("µ-law beside G.722", answered("9 0", ""), carrier_packets(&keys(8_000.0, all, 60, 60), Law::Mu, 0, 20)),
    ];
    for (name, terms, packets) in cases {
        let mut call = listening(&terms, Tones::Heard);
        call.send(CLEAN, packets);
        call.run(ms(4_000));
        assert_eq!(told(&call), all, "{name}");
    }
}

#[test]
fn a_lost_packet_within_a_key_does_not_double_it() {
    let said = keys(8_000.0, "4719", 200, 100);
    for lost in 10..65 {
        for count in 1..=2 {
            let mut call = listening(&terms("0", ""), Tones::Heard);
            let packets = carrier_packets(&said, Law::Mu, 0, 20).into_iter().enumerate();
            let kept = packets.filter(|(n, _)| !(lost..lost + count).contains(n)).map(|(_, packet)| packet);
            call.send(CLEAN, kept);
            call.run(ms(2_000));
            assert_eq!(told(&call), "4719", "{count} packets from {lost} on");
        }
    }
}

#[test]
fn a_bad_line_loses_no_key_and_doubles_none() {
    let digits = "1234567890*#5544332211";
    for seed in 1..=20 {
        let wire = Wire { loss: 5, jitter: ms(30), repeated: 2, seed };
        let mut call = listening(&terms("0", ""), Tones::Heard);
        call.send(wire, carrier_packets(&keys(8_000.0, digits, 200, 150), Law::Mu, 0, 20));
        call.run(ms(9_000));
        assert_eq!(told(&call), digits, "seed {seed}");
    }
}

#[test]
fn the_room_hears_the_beginning_of_a_key_alone() {
    let mut said = keys(8_000.0, "5", 1_000, 0);
    let talk = tone(440.0, 20, 8_000);
    said.extend(&talk);
    let mut call = listening(&terms("0", ""), Tones::Heard);
    call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
    call.run(ms(3_000));
    let heard = call.heard_by_room();
    let key = &heard[1_600..9_600];
    let length = key.chunks(80).filter(|chunk| energy(chunk) > 80.0 * 300.0 * 300.0).count();
    assert!((2..=7).contains(&length), "{length}0 ms of the key are heard");
    assert!(energy(&key[1_000..]) < 7_000.0 * 30.0 * 30.0, "the rest is silent");
    let all = energy(&heard[heard.len() - 7_600..]) / energy(&talk[400..]);
    assert!(all > 0.8, "and what follows is heard: {all:.2}");
}

#[test]
fn speech_is_no_key() {
    for tones in [Tones::Ignored, Tones::Heard] {
        let said = speech();
        let mut call = listening(&terms("0", ""), tones);
        call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
        call.run(ms(13_000));
        assert_eq!(told(&call), "");
    }
}

fn press(key: char) -> Press {
    Press::Key(dtmf::Event::from_digit(key).expect("a key"))
}

#[test]
fn keys_for_the_carrier_are_heard_by_our_own_ear() {
    let pressed = [press('5'), press('5'), Press::Pause(ms(500)), press('#'), press('A')];
    for talks in [false, true] {
        let mut call = Call::heard(&terms("0", ""));
        if talks {
            call.send(CLEAN, room_packets(&speech(), 7, 0));
        }
        call.run(ms(600));
        call.junction.press_tones(call.now, &pressed).unwrap();
        call.run(ms(4_000));
        let sent = call.heard_by_carrier(Law::Mu);
        let said: usize = call.events().iter().filter(|event| **event == Event::Pressed).count();
        assert_eq!(said, 1, "talks: {talks}");

        let mut other = listening(&terms("0", ""), Tones::Heard);
        other.send(CLEAN, carrier_packets(&sent, Law::Mu, 0, 20));
        other.run(ms(5_000));
        assert_eq!(told(&other), "55#A", "talks: {talks}");

        // The first one: both tones at their level within 1 dB, for 250 ms.
        let frames: Vec<&[i16]> = sent.chunks_exact(160).collect();
        let begins = frames.iter().position(|frame| share(frame, 770.0) > 0.2 && share(frame, 1_336.0) > 0.2).unwrap();
        let key = &sent[(begins + 1) * 160..(begins + 11) * 160];
        for (frequency, level) in [(770.0, -10.0), (1_336.0, -8.0)] {
            let found = dbm0(key, frequency);
            assert!((found - level).abs() < 1.0, "{frequency} Hz at {found:.1} dBm0");
        }
        let gap = &sent[(begins + 14) * 160..(begins + 24) * 160];
        assert!(energy(gap) < 1_600.0 * 50.0 * 50.0, "nobody is heard between two keys");
    }
}

#[test]
fn keys_for_a_wideband_carrier_are_heard_by_our_own_ear() {
    let mut call = Call::new(&wide_terms("9", ""));
    let silence = rtp(0, 0, 9, 0x1234, &[0xff; 160]);
    call.junction.handle_rtp(call.start, crate::wire::peer(), &silence);
    call.send(CLEAN, room_packets_at(16_000, &tone_at(16_000.0, 500.0, 20, 60_000), 7, 0));
    call.run(ms(300));
    call.junction.press_tones(call.now, &[press('1'), press('D')]).unwrap();
    call.run(ms(2_000));
    let sent = call.heard_by_wide_carrier();
    let mut other = listening(&wide_terms("9", ""), Tones::Heard);
    other.send(CLEAN, wide_packets(&sent, 9, 20));
    other.run(ms(3_000));
    assert_eq!(told(&other), "1D");
}

#[test]
fn keys_as_tones_wait_for_the_end_of_a_hold() {
    let mut call = Call::heard(&terms("0", ""));
    call.junction.set_carrier(call.now, &terms("0", "a=inactive\r\n")).unwrap();
    call.junction.press_tones(call.now, &[press('1')]).unwrap();
    call.run(ms(1_000));
    assert!(!call.events().contains(&Event::Pressed));
    call.junction.set_carrier(call.now, &terms("0", "")).unwrap();
    call.run(ms(2_000));
    assert!(call.events().contains(&Event::Pressed));
}

/// The part of the energy that lies at a frequency.
fn share(pcm: &[i16], frequency: f64) -> f64 {
    let (mut sin, mut cos) = (0.0, 0.0);
    for (n, sample) in pcm.iter().enumerate() {
        let (s, c) = (n as f64 * frequency * std::f64::consts::TAU / 8_000.0).sin_cos();
        (sin, cos) = (sin + f64::from(*sample) * s, cos + f64::from(*sample) * c);
    }
    2.0 * (sin * sin + cos * cos) / pcm.len() as f64 / energy(pcm).max(1.0)
}

fn dbm0(pcm: &[i16], frequency: f64) -> f64 {
    let power = share(pcm, frequency) * energy(pcm) / pcm.len() as f64;
    10.0 * (power / (22_830.0 * 22_830.0 / 2.0)).log10()
}
