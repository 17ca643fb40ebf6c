//! Senders whose sequence numbers and timestamps make no sense: a server that restarts a stream, a hostile participant.

use std::time::Duration;

use media::codec::g711::Law;

use crate::{
    sound::{delay, level_of, tone},
    wire::{CLEAN, Call, Input, carrier_packets, later, ms, opus_terms, room_packets, rtp, terms},
};

/// Packets of twenty milliseconds that make sense before those that do not, and how many of those.
const SANE: u32 = 100;
const ODD: u32 = 200;
/// Packets in all; what follows on the odd ones makes sense again.
const ALL: u32 = 500;

/// What numbers come with an odd packet: those it would have, and how many odd ones came before it.
type Form = fn(u16, u32, u32) -> (u16, u32);

/// Timestamps count 960 a packet, whatever the clock that they are brought to.
const FORMS: &[(&str, Form)] = &[
    ("as they should be", |number, timestamp, _| (number, timestamp)),
    ("all the same", |_, _, _| (99, 99 * 960)),
    ("everything begins anew", |_, _, n| (n as u16, n * 960)),
    ("numbers begin anew and timestamps go on", |_, timestamp, n| (n as u16, timestamp)),
    ("everything begins anew, again and again", |_, _, n| (n as u16 % 40, n % 40 * 960)),
    ("back by half the range", |number, timestamp, _| (number.wrapping_sub(1 << 15), timestamp)),
    ("to and fro by half the range", |number, timestamp, n| (number.wrapping_add((n as u16 % 2) << 15), timestamp)),
    ("pairs that prove a restart", |number, timestamp, n| (number.wrapping_add((n as u16 / 2) << 13), timestamp)),
    ("numbers fall", |_, timestamp, n| (99u16.wrapping_sub(n as u16), timestamp)),
    ("numbers at random", |number, timestamp, _| (scattered(u32::from(number)) as u16, timestamp)),
    ("timestamps stand", |number, _, _| (number, 99 * 960)),
    ("timestamps leap once", |number, timestamp, _| (number, timestamp.wrapping_add(1 << 31))),
    ("timestamps leap each time", |number, timestamp, n| (number, timestamp.wrapping_add(n << 31))),
    ("timestamps fall", |number, timestamp, n| (number, timestamp.wrapping_sub(n * 48_000))),
    ("timestamps creep", |number, timestamp, n| (number, timestamp.wrapping_sub(n * 900))),
    ("timestamps rush", |number, timestamp, n| (number, timestamp.wrapping_add(n * 24_000))),
    ("timestamps at random", |number, timestamp, _| (number, scattered(timestamp))),
    ("everything at random", |number, timestamp, _| (scattered(u32::from(number)) as u16, scattered(timestamp))),
    ("old packets of an hour ago between", |number, timestamp, n| match n % 2 {
        0 => (number, timestamp),
        _ => (number.wrapping_sub(60), timestamp.wrapping_sub(3_600 * 48_000)),
    }),
    ("a gap before a leap back by an hour", |number, timestamp, n| {
        (number.wrapping_add(1 + n as u16 / 10), timestamp.wrapping_sub((1 + n / 10) * 3_600 * 48_000))
    }),
    ("gaps before leaps at random", |number, timestamp, n| {
        (number.wrapping_add(n as u16 / 3), scattered(timestamp / 960 / 3))
    }),
];

fn scattered(n: u32) -> u32 {
    (n ^ 0x5bd1_e995).wrapping_mul(2_654_435_761).rotate_left(15).wrapping_mul(2_246_822_519)
}

/// The numbers of all packets of a stream that becomes odd and sane again.
fn numbers(form: Form) -> impl Iterator<Item = (u16, u32)> {
    let mut last = (0u16.wrapping_sub(1), 0u32.wrapping_sub(960));
    (0..ALL).map(move |n| {
        let next = (last.0.wrapping_add(1), last.1.wrapping_add(960));
        last = match n.checked_sub(SANE) {
            Some(odd @ 0..ODD) => form(n as u16, n * 960, odd),
            _ => next,
        };
        last
    })
}

/// A participant's packets of a tone.
fn odd() -> Vec<(Duration, Input)> {
    room_packets(&tone(1_100.0, 30, 160 * ALL as usize), 7, 0)
}

/// The same under such numbers.
fn numbered(form: Form, packets: &[(Duration, Input)]) -> Vec<(Duration, Input)> {
    let packets =
        packets.iter().cloned().zip(numbers(form)).map(|((time, input), (sequence, timestamp))| match input {
            Input::Room { ssrc, payload, .. } => (time, Input::Room { ssrc, sequence, timestamp, payload }),
            other => (time, other),
        });
    packets.collect()
}

