//! Keys pressed for the carrier.

use std::time::Duration;

use media::{
    Event,
    codec::g711::Law,
    dtmf::{self, Payload, Press, Refused},
};

use crate::{
    sound::{assert_tone, tone},
    wire::{CLEAN, Call, Left, ms, room_packets, terms},
};

fn key(digit: char) -> Press {
    Press::Key(dtmf::Event::from_digit(digit).expect("a key"))
}

/// Packets with events that left: when, sequence number, timestamp, marker, what.
fn events(call: &Call) -> Vec<(Duration, u16, u32, bool, Payload)> {
    let events = call.left.iter().filter_map(|(time, left)| match left {
        Left::Rtp { sequence, timestamp, payload, marker, payload_type: 101 } => {
            Some((*time, *sequence, *timestamp, *marker, Payload::parse(payload).expect("an event")))
        }
        _ => None,
    });
    events.collect()
}

fn pressed(call: &Call) -> Vec<Duration> {
    let times = call.left.iter().filter(|(_, left)| *left == Left::Event(Event::Pressed)).map(|(time, _)| *time);
    times.collect()
}

#[test]
fn keys_take_the_place_of_the_audio_of_their_time() {
    let said = tone(600.0, 20, 40_000);
    for (name, talks) in [("while somebody talks", true), ("while nobody talks", false)] {
        let mut call = Call::heard(&terms("0", ""));
        if talks {
            call.send(CLEAN, room_packets(&said, 7, 0));
        }
        call.run(ms(1_000));
        call.junction.press(call.now, &[key('1'), Press::Pause(ms(500))]).unwrap();
        call.junction.press(call.now, &[key('#')]).unwrap();
        call.run(ms(4_500));

        let sent = events(&call);
        let begins: Vec<_> = sent.iter().filter(|(.., marker, _)| *marker).collect();
        assert_eq!(
            begins.iter().map(|begin| begin.4.event.digit()).collect::<Vec<_>>(),
            [Some('1'), Some('#')],
            "{name}"
        );
        assert_eq!(begins[1].2.wrapping_sub(begins[0].2), 8_000, "{name}: 250 ms, a gap of 250 ms and a pause");
        for begin in begins {
            let of_key: Vec<_> = sent.iter().filter(|packet| packet.2 == begin.2).collect();
            assert_eq!(of_key.len(), 15, "{name}: 250 ms in thirteen packets, the last three times");
            let ends: Vec<_> = of_key.iter().filter(|packet| packet.4.end).map(|packet| packet.4.duration).collect();
            assert_eq!(ends, [2_000; 3], "{name}");
            assert!(of_key.windows(2).all(|pair| pair[1].1 == pair[0].1.wrapping_add(1)), "{name}: no audio between");
        }

        // All packets of both kinds: numbered without a hole, one each twenty milliseconds, and audio in its time.
        let mut events = 0;
        for (n, (time, sequence, timestamp, payload)) in call.rtp().into_iter().enumerate() {
            assert_eq!(usize::from(sequence), n, "{name}");
            assert!(time.abs_diff(ms(n as u64 * 20)) <= ms(50), "{name}: packet {n} at {time:?}");
            match payload.len() {
                4 => events += 1,
                length => assert_eq!((length, timestamp as usize), (160, n * 160), "{name}"),
            }
        }
        assert_eq!(events, 30, "{name}");
        let told = pressed(&call);
        assert_eq!(told.len(), 1, "{name}");
        assert!(told[0].abs_diff(ms(1_000 + 500 + 500 + 500)) <= ms(60), "{name}: {told:?}");
        if talks {
            let audio: Vec<i16> = call
                .rtp()
                .into_iter()
                .filter(|(time, _, _, payload)| *time > ms(2_600) && payload.len() == 160)
                .flat_map(|(_, _, _, payload)| {
                    let mut pcm = [0; 160];
                    Law::Mu.decode(payload, &mut pcm);
                    pcm
                })
                .collect();
            assert_tone(&audio, 600.0, 20, "afterwards");
        }
    }
}

#[test]
fn whoever_takes_no_events_is_sent_none() {
    let mut without = terms("0", "");
    without.events = None;
    let mut call = Call::heard(&without);
    assert_eq!(call.junction.press(call.now, &[key('1')]), Err(Refused::NoEvents));
    call.junction.set_carrier(call.now, &terms("0", "")).unwrap();
    call.junction.press(call.now, &[key('1'), key('2')]).unwrap();
    call.run(ms(300));
    let sent = events(&call).len();
    assert!(sent > 0);
    call.junction.set_carrier(call.now, &without).unwrap();
    call.run(ms(2_000));
    assert_eq!((events(&call).len(), pressed(&call)), (sent, vec![ms(300)]), "it takes them no longer");
}

#[test]
fn keys_wait_for_the_start_and_for_the_end_of_a_hold() {
    let mut call = Call::unstarted();
    call.junction.set_carrier(call.start, &terms("0", "")).unwrap();
    call.junction.press(call.start, &[key('1')]).unwrap();
    call.run(ms(500));
    assert!(call.left.is_empty());
    call.junction.start(call.now);
    call.run(ms(600));
    call.junction.set_carrier(call.now, &terms("0", "a=inactive\r\n")).unwrap();
    call.run(ms(1_200));
    assert!(pressed(&call).is_empty());
    call.junction.set_carrier(call.now, &terms("0", "")).unwrap();
    call.run(ms(2_500));
    assert_eq!(pressed(&call).len(), 1);
}
