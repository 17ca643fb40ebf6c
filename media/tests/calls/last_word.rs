//! The end of a call, when somebody in the room has just said something.

use media::{Event, codec::g711::Law};

use crate::{
    sound::tone,
    wire::{CLEAN, Call, Left, ms, room_packets, terms},
};

/// When the junction said that the last word was heard, in milliseconds.
fn played_out(call: &Call) -> Vec<u128> {
    let events = call.left.iter().filter(|(_, left)| *left == Left::Event(Event::PlayedOut));
    events.map(|(at, _)| at.as_millis()).collect()
}

#[test]
fn a_word_that_is_on_its_way_is_heard_whole() {
    for ptime in [20, 60] {
        let mut call = Call::heard(&terms("0", &format!("a=ptime:{ptime}\r\n")));
        call.send(CLEAN, room_packets(&tone(440.0, 20, 8_000), 7, 0));
        // The end is wanted while the last packets are still under way.
        call.run(ms(960));
        call.junction.play_out(call.now);
        call.run(ms(1_500));
        let at = played_out(&call);
        // Who stops without a word is made up for 100 ms, which is sound as well; then 120 ms of silence are waited for.
        assert!(at.len() == 1 && (1_100..=1_240).contains(&at[0]), "{ptime} ms: told at {at:?}");
        let heard: Vec<i16> = call.heard_by_carrier(Law::Mu);
        let loud = heard.chunks(80).filter(|part| part.iter().any(|sample| sample.abs() > 500)).count() * 10;
        assert!(loud >= 980, "{ptime} ms: {loud} ms of a second");
    }
}

#[test]
fn a_silent_room_keeps_nobody() {
    let mut call = Call::heard(&terms("0", ""));
    call.run(ms(500));
    call.junction.play_out(call.now);
    call.run(ms(600));
    assert_eq!(played_out(&call), [500]);

    // Somebody who has spoken a while ago, and sends silence.
    let mut call = Call::heard(&terms("0", ""));
    let said: Vec<i16> = tone(440.0, 20, 4_000).into_iter().chain(vec![0; 4_000]).collect();
    call.send(CLEAN, room_packets(&said, 7, 0));
    call.run(ms(900));
    call.junction.play_out(call.now);
    call.run(ms(1_000));
    assert_eq!(played_out(&call), [900]);
}
