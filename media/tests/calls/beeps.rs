//! Keys of the carrier that the room hears as tones.

use std::time::Duration;

use media::{
    codec::g711::Law,
    dtmf::{Event, Payload, Tones},
};

use crate::{
    sound::{assert_tone, energy, tone, tone_at},
    wire::{CLEAN, Call, Input, Left, Wire, encode, ms, opus_terms, rtp, terms, wide_terms},
};

const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYPAD: &str = "123A456B789C*0#D";
/// What the phone says between keys.
const VOICE: f32 = 440.0;

/// A phone that writes down what it sends, twenty milliseconds a packet.
struct Phone {
    sequence: u16,
    /// Of packets, since the beginning.
    time: u64,
    packets: Vec<(Duration, Input)>,
    voice: Vec<i16>,
    /// Whether it goes on talking while a key is down.
    beside: bool,
    /// How many of the three last packets of a key it sends, and whether one in each packet's time.
    ends: usize,
    spaced: bool,
}

impl Phone {
    fn new() -> Self {
        let voice = tone(VOICE, 26, 400_000);
        Self { sequence: 0, time: 0, packets: Vec::new(), voice, beside: false, ends: 3, spaced: false }
    }

    fn talks(&mut self, millis: u64) {
        for _ in 0..millis / 20 {
            self.time += 1;
            self.say();
        }
    }

    fn pauses(&mut self, millis: u64) {
        self.time += millis / 20;
    }

    fn presses(&mut self, key: char, millis: u64) {
        let event = Event::from_digit(key).expect("a key");
        let (began, packets) = (self.time, millis / 20);
        for n in 1..=packets {
            self.time += 1;
            if self.beside {
                self.say();
            }
            if n < packets {
                self.tell(began, event, n, false);
            }
        }
        for n in 0..self.ends {
            self.tell(began, event, packets, true);
            if self.spaced && n + 1 < self.ends {
                self.time += 1;
            }
        }
    }

    /// What it says in the twenty milliseconds before.
    fn say(&mut self) {
        let at = (self.time as usize - 1) * 160;
        self.send(at as u32, 0, &encode(Law::Mu, &self.voice[at..at + 160]));
    }

    fn tell(&mut self, began: u64, event: Event, packets: u64, end: bool) {
        let payload = Payload { event, end, volume: 10, duration: packets as u16 * 160 };
        self.send(began as u32 * 160, 101, &payload.to_bytes());
    }

    fn send(&mut self, timestamp: u32, payload_type: u8, payload: &[u8]) {
        let packet = rtp(self.sequence, timestamp, payload_type, 0x1234, payload);
        self.sequence += 1;
        self.packets.push((ms(20 * self.time), Input::Rtp(packet)));
    }
}

fn audible(call: Call) -> Call {
    let mut call = call;
    call.junction.set_audible_keys(call.start, true);
    call
}

/// Keys that were heard: which, from when, for how long in milliseconds, and how loud in dBFS.
fn keys(heard: &[i16]) -> Vec<(char, usize, usize, f64)> {
    let mut keys: Vec<(char, usize, usize, f64)> = Vec::new();
    for (n, part) in heard.windows(80).step_by(40).enumerate() {
        let Some(key) = key_of(part) else { continue };
        let level = 10.0 * (energy(part) / 80.0 / 32_768_f64.powi(2)).log10();
        match keys.last_mut() {
            Some((same, from, length, loudest)) if *same == key && n * 5 - *from - *length <= 10 => {
                *length = n * 5 - *from + 5;
                *loudest = loudest.max(level);
            }
            _ => keys.push((key, n * 5, 5, level)),
        }
    }
    keys.retain(|(.., length, _)| *length > 10);
    keys
}

