//! Several talkers at once.

use media::{Event, codec::g711::Law, desk::pitch};

use crate::{
    sound::{delay, speech, tone},
    wire::{CLEAN, Call, Wire, later, ms, room_packets, terms},
};

#[test]
fn a_second_talker_comes_and_goes_and_the_first_is_not_disturbed() {
    let (low, high) = (tone(300.0, 20, 48_000), tone(1_100.0, 20, 16_000));
    for phase in [0, 3, 7, 11, 19] {
        let mut call = Call::heard(&terms("0", ""));
        call.send(CLEAN, room_packets(&low, 7, 0));
        call.send(CLEAN, later(ms(2_000 + phase), room_packets(&high, 8, 0)));
        call.run(ms(5_900));
        let heard = call.heard_by_carrier(Law::Mu);
        for (n, (_, sequence, timestamp, _)) in call.rtp().into_iter().enumerate() {
            assert_eq!((sequence, timestamp), (n as u16, n as u32 * 160));
        }
        // Before, during, after; and the first tone is at the same place in time in all three.
        let places: Vec<i64> = [8_000, 20_000, 40_000].map(|at| delay(&low, &heard, at, 13).0).to_vec();
        assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "phase {phase}: {places:?}");
        let during = &heard[20_000..28_000];
        let high_share: Vec<i16> = during.iter().zip(&heard[8_000..]).map(|(a, b)| a.saturating_sub(*b)).collect();
        assert!((pitch(&high_share).unwrap() - 1_100.0).abs() < 2.0, "phase {phase}");
        let report = call.junction.report();
        assert!(report.room_concealed <= 800, "only the fade of the one that left: {report:?}");
        assert_eq!((report.room_late, report.room_dropped), (0, 0), "phase {phase}");
    }
}

#[test]
fn three_talkers_add_little_delay() {
    let said = speech();
    let mut call = Call::heard(&terms("0", ""));
    call.send(CLEAN, room_packets(&said, 7, 0));
    call.send(CLEAN, later(ms(6), room_packets(&tone(900.0, 45, 96_000), 8, 0)));
    call.send(CLEAN, later(ms(13), room_packets(&tone(1_300.0, 45, 96_000), 9, 0)));
    call.run(ms(11_900));
    let heard = call.heard_by_carrier(Law::Mu);
    let (behind, likeness) = delay(&said, &heard, 40_000, 2_000);
    // Packet n of the stream leaves at the latest when it is due.
    let packet = ((40_000 + behind) / 160) as usize;
    let spoken = std::time::Duration::from_micros(40_000 * 125 + 20_000);
    let added = call.rtp()[packet].0.saturating_sub(spoken);
    assert!(added <= ms(35), "{added:?}");
    assert!(likeness > 0.9, "{likeness}");
}

#[test]
fn talkers_on_bad_lines_do_not_stop_each_other() {
    for seed in 1..=4 {
        let mut call = Call::heard(&terms("0", ""));
        let said = speech();
        for ssrc in 0..4u32 {
            let wire = Wire { loss: 5, jitter: ms(40), repeated: 1, seed: seed * 10 + u64::from(ssrc) };
            call.send(wire, later(ms(u64::from(ssrc) * 37), room_packets(&said, ssrc, 0)));
        }
        call.run(ms(12_000));
        let packets = call.rtp();
        assert!(packets.len().abs_diff(600) <= 8, "seed {seed}: {} packets in 12 s", packets.len());
        assert!(packets.iter().enumerate().all(|(n, packet)| packet.2 == n as u32 * 160));
    }
}

#[test]
fn twenty_talkers_share_sixteen_places() {
    let mut call = Call::heard(&terms("0", ""));
    let said = tone(440.0, 40, 8_000);
    for ssrc in 0..20 {
        call.send(CLEAN, later(ms(u64::from(ssrc)), room_packets(&said, ssrc, 0)));
    }
    call.run(ms(1_500));
    assert!(call.events().iter().filter(|event| matches!(event, Event::FirstRoom { .. })).count() >= 20);
    assert!(call.rtp().len() >= 70);
    call.junction.forget(3);
    call.junction.forget(99);
    call.run(ms(1_600));
}
