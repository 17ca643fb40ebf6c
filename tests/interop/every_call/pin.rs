//! Rooms that ask for a PIN. The recordings of this gateway are tones, so that a test knows which one is heard.

use std::time::Duration;

use serde_json::{Value, json};
use tests::audio;
use tests::peers::phone::Rtp;
use tests::peers::scenario::Player;
use tests::scratch::Scratch;

use super::Terms;
use super::desk::{Desk, ROOM_TONE};

const PIN: &str = "481516";
const ENTER: f64 = 600.0;
const WRONG: f64 = 1_200.0;
const RIGHT: f64 = 1_800.0;

pub(super) fn locked(terms: &mut Terms) {
    terms.rule["rule"]["dispatchRuleDirect"]["pin"] = PIN.into();
}

/// The room of the row has no PIN, and beside it is one that has.
pub(super) fn half_locked(terms: &mut Terms) {
    let mut other = terms.rule.clone();
    other["name"] = "vault".into();
    other["rule"]["dispatchRuleDirect"] = json!({"roomName": "vault", "pin": PIN});
    terms.rule = json!([terms.rule, other]);
}

pub(super) fn prompts(scratch: &Scratch) -> Value {
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
    })
}

pub(super) fn right(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    asked(desk, &mut player, &mut rtp);
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

pub(super) fn wrong(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.caller().invites("", &rtp.offer()).gets(200).acknowledges("").is_hung_up());
    asked(desk, &mut player, &mut rtp);
    for pin in ["1111#", "*2222#", "9876543210987654"] {
        dial(&mut player, &rtp, pin);
        desk.phone_hears(&rtp, WRONG);
    }
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("pin_refused")), "{bye:?}");
    let room = desk.room.clone();
    assert_eq!(desk.listener.participants(&room).len(), 1, "he was never inside");
    assert!(!desk.gateway.log().contains("987654321"), "what was typed is in the log");
    player.succeeds();
}

pub(super) fn none(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    asked(desk, &mut player, &mut rtp);
    dial(&mut player, &rtp, "#");
    desk.both_hear(&rtp, 440.0);
    desk.phone_hears(&rtp, ROOM_TONE);
    player.go();
    player.succeeds();
}

/// The caller is answered at once and asked.
fn asked(desk: &mut Desk<'_>, player: &mut Player, rtp: &mut Rtp) {
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.start(media, Some((440.0, -15.0)));
    desk.phone_hears(rtp, ENTER);
}

fn dial(player: &mut Player, rtp: &Rtp, keys: &str) {
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    for key in keys.chars() {
        let event = "0123456789*#".find(key).expect("a key of a phone");
        rtp.press(media, event as u8);
        std::thread::sleep(Duration::from_millis(60));
    }
}
