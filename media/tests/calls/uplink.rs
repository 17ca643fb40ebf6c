//! From the carrier to the room.

use media::codec::g711::Law;

use crate::{
    sound::{assert_tone, delay, energy, speech, through_codecs, tone},
    wire::{CLEAN, Call, Input, Wire, carrier_packets, encode, ms, rtp, terms},
};

/// Opus looks ahead by 6.5 ms, and that is all.
const LOOK_AHEAD: i64 = 52;

#[test]
fn a_tone_arrives_whatever_the_law_and_the_packet_length() {
    let said = tone(440.0, 20, 16_000);
    for (law, payload_type) in [(Law::Mu, 0), (Law::A, 8)] {
        for ptime in [1, 5, 10, 20, 30, 40, 60, 200] {
            let mut call = Call::new(&terms(&payload_type.to_string(), ""));
            call.send(CLEAN, carrier_packets(&said, law, payload_type, ptime));
            call.run(ms(2_500));
            let heard = call.heard_by_room();
            assert_tone(&heard, 440.0, 20, &format!("{law:?} in {ptime} ms"));
            assert!(heard.len() > 15_600, "{law:?} in {ptime} ms: {} samples", heard.len());
        }
    }
}

#[test]
fn a_packet_in_order_leaves_when_it_arrives() {
    let said = speech();
    let mut call = Call::new(&terms("0", ""));
    call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
    call.run(ms(12_500));
    for (n, (time, timestamp, _)) in call.room().into_iter().enumerate() {
        assert_eq!((time, timestamp), (ms(20 * (n as u64 + 1)), n as u32 * 960));
    }
    let (late, likeness) = delay(&said, &call.heard_by_room(), 40_000, 800);
    assert!((0..=LOOK_AHEAD + 12).contains(&late), "{late} samples, at most 8 ms");
    let (_, bare) = delay(&said, &through_codecs(&said), 40_000, 800);
    assert!(likeness > bare - 0.005, "{likeness}, and {bare} by the codecs alone");
}

#[test]
fn samples_in_are_samples_out_whatever_the_wire_does() {
    let said = speech();
    let wires = [
        ("loss", Wire { loss: 5, ..CLEAN }, 0.6),
        // Of three tenths of the samples there is nothing but a guess.
        ("much loss", Wire { loss: 30, ..CLEAN }, 0.4),
        ("jitter", Wire { jitter: ms(19), ..CLEAN }, 0.9),
        ("reordering", Wire { jitter: ms(45), ..CLEAN }, 0.6),
        ("repeats", Wire { repeated: 30, jitter: ms(5), ..CLEAN }, 0.9),
        ("everything", Wire { loss: 10, jitter: ms(60), repeated: 10, seed: 0 }, 0.6),
    ];
    for (name, wire, least) in wires {
        for (seed, ptime) in [(1, 20), (2, 20), (3, 30), (4, 10), (5, 60)] {
            let mut call = Call::new(&terms("0", ""));
            call.send(Wire { seed, ..wire }, carrier_packets(&said, Law::Mu, 0, ptime));
            call.run(ms(13_000));
            let heard = call.heard_by_room();
            // Compared at both ends: lost packets at the very beginning move both alike.
            let (early, _) = delay(&said, &heard, 8_000, 4_000);
            let (late, likeness) = delay(&said, &heard, 80_000, 4_000);
            assert!(early.abs_diff(late) <= 1, "{name}, seed {seed}, {ptime} ms: from {early} to {late}");
            assert!(likeness > least, "{name}, seed {seed}, {ptime} ms: {likeness}");
        }
    }
}

#[test]
fn reordering_is_learned_and_then_nothing_is_lost_by_it() {
    let said = speech();
    let mut call = Call::new(&terms("0", ""));
    let mut packets = carrier_packets(&said, Law::Mu, 0, 20);
    // Every tenth packet is overtaken by the next one.
    for packet in packets.iter_mut().step_by(10).skip(1) {
        packet.0 += ms(25);
    }
    call.send(CLEAN, packets);
    call.run(ms(12_500));
    let report = call.junction.report();
    assert_eq!(report.carrier.late, 1, "only the first");
    assert_eq!(report.carrier_concealed, 160);
    assert_eq!(report.carrier.stream.lost, 0);
}