/// The key of ten milliseconds that are nothing but a row and a column.
fn key_of(part: &[i16]) -> Option<char> {
    let all = energy(part);
    let share = |hertz: f32| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in part.iter().enumerate() {
            let (sin, cos) = (n as f64 * f64::from(hertz) * std::f64::consts::TAU / 8_000.0).sin_cos();
            (re, im) = (re + f64::from(*sample) * cos, im + f64::from(*sample) * sin);
        }
        2.0 * (re * re + im * im) / part.len() as f64 / all.max(1.0)
    };
    let best = |group: [f32; 4]| {
        let shares = group.map(share).into_iter().enumerate();
        shares.max_by(|a, b| a.1.total_cmp(&b.1)).expect("four")
    };
    let ((row, low), (column, high)) = (best(ROWS), best(COLUMNS));
    let is_key = all > 80.0 * 300.0 * 300.0 && low > 0.15 && high > 0.25;
    is_key.then(|| KEYPAD.chars().nth(row * 4 + column)).flatten()
}

/// Asserts which keys were heard, when within `off` ms, for how long within 20 ms and how loud within 3 dB.
#[track_caller]
fn assert_keys(heard: &[i16], expected: &[(char, usize, usize)], off: usize, name: &str) {
    let found = keys(heard);
    assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
    for ((key, from, length, level), (pressed, at, held)) in found.iter().zip(expected) {
        let is_it = key == pressed && from.abs_diff(*at) <= off && length.abs_diff(*held) <= 20;
        // -18 and -16 dBm0 together are -13.9 dBm0, and that is -20 dBFS.
        assert!(is_it && (level + 20.0).abs() <= 3.0, "{name}: {found:?} instead of {expected:?}");
    }
}

/// Talk, `5` for 100 ms, talk, `5` again, talk, `D` for 300 ms, talk.
fn typed(phone: &mut Phone, between: fn(&mut Phone, u64)) {
    phone.talks(400);
    phone.presses('5', 100);
    between(phone, 80);
    phone.presses('5', 100);
    between(phone, 200);
    phone.presses('D', 300);
    between(phone, 500);
    phone.talks(500);
}

