//! Calls that the API places: what the callee, the room and the API's caller each see of them.

#[path = "outbound/early.rs"]
mod early;
#[path = "outbound/login.rs"]
mod login;
#[path = "outbound/way.rs"]
mod way;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::callee::Callee;
use tests::peers::gateway::{OUR_NUMBER, Setup};
use tests::peers::sipp::Carrier;
use tests::ports;

const LIMIT: Duration = Duration::from_secs(10);
const ROOM: &str = "desk";
const THEIRS: &str = "+15550400";
const CALLED: &str = "sip_+15550400";

#[test]
fn an_answered_call_is_heard_both_ways_and_shows_each_step() {
    let Some((mut bed, mut callee)) = bed("outbound-answered", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let call = json!({
        "participant_name": "Alice", "participant_metadata": "m", "participant_attributes": {"case": "42"},
        "headers": {"X-Case": "42"}, "dtmf": "1w23#",
    });
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&call));
    let invite = callee.invited();
    assert!(invite.header("From").is_some_and(|from| from.contains(&format!("sip:{OUR_NUMBER}@"))), "{invite:?}");
    assert!(invite.start().starts_with(&format!("INVITE sip:{THEIRS}@{}", callee.address())), "{invite:?}");
    assert_eq!(invite.header("X-Case"), Some("42"));
    let seen = bed.listener.participant(CALLED);
    assert_eq!((seen.text("kind"), seen.text("name"), seen.text("metadata")), ("SIP", "Alice", "m"));
    for (attribute, value) in [
        ("sip.callStatus", "dialing"),
        ("sip.phoneNumber", THEIRS),
        ("sip.trunkPhoneNumber", OUR_NUMBER),
        ("case", "42"),
    ] {
        assert_eq!(seen.attribute(attribute), Some(value), "{attribute}");
    }
    callee.reply("180 Ringing");
    bed.listener.attribute(CALLED, "sip.callStatus", "ringing");
    assert!(!pending.is_over(), "nobody has answered yet");
    callee.pick_up(Some(440.0));
    let answer = pending.finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((answer.text("participant_identity"), answer.text("room_name")), (CALLED, ROOM));
    assert!(answer.text("participant_id").starts_with("PA_") && answer.text("sip_call_id").starts_with("SCL_"));
    assert_eq!(seen.attribute("sip.callID"), Some(answer.text("sip_call_id")));
    bed.listener.attribute(CALLED, "sip.callStatus", "active");
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    expect_tone(&mut callee, 880.0);
    assert_eq!(callee.rtp.heard().digits(), "123#");
    let media = invite.media().expect("an INVITE has an offer");
    callee.rtp.press(media, 9);
    bed.listener.expect("a key for the room", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "9");
    assert_eq!(callee.bye().status(), 200);
    bed.listener.attribute(CALLED, "sip.callStatus", "hangup");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    assert_eq!(statuses(&mut bed), ["ringing", "automation", "active", "hangup"]);
}

