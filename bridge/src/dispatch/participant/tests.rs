use super::super::query::tests::query;
use super::super::{Decision, Pin, decide};
use super::*;
use crate::config::tests::snapshot;
use crate::store::Snapshot;

fn join(snapshot: &Snapshot, query: &Query) -> Seat {
    match decide(snapshot, &snapshot.inbound_trunks[0], query, Pin::NotAsked) {
        Decision::Join(seat) => *seat,
        other => panic!("{other:?}"),
    }
}

fn seat_of(rule: &str, change: impl FnOnce(&mut Query)) -> Seat {
    let yaml = format!("inbound_trunks: [{{name: tw, numbers: [\"*\"]}}]\ndispatch_rules: [{rule}]");
    join(&snapshot(&yaml), &query(change))
}

#[test]
fn rooms_are_named_as_livekit_does() {
    let tail = query(|_| ()).random_tail();
    let direct = "{rule: {dispatchRuleDirect: {roomName: lobby}}}";
    let cases: &[(&str, &str, &str)] = &[
        ("direct", direct, "lobby"),
        ("individual", "{rule: {dispatchRuleIndividual: {roomPrefix: call-}}}", "call-_+15550199_~"),
        ("individual, no prefix", "{rule: {dispatchRuleIndividual: {}}}", "+15550199_~"),
        (
            "individual, same room",
            "{rule: {dispatchRuleIndividual: {roomPrefix: call, noRandomness: true}}}",
            "call_+15550199",
        ),
        ("individual, hidden", "{hidePhoneNumber: true, rule: {dispatchRuleIndividual: {roomPrefix: c}}}", "c_0199_~"),
        ("callee", "{rule: {dispatchRuleCallee: {roomPrefix: to}}}", "to_+15550100"),
        ("callee, no prefix", "{rule: {dispatchRuleCallee: {}}}", "+15550100"),
        ("callee, random", "{rule: {dispatchRuleCallee: {roomPrefix: to, randomize: true}}}", "to_+15550100_~"),
        (
            "template",
            "{rule: {dispatchRuleDirect: {roomName: \"twilio-tgl-{caller_number}\"}}}",
            "twilio-tgl-+15550199",
        ),
        (
            "template with default",
            "{rule: {dispatchRuleDirect: {roomName: \"t_{telnyx.call_control_id|none}\"}}}",
            "t_none",
        ),
        (
            "template of prefix",
            "{rule: {dispatchRuleIndividual: {roomPrefix: \"{called_digits}\"}}}",
            "15550100_+15550199_~",
        ),
        ("empty template", "{rule: {dispatchRuleDirect: {roomName: \"{header:X-Room}\"}}}", "call_+15550199_~"),
        (
            "empty template of prefix",
            "{rule: {dispatchRuleIndividual: {roomPrefix: \"{header:X-Room}\"}}}",
            "+15550199_~",
        ),
    ];
    for (name, rule, room) in cases {
        let seat = seat_of(rule, |_| ());
        assert_eq!(seat.room.as_str(), room.replace('~', &tail), "{name}");
        assert_eq!(seat.notes.is_empty(), !name.starts_with("empty"), "{name}: {:?}", seat.notes);
    }
}

#[test]
fn what_a_caller_sends_cannot_make_names_too_long() {
    let rule = "{rule: {dispatchRuleDirect: {roomName: \"r{header:X-Room}\"}}, attributes: {a: \"{header:X-Room}\", b: fixed}}";
    let seat = seat_of(rule, |q| q.headers = vec![("X-Room".into(), "x".repeat(300))]);
    assert!(seat.room.as_str().starts_with("call_+15550199_"));
    assert_eq!(seat.attributes.get("a"), None);
    assert_eq!(seat.attributes["b"], "fixed");
    assert_eq!(seat.notes.len(), 2, "{:?}", seat.notes);

    let endless = |q: &mut Query| q.from.user = "é".repeat(1000);
    let seat = seat_of("{rule: {dispatchRuleDirect: {roomName: r}}}", endless);
    assert!(seat.identity.len() <= 255 && seat.name.len() <= 255);
    let yaml = "inbound_trunks: [{name: tw, numbers: [\"*\"]}]\ndispatch_rules: [{rule: {dispatchRuleIndividual: {}}}]";
    let snapshot = snapshot(yaml);
    let decision = decide(&snapshot, &snapshot.inbound_trunks[0], &query(endless), Pin::NotAsked);
    assert!(matches!(decision, Decision::Refuse(Refusal::NoRoom { .. })), "{decision:?}");
}

