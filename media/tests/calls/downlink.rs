//! From one talker of the room to the carrier.

use std::time::Duration;

use media::codec::g711::Law;

use crate::{
    sound::{assert_tone, delay, energy, speech, through_codecs, tone},
    wire::{CLEAN, Call, Input, Left, Wire, later, ms, room_packets, terms},
};

/// Sequence numbers rise by one and timestamps by the packet's samples, without an exception.
#[track_caller]
fn assert_continuous(call: &Call, samples: u32) {
    for (n, (_, sequence, timestamp, payload)) in call.rtp().into_iter().enumerate() {
        assert_eq!((sequence, timestamp), (n as u16, n as u32 * samples), "packet {n}");
        assert_eq!(payload.len(), samples as usize, "packet {n}");
    }
}

/// Packets never leave faster than time, but for a few at once; nor slower.
#[track_caller]
fn assert_real_time(call: &Call, ptime: u64, slack: u64) {
    for (n, (time, ..)) in call.rtp().into_iter().enumerate() {
        let due = n as u64 * ptime;
        let time = time.as_millis() as u64;
        assert!(time + slack >= due && time <= due + slack, "packet {n}, due at {due}, left at {time}");
    }
}

#[test]
fn a_tone_arrives_in_packets_of_the_length_agreed_upon() {
    let said = tone(440.0, 20, 24_000);
    for (law, format) in [(Law::Mu, "0"), (Law::A, "8")] {
        for ptime in [10, 20, 30, 40, 60] {
            let mut call = Call::heard(&terms(format, &format!("a=ptime:{ptime}\r\n")));
            call.send(CLEAN, room_packets(&said, 7, 0));
            call.run(ms(3_000));
            assert_continuous(&call, ptime * 8);
            assert_tone(&call.heard_by_carrier(law), 440.0, 20, &format!("{law:?} in {ptime} ms"));
        }
    }
}

#[test]
fn one_talker_passes_straight_through() {
    let said = speech();
    let mut call = Call::heard(&terms("0", ""));
    call.send(CLEAN, later(ms(107), room_packets(&said, 7, 0)));
    call.run(ms(12_600));
    assert_continuous(&call, 160);
    assert_real_time(&call, 20, 40);
    // Every packet of the room left as one for the carrier in the same instant.
    let left: Vec<Duration> = call.rtp().into_iter().map(|packet| packet.0).collect();
    for n in 1..=600 {
        let at = ms(107 + 20 * n);
        assert!(left.contains(&at), "nothing left at {at:?}");
    }
    let heard = call.heard_by_carrier(Law::Mu);
    // The sample spoken at t is in the packet of the room that came by t + 20 ms; what is counted is past that.
    let (behind, likeness) = delay(&said, &heard, 40_000, 4_000);
    let spoken = ms(107) + Duration::from_micros(40_000 * 125 + 20_000);
    let packet = ((40_000 + behind) / 160) as usize;
    let added = call.rtp()[packet].0.saturating_sub(spoken);
    assert!(added <= ms(10), "{added:?} added");
    let (_, bare) = delay(&said, &through_codecs(&said), 40_000, 4_000);
    assert!(likeness > bare - 0.005, "{likeness}, and {bare} by the codecs alone");
    assert_eq!(call.junction.report().room_concealed, 800, "only the fade at the end");
}

#[test]
fn nobody_speaks_and_the_stream_goes_on() {
    let mut call = Call::heard(&terms("0", ""));
    call.run(ms(10_000));
    assert_continuous(&call, 160);
    assert_real_time(&call, 20, 0);
    assert_eq!(call.rtp().len(), 501);
    assert!(call.rtp().iter().all(|packet| packet.3.iter().all(|byte| *byte == 0xff)));
    let markers = call.left.iter().filter(|(_, left)| matches!(left, Left::Rtp { marker: true, .. }));
    assert_eq!(markers.count(), 1, "only the first packet follows on nothing");
}

