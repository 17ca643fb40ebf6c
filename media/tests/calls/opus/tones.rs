//! Tones and keys among packets that are passed on.

use std::time::Duration;

use media::{
    Event, dtmf,
    sdp::{Codec, Negotiated},
};

use super::{call, from_carrier, from_room, heard_by_phone, packets, wide};
use crate::{
    sound::assert_tone,
    wire::{CLEAN, Call, Input, Left, ms, opus_terms, room_packets_at, rtp},
};

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
fn a_key_is_pressed_as_a_tone_over_whoever_is_passed_on() {
    let mut call = call();
    call.send(CLEAN, from_room(&packets(&wide(440.0, 64_000), 20, 0), 20, 7));
    call.run(ms(1_000));
    let press = [dtmf::Press::Key(dtmf::Event::from_digit('5').expect("a key"))];
    call.junction.press_tones(call.now, &press).expect("tones can be pressed always");
    call.run(ms(4_000));
    let said = call.events().iter().filter(|event| **event == Event::Pressed).count();
    assert_eq!(said, 1);
    let heard = heard_by_phone(&call);
    let loudest = |frequency: f32| {
        let frames = heard.chunks_exact(160).enumerate();
        let tones = frames.map(|(n, frame)| (n, share_of(frame, frequency)));
        tones.max_by(|a, b| a.1.total_cmp(&b.1)).expect("frames")
    };
    for frequency in [770.0, 1_336.0] {
        let (at, share) = loudest(frequency);
        assert!((48..=70).contains(&at) && share > 0.3, "{frequency} Hz: {share} of frame {at}");
    }
    assert_tone(&heard[heard.len() - 8_000..], 440.0, 20, "the talker again");
}

/// The part of a frame's energy that is at this frequency.
fn share_of(frame: &[i16], frequency: f32) -> f32 {
    let step = std::f32::consts::TAU * frequency / 8_000.0;
    let (mut real, mut imaginary, mut whole) = (0.0, 0.0, 1.0);
    for (n, sample) in frame.iter().enumerate() {
        let (sample, angle) = (f32::from(*sample), step * n as f32);
        real += sample * angle.cos();
        imaginary += sample * angle.sin();
        whole += sample * sample;
    }
    2.0 * (real * real + imaginary * imaginary) / (whole * frame.len() as f32)
}
