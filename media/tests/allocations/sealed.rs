//! Encrypted calls.

use media::{
    Profile,
    sdp::{Encryption, Policy},
    srtp::{OVERHEAD, Secret, Sender, Suite},
};

use crate::{
    call::{Sent, at, beginning, begun, carrier_packet, peer, run, terms},
    counting::allocations_during,
};

#[test]
fn encryption_allocates_nothing() {
    for suite in Suite::ALL {
        let start = beginning();
        let keys = Secret::new([9; 32]).keys(suite, 0);
        let offer = format!("RTP/SAVP 0\r\na=rtcp-mux\r\na=crypto:1 {} inline:{}\r\n", suite.name(), keys.to_base64());
        let policy = Policy { encryption: Encryption::Require(Secret::new([1; 32])), ..Policy::default() };
        let mut junction = begun(start, Profile::default(), &terms(&offer, &policy));
        let (mut peer_sends, mut sent) = (Sender::new(&keys), Sent::default());
        let count = allocations_during(|| {
            for n in 1..2_000u32 {
                let now = at(start, n);
                let (mut packet, mut buffer) = ([0; 172], [0; 172 + OVERHEAD]);
                let length = carrier_packet(n, &mut packet);
                buffer[..length].copy_from_slice(&packet[..length]);
                let sealed = peer_sends.seal_rtp(&mut buffer, length).expect("RTP");
                for _ in 0..1 + n % 2 {
                    junction.handle_rtp(now, peer(), &buffer[..sealed]);
                }
                junction.handle_rtp(now, peer(), &packet[..length]);
                run(now, &mut junction, |output| sent.count(output));
            }
        });
        let report = junction.report();
        assert!(sent.rtp > 1_900 && sent.room > 1_900 && sent.rtcp > 3, "{sent:?}");
        assert_eq!(report.carrier.forged + report.carrier.replayed, 2_999, "what came again or not encrypted");
        assert_eq!(count, 0, "{suite:?}");
    }
}
