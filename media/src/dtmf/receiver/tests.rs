use proptest::prelude::*;

use super::super::Sender;
use super::*;
use crate::rtp::{Header, Ssrc};

const FRAME: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "any instant will do for a beginning")]
fn start() -> Instant {
    Instant::now()
}

/// When it comes, its timestamp, its event, its duration, and whether it is an end.
type Arrival = (u64, u32, u8, u16, bool);

fn hear(arrivals: &[Arrival]) -> Vec<Output> {
    let (start, mut receiver, mut outputs) = (start(), Receiver::new(8_000), Vec::new());
    for (millis, timestamp, event, duration, end) in arrivals {
        let now = start + Duration::from_millis(*millis);
        receiver.handle_timeout(now);
        outputs.extend(std::iter::from_fn(|| receiver.poll_output()));
        let payload = Payload { event: Event(*event), end: *end, volume: 10, duration: *duration };
        receiver.handle_payload(now, *timestamp, false, payload);
        outputs.extend(std::iter::from_fn(|| receiver.poll_output()));
    }
    if let Some(at) = receiver.next_timeout() {
        receiver.handle_timeout(at);
        outputs.extend(std::iter::from_fn(|| receiver.poll_output()));
    }
    assert_eq!(receiver.next_timeout(), None);
    outputs
}

fn pressed(outputs: &[Output]) -> Vec<u8> {
    let pressed = |output: &Output| match output {
        Output::Pressed(event) => Some(event.0),
        Output::Released(..) => None,
    };
    outputs.iter().filter_map(pressed).collect()
}

#[test]
fn each_digit_once() {
    let long: Vec<Arrival> = (1..=500).map(|n| (n * 20, 7, 5, (n * 160).min(65_535) as u16, false)).collect();
    type Case<'a> = (&'a str, &'a [Arrival], &'a [(u8, u64)]);
    let cases: &[Case<'_>] = &[
        ("whole", &[(0, 9, 5, 160, false), (20, 9, 5, 320, false), (40, 9, 5, 480, true)], &[(5, 60)]),
        ("timestamp zero", &[(0, 0, 5, 160, false), (20, 0, 5, 320, true)], &[(5, 40)]),
        (
            "ends repeated",
            &[(0, 9, 5, 160, false), (20, 9, 5, 320, true), (20, 9, 5, 320, true), (40, 9, 5, 320, true)],
            &[(5, 40)],
        ),
        ("nothing but an end", &[(0, 9, 5, 800, true)], &[(5, 100)]),
        ("ends lost, another key", &[(0, 9, 5, 160, false), (60, 800, 6, 160, false)], &[(5, 20), (6, 20)]),
        ("ends lost, the same key again", &[(0, 9, 5, 160, false), (60, 800, 5, 160, false)], &[(5, 20), (5, 20)]),
        ("ends lost, silence, late end", &[(0, 9, 5, 160, false), (900, 9, 5, 480, true)], &[(5, 20)]),
        ("the end overtakes", &[(0, 9, 5, 480, true), (5, 9, 5, 160, false), (6, 9, 5, 320, false)], &[(5, 60)]),
        ("durations out of order", &[(0, 9, 5, 320, false), (5, 9, 5, 160, false), (20, 9, 5, 480, true)], &[(5, 60)]),
        (
            "late packet of the key before",
            &[(0, 9, 5, 160, false), (60, 800, 6, 160, false), (61, 9, 5, 320, true), (80, 800, 6, 320, true)],
            &[(5, 20), (6, 40)],
        ),
        ("two keys swapped whole", &[(0, 800, 6, 320, true), (5, 9, 5, 320, true)], &[(6, 40), (5, 40)]),
        ("duration of zero first", &[(0, 9, 5, 0, false), (20, 9, 5, 160, true)], &[(5, 20)]),
        ("flash is told, without a digit", &[(0, 9, 16, 160, true)], &[(16, 20)]),
        ("held for ten seconds", &long, &[(5, 8_191)]),
        (
            "longer than the field: two segments, one key",
            &[(0, 9, 5, 65_535, false), (20, 9 + 65_535, 5, 160, false), (40, 9 + 65_535, 5, 320, true)],
            &[(5, 8_231)],
        ),
        (
            "the same timestamp long after is another key",
            &[(0, 0, 5, 160, true), (5_000, 0, 5, 160, true)],
            &[(5, 20), (5, 20)],
        ),
    ];
    for (name, arrivals, expected) in cases {
        let expected: Vec<_> =
            expected.iter().flat_map(|(event, millis)| [(*event, None), (*event, Some(*millis))]).collect();
        let outputs: Vec<_> = hear(arrivals)
            .into_iter()
            .map(|output| match output {
                Output::Pressed(event) => (event.0, None),
                Output::Released(event, duration) => (event.0, Some(duration.as_millis() as u64)),
            })
            .collect();
        assert_eq!(outputs, expected, "{name}");
    }
}

