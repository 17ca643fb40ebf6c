//! Talk with pauses, from either side.

use std::time::Duration;

use serde_json::json;
use tests::audio;
use tests::peers::listener::Event;
use tests::peers::phone::Rtp;

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};

/// The noise of a caller's line, in dBFS.
const LINE: f64 = -50.0;
/// A word, and a pause longer than any that is waited for, in milliseconds.
const WORD: usize = 500;
const PAUSE: usize = 1_500;

/// A participant who is mute for a while is silence to the phone, whose packets go on, and is heard again at once.
pub(super) fn of_the_room(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    for muted in [true, false] {
        desk.listener.tell("mute", json!({"room": desk.room, "identity": "far-end", "muted": muted}));
        if muted {
            desk.phone_hears_nothing(&rtp);
        } else {
            desk.phone_hears(&rtp, ROOM_TONE);
        }
        assert_eq!(rtp.heard().missing(), 0);
    }
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// A participant whose client sends nothing between his words (DTX): each is heard whole.
pub(super) fn words_of_the_room(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    desk.listener.tell("leave", json!({}));
    desk.listener.join_silently(&desk.room);
    let words = words(16_000, 5).into_iter().flat_map(i16::to_le_bytes).collect::<Vec<_>>();
    let file = desk.scratch.write("words.raw", words);
    rtp.forget();
    desk.listener.tell("speak", json!({"file": file, "dtx": true}));
    std::thread::sleep(Duration::from_millis(500));
    let heard = rtp.heard();
    assert_eq!(heard.missing(), 0);
    let steps: Vec<bool> = heard.samples.chunks(40).map(|part| part.iter().any(|s| s.abs() > 800)).collect();
    let lengths: Vec<usize> = steps.chunk_by(|a, b| a == b).filter(|run| run[0]).map(|run| run.len() * 5).collect();
    // The first is over before all know that there is somebody who speaks.
    let heard = &lengths[lengths.len().saturating_sub(4)..];
    assert!(heard.len() == 4 && heard.iter().all(|length| is_word(*length)), "{lengths:?} ms of {WORD}");
    desk.listener.tell("tone", json!({"hz": ROOM_TONE}));
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// A phone that sends nothing while nobody speaks, and no comfort noise either.
pub(super) fn of_the_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    for tone in [480.0, 520.0] {
        rtp.stop();
        desk.room_hears_nothing();
        std::thread::sleep(Duration::from_millis(500));
        desk.talk(&mut player, 1, &mut rtp, tone);
    }
    player.go();
    player.succeeds();
}

/// A phone on which words and silence alternate: no word loses its beginning.
pub(super) fn words_of_the_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    desk.phone_hears(&rtp, ROOM_TONE);
    rtp.play(media, words(8_000, 1));
    let identity = desk.identity();
    let ends = |e: &&Event| e.kind() == "sound" && e.text("identity") == identity && e.line["on"] == false;
    // What ends first is the tone of before.
    let is_said = || desk.listener.seen().iter().filter(ends).count() >= 6;
    assert!(tests::within(Duration::from_secs(20), is_said).is_some(), "{:?}", desk.listener.seen());
    let lengths = desk.listener.seen().iter().filter(ends).filter_map(|e| e.line["lasted"].as_u64()).skip(1);
    let lengths: Vec<_> = lengths.collect();
    assert!(lengths.iter().all(|length| is_word(*length as usize)), "{lengths:?} ms of {WORD}");
    desk.phone_hears(&rtp, ROOM_TONE);
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// The rule wants every frame.
pub(super) fn whole(terms: &mut Terms<'_>) {
    terms.rule["dtx"] = false.into();
}

/// A caller who says nothing is heard to be there by the noise of his line, of which little is sent, or all.
pub(super) fn of_a_line(desk: &mut Desk<'_>, is_sent: bool) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.play(media, line());
    // The line is known after its first pause, and the next one is listened to: from a second after its beginning on.
    desk.room_hears(440.0);
    std::thread::sleep(Duration::from_secs(6));
    desk.listener.forget();
    desk.room_hears(440.0);
    let identity = desk.identity();
    let losses = |desk: &mut Desk<'_>| desk.listener.tell("losses", json!({"identity": identity}));
    let before = losses(desk)["received"].as_f64().expect("a number");
    std::thread::sleep(Duration::from_secs(3));
    desk.listener.forget();
    std::thread::sleep(Duration::from_millis(3_200));
    let heard = desk.listener.seen().iter().filter(|e| e.kind() == "heard" && e.text("identity") == identity);
    let levels = heard.filter_map(|e| Some((e.line["level"].as_f64()?, e.line["quietest"].as_f64()?)));
    let levels: Vec<_> = levels.collect();
    assert!(levels.len() >= 5, "{levels:?}");
    // Neither is the line quieter while it is not sent, nor does it drop out for a moment.
    for (level, quietest) in &levels {
        assert!((level - LINE).abs() <= 5.0 && quietest - LINE >= -8.0, "{levels:.1?}");
    }
    desk.room_hears(440.0);
    let losses = losses(desk);
    assert_eq!(losses["lost"], 0, "nothing is missing, for nothing was sent: {losses}");
    // Of every eight seconds some two and a quarter are sent, and of the rest every twentieth frame.
    let received = losses["received"].as_f64().expect("a number") - before;
    assert!(if is_sent { received >= 330.0 } else { received <= 210.0 }, "{received} packets in eight seconds");
    desk.phone_hears(&rtp, ROOM_TONE);
    player.go();
    player.succeeds();
}

/// A phone that knows comfort noise (RFC 3389) is told once that nobody speaks, and gets no packets after that.
pub(super) fn told_to_the_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    rtp.noise = true;
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    desk.listener.tell("mute", json!({"room": desk.room, "identity": "far-end", "muted": true}));
    let told = tests::within(LIMIT, || !rtp.heard().noise.is_empty());
    assert!(told.is_some(), "the phone hears {:?}", rtp.measure());
    std::thread::sleep(Duration::from_secs(1));
    rtp.forget();
    std::thread::sleep(Duration::from_secs(4));
    let ear = rtp.heard();
    assert!(ear.packets.is_empty() && ear.noise.len() <= 1, "{} of audio, {:?}", ear.packets.len(), ear.noise);
    desk.listener.tell("mute", json!({"room": desk.room, "identity": "far-end", "muted": false}));
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// Words of a tone, each before a pause.
fn words(rate: u32, count: usize) -> Vec<i16> {
    let word = audio::tone(440.0, -15.0, rate, WORD as f64 / 1_000.0);
    let pause = std::iter::repeat_n(0, rate as usize * PAUSE / 1_000);
    word.into_iter().chain(pause).collect::<Vec<_>>().repeat(count)
}

/// Not a frame is lost of it; an ear that waits for packets draws it out or pulls it together by one or two.
fn is_word(millis: usize) -> bool {
    (WORD - 20..=WORD + 60).contains(&millis)
}

/// Two seconds of a tone and six without it, all over the noise of a line.
fn line() -> Vec<i16> {
    let mut random = 1u32;
    let peak = 32_768.0 * 3f64.sqrt() * 10f64.powf(LINE / 20.0);
    let mut noise = || {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(random.cast_signed()) / 2_147_483_648.0 * peak
    };
    let tone = audio::tone(440.0, -15.0, 8_000, 2.0);
    let said = tone.into_iter().chain(std::iter::repeat_n(0, 48_000));
    said.map(|sample| (f64::from(sample) + noise()) as i16).collect()
}
