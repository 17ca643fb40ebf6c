//! A phone, a junction and a guest, joined end to end.

use std::{sync::Arc, time::Duration};

use media::{
    Config, Desk, Event, Guest, Junction, Output, Phone, Profile,
    desk::{GuestConfig, Play},
    dtmf,
};

use crate::{
    sound::speech,
    wire::{beginning, carrier_config, ms, peer, terms},
};

/// All three, on wires that take so long each way.
struct Line {
    phone: Phone,
    junction: Junction,
    guest: Guest,
    digits: Vec<dtmf::Event>,
    sequence: u16,
}

enum Travelling {
    ToJunction(Vec<u8>),
    ToPhone(Vec<u8>),
    ToGuest(u16, u32, Vec<u8>),
    FromGuest(u16, u32, Vec<u8>),
}

fn run(phone: Desk, guest: Desk, keys: &str, wire: Duration, until: Duration) -> Line {
    let start = beginning();
    let config = carrier_config(start);
    let junction =
        Junction::new(start, &Config { carrier: config.clone(), profile: Profile::default() }).expect("a junction");
    let mut line = Line {
        phone: Phone::new(start, &config, phone),
        junction,
        guest: Guest::new(start, GuestConfig::default(), guest).expect("a guest"),
        digits: Vec::new(),
        sequence: 0,
    };
    line.phone.set_carrier(start, &terms("0", "")).expect("terms that can be met");
    line.junction.set_carrier(start, &terms("0", "")).expect("terms that can be met");
    for key in keys.chars() {
        let key = dtmf::Event::from_digit(key).expect("a key");
        line.phone.press(&[dtmf::Press::Key(key)]).expect("few enough keys");
    }
    line.junction.start(start);
    line.guest.start(start + ms(3));
    line.phone.start(start + ms(11));

    let mut travelling: Vec<(Duration, Travelling)> = Vec::new();
    let mut now = Duration::ZERO;
    let mut guests = 0u16;
    while now <= until {
        let at = start + now;
        while let Some(output) = line.phone.poll_output() {
            if let Output::Rtp { datagram, .. } = output {
                travelling.push((now + wire, Travelling::ToJunction(datagram.to_vec())));
            }
        }
        while let Some(output) = line.junction.poll_output() {
            match output {
                Output::Rtp { datagram, .. } => travelling.push((now + wire, Travelling::ToPhone(datagram.to_vec()))),
                Output::Room { payload, timestamp, .. } => {
                    line.sequence += 1;
                    travelling.push((now + wire, Travelling::ToGuest(line.sequence, timestamp, payload.to_vec())));
                }
                Output::Event(Event::Digit(digit)) => line.digits.push(digit),
                Output::Rtcp { .. } | Output::Event(_) => {}
            }
        }
        while let Some(output) = line.guest.poll_output() {
            if let Output::Room { payload, timestamp, .. } = output {
                guests += 1;
                travelling.push((now + wire, Travelling::FromGuest(guests, timestamp, payload.to_vec())));
            }
        }
        if let Some(place) = travelling.iter().position(|(time, _)| *time <= now) {
            match travelling.remove(place).1 {
                Travelling::ToJunction(datagram) => line.junction.handle_rtp(at, peer(), &datagram),
                Travelling::ToPhone(datagram) => line.phone.handle_rtp(at, peer(), &datagram),
                Travelling::ToGuest(n, timestamp, payload) => line.guest.handle_room(at, 1, n, timestamp, &payload),
                Travelling::FromGuest(n, timestamp, payload) => {
                    line.junction.handle_room(at, 2, n, timestamp, &payload);
                }
            }
            continue;
        }
        let timeouts = [line.phone.next_timeout(), line.junction.next_timeout(), line.guest.next_timeout()];
        let timeout = timeouts.into_iter().flatten().min().map(|at| at.saturating_duration_since(start));
        let arrival = travelling.iter().map(|(time, _)| *time).min();
        let next = [timeout, arrival].into_iter().flatten().min().unwrap_or(until + ms(1));
        now = next.max(now);
        let at = start + now;
        line.phone.handle_timeout(at);
        line.junction.handle_timeout(at);
        line.guest.handle_timeout(at);
    }
    line
}

#[test]
fn speech_goes_round_by_an_echoing_guest() {
    let pcm: Arc<[i16]> = speech().into();
    for (wire, at_most) in [(ms(0), ms(30)), (ms(10), ms(70))] {
        let phone = Desk::new(Play::Samples { pcm: pcm.clone(), looped: true }, Duration::from_secs(10));
        let guest = Desk::new(Play::Echo, Duration::ZERO);
        let line = run(phone, guest, "", wire, ms(8_000));
        let measured = line.phone.desk().measure();
        let delay = measured.delay.expect("the speech comes back");
        assert!(delay >= wire * 4 && delay <= at_most, "{wire:?} a way: {delay:?}");
        assert!(measured.likeness > 0.9, "{measured:?}");
        assert!(measured.level.abs_diff(26) <= 4, "{measured:?}");
        let report = line.junction.report();
        assert_eq!((report.carrier_concealed, report.room_concealed, report.room_late), (0, 0, 0), "{report:?}");
        let stream = line.phone.report().carrier.stream;
        assert_eq!((stream.lost, stream.received > 380), (0, true), "{stream:?}");
    }
}

#[test]
fn tones_cross() {
    let phone = Desk::new(Play::Tone { frequency: 440.0, level: 20 }, Duration::from_secs(3));
    let guest = Desk::new(Play::Tone { frequency: 700.0, level: 24 }, Duration::from_secs(3));
    let line = run(phone, guest, "", ms(5), ms(3_000));
    for (name, desk, frequency, level) in
        [("phone", line.phone.desk(), 700.0, 24), ("guest", line.guest.desk(), 440.0, 20)]
    {
        let measured = desk.measure();
        let pitch = measured.pitch.unwrap_or(0.0);
        assert!((pitch - frequency).abs() <= 5.0, "{name}: {measured:?}");
        assert!(measured.level.abs_diff(level) <= 3, "{name}: {measured:?}");
        assert!(measured.sound > ms(2_500), "{name}: {measured:?}");
        assert_eq!(measured.delay, None, "{name}: a tone has no place");
    }
}

#[test]
fn keys_arrive_once_each_and_in_order() {
    let phone = Desk::new(Play::Tone { frequency: 440.0, level: 20 }, Duration::from_secs(1));
    let line = run(phone, Desk::new(Play::Silence, Duration::ZERO), "1477#0*", ms(5), ms(3_000));
    let digits: String = line.digits.iter().filter_map(|event| event.digit()).collect();
    assert_eq!(digits, "1477#0*");
    assert!(line.phone.is_done_pressing());
}
