//! Calls with carriers that speak Opus: what is passed on as it came, and what is not.

use std::time::Duration;

use media::{
    Event,
    codec::g711::Law,
    dtmf,
    sdp::{Codec, Negotiated},
};

use crate::{
    sound::{assert_tone, energy, speech, tone, tone_at},
    wire::{CLEAN, Call, Input, Left, Wire, encode, later, ms, opus_terms, room_packets_at, rtp},
};

const OPUS: u8 = 107;

fn call() -> Call {
    Call::heard(&opus_terms("107", ""))
}

/// Packets of Opus of this length, of what is at 16 kHz.
fn packets(pcm: &[i16], ptime: usize, loss: i32) -> Vec<Vec<u8>> {
    let mut encoder = encoder(16_000, opus::Channels::Mono);
    encoder.set_inband_fec(loss > 0).expect("redundancy");
    encoder.set_packet_loss_perc(loss).expect("a loss");
    pcm.chunks_exact(ptime * 16).map(|frame| encoder.encode_vec(frame, 1_500).expect("Opus")).collect()
}

fn encoder(rate: u32, channels: opus::Channels) -> opus::Encoder {
    let mut encoder = opus::Encoder::new(rate, channels, opus::Application::Voip).expect("an encoder");
    encoder.set_bitrate(opus::Bitrate::Bits(24_000)).expect("a bit rate");
    encoder
}

/// They as a carrier sends them, the first after the one that every call begins with.
fn from_carrier(payloads: &[Vec<u8>], ptime: usize) -> Vec<(Duration, Input)> {
    let packets = payloads.iter().enumerate().map(|(n, payload)| {
        let packet = rtp(n as u16 + 1, 960 + (n * ptime * 48) as u32, OPUS, 0x1234, payload);
        (ms(((n + 1) * ptime) as u64), Input::Rtp(packet))
    });
    packets.collect()
}

/// They as a participant sends them.
fn from_room(payloads: &[Vec<u8>], ptime: usize, ssrc: u32) -> Vec<(Duration, Input)> {
    let packets = payloads.iter().enumerate().map(|(n, payload)| {
        let (sequence, timestamp) = ((n as u16).wrapping_sub(20), ((n * ptime * 48) as u32).wrapping_sub(9_600));
        let input = Input::Room { ssrc, sequence, timestamp, payload: payload.clone() };
        (ms(((n + 1) * ptime) as u64 + 5), input)
    });
    packets.collect()
}

/// What a phone hears, laid out by timestamp.
fn heard_by_phone(call: &Call) -> Vec<i16> {
    let mut decoder = opus::Decoder::new(8_000, opus::Channels::Mono).expect("a decoder");
    let mut heard = Vec::new();
    for (_, _, timestamp, payload) in call.rtp() {
        let mut pcm = [0; 960];
        let samples = decoder.decode(payload, &mut pcm, false).expect("valid Opus");
        let at = (timestamp / 6) as usize;
        assert!(at >= heard.len(), "packets never overlap: {at} < {}", heard.len());
        heard.resize(at, 0);
        heard.extend_from_slice(&pcm[..samples]);
    }
    heard
}

fn wide(frequency: f32, samples: usize) -> Vec<i16> {
    tone_at(16_000.0, frequency, 20, samples)
}

/// Speech at 16 kHz.
fn wide_speech() -> Vec<i16> {
    speech().iter().flat_map(|sample| [*sample; 2]).collect()
}

#[test]
fn a_carriers_packets_reach_the_room_as_they_are() {
    for ptime in [10, 20, 40, 60] {
        let payloads = packets(&wide_speech()[..64_000], ptime, 0);
        let mut call = call();
        let wire = Wire { jitter: ms(9), repeated: 10, ..CLEAN };
        // Late by less than a packet, nothing is out of order; every packet comes at its turn.
        call.send(wire, from_carrier(&payloads, ptime));
        call.run(ms(4_100));
        let room = call.room();
        let passed: Vec<_> = room.iter().skip(1).map(|(.., payload)| payload.to_vec()).collect();
        assert!(passed == payloads, "{ptime} ms: {} of {}", passed.len(), payloads.len());
        for (n, (_, timestamp, _)) in room.iter().skip(1).enumerate() {
            assert_eq!(*timestamp, 960 + (n * ptime * 48) as u32, "{ptime} ms, packet {n}");
        }
        let levels = call.left.iter().filter_map(|(_, left)| match left {
            Left::Room { level, marker, lost, .. } => Some((*level, *marker, *lost)),
            _ => None,
        });
        let levels: Vec<_> = levels.collect();
        assert_eq!(levels[0], (127, true, 0), "silence, and the first of all");
        assert!(levels[1..].iter().all(|(_, marker, lost)| !marker && *lost == 0), "{ptime} ms");
        let spoken = levels.iter().filter(|(level, ..)| *level == 26).count();
        assert!(spoken > levels.len() / 3, "{ptime} ms: {spoken} of {}", levels.len());
        assert_eq!(call.junction.report().carrier.unusable, 0);
    }
}

