//! Talkers whose packets repeat those before them (RFC 2198).

use std::time::Duration;

use media::codec::g711::Law;

use crate::{
    sound::{delay, speech, tone},
    wire::{CLEAN, Call, Input, RED_OF, Wire, later, ms, opus_terms, red_head as head, repeating, room_packets, terms},
};

const FRAME: u64 = 160;

/// Which of so many packets a wire loses.
fn lost(count: usize, percent: u64, seed: u64) -> Vec<bool> {
    let mut random = seed;
    let lost = (0..count).map(|n| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The first few tell that there is redundancy.
        n > 5 && (random >> 33) % 100 < percent
    });
    lost.collect()
}

/// Those that are lost, and of these those that none of so many behind them repeats.
fn missing(lost: &[bool], reach: usize) -> (u64, u64) {
    let gone = |n: &usize| lost[*n];
    let unrepeated = |n: &usize| (1..=reach).all(|behind| lost.get(n + behind).copied().unwrap_or(true));
    let all = (0..lost.len()).filter(gone).count();
    (all as u64, (0..lost.len()).filter(gone).filter(unrepeated).count() as u64)
}

fn without(packets: Vec<(Duration, Input)>, lost: &[bool]) -> Vec<(Duration, Input)> {
    packets.into_iter().zip(lost).filter(|(_, lost)| !**lost).map(|(packet, _)| packet).collect()
}

#[track_caller]
fn assert_continuous(call: &Call) {
    for (n, (time, sequence, timestamp, _)) in call.rtp().into_iter().enumerate() {
        assert_eq!((sequence, timestamp), (n as u16, n as u32 * 160), "packet {n}");
        let apart = (time.as_millis() as i64 - n as i64 * 20).abs();
        assert!(apart <= 70, "packet {n} left at {time:?}");
    }
}

#[test]
fn what_is_lost_is_taken_from_the_packets_behind_it() {
    let said = speech();
    let packets = room_packets(&said, 7, 0);
    for (percent, reach, seed) in [(10, 2, 1), (10, 2, 2), (20, 2, 3), (20, 2, 4), (10, 1, 5), (20, 1, 6)] {
        let name = format!("{percent} % lost, {reach} repeated");
        let lost = lost(packets.len(), percent, seed);
        let mut call = Call::heard(&terms("0", ""));
        call.send(CLEAN, without(repeating(&packets, reach), &lost));
        call.run(ms(12_100));
        assert_continuous(&call);
        let report = call.junction.report();
        let (all, unrepeated) = missing(&lost, reach);
        assert!(all > 6 * percent / 2, "{name}: {all}");
        // A longer row may cost one more than nobody repeats: whoever waits for its end stands still.
        let recovered = report.room_recovered / FRAME;
        assert!(
            recovered <= all - unrepeated && recovered + all / 50 >= all - unrepeated,
            "{name}: {recovered} of {all}, {unrepeated} for good"
        );
        assert!(
            report.room_concealed / FRAME <= unrepeated + all / 50 + 6,
            "{name}: {unrepeated} for good, {report:?}"
        );
        assert_eq!((report.room_late, report.room_received), (0, packets.len() as u64 - all), "{name}");

        let mut clean = Call::heard(&terms("0", ""));
        clean.send(CLEAN, packets.clone());
        clean.run(ms(12_100));
        let (heard, expected) = (call.heard_by_carrier(Law::Mu), clean.heard_by_carrier(Law::Mu));
        let (behind, likeness) = delay(&expected, &heard, 16_000, 70_000);
        assert!(behind <= 320, "{name}: {behind} samples behind");
        assert!(reach < 2 || likeness > if percent > 10 { 0.9 } else { 0.97 }, "{name}: {likeness}");
    }
}

/// Silence was sent in the place of those that come after so long; they would put off all that follows.
#[test]
fn a_long_row_delays_nothing() {
    let packets = room_packets(&speech(), 7, 0);
    let clean = heard(packets.clone());
    for row in 1..=12 {
        let lost: Vec<bool> = (0..packets.len()).map(|n| (200..200 + row).contains(&n)).collect();
        let red = heard(without(repeating(&packets, 2), &lost));
        assert_eq!(delay(&clean, &red, 50_000, 20_000).0, 0, "{row} in a row");
    }
}

