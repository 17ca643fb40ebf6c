//! What room and phone can do in the middle of a call: hold, resume, keys, procedures.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::peers::callee::Callee;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::listener::Event;
use tests::peers::phone::{Message, Phone, Rtp};

const ROOM: &str = "talk";
const CALLER: &str = "sip_+15550199";
const THEIRS: &str = "+15550400";
const CALLED: &str = "sip_+15550400";
const LIMIT: Duration = Duration::from_secs(10);
const SDP: &str = "Content-Type: application/sdp\r\n";

/// An offer made another one.
type Change = fn(&str) -> String;

/// The forms of hold, each told to the room, none ended by the media timeout, each resumed elsewhere.
#[test]
fn a_phone_holds_and_resumes_at_another_port() {
    let setup = Setup::room(ROOM).with("media_timeout", json!("1s"));
    let Some((mut bed, mut phone)) = talking("hold-phone", &setup) else { return };
    let cases: &[(&str, Change)] = &[
        ("sendonly", |offer| format!("{offer}a=sendonly\r\n")),
        ("inactive", |offer| format!("{offer}a=inactive\r\n")),
        ("0.0.0.0", |offer| offer.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")),
        ("0.0.0.0 and inactive", |offer| {
            format!("{}a=inactive\r\n", offer.replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"))
        }),
    ];
    for (name, held) in cases {
        let answer = reinvite(&mut phone, held);
        assert!(answer.body().contains("recvonly") || answer.body().contains("inactive"), "{name}: {}", answer.body());
        bed.listener.attribute(CALLER, "sip.hold", "true");
        // Nothing is sent to a phone that holds, and it may be silent for longer than the timeout.
        phone.rtp.stop();
        phone.rtp = Rtp::new();
        std::thread::sleep(Duration::from_millis(2_500));
        bed.listener.forget();
        let answer = reinvite(&mut phone, str::to_owned);
        assert!(
            !answer.body().contains("recvonly") && !answer.body().contains("inactive"),
            "{name}: {}",
            answer.body()
        );
        phone.rtp.start(answer.media().expect("an answer has media"), Some((440.0, -15.0)));
        let changed = |e: &Event| {
            e.kind() == "attributes"
                && e.text("identity") == CALLER
                && e.attribute("sip.hold").is_none_or(str::is_empty)
        };
        bed.listener.expect("that it is held no longer", LIMIT, changed);
        bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
        expect_tone(&phone.rtp, 880.0);
        bed.listener.forget();
    }
    assert_eq!(phone.bye().status(), 200);
}

#[test]
fn the_room_holds_a_caller_and_lets_him_go() {
    let Some((mut bed, mut phone)) = talking("hold-room", &Setup::room(ROOM)) else { return };
    // The first offer collides with one of the phone's, and is made again.
    let number = bed.listener.begin("rpc", procedure(CALLER, "trunkline.hold", ""));
    let glare = next_invite(&mut phone, None);
    assert!(glare.body().contains("a=sendonly"), "{}", glare.body());
    phone.send(&glare.reply("491 Request Pending"));
    let hold = next_invite(&mut phone, Some(&glare));
    assert!(hold.body().contains("a=sendonly"), "{}", hold.body());
    let answer = format!("{}a=recvonly\r\n", phone.rtp.offer());
    accept(&mut phone, &hold, &answer);
    let result = bed.listener.finish(number, LIMIT).expect("the listener can call");
    assert_eq!(result["payload"], "{}", "{result}");
    bed.listener.attribute(CALLER, "trunkline.hold", "true");
    // The phone hears nothing of the room, and the other way round.
    // A listener's client conceals the end of what it heard for a moment.
    let is_silent = |e: &Event| e.kind() == "sound" && e.line["on"] == false;
    bed.listener.expect("silence in the room", LIMIT, is_silent);
    std::thread::sleep(Duration::from_millis(700));
    phone.rtp.forget();
    bed.listener.forget();
    std::thread::sleep(Duration::from_millis(1_500));
    let heard = phone.rtp.heard();
    assert!(heard.packets.len() > 50, "silence is sent: {} packets", heard.packets.len());
    assert!(heard.samples.iter().all(|sample| sample.abs() < 100), "and nothing but silence");
    let loud = bed.listener.seen().iter().any(|e| e.kind() == "heard" && e.line["level"].as_f64() > Some(-50.0));
    assert!(!loud, "a held phone is not heard");

    let number = bed.listener.begin("rpc", procedure(CALLER, "trunkline.resume", ""));
    let resume = next_invite(&mut phone, Some(&hold));
    assert!(!resume.body().contains("a=sendonly"), "{}", resume.body());
    let answer = phone.rtp.offer();
    accept(&mut phone, &resume, &answer);
    assert_eq!(bed.listener.finish(number, LIMIT).expect("the listener can call")["payload"], "{}");
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    expect_tone(&phone.rtp, 880.0);

    // A phone that does not want to be held goes on as before.
    let number = bed.listener.begin("rpc", procedure(CALLER, "trunkline.hold", ""));
    let hold = next_invite(&mut phone, Some(&resume));
    phone.send(&hold.reply("488 Not Acceptable Here"));
    let result = bed.listener.finish(number, LIMIT).expect("the listener can call");
    assert_eq!(result["code"], 1500, "{result}");
    bed.listener.forget();
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    expect_tone(&phone.rtp, 880.0);
}

#[test]
fn keys_of_the_room_reach_the_phone_once_each_and_in_order() {
    let Some((mut bed, mut phone)) = talking("keys-room", &Setup::room(ROOM)) else { return };
    bed.listener.tell("dtmf", json!({"digits": "12"}));
    bed.listener.tell("press", json!({"digits": "3w#"}));
    let result = call(&mut bed, CALLER, "trunkline.dtmf", &json!({"digits": "*D9"}));
    assert_eq!(result["payload"], "{}", "{result}");
    expect_digits(&phone.rtp, "123#*D9");
    let result = call(&mut bed, CALLER, "trunkline.dtmf", &json!({"digits": "1x"}));
    assert_eq!(result["code"], 1500, "{result}");

    // Those pressed during a hold are not lost.
    phone.rtp.forget();
    reinvite(&mut phone, |offer| format!("{offer}a=sendonly\r\n"));
    bed.listener.attribute(CALLER, "sip.hold", "true");
    bed.listener.tell("dtmf", json!({"digits": "45"}));
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(phone.rtp.heard().digits(), "");
    reinvite(&mut phone, str::to_owned);
    expect_digits(&phone.rtp, "45");
}

#[test]
fn the_room_asks_for_headers_and_hangs_up_with_its_own() {
    let Some(mut bed) = Bed::new("rpc-inbound", &Setup::room(ROOM), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    let answer =
        phone.call_with(NUMBER, "X-Case: 42\r\nX-Other: b\r\nx-case: 43\r\nProxy-Authorization: Digest secret\r\n");
    assert_eq!(answer.status(), 200);
    phone.ack(&answer);
    phone.rtp.start(answer.media().expect("an answer has media"), Some((440.0, -15.0)));
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let headers = |result: &Value| -> Value {
        let payload = result["payload"].as_str().unwrap_or_else(|| panic!("no result: {result}"));
        serde_json::from_str::<Value>(payload).expect("the result is JSON")["headers"].clone()
    };
    let all = headers(&call(&mut bed, CALLER, "lk.sip.GetRemoteHeaders", &Value::Null));
    assert_eq!((&all["X-Case"], &all["X-Other"]), (&json!("42, 43"), &json!("b")), "{all}");
    for name in ["Via", "Contact", "Call-ID", "CSeq", "Content-Type", "Proxy-Authorization"] {
        assert!(all.get(name).is_none(), "{name} in {all}");
    }
    let wanted = json!({"include": ["x-case", "X-Other", "Via"], "exclude": ["X-OTHER"]});
    assert_eq!(headers(&call(&mut bed, CALLER, "lk.sip.GetRemoteHeaders", &wanted)), json!({"X-Case": "42, 43"}));

    let cases = [
        ("lk.sip.NoSuchThing", json!({}), 1400),
        ("lk.sip.EndCall", json!({"headers": {"Via": "x"}}), 1500),
        ("lk.sip.EndCall", json!({"headers": {"X-A": "1\r\nX-B: 2"}}), 1500),
        ("lk.sip.GetRemoteHeaders", json!([1]), 1500),
    ];
    for (method, payload, code) in cases {
        let result = call(&mut bed, CALLER, method, &payload);
        assert_eq!(result["code"], code, "{method}: {result}");
    }
    let result = call(&mut bed, CALLER, "lk.sip.EndCall", &json!({"headers": {"X-Why": "done here"}}));
    assert_eq!(result["payload"], "{}", "{result}");
    let (_, bye) = phone.expect_request("BYE", LIMIT).expect("the gateway hangs up");
    assert_eq!(bye.header("X-Why"), Some("done here"), "{bye:?}");
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("local_hangup")), "{bye:?}");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn a_callee_is_held_and_shows_the_headers_of_his_answer() {
    let mut callee = Callee::new();
    let Some(mut bed) = Bed::new("rpc-outbound", &Setup::outbound(ROOM, callee.address()), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let request = json!({"sip_trunk_id": "out", "sip_call_to": THEIRS, "room_name": ROOM, "wait_until_answered": true});
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request);
    callee.invited();
    let offer = callee.rtp.offer();
    callee.reply_with("200 OK", &format!("{SDP}X-Desk: 7\r\n"), &offer);
    callee.expect("ACK");
    callee.talk(Some(440.0));
    assert_eq!(pending.finish().status, 200);
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    let result = call(&mut bed, CALLED, "lk.sip.GetRemoteHeaders", &json!({"include": ["X-Desk"]}));
    assert_eq!(result["payload"], r#"{"headers":{"X-Desk":"7"}}"#, "{result}");
    bed.listener.tell("dtmf", json!({"digits": "7"}));
    expect_digits(&callee.rtp, "7");
    // He puts us on hold by himself.
    let answer = callee.in_dialog("INVITE", SDP, &format!("{}a=inactive\r\n", callee.rtp.offer()));
    assert_eq!(answer.status(), 200, "{answer:?}");
    bed.listener.attribute(CALLED, "sip.hold", "true");
}

/// A call that stands, both sides heard.
fn talking(name: &str, setup: &Setup) -> Option<(Bed, Phone)> {
    let mut bed = Bed::new(name, setup, &[])?;
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    expect_tone(&phone.rtp, 880.0);
    bed.listener.forget();
    Some((bed, phone))
}

/// Offers something else in mid-call, and acknowledges the answer.
fn reinvite(phone: &mut Phone, change: impl Fn(&str) -> String) -> Message {
    let offer = change(&phone.rtp.offer());
    let answer = phone.in_dialog("INVITE", SDP, &offer);
    assert_eq!(answer.status(), 200, "{answer:?}");
    phone.ack(&answer);
    answer
}

/// The gateway's next offer. One that was answered already may still come again.
fn next_invite(phone: &mut Phone, known: Option<&Message>) -> Message {
    let deadline = Instant::now() + LIMIT;
    while let Some(message) = phone.receive(deadline.saturating_duration_since(Instant::now())) {
        let is_known = known.is_some_and(|known| known.cseq() == message.cseq());
        if message.is_request() && message.method() == "INVITE" && !is_known {
            return message;
        }
    }
    panic!("the gateway should offer something else");
}

/// Takes an offer of the gateway.
fn accept(phone: &mut Phone, invite: &Message, answer: &str) {
    let reply = invite.reply("200 OK");
    let (head, here) = (reply.trim_end_matches("Content-Length: 0\r\n\r\n"), phone.wire.here());
    let headers = format!("Contact: <sip:phone@{here}>\r\n{SDP}Content-Length: {}", answer.len());
    phone.send(&format!("{head}{headers}\r\n\r\n{answer}"));
}

fn procedure(identity: &str, method: &str, payload: &str) -> Value {
    json!({"identity": identity, "method": method, "payload": payload})
}

/// Calls a procedure of a participant from the room.
fn call(bed: &mut Bed, identity: &str, method: &str, payload: &Value) -> Value {
    let payload = if payload.is_null() { String::new() } else { payload.to_string() };
    bed.listener.tell("rpc", procedure(identity, method, &payload))
}

fn expect_tone(rtp: &Rtp, pitch: f64) {
    let heard = tests::within(LIMIT, || rtp.measure().is_tone(pitch, -15.0));
    assert!(heard.is_some(), "the phone should hear {pitch} Hz, but it is {:?}", rtp.measure());
}

fn expect_digits(rtp: &Rtp, digits: &str) {
    tests::within(LIMIT, || rtp.heard().digits().len() >= digits.len());
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(rtp.heard().digits(), digits);
}