#[test]
fn packets_out_of_order_are_put_into_it() {
    let payloads = packets(&wide_speech()[..192_000], 20, 0);
    let mut call = call();
    call.send(Wire { jitter: ms(28), seed: 3, ..CLEAN }, from_carrier(&payloads, 20));
    call.run(ms(12_100));
    let room = call.room();
    let mut next = 0;
    for (_, timestamp, payload) in room.iter().skip(1) {
        let n = (*timestamp as usize - 960) / 960;
        assert!(n >= next && *payload == payloads[n], "{n}");
        next = n + 1;
    }
    // Until it is known that this line reorders, some are given up.
    assert!(room.len() > 590, "{}", room.len());
}

#[test]
fn what_the_carrier_lost_is_a_gap_with_its_numbers() {
    let payloads = packets(&wide_speech()[..64_000], 20, 20);
    let mut call = call();
    let mut sent = from_carrier(&payloads, 20);
    sent.drain(100..102);
    sent.remove(50);
    call.send(CLEAN, sent);
    call.run(ms(4_000));
    let mut gaps = Vec::new();
    let mut expected = None;
    for (_, left) in &call.left {
        let Left::Room { timestamp, lost, marker, .. } = left else { continue };
        let gap = expected.map_or(0, |expected| timestamp.wrapping_sub(expected));
        if gap > 0 || *lost > 0 {
            gaps.push((gap, *lost, *marker));
        }
        expected = Some(timestamp.wrapping_add(960));
    }
    assert_eq!(gaps, [(960, 1, false), (1_920, 2, false)]);
    assert_eq!(call.junction.report().carrier_concealed, 0);
}

#[test]
fn a_carrier_that_stops_talking_leaves_a_gap_with_a_marker() {
    let payloads = packets(&wide(440.0, 32_000), 20, 0);
    let mut call = call();
    let mut sent = from_carrier(&payloads, 20);
    // One packet says so, then there are none but a refreshed background; their numbers follow each other.
    sent.drain(41..60);
    let mut sent: Vec<_> = sent
        .into_iter()
        .enumerate()
        .map(|(n, (time, input))| match input {
            Input::Rtp(mut datagram) => {
                datagram[2..4].copy_from_slice(&(n as u16 + 1).wrapping_sub(50).to_be_bytes());
                (time, Input::Rtp(datagram))
            }
            other => (time, other),
        })
        .collect();
    if let Input::Rtp(datagram) = &mut sent[40].1 {
        datagram.truncate(13);
    }
    call.send(CLEAN, sent);
    call.run(ms(2_100));
    let frames = call.left.iter().filter_map(|(_, left)| match left {
        Left::Room { timestamp, marker, payload, lost, .. } => Some((*timestamp, *marker, payload.len(), *lost)),
        _ => None,
    });
    let frames: Vec<_> = frames.collect();
    assert_eq!(frames.len(), 1 + 100 - 19);
    assert_eq!(frames[41].2, 1);
    assert_eq!(frames[42].0.wrapping_sub(frames[41].0), 20 * 960);
    let marked: Vec<_> = (0..frames.len()).filter(|n| frames[*n].1).collect();
    assert_eq!(marked, [0, 42]);
    assert!(frames.iter().all(|(.., lost)| *lost == 0));
}

