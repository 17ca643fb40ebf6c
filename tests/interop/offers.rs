//! Offers that cross, holds that are ended in other ways than they began, and the gateway's voice.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::listener::Event;
use tests::peers::phone::{Phone, branch};
use tests::peers::sipp::Run;

const ROOM: &str = "talk";
const CALLER: &str = "sip_+15550199";
const PBX: &str = "sip_+15550171";
const LIMIT: Duration = Duration::from_secs(10);
const SDP: &str = "Content-Type: application/sdp\r\n";

/// No session is shorter than ninety seconds, so this takes the half of that.
#[test]
fn a_hold_waits_for_a_refresh_and_is_made_again_after_a_collision() {
    let Some(mut bed) = Bed::aside("offers-cross", &Setup::room(ROOM), &[Need::Sipp]) else { return };
    bed.listener.join(ROOM, 880.0);
    let run = Run { hold: 3_000, ..Run::one("offers.xml") };
    let mut pbx = run.start(bed.gateway.sip(), &bed.scratch);
    bed.listener.hear(PBX, 440.0, -15.0, LIMIT);
    let log = bed.scratch.path().join("sipp-messages.log");
    let sent = |log: &str| log.matches("UDP message sent").count();
    let before = sent(&text(&log));
    let refresh = tests::within(Duration::from_secs(60), || sent(&text(&log)) > before);
    assert!(refresh.is_some(), "no refresh came: {}", text(&log));
    // It is answered three seconds later; the hold, after that and a collision.
    let begun = Instant::now();
    let result = bed.listener.tell("rpc", procedure(PBX, "trunkline.hold"));
    assert_eq!(result["payload"], "{}", "{result}");
    assert!(begun.elapsed() >= Duration::from_secs(2), "after {:?}", begun.elapsed());
    bed.listener.attribute(PBX, "trunkline.hold", "true");
    // The listener's client conceals the end of what it heard for a moment.
    let is_silent = |e: &Event| e.kind() == "sound" && e.line["on"] == false;
    bed.listener.expect("silence in the room", LIMIT, is_silent);
    std::thread::sleep(Duration::from_millis(700));
    bed.listener.forget();
    std::thread::sleep(Duration::from_millis(1_000));
    let loud = bed.listener.seen().iter().any(|e| e.kind() == "heard" && e.line["level"].as_f64() > Some(-50.0));
    assert!(!loud, "a held phone is not heard");
    let result = bed.listener.tell("rpc", procedure(PBX, "trunkline.resume"));
    assert_eq!(result["payload"], "{}", "{result}");
    bed.listener.hear(PBX, 440.0, -15.0, LIMIT);
    pbx.succeeds(LIMIT);
}

/// As Cisco's call manager does it: the hold is an offer, and the resume asks for ours.
#[test]
fn a_pbx_that_holds_resumes_by_asking_for_our_offer() {
    let Some(mut bed) = Bed::new("offers-asked", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let held = format!("{}a=inactive\r\n", phone.rtp.offer());
    let answer = phone.in_dialog("INVITE", SDP, &held);
    assert_eq!(answer.status(), 200, "{answer:?}");
    phone.ack(&answer);
    bed.listener.attribute(CALLER, "sip.hold", "true");
    let offer = phone.in_dialog("INVITE", "", "");
    assert_eq!(offer.status(), 200, "{offer:?}");
    for part in ["a=sendrecv", "PCMU/8000", "PCMA/8000", "G722/8000"] {
        assert!(offer.body().contains(part), "{part} is not in {}", offer.body());
    }
    let (number, sdp) =
        (offer.cseq().split(' ').next().expect("a number").parse().expect("a number"), phone.rtp.offer());
    phone.rtp.forget();
    bed.listener.forget();
    phone.send(&phone.request("ACK", number, &branch(), SDP, &sdp));
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let heard = tests::within(LIMIT, || phone.rtp.measure().is_tone(880.0, -15.0));
    assert!(heard.is_some(), "{:?}", phone.rtp.measure());
    assert_eq!(phone.bye().status(), 200);
}

#[test]
fn a_caller_is_asked_for_his_pin_in_the_language_of_the_rule() {
    for language in ["de", "fr-CA"] {
        let mut setup = Setup::room(ROOM);
        let rule = json!({"dispatchRuleDirect": {"roomName": ROOM, "pin": "4711"}});
        setup.rules = json!([{"name": "vault", "language": language, "rule": rule}]);
        let Some(bed) = Bed::new(&format!("offers-{language}"), &setup, &[]) else { return };
        let recorded = |language: &str| {
            let file = tests::root().join("bridge/prompts").join(language).join("enter_pin.wav");
            audio::read(&file).expect("a recording").0
        };
        let (own, others) = (recorded(&language[..2]), ["en", "es"].map(recorded));
        let mut phone = Phone::new(bed.gateway.sip());
        let answer = phone.call(NUMBER);
        phone.ack(&answer);
        phone.rtp.start(answer.media().expect("an answer has media"), None);
        let is_whole = || {
            let heard = phone.rtp.heard().samples;
            heard.len() > own.len() + 16_000 && spoken(&heard).len() > 8_000
        };
        assert!(tests::within(LIMIT, is_whole).is_some(), "the caller hears something");
        let heard = phone.rtp.heard().samples;
        let (heard, own) = (spoken(&heard), spoken(&own));
        assert!(heard.len().abs_diff(own.len()) < 800, "{language}: {} samples, not {}", heard.len(), own.len());
        let (level, expected) = (level(heard), level(own));
        assert!((level - expected).abs() < 1.0, "{language}: {level} dB, not {expected} dB");
        assert!(likeness(heard, own) > 0.95, "{language}: {}", likeness(heard, own));
        for other in &others {
            assert!(likeness(heard, spoken(other)) < 0.3, "{language}: it could be in another language");
        }
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

fn procedure(identity: &str, method: &str) -> Value {
    json!({"identity": identity, "method": method, "payload": ""})
}

fn text(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
