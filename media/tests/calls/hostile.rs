//! Peers and participants that send what nobody should.

use std::time::Duration;

use media::{codec::g711::Law, dtmf};

use crate::{
    sound::{assert_tone, speech, tone},
    wire::{CLEAN, Call, Input, Left, carrier_packets, ms, noise_terms, opus_terms, room_packets, rtp, terms},
};

/// How far each packet to the carrier is ahead of the one before it.
fn steps(call: &Call) -> Vec<u16> {
    call.rtp().windows(2).map(|pair| pair[1].1.wrapping_sub(pair[0].1)).collect()
}

#[test]
fn however_many_packets_cannot_be_read_sequence_numbers_never_go_back() {
    // Three frames, of which only their number is told; it is none, or cut off.
    for unreadable in [&[0xff][..], &[0xff, 0, 1, 2, 3, 4]] {
        let mut call = Call::heard(&opus_terms("107", ""));
        for n in 0..40_000u32 {
            let (sequence, timestamp) = (n as u16, n * 48);
            let input = Input::Room { ssrc: 7, sequence, timestamp, payload: unreadable.to_vec() };
            call.at(ms(n.into()), input);
        }
        let good = room_packets(&speech()[..32_000], 7, 0).into_iter().enumerate().map(|(n, (at, input))| {
            let Input::Room { ssrc, payload, .. } = input else { panic!("of the room") };
            let (sequence, timestamp) = (40_000 + n as u16, 40_000 * 48 + n as u32 * 960);
            (ms(40_000) + at, Input::Room { ssrc, sequence, timestamp, payload })
        });
        call.send(CLEAN, good);
        call.run(ms(45_000));
        let steps = steps(&call);
        let most = steps.iter().max().copied();
        assert!(steps.len() > 200 && most <= Some(64), "{unreadable:?}: {most:?}");
    }
}

#[test]
fn one_packet_that_cannot_be_decoded_costs_its_own_time_and_no_more() {
    // Two frames of ten milliseconds of one length, which three bytes cannot be; and what tells no length at all.
    for unreadable in [&[1, 1, 2, 3][..], &[0xff, 0, 1, 2, 3]] {
        let mut call = Call::heard(&terms("0", ""));
        let mut sent = room_packets(&tone(440.0, 20, 24_000), 7, 0);
        for n in [40, 70, 100] {
            let Input::Room { payload, .. } = &mut sent[n].1 else { panic!("of the room") };
            *payload = unreadable.to_vec();
        }
        call.send(CLEAN, sent);
        call.run(ms(3_000));
        let report = call.junction.report();
        assert_eq!((report.room_late, report.room_concealed), (0, 3 * 160), "{unreadable:?}");
        assert_tone(&call.heard_by_carrier(Law::Mu), 440.0, 20, "the carrier");
    }
}

#[test]
fn timestamps_that_tremble_make_no_time() {
    let said = tone(440.0, 20, 480_000);
    for tremble in [8, 40] {
        let mut call = Call::new(&terms("0", ""));
        let packets = carrier_packets(&said, Law::Mu, 0, 20).into_iter().enumerate().map(|(n, (at, input))| {
            let Input::Rtp(mut datagram) = input else { panic!("of the carrier") };
            let timestamp = u32::from_be_bytes([datagram[4], datagram[5], datagram[6], datagram[7]]);
            let timestamp = timestamp.wrapping_add([0, tremble, 3, tremble / 2][n % 4]);
            datagram[4..8].copy_from_slice(&timestamp.to_be_bytes());
            (at, Input::Rtp(datagram))
        });
        call.send(CLEAN, packets);
        call.run(ms(60_100));
        let end = call.room()[call.room().len() - 1].1 / 48;
        assert!(end.abs_diff(60_000) < 100, "{tremble}: {end}");
    }
}