#[test]
fn a_key_is_given_up_after_silence() {
    let (start, mut receiver) = (start(), Receiver::new(8_000));
    let payload = Payload { event: Event(1), end: false, volume: 0, duration: 160 };
    receiver.handle_payload(start, 0, true, payload);
    assert_eq!(receiver.poll_output(), Some(Output::Pressed(Event(1))));
    let at = receiver.next_timeout().unwrap();
    assert_eq!(at - start, SILENCE);
    receiver.handle_timeout(at - FRAME);
    assert!(receiver.is_held(), "calling early is harmless");
    receiver.handle_timeout(at);
    assert_eq!(receiver.poll_output(), Some(Output::Released(Event(1), FRAME)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Keys pressed by our own sender, over a wire that loses, repeats and reorders: every key of which anything arrives
    /// is heard once, and in order unless its packets were swapped with those of the next.
    #[test]
    fn each_digit_once_over_a_bad_wire(
        keys in proptest::collection::vec(0u8..16, 1..12),
        fates in proptest::collection::vec((0u8..100, 0u8..100, 0u64..60), 600),
        first in any::<u32>(), loss in 0u8..80,
    ) {
        let start = start();
        let mut sender = Sender::new(8_000);
        for key in &keys {
            sender.press(Event(*key), Duration::from_millis(80), Duration::from_millis(80)).unwrap();
        }
        let (mut wire, mut arrived) = (Vec::new(), std::collections::BTreeMap::new());
        for (tick, (lost, repeated, late)) in (0u32..).zip(&fates) {
            let Some(out) = sender.tick(first.wrapping_add(tick * 160), 160) else { continue };
            if *lost < loss {
                continue;
            }
            let at = u64::from(tick) * 20 + late;
            arrived.entry(out.timestamp.wrapping_sub(first)).or_insert(out.payload[0]);
            wire.push((at, out));
            if *repeated < 20 {
                wire.push((at + late / 2, out));
            }
        }
        prop_assert!(sender.is_idle());
        wire.sort_by_key(|(at, _)| *at);
        let (mut receiver, mut outputs) = (Receiver::new(8_000), Vec::new());
        for (sequence, (at, out)) in (0u16..).zip(&wire) {
            let now = start + Duration::from_millis(*at);
            receiver.handle_timeout(now);
            outputs.extend(std::iter::from_fn(|| receiver.poll_output()));
            let mut datagram = [0; Header::LEN + Payload::LEN];
            let header = Header { marker: out.marker, payload_type: 101, sequence, timestamp: out.timestamp, ssrc: Ssrc(1) };
            header.write(&mut datagram).unwrap().copy_from_slice(&out.payload);
            receiver.handle_packet(now, &Packet::parse(&datagram).unwrap());
            outputs.extend(std::iter::from_fn(|| receiver.poll_output()));
        }
        prop_assert_eq!(pressed(&outputs), arrived.into_values().collect::<Vec<_>>());
        let held = usize::from(receiver.is_held());
        prop_assert_eq!(outputs.len() + held, 2 * pressed(&outputs).len(), "each is released");
        for output in &outputs {
            if let Output::Released(_, duration) = output {
                prop_assert!(*duration <= Duration::from_millis(80));
            }
        }
    }

    #[test]
    fn no_payload_makes_it_panic(payloads in proptest::collection::vec((any::<u32>(), any::<bool>(), any::<[u8; 4]>()), 0..50)) {
        let (mut now, mut receiver) = (start(), Receiver::new(0));
        for (timestamp, marker, bytes) in payloads {
            receiver.handle_payload(now, timestamp, marker, Payload::parse(&bytes).unwrap());
            while receiver.poll_output().is_some() {}
            now += FRAME;
        }
    }
}
