//! What nobody says: tones, recordings and keys.

use std::{sync::Arc, time::Duration};

use media::{
    Event, Output, Profile, Sound,
    codec::g711::Law,
    dtmf::{self, Press, Tones},
    rtp::{Header, Ssrc},
};

use crate::{
    call::{Sent, at, beginning, begun, carrier_packet, peer, run, telephone},
    counting::allocations_during,
};

#[test]
fn tones_recordings_and_keys_allocate_nothing() {
    let start = beginning();
    let mut junction = begun(start, Profile::default(), &telephone());
    let recording: Arc<[i16]> = vec![1_000; 4_000].into();
    let (mut sent, mut events) = (Sent::default(), 0);
    for round in 0..4u32 {
        let begun = start + Duration::from_secs(20) * round;
        // Keys that wait lie in memory of their own; it is taken when they are pressed, which is no work on a packet.
        let keys = [1, 2].map(|key| Press::Key(dtmf::Event(key)));
        junction.press(begun, &[keys[0], Press::Pause(Duration::from_millis(500)), keys[1]]).expect("few keys");
        let count = allocations_during(|| {
            for n in 0..1_000u32 {
                let now = at(begun, n);
                junction.set_dialtone(now, n / 100 % 2 == 0);
                junction.set_ringback(now, n / 150 % 2 == 0);
                if n % 200 == 0 {
                    junction.play(now, (n / 200 % 2 == 0).then(|| Sound::once(recording.clone())));
                }
                let mut datagram = [0; 172];
                let length = carrier_packet(round * 1_000 + n, &mut datagram);
                junction.handle_rtp(now, peer(), &datagram[..length]);
                run(now, &mut junction, |output| {
                    sent.count(output);
                    events += u32::from(matches!(output, Output::Rtp { datagram, .. } if datagram[1] & 0x7f == 101));
                });
            }
        });
        assert_eq!(count, 0);
    }
    assert!(sent.rtp > 3_900 && sent.room > 3_500, "{sent:?}");
    assert_eq!(events, 4 * 2 * 15);
}

#[test]
fn keys_as_tones_cost_no_allocation() {
    let start = beginning();
    let mut junction = begun(start, Profile::default(), &telephone());
    junction.set_tones(start, Tones::Heard).expect("a detector");
    let keys: Vec<Press> = (0..16).map(|key| Press::Key(dtmf::Event(key))).collect();
    junction.press_tones(start, &keys).expect("few keys");
    let mut told = 0;
    let count = allocations_during(|| {
        for n in 0..1_000u32 {
            let now = at(start, n);
            let (mut datagram, mut pcm) = ([0; 172], [0i16; 160]);
            // A five, half the time.
            for (i, sample) in pcm.iter_mut().enumerate().filter(|_| n % 20 < 10) {
                let time = (n * 160 + i as u32) as f32 / 8_000.0 * std::f32::consts::TAU;
                *sample = ((time * 770.0).sin() * 5_000.0 + (time * 1_336.0).sin() * 5_000.0) as i16;
            }
            let header =
                Header { marker: n == 0, payload_type: 0, sequence: n as u16, timestamp: n * 160, ssrc: Ssrc(9) };
            let length = Header::LEN + Law::Mu.encode(&pcm, header.write(&mut datagram).expect("room for a header"));
            junction.handle_timeout(now);
            junction.handle_rtp(now, peer(), &datagram[..length]);
            while let Some(output) = junction.poll_output() {
                told += u32::from(matches!(output, Output::Event(Event::Tone(_))));
            }
        }
    });
    assert_eq!((count, told), (0, 50));
}

#[test]
fn keys_that_the_room_hears_cost_no_allocation() {
    let start = beginning();
    let mut junction = begun(start, Profile::default(), &telephone());
    junction.set_audible_keys(start, true);
    let mut loud = 0;
    let count = allocations_during(|| {
        for n in 0..10_000u32 {
            let now = at(start, n);
            let mut datagram = [0; 172];
            let length = carrier_packet(n, &mut datagram);
            junction.handle_timeout(now);
            junction.handle_rtp(now, peer(), &datagram[..length]);
            if n % 500 == 250 {
                junction.hear_key(now, dtmf::Event(7), Duration::from_millis(250));
            }
            while let Some(output) = junction.poll_output() {
                // A key is louder than nothing and quieter than the tone.
                loud += u32::from(matches!(output, Output::Room { level: 19..=21, .. }));
            }
        }
    });
    assert_eq!(count, 0);
    assert!(loud >= 20 * 18, "{loud} frames of keys");
}