#[test]
fn a_hidden_number_is_told_nowhere() {
    let rule = "{hide_phone_number: true, rule: {dispatchRuleIndividual: {}}, metadata: \"{caller_number}\"}";
    let yaml =
        format!("inbound_trunks: [{{numbers: [\"*\"], include_headers: SIP_ALL_HEADERS}}]\ndispatch_rules: [{rule}]");
    let call = query(|q| {
        q.headers = vec![
            ("From".into(), "<sip:+15550199@a>".into()),
            ("X-Forwarded-For".into(), "sip:15550199@b".into()),
            ("X-Other".into(), "o".into()),
        ];
    });
    let seat = join(&snapshot(&yaml), &call);
    assert_eq!(seat.identity, format!("sip_{}", number_hash("+15550199")));
    assert_eq!(seat.name, "Phone 0199");
    assert_eq!(seat.attributes["sip.h.x-other"], "o");
    assert!(!format!("{seat:?}").contains("5550199"), "{seat:?}");
    for absent in ["sip.phoneNumber", "sip.trunkPhoneNumber", "sip.hostname"] {
        assert!(!seat.attributes.contains_key(absent), "{absent}");
    }
    assert_eq!(masked("0199"), "9");
    assert_eq!(masked("10199"), "0199");
    assert_eq!(masked(""), "");
}

#[test]
fn nobody_can_put_another_caller_into_the_attributes() {
    let yaml = "inbound_trunks: [{numbers: [\"*\"], headers_to_attributes: {X-A: sip.phoneNumber}}]
dispatch_rules: [{rule: {dispatchRuleIndividual: {}}, attributes: {sip.phoneNumber: r, sip.trunkID: r, k: r}}]";
    let seat = join(&snapshot(yaml), &query(|q| q.headers = vec![("X-A".into(), "+1900".into())]));
    assert_eq!(seat.attributes["sip.phoneNumber"], "+15550199");
    assert!(seat.attributes["sip.trunkID"].starts_with("ST_"));
    assert_eq!(seat.attributes["k"], "r");
}

#[test]
fn terms_come_from_the_trunk_and_then_the_rule() {
    let yaml = "inbound_trunks: [{numbers: [\"*\"], ringing_timeout: 1m30s, ringing_timeout_status: SIP_STATUS_TEMPORARILY_UNAVAILABLE, headers: {X-A: b}, attributes_to_headers: {a: X-B},
  media: {encryption: SIP_MEDIA_ENCRYPT_REQUIRE, codecs: [{name: pcma}], only_listed_codecs: true, media_timeout: 10s}}]
dispatch_rules: [{rule: {dispatchRuleIndividual: {}}, krisp_enabled: true, room_preset: p, answer: immediately,
  media: {encryption: SIP_MEDIA_ENCRYPT_DISABLE, media_timeout: 20s}}]";
    let seat = join(&snapshot(yaml), &query(|_| ()));
    assert_eq!(seat.ringing_timeout, std::time::Duration::from_secs(90));
    assert_eq!(seat.ringing_timeout_status, Some(480));
    assert_eq!(seat.max_call_duration, seat::MAX_CALL_DURATION);
    assert_eq!(seat.media.timeout, Some(std::time::Duration::from_secs(20)));
    assert_eq!(seat.media.encryption, crate::dispatch::Encryption::Require);
    let codec = |name: &str| crate::dispatch::Codec { name: name.into(), rate: 8_000 };
    assert_eq!(seat.media.codecs(&[codec("PCMU"), codec("PCMA")]), [codec("PCMA")]);
    assert_eq!(Media::default().codecs(&[codec("PCMU")]), [codec("PCMU")]);
    let listed = Media { listed: vec![codec("PCMA"), codec("G722")], ..Media::default() };
    assert_eq!(listed.codecs(&[codec("PCMU"), codec("PCMA")]), [codec("PCMA"), codec("PCMU")]);
    assert_eq!(seat.answer, Some(crate::dispatch::Answer::Immediately));
    assert_eq!((seat.krisp, seat.room_preset.as_str()), (true, "p"));
    assert_eq!((seat.headers["X-A"].as_str(), seat.attributes_to_headers["a"].as_str()), ("b", "X-B"));
}