#[test]
fn a_line_that_says_it_is_silent_and_reports_on_is_no_dead_line() {
    for (reports, expected) in [(true, 0), (false, 1)] {
        let mut call = Call::new(&noise_terms("0 13", ""));
        call.send(CLEAN, carrier_packets(&tone(440.0, 20, 8_000), Law::Mu, 0, 20));
        call.at(ms(1_020), Input::Rtp(rtp(50, 8_000, 13, 0x1234, &[60])));
        for second in (0..60).step_by(5) {
            call.run(ms(second * 1_000 + 1_500));
            if reports {
                let from = "192.0.2.1:4001".parse().unwrap();
                call.junction.handle_rtcp(call.now, from, &[0x80, 201, 0, 1, 0, 0, 0x12, 0x34]);
                call.drain();
            }
        }
        let ended = call.left.iter().filter(|(_, left)| matches!(left, Left::Event(media::Event::MediaTimeout)));
        assert_eq!(ended.count(), expected);
    }
}

#[test]
fn noise_whose_timestamps_stand_still_holds_nothing_back() {
    let said = tone(440.0, 20, 8_000);
    let mut call = Call::new(&noise_terms("0 13", ""));
    let (mut sequence, mut timestamp) = (0u16, 0);
    for round in 0..10u64 {
        for n in 0..50 {
            let payload = crate::wire::encode(Law::Mu, &said[n * 160..][..160]);
            let at = ms(round * 3_000 + (n as u64 + 1) * 20);
            call.at(at, Input::Rtp(rtp(sequence, timestamp, 0, 0x1234, &payload)));
            (sequence, timestamp) = (sequence + 1, timestamp + 160);
        }
        call.at(ms(round * 3_000 + 1_020), Input::Rtp(rtp(sequence, timestamp, 13, 0x1234, &[50])));
        sequence += 1;
    }
    call.run(ms(30_000));
    let behind = call.room().into_iter().map(|(at, timestamp, _)| at.saturating_sub(ms((timestamp / 48).into())));
    // What is left of the last frame in each silence.
    let most = behind.max();
    assert!(most <= Some(ms(10 * 20 + 40)), "{most:?}");
}

#[test]
fn who_sends_a_hundred_times_as_much_is_heard_for_as_long_as_it_takes() {
    let mut call = Call::new(&terms("0", ""));
    for n in 0..20_000u32 {
        let at = Duration::from_micros(200) * n;
        call.at(at, Input::Rtp(rtp(n as u16, n * 160, 0, 0x1234, &[0x55; 160])));
    }
    call.run(ms(4_000));
    let report = call.junction.report();
    // Five seconds at once, and five quarters of four.
    assert!(report.room_sent.abs_diff(500) <= 5, "{} frames", report.room_sent);
    assert_eq!(report.carrier.stream.received, 20_000);
    // One who has come to his senses is heard.
    for n in 20_000..20_100u32 {
        let at = ms(u64::from(n - 19_700) * 20 - 2_000);
        call.at(at, Input::Rtp(rtp(n as u16, n * 160, 0, 0x1234, &[0x55; 160])));
    }
    call.run(ms(7_000));
    assert!(call.junction.report().room_sent >= report.room_sent + 100);
}

/// Random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = [0, 1, 2, 3, 4, 20, 80, 160, 161, 240, 480, 1_275, 1_500, 1_600, 1_700][self.roll(15) as usize];
        (0..length).map(|_| self.roll(256) as u8).collect()
    }
}