/// Every packet has the next number and timestamp. It leaves at most 80 ms late, and as much more as a packet takes to fill and its
/// first sample came after the clock.
#[track_caller]
fn assert_steady(call: &Call, step: u32, name: &str) {
    let sent = call.rtp();
    for (n, (time, sequence, timestamp, _)) in sent.iter().enumerate() {
        assert_eq!((*sequence, *timestamp), (n as u16, n as u32 * step), "{name}: packet {n} at {time:?}");
        let late = time.as_millis() as i64 - 20 * n as i64;
        assert!((-140..=110).contains(&late), "{name}: packet {n} is {late} ms late");
    }
    assert!(sent.len() >= ALL as usize - 5, "{name}: {} packets", sent.len());
}

#[test]
fn the_carriers_stream_goes_on_whatever_numbers_a_talker_sends() {
    let said = tone(440.0, 20, 160 * ALL as usize);
    let (odd, other) = (odd(), room_packets(&said, 8, 0));
    for (name, form) in FORMS {
        for beside in [false, true] {
            let name = format!("{name}, {}", if beside { "beside another" } else { "alone" });
            let mut call = Call::heard(&terms("0", ""));
            call.send(CLEAN, later(ms(7), numbered(*form, &odd)));
            call.send(CLEAN, other.iter().filter(|_| beside).cloned());
            call.run(ms(20 * u64::from(ALL)));
            assert_steady(&call, 160, &name);
            let heard = call.heard_by_carrier(Law::Mu);
            // Half a second after his numbers make sense again, he is heard again.
            let sane = (SANE + ODD) as usize * 160;
            for (n, part) in heard[sane + 4_000..sane + 16_000].chunks_exact(800).enumerate() {
                let level = level_of(part, 1_100.0);
                assert!((27.0..=33.0).contains(&level), "{name}: -{level} dBov, {n} tenths of a second after that");
            }
            if beside {
                for (n, part) in heard[1_600..].chunks_exact(800).enumerate() {
                    let level = level_of(part, 440.0);
                    assert!((17.0..=23.0).contains(&level), "{name}: the other at -{level} dBov in part {n}");
                }
                let places = [8_000, 24_000, 40_000, 60_000, 72_000].map(|at| delay(&said, &heard, at, 9).0);
                assert!(places.iter().all(|place| *place == places[0]), "{name}: the other moved: {places:?}");
            }
        }
    }
}

#[test]
fn the_same_holds_for_a_carrier_of_opus() {
    let (odd, other) = (odd(), room_packets(&tone(440.0, 20, 160 * ALL as usize), 8, 0));
    for (name, form) in FORMS {
        for beside in [false, true] {
            let name = format!("{name}, {}", if beside { "beside another" } else { "alone" });
            let mut call = Call::heard(&opus_terms("107", ""));
            call.send(CLEAN, later(ms(7), numbered(*form, &odd)));
            call.send(CLEAN, other.iter().filter(|_| beside).cloned());
            call.run(ms(20 * u64::from(ALL)));
            let sent = call.rtp();
            for pair in sent.windows(2) {
                // A talker's gaps are his, and so are the numbers of what was lost.
                let (time, number) = (pair[1].0 - pair[0].0, pair[1].1.wrapping_sub(pair[0].1));
                assert!(time <= ms(300), "{name}: nothing for {time:?} at {:?}", pair[1].0);
                assert!((1..=16).contains(&number), "{name}: a step of {number} at {:?}", pair[1].0);
                assert!(pair[1].2 > pair[0].2, "{name}: at {:?}", pair[1].0);
                let ahead = i64::from(pair[1].2) / 48 - pair[1].0.as_millis() as i64;
                assert!((-300..=140).contains(&ahead), "{name}: {ahead} ms ahead at {:?}", pair[1].0);
            }
            let from = ms(20 * u64::from(SANE + ODD) + 500);
            let last = sent.iter().filter(|(time, ..)| *time >= from).count();
            assert!(last >= 170, "{name}: {last} packets after half a second");
        }
    }
}

#[test]
fn the_room_hears_a_carrier_again_once_his_numbers_make_sense() {
    let said = carrier_packets(&tone(1_100.0, 20, 160 * ALL as usize), Law::Mu, 0, 20);
    for (name, form) in FORMS {
        let mut call = Call::new(&terms("0", ""));
        let packets = said.iter().cloned().zip(numbers(*form));
        for ((time, input), (sequence, timestamp)) in packets {
            let Input::Rtp(datagram) = input else { panic!("a packet of the carrier") };
            call.at(time, Input::Rtp(rtp(sequence, timestamp / 6, 0, 0x1234, &datagram[12..])));
        }
        call.run(ms(20 * u64::from(ALL)));
        let room = call.room();
        assert!(room.len() <= ALL as usize + 5, "{name}: {} frames in the time of {ALL}", room.len());
        for pair in room.windows(2) {
            assert!(pair[1].1 > pair[0].1, "{name}: at {:?}", pair[1].0);
        }
        let sane = ms(20 * u64::from(SANE + ODD) + 500);
        let after: Vec<_> = room.iter().filter(|frame| frame.0 >= sane).collect();
        assert!(after.len() >= 174, "{name}: {} frames after half a second", after.len());
        assert!(after.windows(2).all(|pair| pair[1].1 - pair[0].1 == 960), "{name}");
        let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).expect("a decoder");
        let heard = after.iter().flat_map(|(.., payload)| {
            let mut pcm = [0; 160];
            decoder.decode(payload, &mut pcm, false).expect("valid Opus");
            pcm
        });
        let heard: Vec<i16> = heard.collect();
        // The decoder has not heard what came before.
        for (n, part) in heard[800..].chunks_exact(800).enumerate() {
            let level = level_of(part, 1_100.0);
            assert!((17.0..=23.0).contains(&level), "{name}: -{level} dBov in part {n}");
        }
    }
}

