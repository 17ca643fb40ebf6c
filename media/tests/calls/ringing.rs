//! The ring-back tone, in place of the carrier or of the room.

use std::time::Duration;

use media::{Event, Sound, codec::g711::Law, frame::level};

use crate::{
    sound::{assert_tone, tone},
    wire::{CLEAN, Call, carrier_packets, later, ms, room_packets, terms},
};

const PITCH: f32 = 425.0;
const LEVEL: u8 = 26;

#[test]
fn the_room_hears_it_ring_before_anything_comes_from_the_carrier() {
    let mut call = Call::unstarted();
    call.junction.set_dialtone(call.start, true);
    call.run(ms(6_000));
    for (n, (time, timestamp, _)) in call.room().into_iter().enumerate() {
        assert_eq!((time, timestamp), (ms(20 * (n as u64 + 1)), n as u32 * 960));
    }
    let heard = call.heard_by_room();
    assert_eq!(heard.len(), 48_000);
    assert_tone(&heard[..8_000], PITCH, LEVEL, "the first second");
    assert!(level(&heard[8_400..39_900]) > 80, "four seconds of nothing");
    assert_tone(&heard[40_000..], PITCH, LEVEL, "the sixth second");
    assert!(call.rtp().is_empty());
}

/// Switched off at such times, with the carrier's first packet so much later.
#[test]
fn the_carrier_is_heard_as_soon_as_it_speaks() {
    let said = tone(1_000.0, 20, 8_000);
    for (off, first) in [(500, 20), (507, 13), (519, 1), (500, 60), (995, 7), (1_507, 3), (507, 2_513)] {
        let name = format!("off at {off}, a packet {first} later");
        let mut call = Call::unstarted();
        call.junction.set_carrier(call.start, &terms("0", "")).unwrap();
        call.junction.set_dialtone(call.start, true);
        call.run(ms(off));
        call.junction.set_dialtone(call.now, false);
        call.send(CLEAN, later(ms(off + first - 20), carrier_packets(&said, Law::Mu, 0, 20)));
        call.run(ms(off + first + 980));
        let room = call.room();
        let spoke = room.iter().position(|(time, ..)| *time >= ms(off + first)).expect("the carrier is heard");
        let (tones, carrier) = room.split_at(spoke);
        assert_eq!(carrier.len(), 50, "{name}: each packet leaves when it arrives");
        // The last frame of the tone is its fading, if there was time for it.
        assert!(tones.iter().all(|(time, ..)| *time <= ms(off + 20)), "{name}");
        let (time, timestamp, _) = carrier[0];
        let spoken = Duration::from_micros(u64::from(timestamp) * 1_000 / 48);
        assert!((spoken + ms(20)).abs_diff(time) <= ms(20), "{name}: {spoken:?} at {time:?}");
        let heard = call.heard_by_room();
        assert_tone(&heard[heard.len() - 7_000..], 1_000.0, 20, &name);
    }
}

#[test]
fn the_carrier_is_not_heard_while_it_rings() {
    let said = tone(1_000.0, 20, 24_000);
    let mut call = Call::new(&terms("0", ""));
    call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 30));
    call.run(ms(1_000));
    for on in [true, true, false, false] {
        call.junction.set_dialtone(call.now, on);
        call.run(call.now - call.start + ms(400));
    }
    let heard = call.heard_by_room();
    assert_tone(&heard[..7_800], 1_000.0, 20, "before");
    assert_tone(&heard[8_100..14_300], PITCH, LEVEL, "while it rings");
    assert_tone(&heard[14_700..20_500], 1_000.0, 20, "afterwards");
    assert!(heard.len().abs_diff(20_800) <= 400, "time went on as it does: {}", heard.len());
}

#[test]
fn the_carrier_hears_it_ring_in_place_of_the_room() {
    let said = tone(600.0, 20, 40_000);
    for (name, talks) in [("while somebody talks", true), ("while nobody talks", false)] {
        let mut call = Call::heard(&terms("0", ""));
        if talks {
            call.send(CLEAN, room_packets(&said, 7, 0));
        }
        call.run(ms(1_000));
        call.junction.set_ringback(call.now, true);
        call.run(ms(1_503));
        call.junction.set_ringback(call.now, false);
        call.run(ms(3_000));
        for (n, (time, sequence, timestamp, payload)) in call.rtp().into_iter().enumerate() {
            assert_eq!((usize::from(sequence), timestamp as usize, payload.len()), (n, n * 160, 160), "{name}");
            let behind = time.abs_diff(ms(n as u64 * 20));
            assert!(behind <= ms(50), "{name}: packet {n} at {time:?}");
        }
        let heard = call.heard_by_carrier(Law::Mu);
        assert_tone(&heard[8_400..11_900], PITCH, LEVEL, name);
        match talks {
            true => assert_tone(&heard[12_800..23_500], 600.0, 20, name),
            false => assert!(level(&heard[12_800..23_500]) > 80, "{name}"),
        }
    }
}

#[test]
fn the_carrier_hears_a_recording_in_place_of_the_room() {
    let said = tone(600.0, 20, 40_000);
    let recording: std::sync::Arc<[i16]> = tone(1_000.0, 20, 8_000).into();
    for (name, talks) in [("while somebody talks", true), ("while nobody talks", false)] {
        let mut call = Call::heard(&terms("0", ""));
        if talks {
            call.send(CLEAN, room_packets(&said, 7, 0));
        }
        call.run(ms(1_000));
        call.junction.play(call.now, Some(Sound::once(recording.clone())));
        call.run(ms(2_500));
        assert_eq!(call.events().iter().filter(|event| **event == Event::Played).count(), 1, "{name}");
        call.junction.play(call.now, Some(Sound::endless([].into())));
        call.run(ms(3_000));
        call.junction.play(call.now, None);
        call.run(ms(4_000));
        for (n, (_, sequence, timestamp, payload)) in call.rtp().into_iter().enumerate() {
            assert_eq!((usize::from(sequence), timestamp as usize, payload.len()), (n, n * 160, 160), "{name}");
        }
        let heard = call.heard_by_carrier(Law::Mu);
        assert_tone(&heard[8_400..15_600], 1_000.0, 20, name);
        assert!(level(&heard[20_800..23_500]) > 80, "{name}: silence");
        match talks {
            true => assert_tone(&heard[24_800..31_000], 600.0, 20, name),
            false => assert!(level(&heard[24_800..31_000]) > 80, "{name}"),
        }
    }
}