fn heard(packets: Vec<(Duration, Input)>) -> Vec<i16> {
    let mut call = Call::heard(&terms("0", ""));
    // A little later than the packets that leave, so that no jitter of theirs is seen.
    call.send(CLEAN, later(ms(5), packets));
    call.run(ms(12_100));
    assert_continuous(&call);
    call.heard_by_carrier(Law::Mu)
}

#[test]
fn rows_of_two_are_waited_for_by_those_who_repeat_two() {
    let packets = room_packets(&tone(440.0, 20, 48_000), 7, 0);
    let in_band = room_packets(&speech()[..48_000], 7, 20);
    let lost: Vec<bool> = (0..packets.len()).map(|n| n > 12 && n < 290 && n % 10 < 2).collect();
    let cases = [
        ("two", repeating(&packets, 2), 54, 54),
        ("three", repeating(&packets, 3), 54, 54),
        ("one", repeating(&packets, 1), 27, 27),
        ("one, and that one more within itself", repeating(&in_band, 1), 45, 54),
        ("none", repeating(&packets, 0), 0, 0),
    ];
    for (name, packets, least, most) in cases {
        let mut call = Call::heard(&terms("0", ""));
        call.send(CLEAN, without(packets, &lost));
        call.run(ms(5_990));
        assert_continuous(&call);
        let report = call.junction.report();
        let recovered = report.room_recovered / FRAME;
        assert!((least..=most).contains(&recovered), "{name}: {recovered}, {report:?}");
        assert_eq!(report.room_concealed / FRAME, 54 - recovered, "{name}: {report:?}");
        assert_eq!(report.room_late, 0, "{name}");
    }
}

/// A word, a frame of silence that says that nothing follows, a pause, and so on.
fn words() -> Vec<(Duration, Input)> {
    let mut number = 0u16;
    let packets =
        room_packets(&tone(440.0, 20, 96_000), 7, 0).into_iter().enumerate().filter_map(|(n, (time, input))| {
            let Input::Room { ssrc, timestamp, mut payload, .. } = input else { return None };
            match n % 50 {
                0..25 => {}
                25 => payload.truncate(1),
                _ => return None,
            }
            number += 1;
            Some((time, Input::Room { ssrc, sequence: number, timestamp, payload }))
        });
    packets.collect()
}

#[test]
fn pauses_are_no_losses_and_the_beginning_of_a_word_is_none_either() {
    // Twelve words of 25 packets and a silent one each.
    for (name, nth, recovered) in [
        ("the first of a word", 0, 11),
        ("the second of a word", 1, 11),
        ("the last of a word", 24, 11),
        // What repeats it comes after the pause.
        ("the silent one", 25, 0),
    ] {
        let words = words();
        let lost: Vec<bool> = (0..words.len()).map(|n| n >= 26 && n % 26 == nth).collect();
        let mut call = Call::heard(&terms("0", ""));
        call.send(CLEAN, without(repeating(&words, 2), &lost));
        call.run(ms(12_500));
        assert_continuous(&call);
        let report = call.junction.report();
        assert_eq!(report.room_recovered / FRAME, recovered, "{name}: {report:?}");
        assert_eq!(report.room_late, 0, "{name}: {report:?}");
        // Without its silent packet a word fades out.
        assert!(nth == 25 || report.room_concealed == 0, "{name}: {report:?}");
    }
}

#[test]
fn blocks_without_content_stand_for_nobody() {
    let packets = room_packets(&tone(440.0, 20, 24_000), 7, 0);
    for (name, blocks) in [
        ("of length zero", vec![(960, vec![])]),
        ("two of length zero", vec![(1_920, vec![]), (960, vec![])]),
        ("of another time", vec![(1_920, vec![0x48; 20])]),
        ("of no time at all", vec![(0, vec![0x48; 20])]),
        ("that are no Opus", vec![(960, vec![0x4b, 63])]),
    ] {
        let packets = packets.iter().map(|(time, input)| {
            let Input::Room { ssrc, sequence, timestamp, payload } = input else { panic!("of the room") };
            let heads: Vec<u8> = blocks.iter().flat_map(|(offset, block)| head(*offset, block.len())).collect();
            let repeated: Vec<u8> = blocks.iter().flat_map(|(_, block)| block.clone()).collect();
            let payload = [&heads[..], &[RED_OF], &repeated, payload].concat();
            (*time, Input::Red { ssrc: *ssrc, sequence: *sequence, timestamp: *timestamp, payload })
        });
        let lost: Vec<bool> = (0..packets.len()).map(|n| n > 10 && n % 20 == 0).collect();
        let mut call = Call::heard(&terms("0", ""));
        call.send(CLEAN, without(packets.collect(), &lost));
        call.run(ms(2_990));
        assert_continuous(&call);
        let report = call.junction.report();
        assert_eq!((report.room_recovered, report.room_late), (0, 0), "{name}: {report:?}");
        assert_eq!(report.room_concealed / FRAME, missing(&lost, 0).0, "{name}: {report:?}");
    }
}

