//! Calls of the telephone's codecs.

use media::{
    Output, Profile,
    rtp::Header,
    sdp::{Codec, Policy},
};

use crate::{
    call::{Sent, at, beginning, begun, carrier_packet, greet, opus_packets, peer, run, telephone, terms},
    counting::allocations_during,
};

#[test]
fn a_running_junction_allocates_nothing() {
    let start = beginning();
    let mut junction = begun(start, Profile::default(), &telephone());
    let packets = opus_packets();
    greet(start, &mut junction, &[7, 8], &packets[0]);
    let mut sent = Sent::default();
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = at(start, n);
            let mut datagram = [0; 172];
            let length = carrier_packet(n, &mut datagram);
            // Every 20th is lost, every 33rd comes twice; the rest of a second in ten is a pause.
            if n % 20 != 0 {
                junction.handle_rtp(now, peer(), &datagram[..length]);
            }
            if n % 33 == 0 {
                junction.handle_rtp(now, peer(), &datagram[..length]);
            }
            for ssrc in [7, 8] {
                let speaks = n % 500 < 450 && (ssrc == 7 || n % 1_000 < 500);
                if speaks && n % 17 != ssrc {
                    let payload = &packets[n as usize % packets.len()];
                    let payload = if n % 100 == 99 { &payload[..1] } else { payload };
                    junction.handle_room(now, ssrc, n as u16, n * 960, payload);
                }
            }
            run(now, &mut junction, |output| sent.count(output));
            std::hint::black_box(junction.report());
        }
    });
    assert!(sent.rtp > 9_900 && sent.room > 9_000 && sent.rtcp > 30, "{sent:?}");
    assert_eq!(count, 0);
}

#[test]
fn numbers_that_make_no_sense_take_no_memory() {
    let start = beginning();
    let mut junction = begun(start, Profile::default(), &telephone());
    let packets = opus_packets();
    greet(start, &mut junction, &[7, 8], &packets[0]);
    let mut sent = Sent::default();
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = at(start, n);
            let scattered = n.wrapping_mul(2_654_435_761);
            // They begin anew every second, leap, or are what chance says.
            let (sequence, timestamp) = match n / 1_000 % 4 {
                0 => (n as u16 % 50, n % 50 * 960),
                1 => (n as u16, scattered),
                2 => ((scattered >> 16) as u16, n * 960),
                _ => ((n as u16 / 2) << 12 | n as u16, n << 31),
            };
            let mut datagram = [0; 172];
            let length = carrier_packet(n, &mut datagram);
            datagram[2..4].copy_from_slice(&sequence.to_be_bytes());
            datagram[4..8].copy_from_slice(&timestamp.to_be_bytes());
            junction.handle_rtp(now, peer(), &datagram[..length]);
            let payload = &packets[n as usize % packets.len()];
            junction.handle_room(now, 7, sequence, timestamp, payload);
            junction.handle_room(now, 8, n as u16, n * 960, payload);
            run(now, &mut junction, |output| sent.count(output));
        }
    });
    assert!(sent.rtp.abs_diff(10_000) < 20 && sent.room > 3_000, "{sent:?}");
    assert_eq!(count, 0);
}

#[test]
fn a_junction_that_leaves_out_silence_allocates_nothing_either() {
    let start = beginning();
    let policy = Policy { comfort_noise: true, ..Policy::default() };
    let profile = Profile { dtx: true, ..Profile::default() };
    let mut junction = begun(start, profile, &terms("RTP/AVP 0 13\r\n", &policy));
    let packets = opus_packets();
    greet(start, &mut junction, &[7], &packets[0]);
    let (mut sent, mut noise, mut told) = (Sent::default(), 0, 0);
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = at(start, n);
            // Both talk for a second and are silent for two; the participant pauses as browsers do.
            let talks = n % 150 < 50;
            let mut datagram = [0; 172];
            let mut length = carrier_packet(100, &mut datagram);
            datagram[2..4].copy_from_slice(&(n as u16).to_be_bytes());
            datagram[4..8].copy_from_slice(&(n * 160).to_be_bytes());
            if !talks {
                datagram[Header::LEN..].fill(0xff);
                length = 172;
            }
            junction.handle_rtp(now, peer(), &datagram[..length]);
            let payload = &packets[n as usize % packets.len()];
            match n % 150 {
                0..50 => junction.handle_room(now, 7, n as u16, n * 960, payload),
                50 => junction.handle_room(now, 7, n as u16, n * 960, &payload[..1]),
                _ => {}
            }
            run(now, &mut junction, |output| match output {
                Output::Rtp { datagram, .. } if datagram[1] == 13 => noise += 1,
                Output::Room { payload, .. } if payload.len() == 1 => told += 1,
                output => sent.count(output),
            });
        }
    });
    assert!((3_300..5_000).contains(&sent.rtp) && noise >= 60, "{sent:?} and {noise} of noise");
    assert!((3_300..5_000).contains(&sent.room) && told >= 60, "{sent:?} and {told} of silence");
    assert_eq!(count, 0);
}

#[test]
fn a_wide_junction_allocates_nothing_either() {
    let start = beginning();
    // Of a peer that has changed its codec, and may go on in the other for a while.
    let mut junction = begun(start, Profile::default(), &telephone());
    let wide = "RTP/AVP 9 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let wide = terms(wide, &Policy::with_codecs(&[Codec::G722], false));
    junction.set_carrier(start, &wide).expect("terms that can be met");
    let packets = opus_packets();
    greet(start, &mut junction, &[7], &packets[0]);
    let mut sent = Sent::default();
    let count = allocations_during(|| {
        for n in 1..10_000u32 {
            let now = at(start, n);
            let mut datagram = [0; 172];
            let mut length = carrier_packet(n, &mut datagram);
            match n % 1_000 {
                // PCMU, as it is.
                0..100 => {}
                // Comfort noise now and then, and nothing else.
                100..200 => {
                    datagram[1] = 13;
                    length = if n % 10 == 0 { Header::LEN + 1 } else { 0 };
                }
                _ if length == datagram.len() => datagram[1] = 9,
                // A key.
                _ => {}
            }
            if n % 20 != 0 && length > 0 {
                junction.handle_rtp(now, peer(), &datagram[..length]);
            }
            if n % 500 < 450 && n % 17 != 0 {
                junction.handle_room(now, 7, n as u16, n * 960, &packets[n as usize % packets.len()]);
            }
            run(now, &mut junction, |output| sent.count(output));
        }
    });
    assert!(sent.rtp > 9_900 && sent.room > 9_000, "{sent:?}");
    assert_eq!(count, 0);
}
