//! Peers and participants that send what nobody should.

use media::codec::g711::Law;

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
