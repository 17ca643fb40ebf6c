//! Comfort noise: a carrier that says how silent it is (RFC 3389).

use media::codec::g711::Law;

use crate::{
    sound::{assert_tone, tone},
    wire::{CLEAN, Call, Input, Wire, carrier_packets, ms, rtp, terms},
};

/// Two seconds of a tone of which those packets are left out, and comfort noise where the first and then every tenth was.
fn with_noise(silent: std::ops::Range<u16>, every: usize) -> Vec<(std::time::Duration, Input)> {
    let said = tone(440.0, 20, 24_000);
    let mut packets = Vec::new();
    let mut sequence = 0;
    for (n, (at, packet)) in carrier_packets(&said, Law::Mu, 0, 20).into_iter().enumerate() {
        let timestamp = n as u32 * 160;
        let Input::Rtp(mut datagram) = packet else { continue };
        if silent.contains(&(n as u16)) {
            if (n - usize::from(silent.start)) % every != 0 {
                continue;
            }
            datagram = rtp(sequence, timestamp, 13, 0x1234, &[60, 0x80]);
        } else {
            datagram[2..4].copy_from_slice(&sequence.wrapping_sub(50).to_be_bytes());
        }
        sequence += 1;
        packets.push((at, Input::Rtp(datagram)));
    }
    packets
}

#[test]
fn a_silent_line_is_not_dead() {
    for (name, wire) in [("clean", CLEAN), ("jitter", Wire { jitter: ms(9), ..CLEAN })] {
        for every in [1, 10, 100] {
            let mut call = Call::new(&terms("0", ""));
            call.send(wire, with_noise(50..100, every));
            call.run(ms(3_100));
            let name = format!("{name}, every {every}");
            // A frame every 20 ms throughout, and none too many.
            let frames = call.room();
            assert!((149..=151).contains(&frames.len()), "{name}: {}", frames.len());
            for (n, (_, timestamp, _)) in frames.iter().enumerate() {
                assert_eq!(*timestamp, n as u32 * 960, "{name}: frame {n}");
            }
            let heard = call.heard_by_room();
            let level = media::frame::level(&heard[52 * 160..98 * 160]);
            assert!((57..=66).contains(&level), "{name}: -{level} dBov");
            assert_tone(&heard[..7_800], 440.0, 20, &name);
            assert_tone(&heard[16_400..], 440.0, 20, &name);
            assert_eq!(call.junction.report().carrier_concealed, 0, "{name}");
        }
    }
}

#[test]
fn time_won_by_noise_is_given_back() {
    // Talk in spurts: were a frame won by each, the room would be seconds late at the end.
    let mut call = Call::new(&terms("0", ""));
    let said = tone(440.0, 20, 160);
    let mut bytes = [0; 160];
    Law::Mu.encode(&said, &mut bytes);
    for n in 0..2_000u16 {
        let packet = match n % 10 {
            0..5 => rtp(n, u32::from(n) * 160, 0, 1, &bytes),
            _ => rtp(n, u32::from(n) * 160, 13, 1, &[50]),
        };
        // Those that speak again come late, after another frame of noise.
        let late = if n % 10 == 0 { 15 } else { u64::from(n % 10 < 5) * 15 };
        call.at(ms(20 * u64::from(n) + late), Input::Rtp(packet));
    }
    call.run(ms(40_500));
    let frames = call.room();
    let (at, timestamp, _) = frames[frames.len() - 1];
    let ahead = i64::from(timestamp / 48) - at.as_millis() as i64;
    assert!(ahead.abs() <= 60, "{ahead} ms after 40 s");
}

#[test]
fn noise_ends_with_a_hold_and_with_a_tone() {
    for hold in [true, false] {
        let mut call = Call::new(&terms("0", ""));
        call.send(CLEAN, with_noise(20..150, 1_000));
        call.run(ms(1_000));
        let before = call.room().len();
        assert!((49..=51).contains(&before), "{before}");
        if hold {
            call.junction.set_carrier(call.now, &terms("0", "a=inactive\r\n")).unwrap();
        } else {
            call.junction.set_dialtone(call.now, true);
        }
        call.run(ms(1_500));
        let heard = call.heard_by_room();
        if hold {
            assert_eq!(call.room().len(), before);
        } else {
            assert_tone(&heard[8_000..], 425.0, 26, "the tone");
            assert!((74..=76).contains(&call.room().len()), "{}", call.room().len());
        }
    }
}
