//! The room is lost in mid-call: the phone call stays, and the audio comes back.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::listener::Listener;
use tests::peers::phone::Phone;
use tests::peers::relay::Relay;

const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(10);
/// The server's return to our audio in the room.
const BACK: Duration = Duration::from_millis(1_500);

#[test]
fn the_server_is_killed_and_comes_back_after_five_seconds() {
    let Some(mut bed) = Bed::alone("room-killed", &Setup::room("storm"), &[]) else { return };
    bed.listener.join("storm", 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    // The listener's own client takes its time to come back, so another one is ready to go in.
    let mut second = Listener::start("second", &bed.livekit.url(), &bed.scratch);
    bed.livekit.kill();
    assert!(phone.expect_request("BYE", Duration::from_secs(5)).is_none(), "the call must stay up");
    phone.rtp.forget();
    bed.livekit.restart(&bed.scratch);
    let back = Instant::now();
    second.tell("join", json!({"room": "storm", "identity": "second", "tone": 660, "within": 5.0}));
    let sound = second.expect("the caller's sound", LIMIT, |e| {
        e.kind() == "sound" && e.text("identity") == CALLER && e.line["on"] == true
    });
    assert!(sound.at - back <= BACK, "{:?}", sound.at - back);
    second.hear(CALLER, 440.0, -15.0, LIMIT);
    let participant = second.participant(CALLER);
    assert_eq!(participant.attribute("sip.callStatus"), Some("active"), "the attributes are the present ones");
    let ear = phone.rtp.heard();
    assert_eq!(ear.missing(), 0, "towards the phone the packets go on");
    assert!(ear.longest_pause() < Duration::from_millis(200), "{:?}", ear.longest_pause());
    assert_eq!(phone.bye().status(), 200);
}

#[test]
fn the_signal_connection_is_cut_for_two_seconds() {
    let mut relay = None;
    let bed =
        Bed::with_way("room-signal", &Setup::room("storm"), |livekit| relay.insert(Relay::to(livekit.port())).url());
    let (Some(mut bed), Some(relay)) = (bed, relay) else { return };
    bed.listener.join("storm", 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let before = bed.listener.tell("losses", json!({"identity": CALLER}));
    phone.rtp.forget();
    bed.listener.forget();
    relay.cut();
    assert!(phone.expect_request("BYE", Duration::from_secs(2)).is_none(), "the call must stay up");
    relay.mend();
    assert!(phone.expect_request("BYE", Duration::from_secs(4)).is_none(), "the call must stay up");
    let after = bed.listener.tell("losses", json!({"identity": CALLER}));
    assert_eq!(after["lost"], before["lost"], "no packet of ours is lost: {before} {after}");
    let grown = |name: &str| after[name].as_u64().unwrap_or(0).saturating_sub(before[name].as_u64().unwrap_or(0));
    // Six seconds at fifty packets a second, less what the measuring itself takes.
    assert!(grown("received") >= 280, "{before} {after}");
    assert_eq!(phone.rtp.heard().missing(), 0, "and none of theirs");
    let changes = bed.listener.seen().iter().filter(|e| matches!(e.kind(), "left" | "sound")).count();
    assert_eq!(changes, 0, "nobody noticed");
    // And the connection is a good one again: an end on the room's side arrives.
    bed.listener.tell("remove", json!({"room": "storm", "identity": CALLER}));
    assert!(phone.expect_request("BYE", Duration::from_secs(2)).is_some());
}
