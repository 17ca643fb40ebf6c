//! Opus toward carriers that speak it, and what packets of the room repeat.

use media::{
    Output, Profile,
    rtp::{Header, Ssrc},
};

use crate::{
    call::{Sent, at, beginning, begun, greet, opus, opus_packets, peer, run, telephone},
    counting::allocations_during,
};

#[test]
fn what_packets_repeat_is_taken_without_allocating() {
    for (terms, payload_type) in [(telephone(), 0), (opus(), 107)] {
        let start = beginning();
        let mut junction = begun(start, Profile::default(), &terms);
        junction.handle_rtp(start, peer(), &[0x80, payload_type, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0xf8, 0xff, 0xfe]);
        let packets = opus_packets();
        let packet = |n: u32| &packets[n as usize % packets.len()][..];
        // Each repeats the two before it.
        let red: Vec<Vec<u8>> = (0..packets.len() as u32)
            .map(|n| {
                let before = [packet(n + 48), packet(n + 49)];
                let heads = [1_920, 960]
                    .into_iter()
                    .zip(before)
                    .flat_map(|(offset, block)| (0xef00_0000 | offset << 10 | block.len() as u32).to_be_bytes());
                heads.chain([111]).chain(before.concat()).chain(packet(n).iter().copied()).collect()
            })
            .collect();
        greet(start, &mut junction, &[7], packet(0));
        let mut sent = Sent::default();
        let count = allocations_during(|| {
            for n in 1..10_000u32 {
                let now = at(start, n);
                // One in seven is lost, and now and then two or three in a row.
                if n % 7 != 0 && n % 49 > 1 {
                    junction.handle_room_red(now, 7, n as u16, n * 960, &red[n as usize % red.len()]);
                }
                run(now, &mut junction, |output| sent.count(output));
            }
        });
        let report = junction.report();
        assert!(report.room_recovered > 1_300 * 160, "{report:?}");
        assert!(sent.rtp > 9_800, "{sent:?}");
        assert_eq!(count, 0);
    }
}

#[test]
fn opus_passed_on_or_mixed_allocates_nothing() {
    let start = beginning();
    let mut junction = begun(start, Profile::default(), &opus());
    let packets = opus_packets();
    greet(start, &mut junction, &[7, 8], &packets[0]);
    let (mut sent, mut passed) = (Sent::default(), 0);
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = at(start, n);
            let payload = &packets[n as usize % packets.len()];
            let mut datagram = [0; 400];
            let header =
                Header { marker: false, payload_type: 107, sequence: n as u16, timestamp: n * 960, ssrc: Ssrc(9) };
            header.write(&mut datagram).expect("room for a header")[..payload.len()].copy_from_slice(payload);
            if n % 20 != 0 {
                junction.handle_rtp(now, peer(), &datagram[..Header::LEN + payload.len()]);
            }
            // One talks most of the time, another joins in for some seconds, and both rest.
            for ssrc in [7, 8] {
                let speaks = n % 500 < 450 && (ssrc == 7 || n % 1_000 < 300);
                if speaks && n % 17 != ssrc {
                    let payload = if n % 100 == 99 { &payload[..1] } else { payload };
                    junction.handle_room(now, ssrc, n as u16, n * 960, payload);
                }
            }
            run(now, &mut junction, |output| {
                sent.count(output);
                if let Output::Rtp { datagram, .. } = output {
                    passed += u32::from(packets.iter().any(|packet| packet == &datagram[Header::LEN..]));
                }
            });
        }
    });
    assert!(sent.rtp > 8_500 && sent.room > 9_000, "{sent:?}");
    assert!((4_000..7_500).contains(&passed), "{passed} as they came");
    assert_eq!(count, 0);
}