#[test]
fn whatever_comes_in_whatever_order_a_call_goes_on() {
    let opus: Vec<Vec<u8>> = room_packets(&speech()[..64_000], 7, 10)
        .into_iter()
        .map(|(_, input)| match input {
            Input::Room { payload, .. } => payload,
            _ => panic!("of the room"),
        })
        .collect();
    let negotiated = [
        terms("0", ""),
        terms("8", "a=ptime:60\r\n"),
        terms("0", "a=inactive\r\n"),
        terms("0", "a=sendonly\r\n"),
        terms("0", "a=recvonly\r\na=maxptime:1\r\n"),
        noise_terms("9 13", ""),
        noise_terms("0 13", "a=ptime:10\r\n"),
        noise_terms("0 9 13", ""),
        opus_terms("107", ""),
        opus_terms("107", "a=fmtp:107 cbr=1;maxplaybackrate=8000\r\na=ptime:60\r\n"),
        opus_terms("107 0", "a=rtpmap:102 telephone-event/48000\r\n"),
    ];
    for seed in 0..6 {
        let mut dice = Dice(seed);
        let mut call = if seed % 2 == 0 { Call::heard(&negotiated[0]) } else { Call::gated(&negotiated[8]) };
        // Whoever was never heard gets so many packets, and then none of many numbers.
        call.junction.handle_rtp(call.start, call.peer, &rtp(0, 0, 107, 0x1234, &[0xf8, 0xff, 0xfe]));
        let (mut sequence, mut timestamp) = (dice.roll(65_536) as u16, dice.roll(1 << 32) as u32);
        let mut talkers = [(0u16, 0u32); 20];
        let mut time = Duration::ZERO;
        for step in 0..3_000u32 {
            let before = call.now;
            time += match dice.roll(60) {
                0 => ms(dice.roll(20_000)),
                1..10 => ms(dice.roll(100)),
                10..30 => Duration::ZERO,
                _ => ms(dice.roll(20)),
            };
            let mut woken = 0;
            while let Some(at) = call.junction.next_timeout().filter(|at| *at <= call.start + time) {
                call.now = at.max(call.now);
                let now = call.now;
                call.junction.handle_timeout(now);
                call.drain();
                woken += 1;
                let passed = (call.now - before).as_millis() as u64;
                assert!(woken < 100 + passed * 4, "seed {seed}, step {step}: awake all the time");
            }
            call.now = call.start + time;
            let now = call.now;
            match dice.roll(100) {
                0..35 => {
                    sequence = match dice.roll(40) {
                        0 => dice.roll(65_536) as u16,
                        1..4 => sequence.wrapping_sub(dice.roll(5) as u16),
                        4..8 => sequence.wrapping_add(dice.roll(40) as u16),
                        _ => sequence.wrapping_add(1),
                    };
                    timestamp = match dice.roll(30) {
                        0 => dice.roll(1 << 32) as u32,
                        1..4 => timestamp.wrapping_sub(dice.roll(500) as u32),
                        4..8 => timestamp.wrapping_add(dice.roll(100_000) as u32),
                        _ => timestamp.wrapping_add([160, 80, 960, 480][dice.roll(4) as usize]),
                    };
                    let payload_type = [0, 0, 8, 9, 13, 101, 101, 107, 107, 102, 96, 200][dice.roll(12) as usize];
                    let payload = match dice.roll(3) {
                        0 => dice.bytes(),
                        1 => opus[dice.roll(400) as usize].clone(),
                        _ => vec![dice.roll(256) as u8; [160, 80, 240, 4, 1][dice.roll(5) as usize]],
                    };
                    let ssrc = if dice.roll(30) == 0 { dice.roll(1 << 32) as u32 } else { 0x1234 };
                    let mut datagram = rtp(sequence, timestamp, payload_type, ssrc, &payload);
                    if dice.roll(10) == 0 {
                        let at = dice.roll(datagram.len() as u64) as usize;
                        datagram[at] = dice.roll(256) as u8;
                        datagram.truncate(dice.roll(datagram.len() as u64 + 1) as usize);
                    }
                    call.junction.handle_rtp(now, call.peer, &datagram);
                }
                35..40 => {
                    let mut bytes = dice.bytes();
                    if let [first, kind, ..] = &mut bytes[..] {
                        (*first, *kind) = (0x80 | (*first & 0x3f), 200 + *kind % 6);
                    }
                    call.junction.handle_rtcp(now, "192.0.2.1:4001".parse().unwrap(), &bytes);
                }
                40..90 => {
                    let who = if dice.roll(3) == 0 { dice.roll(20) } else { dice.roll(2) } as usize;
                    let (sequence, timestamp) = &mut talkers[who];
                    *sequence = match dice.roll(60) {
                        0 => dice.roll(65_536) as u16,
                        1..4 => sequence.wrapping_sub(dice.roll(5) as u16),
                        4..8 => sequence.wrapping_add(dice.roll(40) as u16),
                        _ => sequence.wrapping_add(1),
                    };
                    *timestamp = match dice.roll(60) {
                        0 => dice.roll(1 << 32) as u32,
                        1..4 => timestamp.wrapping_sub(dice.roll(5_000) as u32),
                        4..8 => timestamp.wrapping_add(dice.roll(100_000) as u32),
                        _ => timestamp.wrapping_add(960),
                    };
                    let payload = match dice.roll(8) {
                        0 => dice.bytes(),
                        1 => vec![dice.roll(256) as u8; 1 + dice.roll(2) as usize],
                        _ => opus[dice.roll(400) as usize].clone(),
                    };
                    if dice.roll(4) == 0 {
                        let mut red = Vec::new();
                        let mut blocks = Vec::new();
                        for n in (1..=dice.roll(4)).rev() {
                            let block = &opus[dice.roll(400) as usize];
                            red.extend(crate::wire::red_head(n as u32 * 960, block.len()));
                            blocks.extend_from_slice(block);
                        }
                        red.push(crate::wire::RED_OF);
                        red.extend(blocks);
                        red.extend(payload);
                        if dice.roll(5) == 0 {
                            let at = dice.roll(red.len() as u64) as usize;
                            red[at] = dice.roll(256) as u8;
                        }
                        call.junction.handle_room_red(now, who as u32, *sequence, *timestamp, &red);
                    } else {
                        call.junction.handle_room(now, who as u32, *sequence, *timestamp, &payload);
                    }
                }
                _ => match dice.roll(24) {
                    0..4 => {
                        let terms = &negotiated[dice.roll(negotiated.len() as u64) as usize];
                        call.junction.set_carrier(now, terms).expect("terms that can be met");
                    }
                    4 => call.junction.set_dialtone(now, dice.roll(2) == 0),
                    5 => call.junction.set_ringback(now, dice.roll(2) == 0),
                    6 => {
                        let samples = vec![1_000; dice.roll(4_000) as usize];
                        let sound = match dice.roll(3) {
                            0 => None,
                            1 => Some(media::Sound::once(samples.into())),
                            _ => Some(media::Sound::endless(samples.into())),
                        };
                        call.junction.play(now, sound);
                    }
                    7 => {
                        let keys = [dtmf::Press::Key(dtmf::Event(dice.roll(16) as u8)), dtmf::Press::Pause(ms(300))];
                        let _ = call.junction.press(now, &keys);
                    }
                    8 => {
                        let keys = [dtmf::Press::Key(dtmf::Event(dice.roll(18) as u8)), dtmf::Press::Pause(ms(300))];
                        let _ = call.junction.press_tones(now, &keys);
                    }
                    9 => {
                        let tones = [dtmf::Tones::Ignored, dtmf::Tones::WithoutEvents, dtmf::Tones::Heard];
                        call.junction.set_tones(now, tones[dice.roll(3) as usize]).expect("tones");
                    }
                    10 => call.junction.forget(dice.roll(20) as u32),
                    11 => call.junction.forget_everybody(),
                    12 => call.junction.set_room_open(dice.roll(2) == 0),
                    13 => {
                        let profile =
                            media::Profile { dtx: dice.roll(2) == 0, loss: dice.roll(30) as u8, ..Default::default() };
                        call.junction.set_profile(profile).expect("a profile");
                    }
                    _ => {}
                },
            }
            call.drain();
        }
        let mut last: Option<u16> = None;
        for (_, left) in &call.left {
            if let Left::Rtp { sequence, payload, .. } = left {
                let step = last.map_or(1, |last| sequence.wrapping_sub(last));
                assert!((1..=64).contains(&step), "seed {seed}: a leap of {step}");
                assert!(!payload.is_empty() && payload.len() <= 1_600, "seed {seed}");
                last = Some(*sequence);
            }
        }
        let mut last: Option<u32> = None;
        for (_, left) in &call.left {
            if let Left::Room { timestamp, payload, .. } = left {
                assert!(last.is_none_or(|last| timestamp.wrapping_sub(last).cast_signed() >= 0), "seed {seed}");
                assert!(!payload.is_empty() && payload.len() <= 1_500, "seed {seed}");
                last = Some(*timestamp);
            }
        }
    }
}
