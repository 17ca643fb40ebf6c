//! The room says nothing for a while: what the carrier hears of that, and what is sent in place of it.

use std::time::Duration;

use media::{codec::g711::Law, dtmf::Press, frame::level, sdp::Negotiated};

use crate::{
    gate::noise,
    sound::{assert_tone, speech, tone},
    wire::{CLEAN, Call, Input, Left, Wire, ms, noise_terms, room_packets, terms},
};

/// A participant's packets as a browser sends them: while nobody speaks a frame every 400 ms, each with a packet of a byte
/// after it that says that nothing follows.
fn with_gaps(said: &[i16], silent: std::ops::Range<u32>) -> Vec<(Duration, Input)> {
    let mut sequence = 0;
    let mut packets = Vec::new();
    for (n, (at, input)) in room_packets(said, 7, 0).into_iter().enumerate() {
        let Input::Room { ssrc, timestamp, mut payload, .. } = input else { continue };
        let since = (n as u32).checked_sub(silent.start).filter(|_| silent.contains(&(n as u32)));
        match since.map(|since| since % 20) {
            None | Some(19) => {}
            Some(0) => payload.truncate(1),
            Some(_) => continue,
        }
        packets.push((at, Input::Room { ssrc, sequence, timestamp, payload }));
        sequence += 1;
    }
    packets
}

/// Four seconds of talk, of which there is none from the second to the third, over noise of this level.
fn talk(noise_level: f64) -> Vec<i16> {
    let mut talk = noise(noise_level, 32_000);
    for (n, (sample, said)) in talk.iter_mut().zip(tone(440.0, 20, 32_000)).enumerate() {
        if !(8_000..24_000).contains(&n) {
            *sample += said;
        }
    }
    talk
}

/// Comfort noise sent: when, how loud, timestamp.
fn told(call: &Call) -> Vec<(Duration, u8, u32)> {
    let told = call.left.iter().filter_map(|(at, left)| match left {
        Left::Rtp { payload_type: 13, payload, timestamp, marker, .. } => {
            assert!(!marker, "it begins no speech");
            assert_eq!(payload.len(), 1);
            Some((*at, payload[0], *timestamp))
        }
        _ => None,
    });
    told.collect()
}

/// Audio sent: when, timestamp, marker.
fn audio(call: &Call) -> Vec<(Duration, u32, bool)> {
    let audio = call.left.iter().filter_map(|(at, left)| match left {
        Left::Rtp { payload_type: 0 | 8, timestamp, marker, .. } => Some((*at, *timestamp, *marker)),
        _ => None,
    });
    audio.collect()
}

/// Sequence numbers without a gap, timestamps by the clock, and nothing ahead of it or long behind.
#[track_caller]
fn assert_in_time(call: &Call, name: &str) {
    let packets: Vec<_> = call
        .left
        .iter()
        .filter_map(|(at, left)| match left {
            Left::Rtp { sequence, timestamp, payload_type, .. } => Some((*at, *sequence, *timestamp, *payload_type)),
            _ => None,
        })
        .collect();
    let (_, number, first, _) = packets[0];
    for (n, (at, sequence, timestamp, payload_type)) in packets.into_iter().enumerate() {
        assert_eq!(sequence.wrapping_sub(number), n as u16, "{name}: packet {n}");
        let behind = at.as_millis() as i64 - i64::from(timestamp.wrapping_sub(first)) / 8;
        // An event keeps the timestamp of its beginning.
        assert!(payload_type == 101 || (-40..=40).contains(&behind), "{name}: packet {n} of {behind} ms ago at {at:?}");
    }
}