#[test]
fn one_talkers_packets_reach_the_carrier_as_they_are() {
    for ptime in [10, 20, 40, 60] {
        let payloads = packets(&wide_speech()[..64_000], ptime, 0);
        let mut call = call();
        call.send(CLEAN, from_room(&payloads, ptime, 7));
        call.run(ms(4_004));
        let sent = call.rtp();
        let first = sent.iter().position(|(.., payload)| *payload == payloads[0]).expect("the first of them");
        assert!(first <= 5, "silence before");
        let last = sent.len() - first;
        for (n, payload) in payloads[..last.min(payloads.len())].iter().enumerate() {
            let (.., sequence, timestamp, passed) = sent[first + n];
            assert!(passed == payload, "{ptime} ms, packet {n}");
            assert_eq!(usize::from(sequence), first + n, "{ptime} ms, packet {n}");
            let since = timestamp - sent[first].2;
            assert_eq!(since as usize, n * ptime * 48, "{ptime} ms, packet {n}");
        }
        assert!(last >= 4_000 / ptime - 1, "{ptime} ms: {last}");
        let report = call.junction.report();
        assert_eq!((report.room_concealed, report.room_late, report.room_dropped), (0, 0, 0));
    }
}

#[test]
fn what_the_room_lost_is_a_gap_with_its_numbers() {
    let payloads = packets(&wide_speech()[..64_000], 20, 20);
    let mut call = call();
    let mut sent = from_room(&payloads, 20, 7);
    sent.drain(100..102);
    sent.remove(50);
    // Two change places, which is no loss.
    let at = sent[150].0;
    (sent[150].0, sent[151].0) = (at + ms(12), at + ms(8));
    call.send(CLEAN, sent);
    call.run(ms(4_004));
    let out = call.rtp();
    let first = out.iter().position(|(.., payload)| *payload == payloads[0]).unwrap();
    let mut gaps = Vec::new();
    for pair in out[first..].windows(2) {
        let (numbers, time) = (pair[1].1 - pair[0].1, pair[1].2 - pair[0].2);
        if (numbers, time) != (1, 960) {
            gaps.push((numbers, time));
        }
    }
    assert_eq!(gaps, [(2, 1_920), (3, 2_880)], "the phone's decoder finds the redundancy of the packet after");
    let expected: Vec<_> = (0..200).filter(|n| ![50, 100, 101].contains(n)).map(|n| payloads[n].as_slice()).collect();
    let passed: Vec<_> = out[first..].iter().map(|(.., payload)| *payload).collect();
    assert!(passed[..190] == expected[..190]);
    assert_eq!(call.junction.report().room_concealed, 0);
}

#[test]
fn a_talker_who_pauses_is_silent_in_his_own_way_for_a_while() {
    let payloads = packets(&wide(440.0, 64_000), 20, 0);
    let mut call = call();
    let mut sent = from_room(&payloads, 20, 7);
    // He stops, and refreshes his background once; later on he is gone for longer than that.
    for (n, (_, input)) in sent.iter_mut().enumerate() {
        if let Input::Room { payload, sequence, .. } = input {
            if n == 50 || n == 100 {
                payload.truncate(1);
            }
            *sequence = sequence.wrapping_sub(if n >= 150 {
                68
            } else if n >= 70 {
                19
            } else {
                0
            });
        }
    }
    sent.drain(101..150);
    sent.drain(51..70);
    call.send(CLEAN, sent);
    call.run(ms(4_004));
    let out = call.rtp();
    let first = out.iter().position(|(.., payload)| *payload == payloads[0]).unwrap();
    let pause = out[first + 51].2 - out[first + 50].2;
    assert_eq!((out[first + 50].3.len(), pause), (1, 20 * 960), "as he paused");
    // Half a second he is left alone, then the carrier hears that nobody speaks; he goes on by the clock.
    let silence = out[first + 82..].iter().take_while(|(.., payload)| *payload == [0xf8, 0xff, 0xfe]).count();
    assert!((20..30).contains(&silence), "{silence}");
    let (again, at) = (out[first + 82 + silence].0, out[first + 82 + silence].2);
    let (since, ticks) = (again - out[first].0, (at - out[first].2) / 48);
    assert!(since.abs_diff(ms(ticks.into())) <= ms(25), "{since:?} by the clock, {ticks} ms by the stream");
    assert!(out.windows(2).all(|pair| pair[1].1 - pair[0].1 == 1), "no number is left out");
}

