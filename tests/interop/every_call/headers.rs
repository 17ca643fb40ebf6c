//! Headers to attributes and back, and what participants ask of a phone.

use serde_json::{Value, json};
use tests::peers::listener::Event;
use tests::peers::phone::Rtp;
use tests::peers::scenario::{Player, Scenario};

use super::Terms;
use super::desk::{Desk, LIMIT};

/// Every map that a trunk may have.
pub(super) fn maps(terms: &mut Terms<'_>) {
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
    let caller = desk.participant();
    for (name, value) in [
        ("clinic.tenant", "north"),
        ("sip.h.x-case", "42, 43"),
        ("sip.twilio.callSid", "CA1"),
        ("sip.phoneNumber", desk.caller.as_str()),
    ] {
        assert_eq!(caller["attributes"][name], value, "{name} of {caller}");
    }
    let answer = player.answer("INVITE", 1);
    desk.remove();
    let bye = player.request("BYE", 1);
    assert_eq!(answer.header("X-Desk"), Some("7"), "{answer:?}");
    for message in [answer, bye] {
        assert_eq!(message.header("X-For"), Some("north"), "{message:?}");
        assert_eq!(message.header("X-Caller"), Some(desk.caller.as_str()), "{message:?}");
    }
    player.succeeds();
    desk.gone();
}