/// The participants that stock livekit-sip made of the same trunks, rules and headers.
#[test]
fn participants_are_those_of_stock_livekit_sip() {
    let recorded: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/data/stock-participants.json")).unwrap();
    for (name, case) in recorded.as_object().unwrap() {
        let yaml = format!("inbound_trunks: [{}]\ndispatch_rules: [{}]", case["trunk"], case["rule"]);
        let snapshot = snapshot(&yaml);
        let stock = &case["snapshots"][0];
        let stock_attribute = |name: &str| stock["attributes"][name].as_str().unwrap().to_owned();
        let invite = query(|q| {
            q.call_id = stock_attribute("sip.callID");
            q.sip_call_id = stock_attribute("sip.callIDFull");
            q.headers = recorded_headers(case["extra_headers"].as_str().unwrap(), &q.sip_call_id, stock);
        });
        let seat = join(&snapshot, &invite);
        let text = |field: &str| stock[field].as_str().unwrap();
        assert_eq!(seat.identity, text("identity"), "{name}");
        assert_eq!(seat.name, text("name"), "{name}");
        assert_eq!(seat.metadata, text("metadata"), "{name}");
        let tail = format!("_{}", invite.random_tail());
        match seat.room.as_str().strip_suffix(&tail) {
            Some(begin) => assert_eq!(begin, &text("room")[..text("room").len() - tail.len()], "{name}"),
            None => assert_eq!(seat.room.as_str(), text("room"), "{name}"),
        }
        let room_metadata = seat.room_config.map(|config| config.metadata).unwrap_or_default();
        assert_eq!(room_metadata, text("room_metadata"), "{name}");
        let mut expected: BTreeMap<String, String> = serde_json::from_value(stock["attributes"].clone()).unwrap();
        assert_eq!(expected.remove("sip.callStatus").as_deref(), Some("ringing"));
        expected.insert("sip.trunkID".into(), snapshot.inbound_trunks[0].id().into());
        expected.insert("sip.ruleID".into(), snapshot.dispatch_rules[0].id().into());
        assert_eq!(seat.attributes, expected, "{name}");
    }
}