#[test]
fn two_talkers_are_mixed_and_one_is_passed_on_again() {
    let (first, second) = (packets(&wide(300.0, 96_000), 20, 0), packets(&wide(1_000.0, 32_000), 20, 0));
    let mut call = call();
    call.send(CLEAN, from_room(&first, 20, 7));
    // The other speaks from the third second to the fifth, out of step, and then sends nothing but silence.
    let mut second = second;
    second.extend(vec![vec![0xf8, 0xff, 0xfe]; 50]);
    call.send(CLEAN, later(ms(2_007), from_room(&second, 20, 8)));
    call.run(ms(6_004));
    let out = call.rtp();
    let is_first = |payload: &&[u8]| first.iter().any(|known| known == payload);
    let at = |from: u64, to: u64| {
        let between = move |time: &Duration| (ms(from)..ms(to)).contains(time);
        out.iter().filter(move |(time, ..)| between(time)).map(|(.., payload)| *payload)
    };
    assert!(at(100, 2_000).all(|payload| is_first(&payload)));
    assert!(!at(2_100, 4_000).any(|payload| is_first(&payload)));
    assert!(at(4_350, 6_000).all(|payload| is_first(&payload)));
    for pair in out.windows(2) {
        assert_eq!(pair[1].1 - pair[0].1, 1, "every number");
    }
    let heard = heard_by_phone(&call);
    // No time is lost or won: what comes out lies where it was said.
    assert!(heard.len().abs_diff(48_000) <= 400, "{}", heard.len());
    assert_tone(&heard[1_000..15_000], 300.0, 20, "one");
    assert_tone(&heard[36_000..46_000], 300.0, 20, "one again");
    let both = &heard[18_000..30_000];
    let share = |frequency: f64| {
        let step = frequency * std::f64::consts::TAU / 8_000.0;
        let (mut sin, mut cos) = (0.0, 0.0);
        for (n, sample) in both.iter().enumerate() {
            let (s, c) = (n as f64 * step).sin_cos();
            (sin, cos) = (sin + f64::from(*sample) * s, cos + f64::from(*sample) * c);
        }
        2.0 * (sin * sin + cos * cos) / both.len() as f64 / energy(both)
    };
    assert!(share(300.0) > 0.35 && share(1_000.0) > 0.35, "{} and {}", share(300.0), share(1_000.0));
}

#[test]
fn packets_of_our_own_are_as_long_as_was_agreed_upon() {
    let (first, second) = (packets(&wide_speech()[..64_000], 20, 0), packets(&wide(1_000.0, 32_000), 20, 0));
    let mut call = Call::heard(&opus_terms("107", "a=ptime:40\r\n"));
    call.send(CLEAN, from_room(&first, 20, 7));
    call.send(CLEAN, later(ms(1_013), from_room(&second, 20, 8)));
    call.run(ms(4_004));
    let out = call.rtp();
    let steps = out.windows(2).map(|pair| (pair[0].0, pair[1].2 - pair[0].2));
    let mixed: Vec<_> = steps.filter(|(time, _)| (ms(1_100)..ms(2_900)).contains(time)).map(|(_, step)| step).collect();
    assert!(mixed.len() > 40 && mixed.iter().all(|step| *step == 1_920), "{mixed:?}");
    // What was left over went out in short packets before the first that was passed on again.
    let passed = out.iter().filter(|(.., payload)| first.iter().any(|known| known == payload)).count();
    assert!(passed > 80, "{passed}");
    assert!(out.windows(2).all(|pair| pair[1].1 - pair[0].1 == 1), "every number");
    assert!(heard_by_phone(&call).len().abs_diff(32_000) < 400);
}

#[test]
fn a_refreshed_background_of_another_is_no_second_talker() {
    let payloads = packets(&wide_speech()[..64_000], 20, 0);
    let mut call = call();
    call.send(CLEAN, from_room(&payloads, 20, 7));
    // The encoder hears no voice: its bit is not set.
    for n in 0..10u16 {
        let input =
            Input::Room { ssrc: 8, sequence: n, timestamp: u32::from(n) * 19_200, payload: vec![0x48, 0x30, 1, 2, 3] };
        call.at(ms(400 * u64::from(n) + 402), input);
    }
    call.run(ms(4_004));
    let passed = call.rtp().iter().filter(|(.., payload)| payloads.iter().any(|known| known == payload)).count();
    assert!(passed >= 199, "{passed}");
}

