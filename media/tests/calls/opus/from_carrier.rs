//! What a carrier's packets are to the room.

use super::{OPUS, call, from_carrier, packets, wide, wide_speech};
use crate::wire::{CLEAN, Input, Left, Wire, ms, rtp};

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