#[test]
fn a_gap_on_a_clean_line_is_concealed_without_waiting() {
    let said = tone(300.0, 20, 16_000);
    let mut call = Call::new(&terms("0", ""));
    let mut packets = carrier_packets(&said, Law::Mu, 0, 20);
    packets.remove(50);
    call.send(CLEAN, packets);
    call.run(ms(2_500));
    let frames = call.room();
    assert_eq!((frames[50].0, frames[50].1), (ms(52 * 20), 50 * 960));
    assert_eq!((frames[51].0, frames[51].1), (ms(52 * 20), 51 * 960));
    let heard = call.heard_by_room();
    let (hole, whole) = (energy(&heard[8_100..8_240]), energy(&heard[6_100..6_240]));
    assert!(hole > 0.6 * whole, "{hole} of {whole}");
}

#[test]
fn a_burst_of_loss_fades_and_then_leaves_a_hole_in_time() {
    let said = tone(300.0, 20, 16_000);
    let mut call = Call::new(&terms("0", ""));
    let mut packets = carrier_packets(&said, Law::Mu, 0, 20);
    packets.drain(50..60);
    call.send(CLEAN, packets);
    call.run(ms(2_500));
    let timestamps: Vec<u32> = call.room().iter().map(|frame| frame.1 / 960).collect();
    let expected: Vec<u32> = (0..55).chain(60..100).collect();
    assert_eq!(timestamps, expected, "100 ms made up, 100 ms passed over");
}

#[test]
fn a_loss_longer_than_the_ring_keeps_time() {
    let said = tone(300.0, 20, 32_000);
    let mut call = Call::new(&terms("0", ""));
    let mut packets = carrier_packets(&said, Law::Mu, 0, 20);
    packets.drain(50..120);
    call.send(CLEAN, packets);
    call.run(ms(4_500));
    let timestamps: Vec<u32> = call.room().iter().map(|frame| frame.1 / 960).collect();
    let expected: Vec<u32> = (0..55).chain(120..200).collect();
    assert_eq!(timestamps, expected);
}

#[test]
fn silence_suppression_makes_the_same_jump() {
    let frame = encode(Law::Mu, &tone(300.0, 20, 160));
    for jump in [1, 159, 160, 161, 1_000, 8_000, 400_000] {
        let mut call = Call::new(&terms("0", ""));
        for n in 0..20u16 {
            let skipped = if n >= 10 { jump } else { 0 };
            let at = ms(20 * u64::from(n)) + std::time::Duration::from_micros(125 * u64::from(skipped));
            call.at(at, Input::Rtp(rtp(n, u32::from(n) * 160 + skipped, 0, 1, &frame)));
        }
        call.run(ms(60_000));
        let last = call.room().last().map(|frame| frame.1);
        assert_eq!(last, Some((19 * 160 + jump) / 160 * 960 + jump % 160 * 6), "jump of {jump} samples");
    }
}

#[test]
fn another_source_goes_on_where_the_clock_is() {
    let frame = encode(Law::Mu, &tone(300.0, 20, 160));
    let mut call = Call::new(&terms("0", ""));
    for n in 0..10 {
        call.at(ms(20 * u64::from(n)), Input::Rtp(rtp(n, u32::from(n) * 160, 0, 1, &frame)));
    }
    for n in 0..10 {
        let far_away = 9_000_000 + u32::from(n) * 160;
        call.at(ms(1_000 + 20 * u64::from(n)), Input::Rtp(rtp(n + 30_000, far_away, 0, 2, &frame)));
    }
    call.run(ms(3_000));
    let frames = call.room();
    // The first packet of another source proves it and is not heard.
    assert_eq!(frames.len(), 19);
    assert_eq!(frames[10].1, 1_020 * 48 - 960 + 960, "{:?}", frames[10].0);
}

#[test]
fn a_closed_room_costs_nothing_and_time_goes_on() {
    let said = tone(300.0, 20, 16_000);
    let mut call = Call::new(&terms("0", ""));
    call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
    call.run(ms(500));
    call.junction.set_room_open(false);
    call.run(ms(1_000));
    call.junction.set_room_open(true);
    call.run(ms(2_500));
    let timestamps: Vec<u32> = call.room().iter().map(|frame| frame.1 / 960).collect();
    assert_eq!(timestamps, (0..25).chain(50..100).collect::<Vec<u32>>());
}