#[test]
fn packets_that_do_not_fit_are_encoded_anew() {
    let said = wide(440.0, 64_000);
    let stereo = {
        let mut encoder = encoder(16_000, opus::Channels::Stereo);
        encoder.set_force_channels(Some(opus::Channels::Stereo)).unwrap();
        let both: Vec<_> = said.iter().flat_map(|sample| [*sample; 2]).collect();
        both.chunks_exact(640).map(|frame| encoder.encode_vec(frame, 1_500).unwrap()).collect::<Vec<_>>()
    };
    type Case<'a> = (&'a str, &'a [Vec<u8>], usize, &'a str, bool);
    let cases: &[Case<'_>] = &[
        ("as it is", &packets(&said, 20, 0), 20, "", true),
        ("stereo", &stereo, 20, "", false),
        ("stereo that is liked", &stereo, 20, "a=fmtp:107 stereo=1\r\n", true),
        ("long", &packets(&said, 40, 0), 40, "a=maxptime:20\r\n", false),
        ("long enough", &packets(&said, 40, 0), 40, "a=fmtp:107 maxptime=40\r\n", true),
        ("too many bits", &packets(&said, 20, 0), 20, "a=fmtp:107 maxaveragebitrate=12000\r\n", false),
        ("few enough", &packets(&said, 20, 0), 20, "a=fmtp:107 maxaveragebitrate=40000\r\n", true),
        ("constant", &packets(&said, 20, 0), 20, "a=fmtp:107 cbr=1\r\n", false),
    ];
    for (name, payloads, ptime, extra, fits) in cases {
        let terms = opus_terms("107", extra);
        let mut call = Call::heard(&terms);
        call.send(CLEAN, from_room(payloads, *ptime, 7));
        call.run(ms(4_004));
        let out = call.rtp();
        let passed = out.iter().filter(|(.., payload)| payloads.iter().any(|known| known == payload)).count();
        assert_eq!(passed > payloads.len() / 2, *fits, "{name}: {passed} of {}", payloads.len());
        assert_tone(&heard_by_phone(&call)[8_000..31_000], 440.0, 20, name);
        if name == &"too many bits" {
            let bytes: usize = out[100..].iter().map(|(.., payload)| payload.len()).sum();
            assert!(bytes * 8 * 50 / (out.len() - 100) < 13_500, "{bytes} bytes in {}", out.len() - 100);
        }
    }
}

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

#[test]
fn keys_are_timed_in_their_own_clock() {
    let both = "a=rtpmap:103 telephone-event/48000\r\na=fmtp:103 0-15\r\n";
    for (name, format, extra, number, unit) in [
        ("48 kHz", "107 103", both, 103, 48),
        ("8 kHz alone", "107", "", 101, 8),
        ("the telephone", "0 103", both, 101, 8),
    ] {
        let terms = opus_terms(format, extra);
        let Negotiated { events, more_events, event_rate, .. } = terms;
        assert_eq!((events, event_rate), (Some(number), unit * 1_000), "{name}");
        assert_eq!(more_events.is_some(), !extra.is_empty(), "{name}");
        let mut call = Call::heard(&terms);
        call.send(CLEAN, room_packets_at(16_000, &wide(300.0, 32_000), 7, 0));
        call.run(ms(500));
        call.junction.press(call.now, &[dtmf::Press::Key(dtmf::Event(3))]).unwrap();
        // And one that the phone presses, under either number.
        for (n, number) in [(1u16, number), (2, more_events.unwrap_or(number))] {
            let payload = [n as u8, 0x80, 4, 0];
            call.at(ms(600 + 300 * u64::from(n)), Input::Rtp(rtp(n, u32::from(n) * 48_000, number, 0x1234, &payload)));
        }
        call.run(ms(2_000));
        let rtp = call.left.iter().filter_map(|(_, left)| match left {
            Left::Rtp { payload_type, timestamp, payload, sequence, .. } => {
                Some((*payload_type, *timestamp, *sequence, payload))
            }
            _ => None,
        });
        let rtp: Vec<_> = rtp.collect();
        let step = if terms.codec == Codec::Opus { 960 } else { 160 };
        let first = rtp.iter().position(|(payload_type, ..)| *payload_type == number).expect("a key");
        let key: Vec<_> = rtp.iter().filter(|(payload_type, ..)| *payload_type == number).collect();
        assert!(key.iter().all(|(_, timestamp, ..)| *timestamp == key[0].1), "{name}: one event");
        assert_eq!(key[0].1, rtp[first - 1].1.wrapping_add(step), "{name}: on the clock of the audio");
        let durations: Vec<_> =
            key.iter().map(|(.., payload)| u32::from(payload[2]) << 8 | u32::from(payload[3])).collect();
        assert_eq!((durations[0], durations[durations.len() - 1]), (20 * unit, 250 * unit), "{name}");
        assert!(rtp.windows(2).all(|pair| pair[1].2.wrapping_sub(pair[0].2) == 1), "{name}");
        let after = rtp[first + key.len()];
        assert_eq!(after.1, key[0].1.wrapping_add(key.len() as u32 * step), "{name}: time went on");
        let pressed = [1, 2].map(|code| call.events().contains(&Event::Digit(dtmf::Event(code))));
        assert_eq!(pressed, [true, true], "{name}");
    }
}

