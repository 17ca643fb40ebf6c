//! Telephone events from a stranger: no panic, and every key that is pressed is released before the next.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use media::dtmf::{Output, Receiver};
use media::rtp::{Header, Packet, Ssrc};

fuzz_target!(|input: (u32, Vec<(u8, u8, bool, [u8; 4])>)| {
    let (clock_rate, arrivals) = input;
    let (mut now, mut receiver, mut held) = (Instant::now(), Receiver::new(clock_rate), None);
    for (wait, timestamp, marker, payload) in arrivals {
        now += Duration::from_millis(wait.into());
        receiver.handle_timeout(now);
        check(&mut receiver, &mut held);
        let mut datagram = [0; Header::LEN + 4];
        // Few timestamps, all around the wrap, so that they meet again.
        let timestamp = u32::from(timestamp & 7).wrapping_mul(0xffff).wrapping_sub(u32::from(timestamp >> 3));
        let header = Header { marker, payload_type: 101, sequence: 0, timestamp, ssrc: Ssrc(1) };
        header.write(&mut datagram).expect("it fits").copy_from_slice(&payload);
        receiver.handle_packet(now, &Packet::parse(&datagram).expect("what we write is RTP"));
        check(&mut receiver, &mut held);
        assert_eq!(receiver.is_held(), held.is_some());
    }
});

fn check(receiver: &mut Receiver, held: &mut Option<u8>) {
    while let Some(output) = receiver.poll_output() {
        match output {
            Output::Pressed(event) => assert_eq!(held.replace(event.0), None),
            Output::Released(event, _) => assert_eq!(held.take(), Some(event.0)),
        }
    }
}
