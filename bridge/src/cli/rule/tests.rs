use serde_json::json;

use super::super::gateway::tests::{Answers, Stub};
use super::*;

fn rules() -> Answers {
    let rule = json!({
        "sip_dispatch_rule_id": "SDR_a", "name": "main", "trunk_ids": ["ST_a"], "inbound_numbers": [],
        "rule": {"dispatch_rule_individual": {"room_prefix": "call-", "pin": "4242"}},
        "room_config": {"agents": [{"agent_name": "bot"}, {"agent_name": "scribe"}]}
    });
    vec![
        ("/ListSIPDispatchRule", 200, json!({"items": [rule]})),
        ("Rule", 200, json!({"sip_dispatch_rule_id": "SDR_new"})),
    ]
}

#[test]
fn what_is_said_is_what_is_asked() {
    let cases = [
        (
            "rule create --caller call- --name a --agent bot --trunks ST_a,ST_b",
            "CreateSIPDispatchRule",
            json!({"dispatch_rule": {
                "name": "a", "trunk_ids": ["ST_a", "ST_b"], "rule": {"dispatch_rule_individual": {"room_prefix": "call-", "pin": ""}},
                "room_config": {"agents": [{"agent_name": "bot"}]}
            }}),
        ),
        (
            "rule create {\"dispatchRule\":{\"name\":\"a\",\"hidePhoneNumber\":true}} --direct lobby --pin 1234",
            "CreateSIPDispatchRule",
            json!({"dispatch_rule": {"name": "a", "hide_phone_number": true, "rule": {"dispatch_rule_direct": {"room_name": "lobby", "pin": "1234"}}}}),
        ),
        (
            "rule create {\"trunk_ids\":[],\"rule\":{\"dispatchRuleCallee\":{\"roomPrefix\":\"x\"}}}",
            "CreateSIPDispatchRule",
            json!({"dispatch_rule": {"trunk_ids": [], "rule": {"dispatch_rule_callee": {"room_prefix": "x"}}}}),
        ),
        (
            "rule update main --callee n- --randomize --trunks=",
            "UpdateSIPDispatchRule",
            json!({"sip_dispatch_rule_id": "SDR_a", "update": {
                "rule": {"dispatch_rule_callee": {"room_prefix": "n-", "pin": "", "randomize": true}}, "trunk_ids": {"clear": true}
            }}),
        ),
        (
            "rule update SDR_a {\"name\":\"b\",\"rule\":{\"dispatchRuleDirect\":{\"roomName\":\"r\"}}}",
            "UpdateSIPDispatchRule",
            json!({"sip_dispatch_rule_id": "SDR_a", "replace": {
                "sip_dispatch_rule_id": "SDR_a", "name": "b", "rule": {"dispatch_rule_direct": {"room_name": "r"}}
            }}),
        ),
        ("rule rm main", "DeleteSIPDispatchRule", json!({"sip_dispatch_rule_id": "SDR_a"})),
    ];
    for (command, method, request) in cases {
        let stub = Stub::start(rules());
        stub.run(command).unwrap_or_else(|error| panic!("{command}: {error}"));
        let asked = stub.asked();
        let [asked] = &asked[..] else { panic!("{command}: {asked:?}") };
        assert_eq!((&asked.what, &asked.body), (&format!("POST /twirp/livekit.SIP/{method}"), &request), "{command}");
    }
}

#[test]
fn what_cannot_be_meant_is_not_asked() {
    for (command, expected) in [
        ("rule create --name a", "say which room"),
        ("rule create --direct a --caller b", "cannot be used with"),
        ("rule create --direct a --randomize", "cannot be used with"),
        ("rule create --randomize", "required"),
        ("rule update main --agent x", "whole rule in a file"),
        ("rule show other", "there is no rule \"other\""),
    ] {
        let stub = Stub::start(rules());
        let error = stub.run(command).unwrap_err().to_string();
        assert!(error.contains(expected), "{command}: {error}");
        assert!(stub.asked().is_empty(), "{command}");
    }
}

#[test]
fn rows_are_for_people_and_keep_the_pin() {
    let answers = rules();
    let row = row(&answers[0].2["items"][0], &Origins::default());
    assert_eq!(row, ["SDR_a", "main", "call-_<caller>", "yes", "ST_a", "all", "bot, scribe", ""]);
}
