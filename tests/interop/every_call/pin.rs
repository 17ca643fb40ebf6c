//! Rooms that ask for a PIN. The recordings of this gateway are tones, so that a test knows which one is heard; those that come
//! with it are heard in other languages.

use std::time::Duration;

use serde_json::{Value, json};
use tests::audio;
use tests::peers::phone::Rtp;
use tests::peers::scenario::Player;
use tests::scratch::Scratch;

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};

const PIN: &str = "481516";
const ENTER: f64 = 600.0;
const WRONG: f64 = 1_200.0;
const RIGHT: f64 = 1_800.0;
/// What the rule says that has a recording of its own.
const OWN: f64 = 700.0;
/// What a phone hears that the room holds, where the rule says so.
pub(super) const MUSIC: f64 = 500.0;

pub(super) fn locked(terms: &mut Terms<'_>) {
    terms.rule["rule"]["dispatchRuleDirect"]["pin"] = PIN.into();
}

/// The same with a recording of the rule's own.
pub(super) fn locked_in_words_of_its_own(terms: &mut Terms<'_>) {
    locked(terms);
    terms.rule["prompts"] = json!({"enter_pin": terms.recordings["own"]});
}

pub(super) fn locked_in_german(terms: &mut Terms<'_>) {
    locked(terms);
    terms.rule["language"] = "de".into();
}

/// A variant of a language that is spoken here.
pub(super) fn locked_in_french(terms: &mut Terms<'_>) {
    locked(terms);
    terms.rule["language"] = "fr-CA".into();
}

/// The room of the row has no PIN, and beside it is one that has.
pub(super) fn half_locked(terms: &mut Terms<'_>) {
    let mut other = terms.rule.clone();
    other["name"] = "vault".into();
    other["rule"]["dispatchRuleDirect"] = json!({"roomName": "vault", "pin": PIN});
    terms.rule = json!([terms.rule, other]);
}

/// Files that the gateway may be told to play, all of them tones.
pub(super) fn recordings(scratch: &Scratch) -> Value {
    let recording = |name: &str, pitch, seconds| {
        let file = scratch.path().join(name);
        // At another rate than the telephone's.
        audio::write(&file, &audio::tone(pitch, -15.0, 16_000, seconds), 16_000);
        file
    };
    json!({
        "enter_pin": recording("enter.wav", ENTER, 4.0),
        "wrong_pin": recording("wrong.wav", WRONG, 2.0),
        "room_join": recording("right.wav", RIGHT, 2.0),
        "own": recording("own.wav", OWN, 4.0),
        "music": recording("music.wav", MUSIC, 1.0),
    })
}

