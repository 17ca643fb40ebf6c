//! What PBXs and carriers do around a call: sessions that are refreshed, ringing that is acknowledged, keys by INFO.

use std::time::{Duration, Instant};

use serde_json::json;
use tests::bed::Bed;
use tests::data;
use tests::need::Need;
use tests::peers::callee::Callee;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::{Phone, branch};
use tests::peers::sipp::Run;

const LIMIT: Duration = Duration::from_secs(10);
const ROOM: &str = "talk";
const CALLER: &str = "sip_+15550199";
const OTHER: &str = "sip_+15550171";
const CALLED: &str = "sip_+15550400";

#[test]
fn a_pbx_with_all_extensions_is_understood() {
    // The tone that the caller waits for comes late, so that it rings.
    let Some(mut bed) = Bed::new("timers-pbx", &Setup::room(ROOM), &[Need::Sipp]) else { return };
    let run = Run { hold: 2_000, ..Run::one("extensions.xml") };
    let mut pbx = run.start(bed.gateway.sip(), &bed.scratch);
    std::thread::sleep(Duration::from_secs(2));
    bed.listener.join(ROOM, 880.0);
    bed.listener.hear(OTHER, 440.0, -15.0, LIMIT);
    bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "5");
    bed.listener.hear(OTHER, 440.0, -15.0, LIMIT);
    pbx.succeeds(LIMIT);
    let digits = bed.listener.seen().iter().filter(|e| e.kind() == "dtmf").count();
    assert_eq!(digits, 1);
}

#[test]
fn each_key_of_an_info_arrives_once() {
    let Some(mut bed) = Bed::new("timers-info", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let relay = "Content-Type: application/dtmf-relay\r\n";
    let keys = [("5", relay, "Signal=5\r\nDuration=160\r\n"), ("#", "Content-Type: application/dtmf\r\n", "#")];
    for (digit, kind, body) in keys {
        assert_eq!(phone.in_dialog("INFO", kind, body).status(), 200);
        bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == digit);
    }
    assert_eq!(phone.in_dialog("INFO", "Content-Type: text/plain\r\n", "5").status(), 415);
    assert_eq!(phone.bye().status(), 200);
    let digits = bed.listener.seen().iter().filter(|e| e.kind() == "dtmf").count();
    assert_eq!(digits, keys.len());
}

/// The INFO of a PBX as it came, within a call that bears its names.
#[test]
fn the_key_of_a_pbx_reaches_the_room() {
    let Some(mut bed) = Bed::new("timers-info-pbx", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call.id = "info-1@pbx.example.org".to_owned();
    phone.call.from = "<sip:5001@pbx.example.org>".to_owned();
    phone.call.tag = "as1".to_owned();
    let answer = phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear("sip_5001", 440.0, -15.0, LIMIT);
    let info = std::fs::read_to_string(data("carriers").join("pbx-info-dtmf.sip")).expect("a fixture");
    let tag = answer.tag("To").expect("a 200 has a tag");
    let names = [
        ("203.0.113.10:5060", bed.gateway.sip().to_string()),
        ("198.51.100.40:5060", phone.wire.here().to_string()),
        ("SCL_fixture0005", tag),
    ];
    phone.send(&names.iter().fold(info, |text, (theirs, ours)| text.replace(theirs, ours)));
    let answer = phone.receive(LIMIT).expect("an INFO is answered");
    assert_eq!((answer.status(), answer.cseq()), (200, "104 INFO"));
    bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "5");
}