#[test]
fn without_waiting_the_answer_comes_while_it_rings() {
    let Some((mut bed, mut callee)) = bed("outbound-at-once", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&json!({"wait_until_answered": false})));
    assert_eq!(answer.status, 200, "{}", answer.body);
    callee.invited();
    callee.reply("180 Ringing");
    bed.listener.attribute(CALLED, "sip.callStatus", "ringing");
    callee.refuse("486 Busy Here");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn the_room_hangs_up() {
    let Some((mut bed, mut callee)) = bed("outbound-removed", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.pick_up(Some(440.0));
    assert_eq!(pending.finish().status, 200);
    bed.listener.tell("remove", json!({"room": ROOM, "identity": CALLED}));
    assert!(callee.expect_bye(LIMIT).is_some());
}

#[test]
fn the_room_is_deleted_while_it_rings() {
    let Some((mut bed, mut callee)) = bed("outbound-deleted", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.reply("180 Ringing");
    bed.listener.attribute(CALLED, "sip.callStatus", "ringing");
    bed.listener.tell("delete", json!({"room": ROOM}));
    let cancel = callee.expect("CANCEL");
    callee.reply_to(&cancel, "200 OK");
    callee.refuse("487 Request Terminated");
    assert_ne!(pending.finish().status, 200);
}

/// Of a carrier that is `sipp`: status of SIP, status of HTTP, code of Twirp.
#[test]
fn refusals_reach_the_caller_of_the_api() {
    let port = ports::one();
    let Some(mut bed) = Bed::new("outbound-refused", &setup((Ipv4Addr::LOCALHOST, port).into()), &[Need::Sipp]) else {
        return;
    };
    bed.listener.join_silently(ROOM);
    let cases = [
        (486, "Busy Here", 429, "resource_exhausted"),
        (480, "Temporarily Unavailable", 429, "resource_exhausted"),
        (404, "Not Found", 404, "not_found"),
        (603, "Decline", 403, "permission_denied"),
        (503, "Service Unavailable", 412, "failed_precondition"),
        // Where a redirection would lead is not for the carrier to say.
        (302, "Moved Temporarily", 404, "not_found"),
    ];
    let calls = cases.len() as u32;
    let mut sipp = Carrier { calls, ..Carrier::new("carrier.xml", port) }.start(&bed.scratch);
    for (status, phrase, http, code) in cases {
        bed.listener.forget();
        let call = request(&json!({"sip_call_to": format!("+15550{status}")}));
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &call);
        assert_eq!((answer.status, answer.code()), (http, code), "{status}: {}", answer.body);
        assert_eq!(answer.sip_status(), Some(status), "{status}: {}", answer.body);
        assert_eq!(answer.body["meta"]["sip_status"], phrase, "{status}");
        bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    }
    sipp.succeeds(LIMIT);
}

#[test]
fn nobody_answers_and_the_call_is_cancelled() {
    let port = ports::one();
    let Some(mut bed) = Bed::new("outbound-unanswered", &setup((Ipv4Addr::LOCALHOST, port).into()), &[Need::Sipp])
    else {
        return;
    };
    bed.listener.join_silently(ROOM);
    let mut sipp = Carrier::new("carrier.xml", port).start(&bed.scratch);
    let start = Instant::now();
    let call = request(&json!({"sip_call_to": "+15550180", "ringing_timeout": "2s"}));
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &call);
    assert_eq!((answer.status, answer.code()), (408, "canceled"), "{}", answer.body);
    let took = start.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    sipp.succeeds(LIMIT);
}

/// RFC 3261 §9.1: a 200 that was under way when the CANCEL went out is acknowledged, and the call hung up.
#[test]
fn a_cancel_that_crosses_the_answer_hangs_up() {
    let Some((mut bed, mut callee)) = bed("outbound-crossing", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({"ringing_timeout": "1s"})));
    callee.invited();
    callee.reply("180 Ringing");
    let cancel = callee.expect("CANCEL");
    let offer = callee.rtp.offer();
    callee.reply_with("200 OK", "Content-Type: application/sdp\r\n", &offer);
    callee.reply_to(&cancel, "200 OK");
    callee.expect("ACK");
    assert!(callee.expect_bye(LIMIT).is_some());
    assert_eq!(pending.finish().code(), "canceled");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
}