/// The headers of the recorded INVITE: the recorder's extra ones among those that every INVITE of his had.
fn recorded_headers(extra: &str, call_id: &str, stock: &serde_json::Value) -> Vec<(String, String)> {
    let via = stock["attributes"]["sip.h.via"].as_str().unwrap_or("SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bK1");
    let fixed = [
        ("Via", via),
        ("Max-Forwards", "70"),
        ("From", "\"Alice A\" <sip:+15550199@trunk.example.com>;tag=ft"),
        ("To", "<sip:+15550100@gw.example.com>"),
        ("Call-ID", call_id),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:+15550199@127.0.0.1:5090>"),
        ("Content-Type", "application/sdp"),
        ("Content-Length", "166"),
    ];
    let extra = extra.lines().filter_map(|line| line.split_once(": "));
    fixed.into_iter().chain(extra).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What carriers send, and what a room sees of it.
#[test]
fn carriers_headers_become_the_attributes_that_apps_expect() {
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/data/expected-attributes.json")).unwrap();
    let invites = [
        ("twilio-invite.sip", include_str!("../../../tests/data/twilio-invite.sip")),
        ("telnyx-invite-call-control.sip", include_str!("../../../tests/data/telnyx-invite-call-control.sip")),
    ];
    let yaml = "inbound_trunks: [{numbers: [\"*\"], include_headers: SIP_X_HEADERS, allowed_addresses: [203.0.113.7]}]
dispatch_rules: [{rule: {dispatchRuleDirect: {roomName: \"telnyx_call_{telnyx.call_control_id|none}\"}}}]";
    for (file, invite) in invites {
        let seat = join(&snapshot(yaml), &parsed(invite));
        for field in ["identity", "name"] {
            if let Some(value) = expected[file][field].as_str() {
                assert_eq!(if field == "name" { &seat.name } else { &seat.identity }, value, "{file}");
            }
        }
        for (name, value) in expected[file]["attributes"].as_object().unwrap() {
            assert_eq!(seat.attributes.get(name).map(String::as_str), value.as_str(), "{file} {name}");
        }
        let room =
            if file.starts_with("telnyx") { "telnyx_call_v3:fixtureCallControlId0001" } else { "telnyx_call_none" };
        assert_eq!(seat.room.as_str(), room);
    }
}

/// A seat by a trunk that knows its carrier, or one that does not.
fn called_with(trunk: &str, rule: &str, from: &str, headers: &[(&str, &str)]) -> Seat {
    let yaml = format!("inbound_trunks: [{{numbers: ['*'], {trunk}}}]\ndispatch_rules: [{rule}]");
    let objects = snapshot(&yaml);
    let mut query = query(|q| {
        q.from.user = from.into();
        q.from.display = "Zoe".into();
        q.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    });
    query.believe(&objects.inbound_trunks[0]);
    join(&objects, &query)
}

#[test]
fn callers_who_are_known_to_their_carrier_alone() {
    const KNOWN: &str = "allowed_addresses: [203.0.113.7]";
    const INDIVIDUAL: &str = "{rule: {dispatchRuleIndividual: {roomPrefix: c, noRandomness: true}}}";
    const PAI: (&str, &str) = ("P-Asserted-Identity", "\"Max\" <sip:+15550123@x>");
    const PRIVATE: (&str, &str) = ("Privacy", "id");
    const DIVERTED: (&str, &str) = ("Diversion", "<sip:+15550188@x>;reason=no-answer");
    struct Case<'a> {
        name: &'a str,
        trunk: &'a str,
        from: &'a str,
        headers: &'a [(&'a str, &'a str)],
        /// Identity, name, room.
        seat: [&'a str; 3],
        /// phoneNumber, assertedIdentity, displayName, privacy, diversion, diversionReason, trunkPhoneNumber.
        attributes: [&'a str; 7],
    }
    let hash = number_hash("+15550123");
    let hidden = format!("sip_{hash}");
    let cases = [
        Case {
            name: "not anonymous",
            trunk: KNOWN,
            from: "+15550199",
            headers: &[PAI, DIVERTED],
            seat: ["sip_+15550199", "Phone +15550199", "c_+15550199"],
            attributes: ["+15550199", "+15550123", "Zoe", "", "+15550188", "no-answer", "+15550100"],
        },
        Case {
            name: "anonymous",
            trunk: KNOWN,
            from: "anonymous",
            headers: &[PAI],
            seat: ["sip_+15550123", "Phone +15550123", "c_+15550123"],
            attributes: ["+15550123", "+15550123", "Max", "", "", "", "+15550100"],
        },
        Case {
            name: "anonymous and private",
            trunk: KNOWN,
            from: "anonymous",
            headers: &[PAI, PRIVATE, DIVERTED],
            seat: [&hidden, "Phone 0123", "c_0123"],
            attributes: ["", "", "", "id", "+15550188", "no-answer", "+15550100"],
        },
        Case {
            name: "private, but not anonymous",
            trunk: KNOWN,
            from: "+15550199",
            headers: &[PAI, PRIVATE],
            seat: ["sip_+15550199", "Phone +15550199", "c_+15550199"],
            attributes: ["+15550199", "", "Zoe", "id", "", "", "+15550100"],
        },
        Case {
            name: "a peer that anybody could be",
            trunk: "name: open",
            from: "anonymous",
            headers: &[PAI, PRIVATE, DIVERTED],
            seat: ["sip_anonymous", "Phone anonymous", "c_anonymous"],
            attributes: ["anonymous", "", "", "", "", "", "+15550100"],
        },
        Case {
            name: "a peer with a password",
            trunk: "auth_username: u, auth_password: p",
            from: "Restricted",
            headers: &[PAI],
            seat: ["sip_+15550123", "Phone +15550123", "c_+15550123"],
            attributes: ["+15550123", "+15550123", "Max", "", "", "", "+15550100"],
        },
        Case {
            name: "nobody knows",
            trunk: KNOWN,
            from: "anonymous",
            headers: &[PRIVATE],
            seat: ["sip_anonymous", "Phone anonymous", "c_anonymous"],
            attributes: ["anonymous", "", "", "id", "", "", "+15550100"],
        },
    ];
    let names = ["phoneNumber", "assertedIdentity", "displayName", "privacy", "diversion", "diversionReason"];
    for Case { name, trunk, from, headers, seat: expected, attributes } in cases {
        let seat = called_with(trunk, INDIVIDUAL, from, headers);
        assert_eq!([&*seat.identity, &*seat.name, seat.room.as_str()], expected, "{name}");
        let value = |attribute: &str| seat.attributes.get(&format!("sip.{attribute}")).map_or("", String::as_str);
        let found: Vec<_> = names.iter().chain(&["trunkPhoneNumber"]).map(|name| value(name)).collect();
        assert_eq!(found, attributes, "{name}");
        assert_eq!(seat.hides_caller, name == "anonymous and private", "{name}");
    }
    // A rule that hides hides all of it.
    let rule = INDIVIDUAL.replacen('{', "{hidePhoneNumber: true, ", 1);
    let seat = called_with(KNOWN, &rule, "anonymous", &[PAI, DIVERTED]);
    assert_eq!((&*seat.identity, &*seat.name), (&*hidden, "Phone 0123"));
    let told: Vec<_> = seat.attributes.keys().filter(|name| !name.starts_with("sip.call")).collect();
    assert_eq!(told, ["sip.diversionReason", "sip.ruleID", "sip.trunkID"]);
}

#[test]
fn no_header_tells_a_caller_who_hides() {
    let trunk = "allowed_addresses: [203.0.113.7], include_headers: SIP_ALL_HEADERS";
    let headers = [
        ("P-Asserted-Identity", "<sip:+15550123@x>"),
        ("Remote-Party-ID", "<sip:+15550123@x>"),
        ("Identity", "eyJ0eXAi"),
        ("X-Their", "call of 15550123"),
        ("X-Other", "1"),
        ("Privacy", "id"),
    ];
    let rule = "{metadata: 'of {caller_number}', rule: {dispatchRuleDirect: {roomName: lobby}}}";
    let seat = called_with(trunk, rule, "anonymous", &headers);
    let included: Vec<_> = seat.attributes.keys().filter(|name| name.starts_with("sip.h.")).collect();
    assert_eq!(included, ["sip.h.privacy", "sip.h.x-other"]);
    assert_eq!(seat.metadata, "of 0123");
}

/// Whoever could have written it himself is not believed.
#[test]
fn what_carriers_say_of_a_number_counts_from_peers_that_the_trunk_knows() {
    let headers = [
        ("X-Twilio-VerStat", "TN-Validation-Passed-A"),
        ("X-Attest", "A"),
        ("Identity", "h.p.s;info=<https://a>"),
        ("X-Other", "1"),
    ];
    let trunk = "numbers: ['*'], include_headers: SIP_ALL_HEADERS, headers_to_attributes: {X-Attest: sip.stir.attest}";
    let known = [
        ("sip.h.identity", "h.p.s;info=<https://a>"),
        ("sip.h.x-attest", "A"),
        ("sip.h.x-other", "1"),
        ("sip.h.x-twilio-verstat", "TN-Validation-Passed-A"),
        ("sip.stir.attest", "A"),
        ("sip.stir.verifiedBy", "carrier"),
        ("sip.stir.verstat", "TN-Validation-Passed"),
    ];
    let unknown = [("sip.h.x-attest", "A"), ("sip.h.x-other", "1")];
    type Told<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&str, &str, Told<'_>)] = &[
        ("by its address", "allowed_addresses: [203.0.113.0/24]", &known),
        ("by a list of everybody", "allowed_addresses: [0.0.0.0/0]", &unknown),
        ("by nothing", "", &unknown),
    ];
    for (name, more, expected) in cases {
        let yaml = format!(
            "inbound_trunks: [{{{trunk}, {more}}}]
dispatch_rules: [{{rule: {{dispatchRuleDirect: {{roomName: r}}}}, attributes: {{sip.stir.verstat: TN-Validation-Passed}}}}]"
        );
        let call = query(|q| q.headers = headers.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
        let seat = join(&snapshot(&yaml), &call);
        let is_told = |name: &str| name.starts_with("sip.h.") || name.starts_with("sip.stir.");
        let told = seat.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(told.filter(|(name, _)| is_told(name)).collect::<Vec<_>>(), *expected, "{name}");
    }
}

/// Just enough of a parser for the files of the test above.
fn parsed(invite: &str) -> Query {
    let head = invite.split("\r\n\r\n").next().unwrap();
    let header = |line: &str| line.split_once(':').map(|(n, v)| (n.to_owned(), v.trim().to_owned()));
    let headers: Vec<_> = head.lines().skip(1).filter_map(header).collect();
    query(|q| {
        q.headers = headers;
        let uri = |q: &Query, name: &str| {
            let value = q.header(name).unwrap().to_owned();
            let (user, rest) = value.split_once("sip:").unwrap().1.split_once('@').unwrap();
            (user.to_owned(), rest.split(['>', ';', ':']).next().unwrap().to_owned())
        };
        (q.from.user, q.from.host) = uri(q, "from");
        (q.to.user, q.to.host) = uri(q, "to");
        q.sip_call_id = q.header("call-id").unwrap().to_owned();
    })
}