#[test]
fn each_is_heard_for_its_time_and_what_is_said_around_it_in_its_own() {
    let jitter = Wire { jitter: ms(9), ..CLEAN };
    // Whether it talks beside its keys, whether their ends take time, and what lies between them.
    type Row = (&'static str, Wire, bool, bool, fn(&mut Phone, u64));
    let cases: [Row; 6] = [
        ("in place of the audio", CLEAN, false, false, Phone::talks),
        ("beside the audio", CLEAN, true, false, Phone::talks),
        ("without any audio", CLEAN, false, false, Phone::pauses),
        ("its end told in three packets' time", CLEAN, false, true, Phone::talks),
        ("uneven, in place of the audio", jitter, false, false, Phone::talks),
        ("uneven, beside the audio", jitter, true, false, Phone::talks),
    ];
    for (name, wire, beside, spaced, between) in cases {
        let mut phone = Phone { beside, spaced, ..Phone::new() };
        typed(&mut phone, between);
        let more = if spaced { 40 } else { 0 };
        let expected = [('5', 400, 100), ('5', 580 + more, 100), ('D', 880 + 2 * more, 300)];
        let mut call = audible(Call::new(&terms("0", "")));
        call.send(wire, phone.packets);
        call.run(ms(4_000));
        assert_eq!(call.events().iter().filter(|event| matches!(event, media::Event::Digit(_))).count(), 3, "{name}");
        let heard = call.heard_by_room();
        assert_keys(&heard, &expected, 30, name);
        assert_tone(&heard[..3_000], VOICE, 26, name);
        assert_tone(&heard[heard.len() - 3_600..], VOICE, 26, name);
        let all = (2_180 + 3 * more) * 8;
        assert!(heard.len().abs_diff(all) <= 320, "{name}: {} ticks instead of {all}", heard.len());
        assert_eq!(call.junction.next_timeout().filter(|at| *at < call.now), None, "{name}: nothing is left to do");
    }
}

#[test]
fn nobody_hears_them_who_did_not_ask_or_was_not_there() {
    for (name, on, open) in [("off", false, true), ("nobody there", true, false)] {
        let mut call = Call::new(&terms("0", ""));
        call.junction.set_audible_keys(call.start, on);
        let mut phone = Phone::new();
        phone.presses('5', 500);
        phone.pauses(200);
        phone.talks(400);
        call.send(CLEAN, phone.packets);
        call.junction.set_room_open(open);
        call.run(ms(100));
        call.junction.set_room_open(true);
        call.run(ms(1_200));
        assert_eq!(keys(&call.heard_by_room()), [], "{name}");
        assert!((19..=21).contains(&call.room().len()), "{name}: {} frames", call.room().len());
    }
}

#[test]
fn a_key_that_is_held_while_the_room_opens_is_not_heard_there() {
    for (name, opens, heard) in [("it opens", true, 0), ("it is open", false, 500)] {
        let mut call = audible(Call::new(&terms("0", "")));
        call.junction.set_room_open(!opens);
        let mut phone = Phone::new();
        phone.talks(200);
        phone.presses('5', 500);
        phone.talks(400);
        call.send(CLEAN, phone.packets);
        // It may be said many times over.
        for time in [250, 300, 400, 410] {
            call.run(ms(time));
            call.junction.set_room_open(!opens || time >= 400);
        }
        call.run(ms(1_200));
        let found: usize = keys(&call.heard_by_room()).iter().map(|key| key.2).sum();
        assert!(found.abs_diff(heard) <= 20, "{name}: {found} ms");
    }
}

#[test]
fn a_phone_may_begin_with_a_key() {
    let mut phone = Phone::new();
    phone.presses('5', 120);
    phone.talks(500);
    let mut call = audible(Call::new(&terms("0", "")));
    call.send(CLEAN, phone.packets);
    call.run(ms(1_000));
    let heard = call.heard_by_room();
    assert_keys(&heard, &[('5', 0, 120)], 20, "first of all");
    assert!(heard.len().abs_diff(620 * 8) <= 160, "{} ticks", heard.len());
    assert_tone(&heard[1_200..], VOICE, 26, "all that is said");
}

#[test]
fn a_key_whose_end_is_lost_ends_by_itself() {
    for beside in [false, true] {
        let mut phone = Phone { ends: 0, beside, ..Phone::new() };
        phone.talks(200);
        phone.presses('7', 200);
        phone.beside = false;
        phone.talks(800);
        let mut call = audible(Call::new(&terms("0", "")));
        call.send(CLEAN, phone.packets);
        call.run(ms(3_000));
        let heard = call.heard_by_room();
        let found = keys(&heard);
        // Its last packet told of 180 ms, and 200 ms later nobody waits any more.
        assert!(matches!(found[..], [('7', 180..=230, 360..=420, _)]), "beside {beside}: {found:?}");
        assert_tone(&heard[heard.len() - 3_200..], VOICE, 26, "what follows");
    }
}

#[test]
fn lost_packets_make_no_key_longer_or_two_of_one() {
    for seed in 1..=20 {
        let mut phone = Phone::new();
        phone.talks(400);
        for key in "159D".chars() {
            phone.presses(key, 200);
            phone.talks(200);
        }
        let mut call = audible(Call::new(&terms("0", "")));
        call.send(Wire { loss: 10, jitter: ms(30), repeated: 2, seed }, phone.packets);
        call.run(ms(4_000));
        let found: Vec<_> = keys(&call.heard_by_room());
        let pressed: String = found.iter().map(|key| key.0).collect();
        assert_eq!(pressed, "159D", "seed {seed}: {found:?}");
        for (_, _, length, _) in &found {
            assert!((140..=280).contains(length), "seed {seed}: {found:?}");
        }
    }
}

#[test]
fn a_key_that_is_never_let_go_is_heard_for_ten_seconds() {
    let mut phone = Phone::new();
    phone.talks(200);
    phone.presses('0', 8_000);
    // The same event in another segment (RFC 4733 §2.5.1.3) would be the sender's way; this one merely goes on.
    let began = (phone.time - 400) as u32 * 160;
    for n in 0..300 {
        phone.time += 1;
        let payload = Payload { event: Event(0), end: false, volume: 10, duration: 64_000 + n * 5 };
        phone.send(began + 0xffff, 101, &payload.to_bytes());
    }
    phone.pauses(500);
    phone.talks(500);
    let mut call = audible(Call::new(&terms("0", "")));
    // Without its end.
    phone
        .packets
        .retain(|(_, input)| !matches!(input, Input::Rtp(packet) if packet[1] & 0x7f == 101 && packet[13] & 0x80 != 0));
    call.send(CLEAN, phone.packets);
    call.run(ms(17_000));
    let found = keys(&call.heard_by_room());
    assert!(matches!(found[..], [('0', _, 9_980..=10_020, _)]), "{found:?}");
}

#[test]
fn a_key_that_is_told_elsewhere_has_the_time_that_is_told() {
    for talks in [true, false] {
        let mut phone = Phone::new();
        phone.talks(500);
        if talks {
            phone.talks(1_500);
        } else {
            phone.pauses(1_500);
        }
        phone.talks(500);
        let mut call = audible(Call::new(&terms("0", "")));
        call.send(CLEAN, phone.packets);
        call.run(ms(600));
        let key = |digit| Event::from_digit(digit).expect("a key");
        call.junction.hear_key(call.now, key('8'), ms(250));
        call.run(ms(1_000));
        // One that is told while another one is heard: that one ends there.
        call.junction.hear_key(call.now, key('1'), ms(250));
        call.run(ms(1_100));
        call.junction.hear_key(call.now, key('1'), ms(250));
        call.junction.hear_key(call.now, Event(16), ms(250));
        call.run(ms(1_250));
        call.junction.hear_key(call.now, key('2'), ms(250));
        call.run(ms(3_000));
        let heard = call.heard_by_room();
        let expected = [('8', 600, 250), ('1', 1_000, 100), ('1', 1_140, 110), ('2', 1_290, 210)];
        assert_keys(&heard, &expected, 40, &format!("talks: {talks}"));
        let all = 2_500 * 8;
        assert!(heard.len().abs_diff(all) <= 320, "talks {talks}: {}", heard.len());
        assert_tone(&heard[heard.len() - 3_600..], VOICE, 26, "what follows");
    }
}

#[test]
fn a_key_that_is_told_in_two_ways_is_heard_once() {
    for info_first in [true, false] {
        let mut phone = Phone::new();
        phone.talks(300);
        phone.presses('4', 200);
        phone.talks(500);
        let mut call = audible(Call::new(&terms("0", "")));
        call.send(CLEAN, phone.packets);
        call.run(ms(if info_first { 305 } else { 385 }));
        call.junction.hear_key(call.now, Event(4), ms(250));
        call.run(ms(1_500));
        let found = keys(&call.heard_by_room());
        assert!(matches!(found[..], [('4', 280..=320, 180..=270, _)]), "INFO first {info_first}: {found:?}");
    }
}

#[test]
fn time_that_was_spent_on_keys_is_given_back() {
    let mut phone = Phone::new();
    phone.talks(200);
    for n in 0..100 {
        phone.beside = n % 3 == 0;
        phone.presses('3', 100);
        if n % 4 == 0 { phone.pauses(200) } else { phone.talks(200) }
    }
    phone.talks(200);
    let ends = phone.time;
    let mut call = audible(Call::new(&terms("0", "")));
    call.send(Wire { jitter: ms(15), ..CLEAN }, phone.packets);
    call.run(ms(35_000));
    let frames = call.room();
    let (_, timestamp, _) = frames[frames.len() - 1];
    let ahead = i64::from(timestamp / 960) + 1 - ends as i64;
    assert!(ahead.abs() <= 2, "{ahead} frames after {ends}");
    let found = keys(&call.heard_by_room());
    let odd: Vec<_> = found.windows(2).filter(|keys| keys.iter().any(|key| key.2.abs_diff(100) > 25)).collect();
    assert_eq!((found.len(), odd), (100, Vec::new()));
}

#[test]
fn a_wideband_call_hears_them_too() {
    let mut phone = Phone::new();
    phone.presses('9', 200);
    phone.pauses(200);
    phone.presses('A', 200);
    let mut call = audible(Call::new(&wide_terms("9", "")));
    call.send(CLEAN, phone.packets);
    call.run(ms(1_500));
    assert_keys(&call.heard_by_room(), &[('9', 0, 200), ('A', 400, 200)], 30, "wide");
}

#[test]
fn opus_that_is_passed_on_is_encoded_for_the_time_of_a_key() {
    for (name, format, rate, unit) in [("8 kHz", "107", 101, 160), ("48 kHz", "107", 110, 960_u16)] {
        let extra = if rate == 110 { "a=rtpmap:110 telephone-event/48000\r\n" } else { "" };
        let format = if rate == 110 { format!("{format} 110") } else { format.to_owned() };
        let mut call = audible(Call::new(&opus_terms(&format, extra)));
        let mut encoder =
            opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).expect("an encoder");
        let voice = tone_at(16_000.0, VOICE, 26, 16_000);
        let said: Vec<Vec<u8>> =
            voice.chunks_exact(320).map(|frame| encoder.encode_vec(frame, 1_500).expect("Opus")).collect();
        for (n, payload) in said.iter().enumerate() {
            let (number, time) = (n as u16, ms(20 * (n as u64 + 1)));
            // From the twentieth on a key for 100 ms.
            let packet = if (20..25).contains(&n) {
                let payload = Payload { event: Event(5), end: n == 24, volume: 10, duration: (number - 19) * unit };
                rtp(number, 20 * 960, rate, 0x1234, &payload.to_bytes())
            } else {
                rtp(number, u32::from(number) * 960, 107, 0x1234, payload)
            };
            call.at(time, Input::Rtp(packet));
        }
        call.run(ms(1_500));
        let room = call.room();
        for (n, payload) in said.iter().enumerate().filter(|(n, _)| !(20..25).contains(n)) {
            let frame = room.iter().find(|(_, timestamp, _)| timestamp.abs_diff(n as u32 * 960) <= 480);
            assert!(frame.is_some_and(|frame| frame.2 == &payload[..]), "{name}: packet {n}");
        }
        assert_keys(&call.heard_by_room(), &[('5', 400, 100)], 30, name);
        let numbers: u16 =
            call.left.iter().map(|(_, left)| if let Left::Room { lost, .. } = left { *lost } else { 0 }).sum();
        assert_eq!(numbers, 0, "{name}: nothing was lost");
    }
}

#[test]
fn keys_that_are_tones_already_are_let_through_as_they_are() {
    let (low, high) = (tone(770.0, 23, 4_000), tone(1_336.0, 22, 4_000));
    let mut said = tone(VOICE, 26, 3_200);
    said.extend(low.iter().zip(high).map(|(low, high)| low + high));
    said.extend(tone(VOICE, 26, 3_200));
    for (audible, heard) in [(true, 460..=520), (false, 20..=80)] {
        let mut call = Call::new(&terms("0", ""));
        // Either order will do.
        call.junction.set_audible_keys(call.start, audible);
        call.junction.set_tones(call.start, Tones::Heard).expect("a detector");
        call.junction.set_audible_keys(call.start, audible);
        call.send(CLEAN, crate::wire::carrier_packets(&said, Law::Mu, 0, 20));
        call.run(ms(2_000));
        assert_eq!(call.events().iter().filter(|event| matches!(event, media::Event::Tone(_))).count(), 1);
        let found = keys(&call.heard_by_room());
        assert!(matches!(&found[..], [('5', 380..=420, length, _)] if heard.contains(length)), "{audible}: {found:?}");
    }
}