#[test]
fn a_carrier_has_its_ringing_acknowledged_and_its_session() {
    let mut callee = Callee::new();
    let setup = Setup::outbound(ROOM, callee.address());
    let Some(mut bed) = Bed::new("timers-out", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let pending = bed.gateway.api().begin(
        "CreateSIPParticipant",
        &json!({"sip_trunk_id": "out", "sip_call_to": "+15550400", "room_name": ROOM, "wait_until_answered": true}),
    );
    let first = callee.invited();
    let says = |header: &str, word: &str| first.header(header).is_some_and(|value| value.contains(word));
    assert!(says("Supported", "timer") && says("Supported", "100rel") && says("Session-Expires", "1800"), "{first:?}");
    callee.reply_with("422 Session Interval Too Small", "Min-SE: 3600\r\n", "");
    callee.expect("ACK");
    let second = callee.invited();
    assert_eq!(second.header("Session-Expires"), Some("3600"));
    assert_eq!(second.header("Min-SE"), Some("3600"));
    let contact = format!("Contact: <sip:callee@{}>\r\n", callee.address());
    let offer = callee.rtp.offer();
    let early = format!("{contact}Require: 100rel\r\nRSeq: 7\r\nContent-Type: application/sdp\r\n");
    callee.reply_with("183 Session Progress", &early, &offer);
    callee.talk(Some(440.0));
    let prack = callee.expect("PRACK");
    assert_eq!(prack.header("RAck"), Some("7 2 INVITE"));
    callee.reply_to(&prack, "200 OK");
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    assert!(!pending.is_over(), "nobody has answered yet");
    let timer = "Session-Expires: 3600;refresher=uac\r\nRequire: timer\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    callee.reply_with("200 OK", &format!("{timer}Content-Type: application/sdp\r\n"), &offer);
    callee.expect("ACK");
    assert_eq!(pending.finish().status, 200);
    let refreshed = callee.in_dialog("UPDATE", "Supported: timer\r\nSession-Expires: 3600;refresher=uas\r\n", "");
    assert_eq!(refreshed.status(), 200);
    assert!(
        refreshed.header("Session-Expires").is_some_and(|value| value.ends_with(";refresher=uas")),
        "{refreshed:?}"
    );
    assert_eq!(callee.bye().status(), 200);
}

/// A PBX that wants our offer and acknowledges what it hears has all settled while it rings.
#[test]
fn an_offer_of_ours_is_answered_while_it_rings() {
    let Some(mut bed) = Bed::new("timers-late-offer", &Setup::room(ROOM), &[]) else { return };
    let mut phone = Phone::new(bed.gateway.sip());
    (phone.call.cseq, phone.call.branch) = (1, branch());
    phone.send(&phone.request("INVITE", 1, &phone.call.branch, "Require: 100rel\r\n", ""));
    let next = |phone: &mut Phone, status: u16| {
        let deadline = Instant::now() + LIMIT;
        loop {
            let message = phone.receive(deadline.saturating_duration_since(Instant::now())).expect("an answer");
            if !message.is_request() && message.status() == status && message.cseq() == "1 INVITE" {
                return message;
            }
        }
    };
    let ringing = next(&mut phone, 180);
    let media = ringing.media().expect("our offer is in what rings");
    phone.call.remote_tag = ringing.tag("To");
    let number = ringing.header("RSeq").expect("a number");
    let headers = format!("RAck: {number} 1 INVITE\r\nContent-Type: application/sdp\r\n");
    let sdp = phone.rtp.offer();
    assert_eq!(phone.in_dialog("PRACK", &headers, &sdp).status(), 200);
    bed.listener.join(ROOM, 880.0);
    let answer = next(&mut phone, 200);
    assert_eq!(answer.body(), "", "there is no other offer");
    phone.send(&phone.request("ACK", 1, &branch(), "", ""));
    phone.rtp.start(media, Some((440.0, -15.0)));
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    assert_eq!(phone.bye().status(), 200);
}

/// No session is shorter than ninety seconds, so this takes the half of that.
#[test]
fn a_phone_without_update_is_refreshed_by_an_offer_of_what_is_in_force() {
    let Some(mut bed) = Bed::new("timers-reinvite", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    let timer = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: INVITE, ACK, BYE\r\n";
    let answer = phone.call_with(NUMBER, timer);
    phone.ack(&answer);
    phone.rtp.start(answer.media().expect("the answer says where its media is"), Some((440.0, -15.0)));
    let deadline = Instant::now() + Duration::from_secs(50);
    let refresh = loop {
        let message = phone.receive(deadline.saturating_duration_since(Instant::now())).expect("a refresh");
        if message.is_request() {
            break message;
        }
    };
    assert_eq!(refresh.method(), "INVITE");
    assert_eq!(refresh.header("Session-Expires"), Some("90;refresher=uac"));
    assert_eq!(refresh.body(), answer.body(), "nothing has changed");
    let sdp = phone.rtp.offer();
    let headers = format!(
        "SIP/2.0 200 OK\r\nContact: <sip:phone@{}>\r\nSession-Expires: 90;refresher=uac\r\n\
         Content-Type: application/sdp\r\n",
        phone.wire.here()
    );
    let reply = refresh.reply("200 OK").replacen("SIP/2.0 200 OK\r\n", &headers, 1);
    phone.send(&(reply.replacen("Content-Length: 0", &format!("Content-Length: {}", sdp.len()), 1) + &sdp));
    let ack = phone.receive(LIMIT).expect("an ACK");
    assert_eq!(ack.method(), "ACK");
    bed.listener.forget();
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    assert_eq!(phone.bye().status(), 200);
}

#[test]
#[ignore = "takes half an hour: the same runs on virtual time in the tests of sip; to be run by hand before a release"]
fn half_an_hour_with_sessions_of_ninety_seconds() {
    let Some(mut bed) = Bed::new("timers-half-hour", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    let timer = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    let answer = phone.call_with(NUMBER, timer);
    assert_eq!(answer.header("Session-Expires"), Some("90;refresher=uas"));
    phone.ack(&answer);
    phone.rtp.start(answer.media().expect("the answer says where its media is"), Some((440.0, -15.0)));
    let start = Instant::now();
    let mut last = start;
    let mut refreshes = 0;
    while start.elapsed() < Duration::from_secs(1_800) {
        let Some(message) = phone.receive(Duration::from_secs(60)) else { panic!("no refresh for a minute") };
        assert!(message.is_request() && message.method() == "UPDATE", "{message:?}");
        assert!((40..50).contains(&last.elapsed().as_secs()), "after {:?}", last.elapsed());
        last = Instant::now();
        refreshes += 1;
        let session = "SIP/2.0 200 OK\r\nSession-Expires: 90;refresher=uac\r\nRequire: timer\r\n";
        phone.send(&message.reply("200 OK").replacen("SIP/2.0 200 OK\r\n", session, 1));
        bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    }
    assert!(refreshes >= 39, "{refreshes} refreshes");
    // A phone that is gone.
    let deadline = Instant::now() + Duration::from_secs(120);
    let bye = loop {
        let message = phone.receive(deadline.saturating_duration_since(Instant::now())).expect("the gateway gives up");
        if message.method() == "BYE" {
            break message;
        }
    };
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("408")), "{bye:?}");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}