#[test]
fn speech_after_a_pause_is_not_held_back() {
    let said = tone(440.0, 20, 4_000);
    let mut call = Call::heard(&terms("0", ""));
    call.send(CLEAN, room_packets(&said, 7, 0));
    // The same source goes on a second later: numbers without a gap, timestamps with one.
    let again = later(ms(1_003), room_packets(&said, 7, 0)).into_iter().map(|(time, input)| match input {
        Input::Room { ssrc, sequence, timestamp, payload } => (
            time,
            Input::Room {
                ssrc,
                sequence: sequence.wrapping_add(25),
                timestamp: timestamp.wrapping_add(48_144),
                payload,
            },
        ),
        other => (time, other),
    });
    let again: Vec<_> = again.collect();
    call.send(CLEAN, again);
    call.run(ms(3_000));
    assert_continuous(&call, 160);
    assert_real_time(&call, 20, 40);
    let left: Vec<Duration> = call.rtp().into_iter().map(|packet| packet.0).collect();
    for n in 1..=25 {
        assert!(left.contains(&ms(1_003 + n * 20)), "packet {n} of the second part left at once");
    }
    assert_eq!(call.junction.report().room_late, 0);
}

#[test]
fn silence_packets_are_silence() {
    let mut call = Call::heard(&terms("0", ""));
    let mut packets = room_packets(&tone(440.0, 20, 16_000), 7, 0);
    for (_, input) in packets.iter_mut().skip(50) {
        if let Input::Room { payload, .. } = input {
            payload.truncate(1);
        }
    }
    call.send(CLEAN, packets);
    call.run(ms(2_500));
    assert_continuous(&call, 160);
    assert_real_time(&call, 20, 40);
    assert_eq!(call.junction.report().room_concealed, 0);
    let heard = call.heard_by_carrier(Law::Mu);
    assert!(heard[9_000..].iter().all(|sample| *sample == 0));
}

#[test]
fn a_lost_packet_is_recovered_from_the_next() {
    let said = speech();
    for (name, redundancy, wanted) in [("with redundancy", 20, true), ("without", 0, false)] {
        let mut call = Call::heard(&terms("0", ""));
        call.send(Wire { loss: 5, ..CLEAN }, room_packets(&said, 7, redundancy));
        call.run(ms(12_500));
        assert_continuous(&call, 160);
        assert_real_time(&call, 20, 60);
        let report = call.junction.report();
        assert_eq!(report.room_recovered > 10 * 160, wanted, "{name}: {report:?}");
        assert!(report.room_concealed > 0, "{name}");
    }
}

#[test]
fn the_beginning_of_a_word_is_recovered_as_well() {
    // There is no redundancy of silence: the packet before the one that is lost has none, the one behind it has.
    let repeats = |packet: &(Duration, Input)| match &packet.1 {
        Input::Room { payload, .. } => payload[1] >> 6 & 1 == 1,
        Input::Rtp(_) | Input::Red { .. } => false,
    };
    let packets = room_packets(&speech(), 7, 20);
    let begins = |n: &usize| !repeats(&packets[*n - 1]) && !repeats(&packets[*n]) && repeats(&packets[*n + 1]);
    let lost: Vec<usize> = (100..packets.len() - 2).filter(begins).collect();
    assert!(lost.len() >= 5, "{lost:?}");
    let kept: Vec<_> = packets.iter().enumerate().filter(|(n, _)| !lost.contains(n)).map(|(_, p)| p.clone()).collect();
    let mut call = Call::heard(&terms("0", ""));
    call.send(CLEAN, kept);
    call.run(ms(12_500));
    assert_continuous(&call, 160);
    assert_eq!(call.junction.report().room_recovered, 160 * lost.len() as u64);
}

#[test]
fn three_packets_lost_in_a_row_are_no_hole() {
    let said = tone(440.0, 20, 24_000);
    let mut packets = room_packets(&said, 7, 0);
    packets.drain(60..63);
    let mut call = Call::heard(&terms("0", ""));
    call.send(CLEAN, packets);
    call.run(ms(3_000));
    assert_continuous(&call, 160);
    let heard = call.heard_by_carrier(Law::Mu);
    // What libopus makes up fades by itself, but not to nothing.
    let loudness: Vec<u8> = heard[9_000..11_000].chunks(160).map(media::frame::level).collect();
    assert!(loudness.iter().all(|level| *level < 48), "{loudness:?}");
}