#[test]
fn packets_out_of_order_are_neither_late_nor_heard_twice() {
    let said = speech();
    let packets = room_packets(&said, 7, 0);
    let lost = lost(packets.len(), 10, 9);
    for jitter in [25, 45] {
        let mut call = Call::heard(&terms("0", ""));
        let wire = Wire { jitter: ms(jitter), repeated: 5, ..CLEAN };
        call.send(wire, without(repeating(&packets, 2), &lost));
        call.run(ms(12_100));
        assert_continuous(&call);
        let report = call.junction.report();
        let (all, unrepeated) = missing(&lost, 2);
        assert_eq!(report.room_late, 0, "{jitter} ms: {report:?}");
        assert!(report.room_recovered / FRAME >= all - unrepeated - all / 10, "{jitter} ms: {all} lost, {report:?}");
        let mut plain = Call::heard(&terms("0", ""));
        plain.send(wire, without(packets.clone(), &lost));
        plain.run(ms(12_100));
        let made_up = plain.junction.report().room_concealed;
        assert!(made_up >= 40 * FRAME, "{jitter} ms: {made_up}");
        // The end of a row may come later than it is waited for.
        assert!(report.room_concealed < made_up / 2, "{jitter} ms: {made_up} without, {report:?}");
        let (_, likeness) = delay(&said, &call.heard_by_carrier(Law::Mu), 16_000, 70_000);
        assert!(likeness > 0.85, "{jitter} ms: {likeness}");
    }
}

#[test]
fn carriers_with_opus_get_what_was_recovered_like_any_packet() {
    let packets = room_packets(&speech(), 7, 0);
    for (percent, seed) in [(10, 1), (20, 2)] {
        let lost = lost(packets.len(), percent, seed);
        let mut call = Call::heard(&opus_terms("107", ""));
        call.send(CLEAN, without(repeating(&packets, 2), &lost));
        call.run(ms(12_010));
        let left: Vec<_> = call.rtp().into_iter().map(|packet| packet.3.to_vec()).collect();
        let mut arrived = 0;
        let mut rest = &left[..];
        for (_, input) in &packets {
            let Input::Room { payload, .. } = input else { continue };
            if let Some(at) = rest.iter().position(|left| left == payload) {
                rest = &rest[at + 1..];
                arrived += 1;
            }
        }
        let (all, unrepeated) = missing(&lost, 2);
        let count = packets.len() as u64;
        assert!(arrived + 2 * unrepeated + 3 >= count, "{percent} %: {arrived} of {count}, {unrepeated} for good");
        let report = call.junction.report();
        assert!(report.room_recovered / FRAME + unrepeated + 3 >= all, "{percent} %: {all} lost, {report:?}");
        assert_eq!(report.room_late, 0, "{percent} %");
    }
}

#[test]
fn no_packet_is_too_odd() {
    let mut call = Call::heard(&terms("0", ""));
    let mut random = 1u64;
    for (time, input) in repeating(&room_packets(&tone(440.0, 20, 400_000), 7, 0), 2) {
        let Input::Red { ssrc, sequence, timestamp, mut payload } = input else { panic!("one that repeats") };
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Headers for the most part, and now and then the length.
        let at = (random >> 33) as usize % 12;
        payload[at] ^= (random >> 50) as u8;
        if random >> 62 == 0 {
            payload.truncate((random >> 40) as usize % payload.len());
        }
        call.at(time, Input::Red { ssrc, sequence, timestamp, payload });
    }
    call.run(ms(50_000));
    // What is no Opus may pass for a long packet, and be waited out; nothing stands still for longer.
    let sent = call.rtp().len();
    assert!((2_400..=2_510).contains(&sent), "{sent}");
    let report = call.junction.report();
    assert!((1_000..2_400).contains(&report.room_received), "{report:?}");
}