#[test]
fn tones_are_heard_at_both_ends_and_packets_after_them() {
    let payloads = packets(&wide(1_000.0, 64_000), 20, 0);
    let mut call = call();
    call.junction.set_ringback(call.start, true);
    call.junction.set_dialtone(call.start, true);
    call.send(CLEAN, from_carrier(&payloads, 20));
    call.send(CLEAN, from_room(&payloads, 20, 7));
    call.run(ms(900));
    assert_tone(&call.heard_by_room()[200..], 425.0, 26, "room");
    assert_tone(&heard_by_phone(&call), 425.0, 26, "phone");
    call.junction.set_ringback(call.now, false);
    call.junction.set_dialtone(call.now, false);
    call.run(ms(4_000));
    let passed = |payloads: Vec<&[u8]>, known: &[Vec<u8>]| {
        payloads.iter().filter(|payload| known.iter().any(|known| known == *payload)).count()
    };
    let room = passed(call.room().iter().map(|(.., payload)| *payload).collect(), &payloads);
    let phone = passed(call.rtp().iter().map(|(.., payload)| *payload).collect(), &payloads);
    assert!(room > 150 && phone > 150, "{room} and {phone}");
    // Nothing overlaps, and the stream stays with the clock: what was said below a tone is not waited for.
    let ends = [call.heard_by_room().len(), heard_by_phone(&call).len()];
    assert!(ends.iter().all(|end| end.abs_diff(32_000) <= 200), "{ends:?}");
}

#[test]
fn what_was_said_below_a_tone_is_not_waited_for() {
    let payloads = packets(&wide(1_000.0, 64_000), 20, 0);
    let mut call = call();
    call.send(CLEAN, from_room(&payloads, 20, 7));
    call.run(ms(1_000));
    call.junction.set_ringback(call.now, true);
    call.run(ms(2_000));
    call.junction.set_ringback(call.now, false);
    call.run(ms(4_000));
    let out = call.rtp();
    let lead = |at: &(Duration, u16, u32, &[u8])| i64::from(at.2) / 48 - at.0.as_millis() as i64;
    let before = out.iter().rfind(|(time, ..)| *time < ms(1_000)).map(lead).unwrap();
    let after = out.iter().find(|(time, ..)| *time > ms(3_000)).map(lead).unwrap();
    assert!(before.abs_diff(after) <= 25, "{before} ms and {after} ms ahead");
}

#[test]
fn what_is_no_opus_is_not_passed_on() {
    let mut call = call();
    for (n, payload) in [&[][..], &[0xff; 160], &[0x4b, 0], &[0x48, 1, 2, 3]].into_iter().enumerate() {
        let n = n as u32 + 1;
        call.at(ms(20 * u64::from(n)), Input::Rtp(rtp(n as u16, 960 * n, OPUS, 0x1234, payload)));
    }
    call.run(ms(200));
    let room: Vec<_> = call.room().iter().map(|(_, timestamp, payload)| (*timestamp, payload.len())).collect();
    assert_eq!(room, [(0, 3), (4 * 960, 4)]);
    assert_eq!(call.junction.report().carrier.unusable, 3);
}
