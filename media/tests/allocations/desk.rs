//! The test phone and the test participant.

use std::time::Duration;

use media::{
    Desk, Guest, Phone,
    desk::{GuestConfig, Play},
};

use crate::{
    call::{at, beginning, carrier_packet, config, opus_packets, peer, telephone},
    counting::allocations_during,
};

#[test]
fn a_phone_and_a_guest_allocate_nothing() {
    let start = beginning();
    let desk = |play| Desk::new(play, Duration::from_secs(10));
    let mut phone = Phone::new(start, &config(start), desk(Play::Tone { frequency: 440.0, level: 20 }));
    phone.set_carrier(start, &telephone()).expect("terms that can be met");
    phone.start(start);
    let mut guests = [Play::Echo, Play::Tone { frequency: 300.0, level: 20 }]
        .map(|play| Guest::new(start, GuestConfig::default(), desk(play)).expect("a guest"));
    let packets = opus_packets();
    for guest in &mut guests {
        guest.start(start);
        guest.handle_room(start, 7, 0, 0, &packets[0]);
    }
    let count = allocations_during(|| {
        for n in 1..2_000u32 {
            let now = at(start, n);
            let mut datagram = [0; 172];
            let length = carrier_packet(n, &mut datagram);
            if n % 20 != 0 {
                phone.handle_rtp(now, peer(), &datagram[..length]);
            }
            phone.handle_timeout(now);
            while phone.poll_output().is_some() {}
            for guest in &mut guests {
                guest.handle_room(now, 7, n as u16, n * 960, &packets[n as usize % packets.len()]);
                while guest.poll_output().is_some() {}
                guest.handle_timeout(now);
                while guest.poll_output().is_some() {}
            }
        }
    });
    assert_eq!(count, 0);
}
