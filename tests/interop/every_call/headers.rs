//! Headers to attributes and back, and what participants ask of a phone.

use serde_json::{Value, json};
use tests::peers::phone::Rtp;
use tests::peers::scenario::Scenario;

use super::Terms;
use super::desk::{Desk, LIMIT};
use super::hold;

/// Every map that a trunk may have.
pub(super) fn maps(terms: &mut Terms) {
    terms.trunk["include_headers"] = "SIP_X_HEADERS".into();
    terms.trunk["headers"] = json!({"X-Desk": "7"});
    terms.trunk["headers_to_attributes"] = json!({"X-Tenant": "clinic.tenant"});
    terms.trunk["attributes_to_headers"] = json!({"clinic.tenant": "X-For", "sip.phoneNumber": "X-Caller"});
}

pub(super) fn both_ways(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let said = "X-Tenant: north\r\nX-Case: 42\r\nx-case: 43\r\nX-Twilio-CallSid: CA1\r\n";
    let mut player = desk.call(desk.caller().invites(said, &rtp.offer()).gets(200).acknowledges("").is_hung_up());
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let identity = desk.identity();
    let seen = desk.listener.participants(&desk.room);
    let caller = seen.iter().find(|who| who["identity"] == identity).expect("he is in the room");
    for (name, value) in [
        ("clinic.tenant", "north"),
        ("sip.h.x-case", "42, 43"),
        ("sip.twilio.callSid", "CA1"),
        ("sip.phoneNumber", &desk.caller),
    ] {
        assert_eq!(caller["attributes"][name], value, "{name} of {caller}");
    }
    let answer = player.answer("INVITE", 1);
    desk.listener.tell("remove", json!({"room": desk.room, "identity": identity}));
    let bye = player.request("BYE", 1);
    assert_eq!(answer.header("X-Desk"), Some("7"), "{answer:?}");
    for message in [answer, bye] {
        assert_eq!(message.header("X-For"), Some("north"), "{message:?}");
        assert_eq!(message.header("X-Caller"), Some(desk.caller.as_str()), "{message:?}");
    }
    player.succeeds();
    desk.gone();
}

/// Who was called shows the headers of his answer, and may hold as well.
pub(super) fn of_a_callee(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = Scenario::callee()
        .replies("200 OK", "X-Desk: 7\r\n", &rtp.offer())
        .hears("ACK")
        .waits()
        .offers(&hold::INACTIVE(&rtp.offer()))
        .waits()
        .offers(&rtp.offer())
        .waits()
        .hangs_up("");
    let mut player = scenario.listen(desk.scratch);
    let pending = desk.place(player.sip(), &json!({"headers": {"X-Case": "42"}}));
    let invite = player.request("INVITE", 1);
    assert_eq!(invite.header("X-Case"), Some("42"), "{invite:?}");
    assert_eq!(pending.finish().status, 200);
    rtp.start(invite.media().expect("an INVITE has an offer"), Some((440.0, -15.0)));
    desk.both_hear(&rtp, 440.0);
    let number = desk.begin("lk.sip.GetRemoteHeaders", &json!({"include": ["X-Desk"]}).to_string());
    assert_eq!(desk.result(number)["payload"], r#"{"headers":{"X-Desk":"7"}}"#);
    player.go();
    assert_eq!(player.answer("INVITE", 1).status(), 200);
    desk.attribute("sip.hold", "true");
    desk.phone_hears_nothing(&rtp);
    player.go();
    desk.talk(&mut player, 2, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// A caller whom his carrier alone names, and for whom somebody else was called first.
pub(super) fn asserted(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let said = format!(
        "P-Asserted-Identity: \"Zoe\" <sip:{}@carrier.example>\r\n\
         Diversion: <sip:+15550188@carrier.example>;reason=no-answer\r\n",
        desk.caller
    );
    let anonymous = Scenario::caller("anonymous").invites(&said, &rtp.offer()).gets(200).acknowledges("").waits();
    let mut player = desk.call(anonymous.hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let identity = desk.identity();
    let seen = desk.listener.participants(&desk.room);
    let caller = seen.iter().find(|who| who["identity"] == identity).expect("he is in the room");
    for (name, value) in [
        ("sip.phoneNumber", desk.caller.as_str()),
        ("sip.assertedIdentity", &desk.caller),
        ("sip.displayName", "Zoe"),
        ("sip.diversion", "+15550188"),
        ("sip.diversionReason", "no-answer"),
    ] {
        assert_eq!(caller["attributes"][name], value, "{name} of {caller}");
    }
    player.go();
    player.succeeds();
}

pub(super) fn procedures(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let said = "X-Case: 42\r\nX-Other: b\r\nx-case: 43\r\nProxy-Authorization: Digest secret\r\n";
    let mut player = desk.call(desk.caller().invites(said, &rtp.offer()).gets(200).acknowledges("").is_hung_up());
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let mut ask = |method: &str, payload: Value| {
        let payload = if payload.is_null() { String::new() } else { payload.to_string() };
        let number = desk.begin(method, &payload);
        desk.result(number)
    };
    let all = ask("lk.sip.GetRemoteHeaders", Value::Null);
    let all: Value = serde_json::from_str(all["payload"].as_str().expect("a result")).expect("it is JSON");
    assert_eq!(all["headers"]["X-Case"], "42, 43", "{all}");
    for name in ["Via", "Contact", "Call-ID", "CSeq", "Content-Type", "Proxy-Authorization"] {
        assert!(all["headers"].get(name).is_none(), "{name} in {all}");
    }
    let wanted = json!({"include": ["x-case", "X-Other", "Via"], "exclude": ["X-OTHER"]});
    assert_eq!(ask("lk.sip.GetRemoteHeaders", wanted)["payload"], r#"{"headers":{"X-Case":"42, 43"}}"#);
    for (method, payload, code) in [
        ("lk.sip.NoSuchThing", json!({}), 1400),
        ("lk.sip.EndCall", json!({"headers": {"Via": "x"}}), 1500),
        ("lk.sip.EndCall", json!({"headers": {"X-A": "1\r\nX-B: 2"}}), 1500),
        ("lk.sip.GetRemoteHeaders", json!([1]), 1500),
        ("trunkline.dtmf", json!({"digits": "1x"}), 1500),
    ] {
        let result = ask(method, payload);
        assert_eq!(result["code"], code, "{method}: {result}");
    }
    rtp.forget();
    assert_eq!(ask("trunkline.dtmf", json!({"digits": "*D9"}))["payload"], "{}");
    assert!(tests::within(LIMIT, || rtp.heard().digits() == "*D9").is_some(), "{}", rtp.heard().digits());
    desk.both_hear(&rtp, 440.0);
    let number = desk.begin("lk.sip.EndCall", &json!({"headers": {"X-Why": "done here"}}).to_string());
    assert_eq!(desk.result(number)["payload"], "{}");
    let bye = player.request("BYE", 1);
    assert_eq!(bye.header("X-Why"), Some("done here"), "{bye:?}");
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("local_hangup")), "{bye:?}");
    player.succeeds();
    desk.gone();
}
