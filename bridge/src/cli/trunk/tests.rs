use serde_json::json;

use super::super::gateway::tests::{Answers, Stub};
use super::*;

fn trunks() -> Answers {
    let inbound = json!({"items": [
        {"sip_trunk_id": "ST_in", "name": "main", "numbers": ["+15550100"], "allowed_addresses": [], "auth_username": "u", "auth_password": "p"},
        {"sip_trunk_id": "ST_twin", "name": "twin"},
    ]});
    let outbound = json!({"items": [
        {"sip_trunk_id": "ST_out", "name": "twilio", "address": "t.example", "numbers": ["+1", "+2"]},
        {"sip_trunk_id": "ST_out2", "name": "twin", "address": "t.example"},
    ]});
    vec![
        ("/ListSIPInboundTrunk", 200, inbound),
        ("/ListSIPOutboundTrunk", 200, outbound),
        ("Trunk", 200, json!({"sip_trunk_id": "ST_new"})),
        ("/objects", 200, json!({"inbound_trunks": [], "origins": {"ST_in": "file"}})),
    ]
}

#[test]
fn what_is_said_is_what_is_asked() {
    let cases = [
        (
            "trunk create --name a --numbers +1,+2 --allowed-addresses 192.0.2.0/24 --header X-A:␣1",
            "CreateSIPInboundTrunk",
            json!({"trunk": {"name": "a", "numbers": ["+1", "+2"], "allowed_addresses": ["192.0.2.0/24"], "headers": {"X-A": "1"}}}),
        ),
        (
            "trunk create {\"trunk\":{\"name\":\"a\",\"authUsername\":\"u\"}} --name b --auth-user v --auth-pass p",
            "CreateSIPInboundTrunk",
            json!({"trunk": {"name": "b", "auth_username": "v", "auth_password": "p"}}),
        ),
        (
            "trunk create --address t.example --transport tls --numbers +1",
            "CreateSIPOutboundTrunk",
            json!({"trunk": {"address": "t.example", "transport": "SIP_TRANSPORT_TLS", "numbers": ["+1"]}}),
        ),
        ("trunk create --outbound --name x", "CreateSIPOutboundTrunk", json!({"trunk": {"name": "x"}})),
        (
            "trunk update main --numbers +3 --name n",
            "UpdateSIPInboundTrunk",
            json!({"sip_trunk_id": "ST_in", "update": {"numbers": {"set": ["+3"]}, "name": "n"}}),
        ),
        (
            "trunk update twilio --numbers= --address o.example",
            "UpdateSIPOutboundTrunk",
            json!({"sip_trunk_id": "ST_out", "update": {"numbers": {"clear": true}, "address": "o.example"}}),
        ),
        (
            "trunk update ST_out {\"sip_trunk_id\":\"ST_out\",\"address\":\"o.example\"} --name new",
            "UpdateSIPOutboundTrunk",
            json!({"sip_trunk_id": "ST_out", "replace": {"sip_trunk_id": "ST_out", "address": "o.example", "name": "new"}}),
        ),
        ("trunk delete twilio", "DeleteSIPTrunk", json!({"sip_trunk_id": "ST_out"})),
    ];
    for (command, method, request) in cases {
        let stub = Stub::start(trunks());
        stub.run(command).unwrap_or_else(|error| panic!("{command}: {error}"));
        let asked = stub.asked();
        let [asked] = &asked[..] else { panic!("{command}: {asked:?}") };
        assert_eq!((&asked.what, &asked.body), (&format!("POST /twirp/livekit.SIP/{method}"), &request), "{command}");
        assert_eq!(asked.grants, json!({"sip": {"admin": true}}), "{command}");
    }
}

#[test]
fn what_is_ours_goes_by_our_own_api() {
    let there = json!({"outbound_trunks": [{"sip_trunk_id": "ST_out", "name": "twilio", "max_calls": 3}]});
    let answers = |entries: Value| -> Answers {
        let lists = trunks().into_iter().filter(|(path, ..)| *path != "/objects");
        let ours = [("/objects", 200, there.clone()), ("/objects?mode=merge", 200, json!({"entries": entries}))];
        lists.chain(ours).collect()
    };
    let stub = Stub::start(answers(json!([{"action": "update"}])));
    stub.run("trunk update twilio --dtmf info").unwrap();
    let asked = stub.asked();
    let Some(put) = asked.iter().find(|seen| seen.what.starts_with("PUT ")) else { panic!("{asked:?}") };
    let expected = json!({"sip_trunk_id": "ST_out", "name": "twilio", "max_calls": 3, "dtmf": "info"});
    assert_eq!(put.body, json!({"outbound_trunks": [expected]}));
    assert!(asked.iter().all(|seen| !seen.what.starts_with("POST ")), "nothing else: {asked:?}");
    let stub = Stub::start(answers(json!([{"action": "conflict"}])));
    let error = stub.run("trunk update twilio --dtmf inband").unwrap_err().to_string();
    assert!(error.contains("configuration file"), "{error}");
    assert!(stub.run("trunk update twilio --dtmf rfc2833").is_err());
}

#[test]
fn what_cannot_be_meant_is_not_asked() {
    let cases = [
        ("trunk delete nobody", "there is no trunk \"nobody\""),
        ("trunk delete twin", "2 trunks have the name \"twin\""),
        ("trunk update main", "say what to change"),
        ("trunk update main --header X:1", "give the whole trunk in a file"),
        ("trunk create /nonexistent.json", "No such file"),
        ("trunk create {\"auth_password\":\"••••\"}", "stands for a secret"),
        ("trunk create --inbound --outbound", "cannot be used with"),
        ("trunk create --header nonsense", "NAME: VALUE"),
        ("trunk show", "required"),
    ];
    for (command, expected) in cases {
        let stub = Stub::start(trunks());
        let error = stub.run(command).unwrap_err().to_string();
        assert!(error.contains(expected), "{command}: {error}");
        assert!(stub.asked().is_empty(), "{command}");
    }
}

#[test]
fn rows_are_for_people() {
    let answers = trunks();
    let origins = Origins::read(&answers[3].2);
    let expected = ["ST_in", "inbound", "main", "+15550100", "any", "u", "file"];
    assert_eq!(row(Kind::Inbound, &answers[0].2["items"][0], &origins), expected);
    let expected = ["ST_out", "outbound", "twilio", "+1, +2", "t.example", "", ""];
    assert_eq!(row(Kind::Outbound, &answers[1].2["items"][0], &origins), expected);
}