/// RFC 3261 §13.2.2.4: every 2xx is acknowledged; of several one stands.
#[test]
fn of_forked_answers_one_wins() {
    let Some((mut bed, mut callee)) = bed("outbound-forked", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.reply_as("one", "180 Ringing", "", "");
    callee.reply_as("two", "180 Ringing", "", "");
    let offer = callee.rtp.offer();
    let other = tests::peers::phone::Rtp::new().offer();
    callee.reply_as("one", "200 OK", "Content-Type: application/sdp\r\n", &offer);
    callee.reply_as("two", "200 OK", "Content-Type: application/sdp\r\n", &other);
    let mut acknowledged = [callee.expect("ACK").tag("To"), callee.expect("ACK").tag("To")];
    acknowledged.sort();
    assert_eq!(acknowledged, [Some("one".to_owned()), Some("two".to_owned())]);
    let bye = callee.expect_bye(LIMIT).expect("the second is hung up");
    assert_eq!(bye.tag("To").as_deref(), Some("two"));
    assert_eq!(pending.finish().status, 200);
    callee.talk(Some(440.0));
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    expect_tone(&mut callee, 880.0);
    assert!(callee.expect_bye(Duration::from_millis(500)).is_none(), "the first stands");
}

#[test]
fn a_trunk_takes_only_so_many_calls() {
    let mut callee = Callee::new();
    let mut setup = setup(callee.address());
    setup.outbound[0]["max_calls"] = 1.into();
    let Some(bed) = Bed::new("outbound-caps", &setup, &[]) else { return };
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    let second = request(&json!({"participant_identity": "second"}));
    let refused = bed.gateway.api().sip("CreateSIPParticipant", &second);
    assert_eq!(refused.code(), "resource_exhausted", "{}", refused.body);
    assert_eq!(refused.sip_status(), None, "nobody was called");
    callee.refuse("486 Busy Here");
    pending.finish();
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &second);
    callee.invited();
    callee.refuse("486 Busy Here");
    assert_eq!(pending.finish().sip_status(), Some(486), "the line is free again");
}

#[test]
fn live_calls_are_listed_and_hung_up() {
    let Some((mut bed, mut callee)) = bed("outbound-live", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let api = bed.gateway.api();
    let pending = api.begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.pick_up(Some(440.0));
    let id = pending.finish().text("sip_call_id").to_owned();
    let calls = api.get("/trunkline/v1/calls");
    assert!(calls.status == 200 && calls.body.to_string().contains(&id), "{}", calls.body);
    let one = api.get(&format!("/trunkline/v1/calls/{id}"));
    assert_eq!((one.status, one.text("room"), one.text("identity")), (200, ROOM, CALLED), "{}", one.body);
    let nobody = api.with_grants(&json!({"video": {"roomAdmin": true, "room": ROOM}}));
    assert_eq!(nobody.get("/trunkline/v1/calls").status, 401);
    assert_eq!(api.request("DELETE", &format!("/trunkline/v1/calls/{id}"), "").status / 100, 2);
    assert!(callee.expect_bye(LIMIT).is_some());
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    let gone = tests::within(LIMIT, || api.get(&format!("/trunkline/v1/calls/{id}")).status == 404);
    assert!(gone.is_some());
}

fn setup(carrier: SocketAddr) -> Setup {
    Setup::outbound(ROOM, carrier)
}

fn bed(name: &str, needs: &[Need]) -> Option<(Bed, Callee)> {
    let callee = Callee::new();
    Some((Bed::new(name, &setup(callee.address()), needs)?, callee))
}

/// A request for a call to [`THEIRS`] that waits for the answer, with some fields changed.
fn request(changes: &Value) -> Value {
    let mut request = json!({
        "sip_trunk_id": "out", "sip_call_to": THEIRS, "room_name": ROOM, "wait_until_answered": true,
        "ringing_timeout": "20s",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

fn expect_tone(callee: &mut Callee, pitch: f64) {
    let heard = tests::within(LIMIT, || callee.rtp.measure().is_tone(pitch, -15.0));
    assert!(heard.is_some(), "the callee should hear {pitch} Hz, but it is {:?}", callee.rtp.measure());
}

/// The changes of `sip.callStatus`, in order.
fn statuses(bed: &mut Bed) -> Vec<String> {
    let seen = bed.listener.seen().iter();
    seen.filter_map(|e| e.line["changed"]["sip.callStatus"].as_str().map(str::to_owned)).collect()
}