#[test]
fn loss_and_jitter_leave_most_of_a_tone() {
    let said = tone(440.0, 20, 80_000);
    let mut arrived = 0.0;
    // Ten times ten seconds, for one time may have twice its share of loss.
    for seed in 1..=10 {
        let mut call = Call::heard(&terms("0", ""));
        call.send(Wire { loss: 5, jitter: ms(60), repeated: 2, seed }, room_packets(&said, 7, 0));
        call.run(ms(10_500));
        assert_continuous(&call, 160);
        let heard = call.heard_by_carrier(Law::Mu);
        assert_tone(&heard, 440.0, 20, &format!("seed {seed}"));
        arrived += energy(&heard) / energy(&said) / 10.0;
        assert_real_time(&call, 20, 130);
    }
    assert!(arrived >= 0.85, "{arrived}");
}

#[test]
fn a_stall_and_the_burst_after_it_do_not_delay_what_follows() {
    let said = speech();
    let mut call = Call::heard(&terms("0", ""));
    let mut packets = room_packets(&said, 7, 0);
    for (time, _) in &mut packets[200..215] {
        *time = ms(215 * 20);
    }
    call.send(CLEAN, packets);
    call.run(ms(12_500));
    assert_continuous(&call, 160);
    assert_real_time(&call, 20, 100);
    let heard = call.heard_by_carrier(Law::Mu);
    let (before, _) = delay(&said, &heard, 16_000, 2_000);
    let (after, likeness) = delay(&said, &heard, 60_000, 2_000);
    assert!(after - before <= 480, "from {before} to {after}");
    assert!(likeness > 0.9, "{likeness}");
}

#[test]
fn a_line_that_becomes_slower_is_followed() {
    let said = speech();
    let mut call = Call::heard(&terms("0", ""));
    let mut packets = room_packets(&said, 7, 0);
    for (time, _) in &mut packets[200..] {
        *time += ms(300);
    }
    call.send(CLEAN, packets);
    call.run(ms(13_000));
    assert_continuous(&call, 160);
    assert_real_time(&call, 20, 100);
    let report = call.junction.report();
    assert!(report.room_late <= 4, "{report:?}");
    let (_, likeness) = delay(&said, &call.heard_by_carrier(Law::Mu), 60_000, 4_000);
    assert!(likeness > 0.9, "{likeness}");
}

#[test]
fn never_more_than_real_time() {
    // A talker whose clock runs at double speed, for a minute of its time.
    let said = speech();
    let mut call = Call::heard(&terms("0", ""));
    let packets: Vec<_> = room_packets(&said, 7, 0).into_iter().map(|(time, input)| (time / 2, input)).collect();
    call.send(CLEAN, packets);
    call.run(ms(6_000));
    assert_continuous(&call, 160);
    assert_real_time(&call, 20, 140);
    assert!(call.junction.report().room_dropped > 0);
}

#[test]
fn a_clock_that_is_a_little_wrong_drifts_nowhere() {
    for parts in [-500i64, 500] {
        let mut call = Call::heard(&terms("0", ""));
        let said: Vec<i16> = speech().repeat(5);
        let packets = room_packets(&said, 7, 0).into_iter().map(|(time, input)| {
            (Duration::from_nanos((time.as_nanos() as i64 * (1_000_000 + parts) / 1_000_000) as u64), input)
        });
        let packets: Vec<_> = packets.collect();
        call.send(CLEAN, packets);
        call.run(ms(59_000));
        assert_continuous(&call, 160);
        assert_real_time(&call, 20, 80);
        let report = call.junction.report();
        assert!(report.room_late == 0 && report.room_concealed == 0, "{parts} ppm: {report:?}");
    }
}

#[test]
fn a_driver_that_was_held_up_lets_the_time_pass() {
    let mut call = Call::heard(&terms("0", ""));
    call.run(ms(1_000));
    let before = call.rtp().len();
    call.now = call.start + ms(3_000);
    call.junction.handle_timeout(call.now);
    call.drain();
    assert_eq!(call.rtp().len() - before, 1, "no burst of silence");
    let last = call.rtp().last().map(|packet| packet.2);
    assert_eq!(last, Some(24_000), "and the timestamp is that of now");
}