#[test]
fn whoever_says_less_than_time_takes_does_not_slow_the_others() {
    // Of twenty milliseconds two and a half are there, whatever the timestamps say of the others.
    let mut encoder =
        opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::LowDelay).expect("an encoder");
    let payload = encoder.encode_vec(&[1_000; 120], 1_500).expect("Opus");
    let said = tone(440.0, 20, 160 * ALL as usize);
    let other = room_packets(&said, 8, 0);
    for (name, step) in [("gaps", 960u32), ("none", 120), ("back", 0u32.wrapping_sub(96_000)), ("the same", 0)] {
        let mut call = Call::heard(&terms("0", ""));
        for n in 0..ALL {
            let (sequence, timestamp) = (n as u16, n.wrapping_mul(step));
            let input = Input::Room { ssrc: 7, sequence, timestamp, payload: payload.clone() };
            call.at(ms(20 * u64::from(n) + 7), input);
        }
        call.send(CLEAN, other.iter().cloned());
        call.run(ms(20 * u64::from(ALL)));
        assert_steady(&call, 160, name);
        let heard = call.heard_by_carrier(Law::Mu);
        let places = [8_000, 40_000, 72_000].map(|at| delay(&said, &heard, at, 9).0);
        assert!(places.iter().all(|place| *place == places[0]), "{name}: {places:?}");
    }
}

#[test]
fn nothing_that_participants_may_send_stops_the_stream() {
    let speech: Vec<Vec<u8>> = room_packets(&tone(700.0, 20, 8_000), 7, 20)
        .into_iter()
        .filter_map(|(_, input)| if let Input::Room { payload, .. } = input { Some(payload) } else { None })
        .collect();
    // Of 2.5, 60 and 120 ms, without their bits; of silence; of nothing; of what is no Opus.
    let short: &[&[u8]] = &[&[0xe0, 1], &[0x1b, 3, 9], &[0x5b, 6, 9], &[0x48], &[], &[0xff; 4]];
    for seed in 0..60u32 {
        let mut drawn = seed << 16;
        let mut draw = |sides: u32| {
            drawn += 1;
            scattered(drawn) % sides
        };
        let mut call = Call::heard(&terms("0", ""));
        let mut at = Duration::ZERO;
        let mut senders = [(0u16, 0u32); 3];
        for _ in 0..1_500 {
            at += Duration::from_micros([0, 500, 5_000, 20_000, 20_000][draw(5) as usize]);
            let who = draw(3) as usize;
            let (sequence, timestamp) = &mut senders[who];
            *sequence = match draw(12) {
                0 => *sequence,
                1 => sequence.wrapping_sub(draw(120) as u16),
                2 => sequence.wrapping_add(draw(40) as u16),
                3 => draw(1 << 16) as u16,
                _ => sequence.wrapping_add(1),
            };
            *timestamp = match draw(12) {
                0 => *timestamp,
                1 => timestamp.wrapping_sub(draw(100_000)),
                2 => timestamp.wrapping_add(draw(100_000)),
                3 => scattered(draw(1 << 16)),
                _ => timestamp.wrapping_add(960),
            };
            let payload = match draw(4) {
                0 => short[draw(6) as usize].to_vec(),
                _ => speech[draw(50) as usize].clone(),
            };
            let ssrc = who as u32;
            let (sequence, timestamp) = (*sequence, *timestamp);
            call.at(at, Input::Room { ssrc, sequence, timestamp, payload });
        }
        call.run(at + ms(500));
        for (n, (time, sequence, timestamp, _)) in call.rtp().iter().enumerate() {
            assert_eq!((*sequence, *timestamp), (n as u16, n as u32 * 160), "seed {seed}: packet {n} at {time:?}");
            let late = time.as_millis() as i64 - 20 * n as i64;
            assert!((-160..=120).contains(&late), "seed {seed}: packet {n} is {late} ms late");
        }
        let expected = (at + ms(500)).as_millis() as usize / 20;
        assert!(call.rtp().len().abs_diff(expected) <= 10, "seed {seed}: {} of {expected}", call.rtp().len());
    }
}
