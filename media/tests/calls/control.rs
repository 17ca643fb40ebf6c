//! What a call is told and what it tells.

use media::{Event, codec::g711::Law, dtmf, frame::SILENCE};

use crate::{
    sound::tone,
    wire::{CLEAN, Call, Input, Left, carrier_packets, ms, room_packets, rtp, terms, terms_with},
};

#[test]
fn nothing_is_sent_before_the_start() {
    let said = tone(440.0, 20, 16_000);
    let mut call = Call::unstarted();
    call.send(CLEAN, room_packets(&said, 7, 0));
    call.run(ms(500));
    call.junction.set_carrier(call.now, &terms("0", "")).unwrap();
    call.run(ms(1_000));
    assert_eq!(call.events(), [Event::FirstRoom { ssrc: 7 }], "the answer may wait for this");
    assert_eq!(call.left.len(), 1, "and that is all");
    call.junction.start(call.now);
    call.run(ms(2_000));
    assert!(call.rtp().len() >= 50);
    assert_eq!(call.events(), [Event::FirstRoom { ssrc: 7 }], "told once");
}

#[test]
fn the_room_hears_the_carrier_before_the_start() {
    let said = tone(440.0, 20, 8_000);
    let mut call = Call::unstarted();
    call.junction.set_carrier(call.start, &terms("0", "")).unwrap();
    call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
    call.run(ms(1_000));
    assert_eq!((call.room().len(), call.rtp().len()), (50, 0));
    assert_eq!(call.events(), [Event::FirstRtp]);
}

#[test]
fn one_hundred_packets_at_most_to_a_peer_that_was_never_heard() {
    let mut call = Call::new(&terms("0", ""));
    call.run(ms(20_000));
    let datagrams = call.left.iter().filter(|(_, left)| matches!(left, Left::Rtp { .. } | Left::Rtcp));
    assert_eq!(datagrams.count(), 100);
}

#[test]
fn hold_silences_both_ways_and_time_goes_on() {
    let said = tone(440.0, 20, 80_000);
    let mut call = Call::new(&terms("0", ""));
    call.send(CLEAN, room_packets(&said, 7, 0));
    call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
    call.run(ms(2_000));
    let (rtp, room) = (call.rtp().len(), call.room().len());
    call.junction.set_carrier(call.now, &terms("0", "a=inactive\r\n")).unwrap();
    call.run(ms(4_000));
    assert_eq!((call.rtp().len(), call.room().len()), (rtp, room));
    call.junction.set_carrier(call.now, &terms("0", "")).unwrap();
    call.run(ms(6_000));
    assert!(call.rtp().len() >= rtp + 99 && call.room().len() >= room + 99);
    let after = call.rtp()[rtp];
    assert!(after.2.abs_diff(32_000) <= 320, "the timestamp went on: {}", after.2);
    let after = call.room()[room];
    assert!(after.1.abs_diff(4_000 * 48) <= 960 * 2, "the timestamp went on: {}", after.1);
}

#[test]
fn silence_of_the_carrier_is_told_once_and_not_on_hold() {
    let said = tone(440.0, 20, 8_000);
    let cases =
        [("never heard", false, "", 30_000), ("heard", true, "", 16_000), ("on hold", true, "a=inactive\r\n", 0)];
    for (name, heard, direction, at) in cases {
        let mut call = Call::new(&terms("0", ""));
        if heard {
            call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
        }
        call.run(ms(1_000));
        call.junction.set_carrier(call.now, &terms("0", direction)).unwrap();
        call.run(ms(60_000));
        let times: Vec<_> = call
            .left
            .iter()
            .filter(|(_, left)| *left == Left::Event(Event::MediaTimeout))
            .map(|(time, _)| *time)
            .collect();
        let expected: Vec<_> = (at > 0).then(|| ms(at)).into_iter().collect();
        assert_eq!(times, expected, "{name}");
    }
}

#[test]
fn digits_are_told_once_and_not_heard() {
    let said = tone(697.0, 20, 16_000);
    let mut call = Call::new(&terms("0", ""));
    let mut packets = carrier_packets(&said, Law::Mu, 0, 20);
    // A key from packet 40 to 46, the end three times, in the place of audio.
    for n in 40..49u16 {
        let duration = (n - 39).min(7) * 160;
        let end = if n >= 46 { 0x8a } else { 0x0a };
        let [high, low] = duration.to_be_bytes();
        let datagram = rtp(n, 40 * 160, 101, 0x1234, &[5, end, high, low]);
        packets[usize::from(n)].1 = Input::Rtp(datagram);
    }
    call.send(CLEAN, packets);
    call.run(ms(2_500));
    assert_eq!(call.events(), [Event::FirstRtp, Event::Digit(dtmf::Event(5))]);
    let heard = call.heard_by_room();
    assert_eq!(media::frame::level(&heard[41 * 160..48 * 160]), SILENCE);
    assert_eq!(call.room().last().map(|frame| frame.1), Some(99 * 960), "in time afterwards");
}

#[test]
fn strangers_are_not_heard() {
    let said = tone(440.0, 20, 16_000);
    let mut call = Call::new(&terms("0", ""));
    call.send(CLEAN, carrier_packets(&said, Law::Mu, 0, 20));
    call.run(ms(1_000));
    for n in 0..100u16 {
        let stranger = format!("198.51.100.1:{}", 1_000 + n % 3).parse().unwrap();
        let datagram = rtp(n, u32::from(n) * 160, 0, 99, &[0x80; 160]);
        call.junction.handle_rtp(call.now, stranger, &datagram);
        call.drain();
    }
    assert_eq!(call.room().len(), 50);
    assert_eq!(call.junction.report().carrier.strangers, 100);
}

#[test]
fn media_moves_with_an_offer() {
    let mut call = Call::new(&terms("0", ""));
    call.run(ms(100));
    call.junction.set_carrier(call.now, &terms_with("8", "", 4_444)).unwrap();
    call.junction.handle_timeout(call.now + ms(20));
    let mut moved = false;
    while let Some(output) = call.junction.poll_output() {
        if let media::Output::Rtp { to, datagram } = output {
            assert_eq!((to.port(), datagram[1] & 0x7f), (4_444, 8));
            moved = true;
        }
    }
    assert!(moved);
}

#[test]
fn garbage_is_counted_and_nothing_else() {
    let mut call = Call::new(&terms("0", ""));
    let mut random = 1u64;
    for n in 0..20_000u32 {
        let mut datagram = rtp(n as u16, n.wrapping_mul(160), 0, 1, &[0; 160]);
        for _ in 0..n % 5 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (random >> 33) as usize % datagram.len();
            datagram[at] = (random >> 50) as u8;
        }
        datagram.truncate((random >> 20) as usize % 173);
        let now = call.start + ms(u64::from(n));
        call.now = now;
        call.junction.handle_rtp(now, crate::wire::peer(), &datagram);
        call.junction.handle_rtcp(now, crate::wire::peer(), &datagram);
        call.junction.handle_room(now, n % 40, random as u16, (random >> 9) as u32, &datagram);
        call.drain();
    }
    assert!(call.rtp().len() <= 20_000 / 20 + 10);
}