pub(super) fn right(desk: &mut Desk<'_>, prompt: f64) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    asked(desk, &mut player, &mut rtp, prompt);
    let room = desk.room.clone();
    assert_eq!(desk.listener.participants(&room).len(), 1, "he stands outside");
    dial(&mut player, &rtp, &format!("{PIN}#"));
    desk.phone_hears(&rtp, RIGHT);
    desk.both_hear(&rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.press(media, 7);
    // Those of the PIN are not the room's.
    desk.keys("7");
    assert!(!desk.gateway.log().contains(PIN), "the PIN is in the log");
    player.go();
    player.succeeds();
}

pub(super) const USUAL: f64 = ENTER;
pub(super) const OF_THE_RULE: f64 = OWN;

/// The caller is asked in words that come with the gateway.
pub(super) fn in_language(desk: &mut Desk<'_>, language: &str) {
    desk.join();
    let recorded = |language: &str| {
        let file = tests::root().join("bridge/prompts").join(language).join("enter_pin.wav");
        audio::read(&file).expect("a recording").0
    };
    let own = recorded(language);
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.start(media, Some((440.0, -15.0)));
    let is_whole = || {
        let heard = rtp.heard().samples;
        heard.len() > own.len() + 16_000 && spoken(&heard).len() > 8_000
    };
    assert!(tests::within(LIMIT, is_whole).is_some(), "the caller hears something");
    let heard = rtp.heard().samples;
    let (heard, own) = (spoken(&heard), spoken(&own));
    assert!(heard.len().abs_diff(own.len()) < 800, "{} samples, not {}", heard.len(), own.len());
    let (level, expected) = (level(heard), level(own));
    assert!((level - expected).abs() < 1.0, "{level} dB, not {expected} dB");
    assert!(likeness(heard, own) > 0.95, "{}", likeness(heard, own));
    for other in ["en", "es"] {
        assert!(likeness(heard, spoken(&recorded(other))) < 0.3, "it could be {other}");
    }
    dial(&mut player, &rtp, &format!("{PIN}#"));
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// Three wrong ones end the call; more calls of the same caller are of no use to him, and none the worse for others.
pub(super) fn wrong(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.connected(&rtp).is_hung_up());
    asked(desk, &mut player, &mut rtp, ENTER);
    for pin in ["1111#", "*2222#", "9876543210987654"] {
        dial(&mut player, &rtp, pin);
        desk.phone_hears(&rtp, WRONG);
    }
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("pin_refused")), "{bye:?}");
    assert!(!desk.gateway.log().contains("987654321"), "what was typed is in the log");
    player.succeeds();
    // The right one comes too late now: it is answered like the others.
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    asked(desk, &mut player, &mut rtp, ENTER);
    dial(&mut player, &rtp, &format!("{PIN}#"));
    desk.phone_hears(&rtp, WRONG);
    player.go();
    player.succeeds();
    let room = desk.room.clone();
    assert_eq!(desk.listener.participants(&room).len(), 1, "he was never inside");
    // Somebody else behind the same carrier.
    desk.caller.push('9');
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    asked(desk, &mut player, &mut rtp, ENTER);
    dial(&mut player, &rtp, &format!("{PIN}#"));
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// Who types nothing is asked three times.
pub(super) fn silent(desk: &mut Desk<'_>) {
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.connected(&rtp).is_hung_up());
    asked(desk, &mut player, &mut rtp, ENTER);
    for _ in 0..2 {
        desk.phone_hears_nothing(&rtp);
        rtp.forget();
        let again = tests::within(Duration::from_secs(20), || rtp.hears(ENTER, -15.0));
        assert!(again.is_some(), "he is asked again, but it is {:?}", rtp.measure());
    }
    let ended = tests::within(Duration::from_secs(30), || !player.requests("BYE").is_empty());
    assert!(ended.is_some(), "the call ends");
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("pin_refused")), "{bye:?}");
    player.succeeds();
}

pub(super) fn none(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    asked(desk, &mut player, &mut rtp, ENTER);
    dial(&mut player, &rtp, "#");
    desk.both_hear(&rtp, 440.0);
    desk.phone_hears(&rtp, ROOM_TONE);
    player.go();
    player.succeeds();
}

/// The caller is answered at once and asked.
fn asked(desk: &mut Desk<'_>, player: &mut Player, rtp: &mut Rtp, prompt: f64) {
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.start(media, Some((440.0, -15.0)));
    desk.phone_hears(rtp, prompt);
}

fn dial(player: &mut Player, rtp: &Rtp, keys: &str) {
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    for key in keys.chars() {
        let event = "0123456789*#".find(key).expect("a key of a phone");
        rtp.press(media, event as u8);
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// From the first sound to the last.
fn spoken(samples: &[i16]) -> &[i16] {
    let is_loud = |sample: &i16| sample.unsigned_abs() > 300;
    match (samples.iter().position(is_loud), samples.iter().rposition(is_loud)) {
        (Some(first), Some(last)) => &samples[first..=last],
        _ => &[],
    }
}

/// How loud, in dBFS.
fn level(samples: &[i16]) -> f64 {
    let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * (power / 32_768f64.powi(2)).log10()
}

/// How well one fits upon the other, shifted by a millisecond at most either way: one for the same.
fn likeness(a: &[i16], b: &[i16]) -> f64 {
    let product = |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let fits = |a: &[i16], b: &[i16]| product(a, b) / (product(a, a) * product(b, b)).sqrt().max(1.0);
    let shifts = (0..8).flat_map(|shift| [fits(&a[shift..], b), fits(a, &b[shift..])]);
    shifts.fold(0.0, f64::max)
}
