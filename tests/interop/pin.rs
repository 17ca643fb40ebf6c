//! Callers who do not know the PIN of a room. Those who do are in the rows of `every_call`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::audio;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const ROOM: &str = "vault";
const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(10);
const PIN: &str = "481516";

/// What the recordings of the tests sound like, in Hz.
const ENTER: f64 = 600.0;
const WRONG: f64 = 1_200.0;
const RIGHT: f64 = 1_800.0;

#[test]
fn three_wrong_pins_end_the_call_and_more_of_them_are_of_no_use() {
    let Some(mut bed) = bed("pin-wrong") else { return };
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
fn a_caller_who_types_nothing_is_asked_three_times() {
    let mut setup = setup();
    setup.more = json!({});
    let Some(bed) = Bed::aside("pin-silence", &setup, &[]) else { return };
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

fn setup() -> Setup {
    let mut setup = Setup::room(ROOM);
    setup.rules[0]["rule"]["dispatchRuleDirect"]["pin"] = PIN.into();
    setup
}

/// A gateway whose recordings are tones.
fn bed(name: &str) -> Option<Bed> {
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
        setup().with("prompts", prompts)
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
