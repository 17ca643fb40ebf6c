//! The gateway's URL alone: clients and SDKs that know no other reach the LiveKit server behind it.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::listener::Listener;
use tests::peers::phone::Phone;
use tests::peers::sdk::{Language, Sdk};

const LIMIT: Duration = Duration::from_secs(15);
const CALLER: &str = "sip_+15550199";

#[test]
fn a_client_joins_through_the_gateway_and_hears_a_caller() {
    let Some(bed) = bed("door-python", &[]) else { return };
    hear_each_other(&bed, Listener::start("guest", &bed.gateway.url(), &bed.scratch));
}

#[test]
fn a_browser_joins_through_the_gateway_and_hears_a_caller() {
    let Some(bed) = bed("door-browser", &[Need::Node, Need::Chromium]) else { return };
    hear_each_other(&bed, Listener::browser("guest", &bed.gateway.url(), &bed.scratch));
}

#[test]
fn rooms_are_listed_through_the_gateway() {
    let Some(mut bed) = bed("door-rooms", &[Need::Node]) else { return };
    bed.listener.join_silently("hall");
    for language in [Language::Python, Language::JavaScript] {
        let mut sdk = Sdk::start(language, &bed.gateway.url(), &bed.scratch);
        assert_eq!(sdk.ask("rooms", json!({})).expect("rooms are listed"), json!(["hall"]), "{language:?}");
    }
    // A token that the server refuses is refused by the server, not by us.
    let api = bed.gateway.api().with_grants(&json!({"video": {}}));
    let direct =
        tests::peers::api::Api::new(([127, 0, 0, 1], bed.livekit.port()).into()).with_grants(&json!({"video": {}}));
    let path = "/twirp/livekit.RoomService/ListRooms";
    let (ours, theirs) = (api.post(path, &json!({})), direct.post(path, &json!({})));
    assert_eq!((ours.status, ours.body), (theirs.status, theirs.body));
}

/// What a client notices of a server that went away is what it notices without us between.
#[test]
fn a_client_sees_the_server_go_and_come_back() {
    let Some(mut bed) = bed("door-restart", &[]) else { return };
    let mut guest = Listener::start("guest", &bed.gateway.url(), &bed.scratch);
    guest.join_silently("hall");
    bed.livekit.kill();
    let path = "/twirp/livekit.RoomService/ListRooms";
    assert_eq!(bed.gateway.api().post(path, &json!({})).status, 502);
    bed.livekit.restart(&bed.scratch);
    let mut second = Listener::start("second", &bed.gateway.url(), &bed.scratch);
    second.tell("join", json!({"room": "hall", "identity": "second", "within": 5.0}));
    assert_eq!(bed.gateway.api().post(path, &json!({})).status, 200);
}

fn bed(name: &str, needs: &[Need]) -> Option<Bed> {
    Bed::new(name, &Setup { api: true, ..Setup::room("studio") }, needs)
}

fn hear_each_other(bed: &Bed, mut guest: Listener) {
    guest.tell("join", json!({"room": "studio", "identity": "guest", "tone": 880}));
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    let caller = guest.participant(CALLER);
    assert_eq!(caller.text("kind"), "SIP");
    guest.attribute(CALLER, "sip.callStatus", "active");
    guest.hear(CALLER, 440.0, -15.0, LIMIT);
    let heard = tests::within(LIMIT, || phone.rtp.measure().is_tone(880.0, -15.0));
    assert!(heard.is_some(), "{:?}", phone.rtp.measure());
    assert_eq!(phone.bye().status(), 200);
    guest.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}