#[test]
fn a_talker_who_pauses_is_heard_at_once_when_he_goes_on() {
    for (name, wire) in [("clean", CLEAN), ("jitter", Wire { jitter: ms(15), ..CLEAN })] {
        for noise_level in [120.0, 50.0] {
            let name = format!("{name}, -{noise_level} dBov");
            let mut call = Call::heard(&terms("0", ""));
            // Browsers keep 200 ms before they fall silent.
            call.send(wire, with_gaps(&talk(noise_level), 60..150));
            call.run(ms(4_200));
            assert_in_time(&call, &name);
            // Never a packet less, nor one late: silence is filled as if somebody spoke.
            let audio = audio(&call);
            assert!(audio.len() >= 209, "{name}: {}", audio.len());
            assert!(audio.windows(2).all(|pair| pair[1].1.wrapping_sub(pair[0].1) == 160), "{name}");
            assert!(audio.windows(2).all(|pair| pair[1].0 - pair[0].0 <= ms(45)), "{name}");
            assert_eq!(audio.iter().filter(|packet| packet.2).count(), 1, "{name}");
            let heard = call.heard_by_carrier(Law::Mu);
            assert_tone(&heard[..8_000], 440.0, 20, &name);
            assert_tone(&heard[24_500..32_000], 440.0, 20, &name);
            // All of what was said again, and no later than the line has it.
            let again = heard.iter().enumerate().skip(16_000).find(|(_, sample)| sample.unsigned_abs() > 2_000);
            let again = again.map_or(0, |(n, _)| n);
            assert!((24_000..24_000 + 160 + 8 * 40).contains(&again), "{name}: {again}");
            // What follows the last packet fades for 100 ms.
            assert!(call.junction.report().room_concealed <= 800, "{name}");
        }
    }
}

#[test]
fn a_pause_sounds_like_the_talkers_room() {
    for noise_level in [45, 50, 55, 60] {
        let mut call = Call::heard(&terms("0", ""));
        call.send(CLEAN, with_gaps(&talk(f64::from(noise_level)), 60..150));
        call.run(ms(4_200));
        let heard = call.heard_by_carrier(Law::Mu);
        // From the end of the look-ahead of Opus on, by tenths of a second.
        let levels: Vec<u8> = (9_000..23_500).step_by(800).map(|at| level(&heard[at..at + 800])).collect();
        println!("-{noise_level} dBov: {levels:?}");
        for level in &levels {
            assert!(level.abs_diff(noise_level) <= 4, "-{noise_level} dBov: {levels:?}");
        }
    }
}

#[test]
fn a_pause_without_news_is_silent_after_a_second() {
    for gone in [false, true] {
        let mut call = Call::heard(&terms("0", ""));
        let packets = with_gaps(&talk(50.0), 60..150);
        call.send(CLEAN, packets.into_iter().filter(|(at, _)| *at < ms(1_250)));
        call.run(ms(1_400));
        if gone {
            call.junction.forget(7);
        }
        call.run(ms(4_000));
        let heard = call.heard_by_carrier(Law::Mu);
        let end = if gone { 1_450 } else { 2_300 } * 8;
        assert!(heard[end..].iter().all(|sample| *sample == 0), "gone: {gone}");
        assert!(gone || level(&heard[end - 1_600..end - 800]).abs_diff(50) <= 4);
    }
}

#[test]
fn silence_is_told_where_that_was_agreed_upon() {
    let cases: &[(&str, Negotiated, bool)] = &[
        ("offered", noise_terms("0 13", ""), true),
        ("offered by name", noise_terms("0 13", "a=rtpmap:13 CN/8000\r\n"), true),
        ("not offered", noise_terms("0", ""), false),
        ("not wanted by us", terms("0 13", ""), false),
        ("of another clock", noise_terms("0 118", "a=rtpmap:118 CN/16000\r\n"), false),
    ];
    for (name, terms, expected) in cases {
        let mut call = Call::heard(terms);
        call.run(ms(20_000));
        assert_in_time(&call, name);
        let told: Vec<_> = told(&call).into_iter().map(|(at, level, _)| (at.as_millis(), level)).collect();
        if *expected {
            // After 240 ms of silence, and then as often as others need to hear that we are there.
            assert_eq!(told, [(240, 127), (5_240, 127), (10_240, 127), (15_240, 127)], "{name}");
            assert_eq!(audio(&call).len(), 12, "{name}");
        } else {
            assert_eq!((told.len(), audio(&call).len()), (0, 1_001), "{name}");
        }
    }
}

