//! What a carrier says before its answer.

use std::net::SocketAddr;

use media::{Event, codec::g711::Law};

use crate::{
    sound::{assert_tone, tone},
    wire::{Call, Left, encode, ms, rtp, terms, terms_with},
};

/// Half a second of packets from this port, the first or a later one of their stream.
fn speak(call: &mut Call, port: u16, stream: (u32, usize), law: Law, payload_type: u8, frequency: f32) {
    let (ssrc, first) = (stream.0, stream.1 * 25);
    let from = SocketAddr::from(([192, 0, 2, 1], port));
    for (n, frame) in tone(frequency, 20, 8_000).chunks_exact(160).enumerate().skip(first).take(25) {
        let datagram = rtp(n as u16, n as u32 * 160, payload_type, ssrc, &encode(law, frame));
        call.junction.handle_rtp(call.now, from, &datagram);
        call.drain();
        call.run(call.now - call.start + ms(20));
    }
}

#[test]
fn the_answer_may_come_from_another_place_with_another_law() {
    let mut call = Call::unstarted();
    call.junction.set_carrier(call.start, &terms("0", "")).unwrap();
    speak(&mut call, 4_000, (1, 0), Law::Mu, 0, 440.0);
    call.junction.set_carrier(call.now, &terms_with("8", "", 4_444)).unwrap();
    // Whoever spoke before goes on as before, and is not heard any more.
    speak(&mut call, 4_000, (1, 1), Law::Mu, 0, 600.0);
    assert_eq!((call.room().len(), call.rtp().len()), (25, 0));
    speak(&mut call, 4_444, (2, 0), Law::A, 8, 880.0);
    call.junction.start(call.now);
    speak(&mut call, 4_444, (2, 1), Law::A, 8, 880.0);

    let heard = call.heard_by_room();
    assert_tone(&heard[..3_900], 440.0, 20, "early");
    assert_tone(&heard[heard.len() - 3_900..], 880.0, 20, "after the answer");
    assert_eq!(heard.len().div_ceil(160), 100, "time went on as it does");
    assert!(call.rtp().len() >= 24 && call.rtp().iter().all(|packet| packet.0 >= ms(1_500)));
    assert_eq!(call.events(), [Event::FirstRtp]);
}

#[test]
fn silence_counts_from_the_start() {
    // Early media from one place that ends long before the answer; from where the answer comes, if that is elsewhere.
    for (name, port, limit) in [("the same place", 4_000, 15_000), ("another place", 4_444, 30_000)] {
        let mut call = Call::unstarted();
        call.junction.set_carrier(call.start, &terms("0", "")).unwrap();
        speak(&mut call, 4_000, (1, 0), Law::Mu, 0, 440.0);
        call.run(ms(50_000));
        call.junction.set_carrier(call.now, &terms_with("0", "", port)).unwrap();
        call.junction.start(call.now);
        call.run(ms(100_000));
        let timeouts = call.left.iter().filter(|(_, left)| *left == Left::Event(Event::MediaTimeout));
        let times: Vec<_> = timeouts.map(|(time, _)| *time).collect();
        assert_eq!(times, [ms(50_000 + limit)], "{name}");
    }
}

#[test]
fn a_carrier_that_hears_the_room_early_owes_nothing_before_the_answer() {
    // A stranger whose address somebody has put into an SDP gets two seconds of it; whoever has spoken once, all.
    for (name, speaks, packets, patience) in [("silent", false, 100..=100, 30), ("heard once", true, 2_999..=3_001, 15)]
    {
        let mut call = Call::unstarted();
        call.junction.set_carrier(call.start, &terms("0", "")).unwrap();
        if speaks {
            let datagram = rtp(0, 0, 0, 1, &[0xff; 160]);
            call.junction.handle_rtp(call.start, SocketAddr::from(([192, 0, 2, 1], 4_000)), &datagram);
            call.drain();
        }
        call.junction.start_early(call.start);
        call.run(ms(60_000));
        assert!(packets.contains(&call.rtp().len()), "{name}: {} packets in a minute", call.rtp().len());
        call.junction.start(call.now);
        call.run(ms(100_000));
        let times: Vec<_> = call.rtp().iter().map(|packet| packet.0).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == ms(20)), "{name}: the stream goes on as it was");
        let timeouts = call.left.iter().filter(|(_, left)| *left == Left::Event(Event::MediaTimeout));
        let times: Vec<_> = timeouts.map(|(time, _)| *time).collect();
        assert_eq!(times, [ms(60_000 + patience * 1_000)], "{name}: counted from the answer");
    }
}
