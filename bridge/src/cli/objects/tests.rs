use super::super::gateway::tests::Stub;
use super::*;

const SUCCESS: &str = "ExitCode(unix_exit_status(0))";
const FAILURE: &str = "ExitCode(unix_exit_status(1))";
const FILE: &str = r#"{"inbound_trunks":[{"sip_trunk_id":"ST_a","numbers":["1"]}]}"#;

/// A gateway that has these objects and plans such an import.
fn stub(there: Value, action: &str) -> Stub {
    let plan = json!({"done": false, "entries": [{"kind": "inbound", "id": "ST_a", "name": "", "action": action}]});
    Stub::start(vec![
        ("/objects?secrets=true", 200, there),
        ("/objects?mode=merge&dry_run=true", 200, plan.clone()),
        ("/objects?mode=merge", 200, plan),
    ])
}

#[test]
fn an_import_writes_what_is_planned_and_nothing_unasked() {
    let cases = [
        ("--yes", "create", 2, "Ok"),
        ("--yes", "unchanged", 1, "Ok"),
        ("--dry-run", "update", 1, "Ok"),
        ("--yes", "conflict", 1, "not all of it can be"),
        ("--yes --json", "create", 2, "Ok"),
    ];
    for (flag, action, puts, expected) in cases {
        let stub = stub(json!({}), action);
        let result = stub.run(&format!("import {FILE} {flag}"));
        let told = result.map_or_else(|error| error.to_string(), |_| "Ok".into());
        assert!(told.contains(expected), "{flag} {action}: {told}");
        let asked = stub.asked();
        assert_eq!(asked.len(), puts, "{flag} {action}: {asked:?}");
        assert_eq!(asked[0].what, "PUT /trunkline/v1/objects?mode=merge&dry_run=true");
        assert_eq!(asked.last().unwrap().body, serde_json::from_str::<Value>(FILE).unwrap());
    }
}

#[test]
fn a_file_and_a_gateway_are_compared() {
    let same: Value = serde_json::from_str(FILE).unwrap();
    let other = json!({"inbound_trunks": [{"sip_trunk_id": "ST_a", "numbers": ["2"]}]});
    for (there, expected) in [(same, SUCCESS), (other, FAILURE), (json!({}), FAILURE)] {
        let stub = stub(there.clone(), "create");
        assert_eq!(stub.run(&format!("diff {FILE}")).unwrap(), expected, "{there}");
    }
}

#[test]
fn objects_of_another_livekit_keep_their_ids() {
    let other = Stub::start(vec![
        ("/ListSIPInboundTrunk", 200, json!({"items": [{"sipTrunkId": "ST_theirs", "authPassword": "p"}]})),
        ("/ListSIPOutboundTrunk", 200, json!({"items": []})),
        ("/ListSIPDispatchRule", 200, json!({"items": [{"sip_dispatch_rule_id": "SDR_theirs"}]})),
    ]);
    let stub = stub(json!({}), "create");
    assert_eq!(stub.run(&format!("import --yes --from {}", other.url())).unwrap(), SUCCESS);
    let asked = stub.asked();
    let put = &asked.last().unwrap().body;
    assert_eq!(put["inbound_trunks"], json!([{"sip_trunk_id": "ST_theirs", "auth_password": "p"}]));
    assert_eq!(put["dispatch_rules"], json!([{"sip_dispatch_rule_id": "SDR_theirs"}]));
}

#[test]
fn files_that_are_no_exports_are_not_imported() {
    for (file, expected) in [("{}", "neither"), ("{\"trunk\":{}}", "\"trunk\""), ("{", "no JSON")] {
        let stub = stub(json!({}), "create");
        let error = stub.run(&format!("import {file} --yes")).unwrap_err();
        assert!(error.is::<Trouble>() && error.to_string().contains(expected), "{error}");
        assert!(stub.asked().is_empty());
    }
}
