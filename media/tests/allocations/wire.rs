//! The wire allocates nothing: packets read, judged, counted and written, reports, keys.

use std::{net::SocketAddr, time::Duration};

use media::dtmf::{self, Event};
use media::rtcp::{Clock, Control, Report};
use media::rtp::{Header, Packet, Ssrc};
use media::source::{Lock, Mode, Remote, Verdict};

use crate::{
    call::{at, beginning},
    counting::allocations_during,
};

#[test]
fn ten_thousand_packets_allocate_nothing() {
    let start = beginning();
    let peer = SocketAddr::from(([198, 51, 100, 7], 4_000));
    let rtcp = SocketAddr::from(([198, 51, 100, 7], 4_001));
    let stranger = SocketAddr::from(([192, 0, 2, 66], 4_000));
    let mut lock = Lock::new(Mode::Learn, Remote { rtp: peer, rtcp, mux: false, peer: None });
    lock.allow_send();
    let clock = Clock::new(start, Duration::from_secs(1_700_000_000));
    let mut near = Control::new(start, clock, Ssrc(1), 8_000, 0);
    let mut far = Control::new(start, clock, Ssrc(2), 8_000, 0);
    let (mut sender, mut receiver) = (dtmf::Sender::new(8_000), dtmf::Receiver::new(8_000));
    let (mut reports, mut keys, mut strangers) = (0, 0, 0);

    let count = allocations_during(|| {
        for number in 0..10_000u32 {
            let now = at(start, number);
            if number % 100 == 0 {
                sender
                    .press(Event(5), Duration::from_millis(100), Duration::ZERO)
                    .expect("keys are sent as they are pressed");
            }
            let (mut datagram, mut report) = ([0; Header::LEN + 160], [0; Report::MAX_LEN]);
            let key = sender.tick(number * 160, 160);
            let timestamp = key.map_or(number * 160, |key| key.timestamp);
            let header = Header { marker: false, payload_type: 0, sequence: number as u16, timestamp, ssrc: Ssrc(2) };
            let rest = header.write(&mut datagram).expect("it fits");
            if let Some(key) = key {
                rest[..4].copy_from_slice(&key.payload);
            }
            far.handle_sent(now, timestamp, 160);

            let packet = Packet::parse(&datagram).expect("what we write is RTP");
            if number % 7 != 0 && lock.judge_rtp(now, peer, &packet) != Verdict::Refuse {
                near.handle_packet(now, &packet);
                receiver.handle_timeout(now);
                if key.is_some() {
                    receiver.handle_packet(now, &packet);
                }
            }
            strangers += u32::from(lock.judge_rtp(now, stranger, &packet) == Verdict::Refuse);
            keys += std::iter::from_fn(|| receiver.poll_output()).count();
            if let Some(length) = far.poll_report(now, number, "far@trunkline", &mut report)
                && lock.judge_rtcp(rtcp) == Verdict::Accept
            {
                near.handle_datagram(now, &report[..length]);
                reports += 1;
            }
            near.poll_report(now, number, "near@trunkline", &mut report);
            let _ = (lock.send_rtp(), lock.send_rtcp(), near.summary());
        }
    });
    assert_eq!(count, 0);
    assert_eq!((keys, strangers), (200, 10_000), "each key pressed and released, all of the work done");
    assert!(reports > 30, "{reports}");
}