/// Who was called shows the headers of his answer.
pub(super) fn of_a_callee(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = Desk::picked_up("X-Desk: 7\r\nX-Cost: 3\r\n", &rtp.offer()).is_hung_up();
    let more = json!({
        "headers": {"X-Case": "42"}, "participant_attributes": {"customer": "4711"},
        "trunk": {"headers_to_attributes": {"X-Cost": "cost"}, "attributes_to_headers": {"customer": "X-Customer"}},
    });
    let (mut player, _) = desk.reach(scenario, &mut rtp, &more);
    assert_eq!(player.request("INVITE", 1).header("X-Case"), Some("42"));
    desk.attribute("cost", "3");
    let number = desk.begin("lk.sip.GetRemoteHeaders", &json!({"include": ["X-Desk"]}).to_string());
    assert_eq!(desk.result(number)["payload"], r#"{"headers":{"X-Desk":"7"}}"#);
    desk.both_hear(&rtp, 440.0);
    desk.remove();
    assert_eq!(player.request("BYE", 1).header("X-Customer"), Some("4711"));
    player.succeeds();
}

/// Who calls, as the user of From and these lines say it, and what becomes of that in the room.
pub(super) struct Known {
    from: &'static str,
    headers: &'static str,
    identity: &'static str,
    told: &'static [(&'static str, Option<&'static str>)],
}

/// A caller whom his carrier alone names, and for whom others were called first.
pub(super) const ASSERTED: Known = Known {
    from: "anonymous",
    headers: "P-Asserted-Identity: \"Zoe, of Sales\" <sip:+15550123@carrier.example;user=phone>, <tel:+15550123>\r\n\
              Diversion: <sip:+15550166@carrier.example>;reason=user-busy;counter=1, <sip:+15550188@carrier.example>;\
              reason=no-answer\r\n",
    identity: "+15550123",
    told: &[
        ("sip.phoneNumber", Some("+15550123")),
        ("sip.assertedIdentity", Some("+15550123")),
        ("sip.displayName", Some("Zoe, of Sales")),
        ("sip.diversion", Some("+15550188")),
        ("sip.diversionReason", Some("no-answer")),
        ("sip.privacy", None),
    ],
};

/// An older carrier says it otherwise.
pub(super) const REMOTE_PARTY: Known = Known {
    from: "Restricted",
    headers: "Remote-Party-ID: \"Max\" <sip:+15550124@pbx>;party=calling;privacy=off;screen=yes\r\n",
    identity: "+15550124",
    told: &[("sip.phoneNumber", Some("+15550124")), ("sip.displayName", Some("Max"))],
};

/// A caller who shows himself, and what happened to his call before it came to us.
pub(super) const HISTORY: Known = Known {
    from: "+15550199",
    headers: "P-Asserted-Identity: <sip:+15550123@carrier.example>\r\n\
              History-Info: <sip:+15550166@x>;index=1,<sip:+15550100@x;cause=486>;index=1.1;mp=1\r\n",
    identity: "+15550199",
    told: &[
        ("sip.phoneNumber", Some("+15550199")),
        ("sip.assertedIdentity", Some("+15550123")),
        ("sip.displayName", Some("sipp")),
        ("sip.diversion", Some("+15550166")),
        ("sip.diversionReason", Some("user-busy")),
    ],
};

/// A caller whom nobody names.
pub(super) const NOBODY: Known = Known {
    from: "anonymous",
    headers: "",
    identity: "anonymous",
    told: &[("sip.phoneNumber", Some("anonymous")), ("sip.assertedIdentity", None)],
};

/// What somebody says whom the trunk does not know by his address.
pub(super) const STRANGER: Known = Known {
    headers: ASSERTED.headers,
    told: &[("sip.phoneNumber", Some("anonymous")), ("sip.assertedIdentity", None), ("sip.diversion", None)],
    ..NOBODY
};

/// What a carrier that is known says of the signature.
pub(super) const VOUCHED: Known = Known {
    from: "+15550199",
    headers: "X-Twilio-VerStat: TN-Validation-Passed-B\r\n",
    identity: "+15550199",
    told: &[
        ("sip.stir.verstat", Some("TN-Validation-Passed")),
        ("sip.stir.verifiedBy", Some("carrier")),
        ("sip.stir.attest", Some("B")),
    ],
};

pub(super) fn known(desk: &mut Desk<'_>, who: &Known) {
    desk.caller = who.identity.to_owned();
    let call = says(desk, who.from, who.headers);
    let caller = desk.participant();
    for (name, value) in who.told {
        assert_eq!(caller["attributes"][name].as_str(), *value, "{name} of {caller}");
    }
    goes(desk, call);
}

/// The number is signed for, the certificate is fetched, and the signature holds (RFC 8224).
pub(super) fn signed(desk: &mut Desk<'_>) {
    let digits = |number: &str| number.trim_start_matches('+').to_owned();
    let (caller, called) = (digits(&desk.caller), digits(&desk.number));
    let identity = desk.signer.identity(&caller, &called, |_, _| ());
    let call = says(desk, &desk.caller.clone(), &identity);
    let caller = desk.participant();
    for (name, value) in [("verstat", "TN-Validation-Passed"), ("verifiedBy", "gateway"), ("attest", "A")] {
        assert_eq!(caller["attributes"][format!("sip.stir.{name}")], value, "{name} of {caller}");
    }
    goes(desk, call);
}

/// Everybody may call this trunk.
pub(super) fn open(terms: &mut Terms<'_>) {
    terms.trunk["allowed_addresses"] = json!([]);
}

/// All headers become attributes.
pub(super) fn all(terms: &mut Terms<'_>) {
    terms.trunk["include_headers"] = "SIP_ALL_HEADERS".into();
}

/// A caller who does not want to be known is not, whatever else of his call is shown.
pub(super) fn private(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let said = "P-Asserted-Identity: <sip:+15557123@carrier.example>\r\nX-Their: +15557123\r\nPrivacy: id\r\n";
    let scenario = Scenario::caller("anonymous").invites(said, &rtp.offer()).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.hangs_up(""));
    let is_it = |e: &Event| e.kind() == "participant" && e.text("identity") != "far-end";
    let caller = desk.listener.expect("the caller", LIMIT, is_it);
    // A fingerprint, and what is shown of numbers.
    assert_eq!((caller.text("identity").len(), caller.text("name")), (20, "Phone 7123"));
    desk.caller = caller.text("identity").trim_start_matches("sip_").to_owned();
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    assert_eq!(desk.participant()["attributes"]["sip.privacy"], "id");
    let number = desk.begin("lk.sip.GetRemoteHeaders", "");
    let headers = desk.result(number);
    let calls = desk.gateway.api().get("/trunkline/v1/calls").body;
    for told in [&desk.participant(), &headers, &calls] {
        assert!(!told.to_string().contains("15557123"), "nobody learns him: {told}");
    }
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// Calls as this user with these header lines; both hear each other, and he stays.
fn says(desk: &mut Desk<'_>, from: &str, headers: &str) -> (Player, Rtp) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = Scenario::caller(from).invites(headers, &rtp.offer()).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    (player, rtp)
}

/// They hear each other still, and he goes.
fn goes(desk: &mut Desk<'_>, (mut player, rtp): (Player, Rtp)) {
    desk.both_hear(&rtp, 440.0);
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
