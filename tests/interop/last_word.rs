//! What a room says just before it hangs up is heard to its end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const ROOM: &str = "farewell";
const LIMIT: Duration = Duration::from_secs(10);
const PHONE: &str = "sip_+15550177";

/// A phone hears all of a second that was said just before the end.
#[test]
fn the_phone_hears_the_last_word() {
    let Some(mut bed) = Bed::new("last-word", &Setup::room(ROOM), &[]) else { return };
    for turn in 0..3 {
        bed.listener.tell("join", json!({"room": ROOM, "tone": 300.0, "dbfs": -85.0}));
        let mut phone = Phone::new(bed.gateway.sip());
        phone.call_and_talk(NUMBER, 440.0);
        bed.listener.hear("sip_+15550199", 440.0, -15.0, LIMIT);
        let said = bed.listener.begin("last_word", last_word("sip_+15550199"));
        let (at, bye) = phone.expect_request("BYE", LIMIT).expect("the gateway hangs up");
        let result = bed.listener.finish(said, LIMIT).expect("the listener can speak");
        assert_eq!(result["payload"], "{}", "{result}");
        assert_eq!(bye.header("X-Why"), Some("done"));
        // What comes behind a BYE is not heard by any phone.
        let heard = phone.rtp.heard();
        let until = heard.packets.iter().take_while(|(came, _)| *came <= at).count();
        let samples = &heard.samples[..(until * 160).min(heard.samples.len())];
        assert_word(&format!("turn {turn}"), samples, 8_000);
        let last = heard.packets[..until].iter().zip(samples.chunks(160)).rfind(|(_, frame)| is_loud(frame));
        let (last, _) = last.expect("there was a tone").0;
        let kept = at - *last;
        assert!(
            (Duration::from_millis(80)..=Duration::from_millis(450)).contains(&kept),
            "BYE {kept:?} after the last word"
        );
        bed.listener.tell("leave", json!({}));
        bed.listener.forget();
    }
}

#[test]
fn a_real_phone_hears_the_last_word() {
    let Some(mut bed) = Bed::new("last-word-baresip", &Setup::room(ROOM), &[Need::Baresip]) else { return };
    bed.listener.tell("join", json!({"room": ROOM, "tone": 300.0, "dbfs": -85.0}));
    let mut phone = Baresip::start("udp", 440.0, "", &bed.scratch);
    phone.call(NUMBER, bed.gateway.sip(), "udp");
    bed.listener.hear(PHONE, 440.0, -15.0, LIMIT);
    let result = bed.listener.tell("last_word", last_word(PHONE));
    assert_eq!(result["payload"], "{}", "{result}");
    bed.listener.expect("the phone leaving", LIMIT, |e| e.kind() == "left");
    // It writes the rest of its file when the call is over.
    let is_whole = tests::within(LIMIT, || loud(&phone.heard(), 8_000) >= 0.98);
    assert!(is_whole.is_some(), "{} s of a second", loud(&phone.heard(), 8_000));
    assert_word("baresip", &phone.heard(), 8_000);
}

/// An end that the room had no last word for is not delayed.
#[test]
fn a_silent_room_hangs_up_at_once() {
    let mut setup = Setup::room(ROOM);
    setup.rules[0]["answer"] = "immediately".into();
    let Some(mut bed) = Bed::new("last-word-silent", &setup, &[]) else { return };
    bed.listener.join_silently(ROOM);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear("sip_+15550199", 440.0, -15.0, LIMIT);
    let start = Instant::now();
    let result = rpc(&mut bed, "sip_+15550199", "lk.sip.EndCall", "");
    assert_eq!(result["payload"], "{}", "{result}");
    let (at, _) = phone.expect_request("BYE", LIMIT).expect("the gateway hangs up");
    assert!(at - start < Duration::from_millis(250), "{:?}", at - start);
}

fn last_word(identity: &str) -> Value {
    let payload = json!({"headers": {"X-Why": "done"}}).to_string();
    json!({"hz": 880.0, "seconds": 1.0, "identity": identity, "payload": payload})
}

#[track_caller]
fn assert_word(name: &str, samples: &[i16], rate: u32) {
    let heard = audio::measure(audio::loudest(samples, rate, 0.9), rate);
    assert!(heard.is_tone(880.0, -15.0), "{name}: {heard:?}");
    let length = loud(samples, rate);
    assert!((0.98..=1.06).contains(&length), "{name}: {length} s of a second");
}

fn is_loud(samples: &[i16]) -> bool {
    samples.iter().any(|sample| sample.abs() > 800)
}

/// How long something was to be heard, in seconds, counted in steps of five milliseconds.
fn loud(samples: &[i16], rate: u32) -> f64 {
    let step = rate as usize / 200;
    samples.chunks(step).filter(|part| is_loud(part)).count() as f64 / 200.0
}

fn rpc(bed: &mut Bed, identity: &str, method: &str, payload: &str) -> Value {
    bed.listener.tell("rpc", json!({"identity": identity, "method": method, "payload": payload}))
}
