//! Compound datagrams from a stranger: read without a panic, and what they say is never believed beyond reason.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use media::rtcp::{Clock, Control, Packet, packets};
use media::rtp::Ssrc;

fuzz_target!(|datagram: &[u8]| {
    let now = Instant::now();
    // The words of a datagram are likelier to name this source if it is one of them.
    let ssrc = datagram.get(8..12).map_or(1, |bytes| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    let mut control = Control::new(now, Clock::new(now, Duration::from_secs(1_700_000_000)), Ssrc(ssrc), 8_000, 0);
    control.handle_datagram(now + Duration::from_secs(1), datagram);
    assert!(control.summary().round_trip.is_none_or(|trip| trip < Duration::from_secs(60)));
    for packet in packets(datagram) {
        if let Packet::SenderReport { reports, .. } | Packet::ReceiverReport { reports, .. } = packet {
            assert!(reports.iter().count() <= 31);
            assert!(reports.iter().all(|block| (-0x80_0000..0x80_0000).contains(&block.cumulative_lost)));
        }
    }
});
