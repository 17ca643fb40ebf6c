//! Rooms that ask for a PIN: what the caller hears, what he may type, and that nobody else learns it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::audio;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const ROOM: &str = "vault";
const OPEN: &str = "lobby";
const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(10);
const PIN: &str = "481516";

/// What the recordings of the tests sound like, in Hz.
const ENTER: f64 = 600.0;
const WRONG: f64 = 1_200.0;
const RIGHT: f64 = 1_800.0;

#[test]
fn the_right_pin_opens_the_room() {
    let Some(mut bed) = bed("pin-right", false) else { return };
    bed.listener.join(ROOM, 880.0);
    let (mut phone, media) = calling(&bed);
    expect_tone(&phone, ENTER);
    assert!(bed.listener.participants(ROOM).iter().all(|who| who["identity"] != CALLER), "he stands outside");
    dial(&phone, media, PIN);
    dial(&phone, media, "#");
    expect_tone(&phone, RIGHT);
    let seen = bed.listener.participant(CALLER);
    assert_eq!(seen.attribute("sip.callStatus"), Some("active"));
    assert!(seen.attribute("sip.ruleID").is_some_and(|rule| rule.starts_with("SDR_")), "{seen:?}");
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    expect_tone(&phone, 880.0);
    phone.rtp.press(media, 7);
    bed.listener.expect("a key for the room", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "7");
    let keys = bed.listener.seen().iter().filter(|e| e.kind() == "dtmf").count();
    assert_eq!(keys, 1, "those of the PIN are not the room's");
    assert_eq!(phone.bye().status(), 200);
    let log = bed.gateway.process().output();
    assert!(!log.contains(PIN), "the PIN is in the log");
}

#[test]
fn three_wrong_pins_end_the_call_and_more_of_them_are_of_no_use() {
    let Some(mut bed) = bed("pin-wrong", false) else { return };
    bed.listener.join(ROOM, 880.0);
    let (mut phone, media) = calling(&bed);
    for (nth, pin) in ["1111#", "*2222#", "9876543210987654"].into_iter().enumerate() {
        expect_tone(&phone, if nth == 0 { ENTER } else { WRONG });
        phone.rtp.forget();
        dial(&phone, media, pin);
    }
    expect_tone(&phone, WRONG);
    let (_, bye) = phone.expect_request("BYE", LIMIT).expect("the third is the last");
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("pin_refused")), "{bye:?}");
    assert!(!bed.gateway.process().output().contains("987654321"), "what was typed is in the log");
    phone.rtp.stop();

    // The right one comes too late now: it is answered like the others.
    let (phone, media) = calling(&bed);
    expect_tone(&phone, ENTER);
    dial(&phone, media, &format!("{PIN}#"));
    expect_tone(&phone, WRONG);
    assert!(bed.listener.participants(ROOM).iter().all(|who| who["identity"] != CALLER));
    // Somebody else behind the same carrier is none the worse.
    let mut other = Phone::new(bed.gateway.sip());
    other.call.from = "<sip:+15550177@trunk.example.com>".to_owned();
    let answer = other.call_and_talk(NUMBER, 440.0);
    dial(&other, answer.media().expect("an answer has media"), &format!("{PIN}#"));
    bed.listener.participant("sip_+15550177");
}

#[test]
fn a_hash_alone_leads_to_a_room_without_a_pin() {
    let Some(mut bed) = bed("pin-none", true) else { return };
    bed.listener.join(OPEN, 880.0);
    let (phone, media) = calling(&bed);
    dial(&phone, media, "#");
    bed.listener.participant(CALLER);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    expect_tone(&phone, 880.0);
}

#[test]
fn a_caller_who_types_nothing_is_asked_three_times() {
    let mut setup = setup(false);
    setup.more = json!({});
    let Some(bed) = Bed::new("pin-silence", &setup, &[]) else { return };
    let start = Instant::now();
    let (mut phone, _) = calling(&bed);
    // Our own recording.
    let spoken = tests::within(LIMIT, || phone.rtp.measure().level > -35.0);
    assert!(spoken.is_some(), "the caller hears {:?}", phone.rtp.measure());
    let (at, bye) = phone.expect_request("BYE", Duration::from_secs(60)).expect("the call ends");
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("pin_refused")), "{bye:?}");
    let took = at - start;
    assert!((Duration::from_secs(36)..Duration::from_secs(50)).contains(&took), "{took:?}");
}

fn setup(is_open: bool) -> Setup {
    let mut setup = Setup::room(ROOM);
    let rule = |name: &str, room: &str| json!({"name": name, "rule": {"dispatchRuleDirect": {"roomName": room}}});
    let mut locked = rule("vault", ROOM);
    locked["rule"]["dispatchRuleDirect"]["pin"] = PIN.into();
    setup.rules = if is_open { json!([locked, rule("lobby", OPEN)]) } else { json!([locked]) };
    setup
}

/// A gateway whose recordings are tones.
fn bed(name: &str, is_open: bool) -> Option<Bed> {
    Bed::with_setup(name, |_, scratch| {
        let recording = |name: &str, pitch, seconds| {
            let file = scratch.path().join(name);
            // At another rate than the telephone's.
            audio::write(&file, &audio::tone(pitch, -15.0, 16_000, seconds), 16_000);
            file
        };
        let prompts = json!({
            "enter_pin": recording("enter.wav", ENTER, 4.0),
            "wrong_pin": recording("wrong.wav", WRONG, 2.0),
            "room_join": recording("right.wav", RIGHT, 2.0),
        });
        setup(is_open).with("prompts", prompts)
    })
}

/// A caller who was answered, and where his media goes.
fn calling(bed: &Bed) -> (Phone, SocketAddr) {
    let mut phone = Phone::new(bed.gateway.sip());
    let answer = phone.call_and_talk(NUMBER, 440.0);
    let media = answer.media().expect("an answer has media");
    (phone, media)
}

fn dial(phone: &Phone, media: SocketAddr, keys: &str) {
    for key in keys.chars() {
        let event = "0123456789*#".find(key).expect("a key of a phone");
        phone.rtp.press(media, event as u8);
        std::thread::sleep(Duration::from_millis(60));
    }
}

fn expect_tone(phone: &Phone, pitch: f64) {
    let heard = tests::within(LIMIT, || phone.rtp.measure().is_tone(pitch, -15.0));
    assert!(heard.is_some(), "the phone should hear {pitch} Hz, but it is {:?}", phone.rtp.measure());
}
