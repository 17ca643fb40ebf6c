//! Whose packets reach the carrier as they are, and whose are mixed.

use std::time::Duration;

use media::Event;

use super::{call, encoder, from_room, heard_by_phone, packets, wide, wide_speech};
use crate::{
    sound::{assert_tone, energy},
    wire::{CLEAN, Call, Input, Left, later, ms, opus_terms},
};

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
fn the_last_word_of_a_talker_who_is_passed_on_is_waited_for() {
    let payloads = packets(&wide_speech()[..32_000], 20, 0);
    let mut call = call();
    call.send(CLEAN, from_room(&payloads, 20, 7));
    call.run(ms(1_900));
    call.junction.play_out(call.now);
    call.run(ms(2_500));
    let told: Vec<_> = call.left.iter().filter(|(_, left)| *left == Left::Event(Event::PlayedOut)).collect();
    assert!(told.len() == 1 && told[0].0 > ms(1_900), "{told:?}");
}
