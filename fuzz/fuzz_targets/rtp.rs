//! Datagrams from strangers on the port of RTP: read, judged and counted without a panic, and never more than one source
//! is heard.

#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use media::rtcp::{Clock, Control, Report, is_rtcp};
use media::rtp::{Header, Packet, Redundant, Ssrc};
use media::source::{Lock, Mode, Remote, Verdict};

fuzz_target!(|datagrams: Vec<(u8, u16, &[u8])>| {
    let declared = SocketAddr::from(([192, 168, 1, 5], 4_000));
    let remote = Remote { rtp: declared, rtcp: declared, mux: true, peer: Some([203, 0, 113, 9].into()) };
    let mut now = Instant::now();
    let mut lock = Lock::new(Mode::Learn, remote);
    let mut control = Control::new(now, Clock::new(now, Duration::ZERO), Ssrc(1), 8_000, 0);
    lock.allow_send();
    for (from, wait, datagram) in datagrams {
        now += Duration::from_millis(wait.into());
        let from = SocketAddr::from(([192, 168, 1, 5 + (from & 1)], 4_000 + u16::from(from >> 1 & 3)));
        if is_rtcp(datagram) {
            if lock.judge_rtcp(from) != Verdict::Refuse {
                control.handle_datagram(now, datagram);
            }
        } else if let Some(packet) = Packet::parse(datagram) {
            assert!(Header::LEN + packet.payload().len() <= datagram.len());
            if let Some(said) = Redundant::parse(packet.payload()) {
                let repeated: usize = said.repeated().map(|block| 4 + block.payload.len()).sum();
                assert_eq!(repeated + 1 + said.primary().len(), packet.payload().len());
            }
            if lock.judge_rtp(now, from, &packet) != Verdict::Refuse {
                assert_eq!(lock.locked(), Some(from));
                control.handle_packet(now, &packet);
            }
        }
        let mut report = [0; Report::MAX_LEN];
        if let Some(length) = control.poll_report(now, wait.into(), "fuzz@trunkline", &mut report) {
            assert!(is_rtcp(&report[..length]));
        }
        let _ = (lock.send_rtp(), lock.send_rtcp(), control.summary());
    }
});
