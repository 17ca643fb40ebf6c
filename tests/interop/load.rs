//! Several callers in one room, all heard.

use std::collections::BTreeSet;
use std::time::Duration;

use tests::bed::Bed;
use tests::need::Need;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;
use tests::peers::sipp::Run;

#[test]
fn ten_callers_in_one_room_are_all_heard() {
    let Some(mut bed) = Bed::alone("load", &Setup::room("crowd"), &[Need::Sipp]) else { return };
    bed.listener.join("crowd", 880.0);
    let crowd = Run { calls: 10, at_once: 10, rate: 20, hold: 8_000, ..Run::one("talk.xml") };
    let mut crowd = crowd.start(bed.gateway.sip(), &bed.scratch);
    let everybody: BTreeSet<String> = (1..=10).map(|n| format!("sip_+1555018{n}")).collect();
    let mut heard = BTreeSet::new();
    tests::within(Duration::from_secs(20), || {
        let events = bed.listener.seen();
        heard.extend(events.iter().filter(|e| is_tone(e)).map(|e| e.text("identity").to_owned()));
        heard.is_superset(&everybody)
    });
    assert_eq!(heard, everybody);
    crowd.succeeds(Duration::from_secs(30));
}

#[test]
fn two_talkers_are_mixed_for_the_phone() {
    let Some(mut bed) = Bed::alone("load-mix", &Setup::room("crowd"), &[]) else { return };
    bed.listener.join("crowd", 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    let mut other = tests::peers::listener::Listener::start("other", &bed.livekit.url(), &bed.scratch);
    other.tell("join", serde_json::json!({"room": "crowd", "identity": "other", "tone": 1_500}));
    other.hear("sip_+15550199", 440.0, -15.0, Duration::from_secs(10));
    std::thread::sleep(Duration::from_secs(1));
    phone.rtp.forget();
    std::thread::sleep(Duration::from_millis(1_200));
    let heard = phone.rtp.measure();
    // Two tones of the same level: each has half of the power, and the sum is 3 dB above one.
    assert!((heard.level + 12.0).abs() <= 3.0, "{heard:?}");
    assert!((0.3..0.7).contains(&heard.share), "{heard:?}");
    assert!((heard.pitch - 880.0).abs() <= 5.0 || (heard.pitch - 1_500.0).abs() <= 5.0, "{heard:?}");
    assert_eq!(phone.rtp.heard().missing(), 0);
}

fn is_tone(event: &tests::peers::listener::Event) -> bool {
    let near = |name: &str, value: f64, by: f64| event.line[name].as_f64().is_some_and(|v| (v - value).abs() <= by);
    event.kind() == "heard" && near("pitch", 440.0, 5.0) && near("level", -15.0, 3.0)
}