#[test]
fn talk_after_told_silence_leaves_when_it_arrives() {
    for (name, format, ptime) in [("20 ms", "0 13", 20), ("30 ms", "0 13", 30), ("10 ms", "8 13", 10)] {
        for offset in [0, 3, 7, 13, 19] {
            let mut call = Call::heard(&noise_terms(format, &format!("a=ptime:{ptime}\r\n")));
            let packets = with_gaps(&talk(120.0), 60..150);
            call.send(CLEAN, packets.into_iter().map(|(at, input)| (at + ms(2_000 + offset), input)));
            call.run(ms(8_000));
            let name = format!("{name}, {offset} ms");
            assert_in_time(&call, &name);
            let marked: Vec<_> = audio(&call).into_iter().filter(|packet| packet.2).map(|packet| packet.0).collect();
            // The first packet holds what came with the first frame, or with the first two.
            let begins = |at: u64| ms(at + (ptime - 1) / 20 * 20);
            assert_eq!(marked, [Duration::ZERO, begins(2_020 + offset), begins(5_020 + offset)], "{name}");
            let told: Vec<_> = told(&call).into_iter().map(|told| told.0).collect();
            assert_eq!(told.len(), 3, "{name}: {told:?}");
            let law = if format.starts_with('0') { Law::Mu } else { Law::A };
            let mut spoken = call;
            spoken.left.retain(|(_, left)| !matches!(left, Left::Rtp { payload_type: 13, .. }));
            let heard = spoken.heard_by_carrier(law);
            assert_tone(&heard[16_200..24_000], 440.0, 20, &name);
            assert_tone(&heard[40_200..48_000], 440.0, 20, &name);
        }
    }
}

#[test]
fn soft_talk_is_heard_whole_where_silence_is_told() {
    let soft: Vec<i16> = speech().iter().map(|sample| sample / 6).collect();
    let heard = |terms: &Negotiated| {
        let mut call = Call::heard(terms);
        call.send(CLEAN, room_packets(&soft, 7, 0).into_iter().map(|(at, input)| (at + ms(2_000), input)));
        call.run(ms(15_000));
        assert_in_time(&call, "soft");
        call.left.retain(|(_, left)| !matches!(left, Left::Rtp { payload_type: 13, .. }));
        call.heard_by_carrier(Law::Mu).iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>()
    };
    let (told, sent) = (heard(&noise_terms("0 13", "")), heard(&noise_terms("0", "")));
    assert!(told > 0.995 * sent, "{told} of {sent}");
}

#[test]
fn how_loud_silence_is_is_told_when_it_changes() {
    // One who says nothing and sends everything: noise of one level for four seconds, and then of another.
    let mut said = noise(60.0, 32_000);
    said.extend(noise(48.0, 64_000));
    let mut call = Call::heard(&noise_terms("0 13", ""));
    call.send(CLEAN, room_packets(&said, 7, 0));
    call.run(ms(12_000));
    assert_in_time(&call, "noise");
    let told = told(&call);
    assert!(told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= ms(200)), "{told:?}");
    let of = |from: u64, to: u64| told.iter().filter(move |told| (ms(from)..ms(to)).contains(&told.0));
    assert!(of(1_500, 4_000).count() <= 3 && of(1_500, 4_000).all(|told| told.1.abs_diff(60) <= 3), "{told:?}");
    assert!(of(4_000, 12_000).count() >= 1 && of(7_500, 12_000).all(|told| told.1.abs_diff(48) <= 3), "{told:?}");
    assert!(told.len() <= 10, "{told:?}");
}

#[test]
fn keys_tones_and_holds_go_on_from_told_silence() {
    let mut call = Call::heard(&noise_terms("0 13", ""));
    call.run(ms(3_000));
    let before = audio(&call).len();
    let press = [Press::Key(media::dtmf::Event::from_digit('5').unwrap())];
    call.junction.press(call.now, &press).unwrap();
    call.run(ms(4_000));
    let events = call.left.iter().filter(|(_, left)| matches!(left, Left::Rtp { payload_type: 101, .. })).count();
    assert!(events >= 12, "{events}");
    call.junction.set_ringback(call.now, true);
    call.run(ms(5_000));
    assert!(audio(&call).len() >= before + 50);
    call.junction.set_ringback(call.now, false);
    call.run(ms(8_000));
    assert_in_time(&call, "keys and a tone");
    let before = audio(&call).len();
    call.junction.press_tones(call.now, &press).unwrap();
    call.run(ms(9_500));
    assert!(audio(&call).len() >= before + 12, "a key is pressed as a tone though nobody speaks");
    assert_in_time(&call, "a key as a tone");
    // Held, nothing at all is sent; another answer without comfort noise has silence sent again.
    call.junction.set_carrier(call.now, &noise_terms("0 13", "a=sendonly\r\n")).unwrap();
    let held = call.rtp().len();
    call.run(ms(20_000));
    assert_eq!(call.rtp().len(), held);
    call.junction.set_carrier(call.now, &noise_terms("0", "")).unwrap();
    call.run(ms(21_000));
    assert!((50..=52).contains(&(call.rtp().len() - held)), "{}", call.rtp().len() - held);
    assert_in_time(&call, "held");
}
