//! LiveKit's SIP API: rows that were recorded from the stock server and need a carrier, and the SDKs that people use.
//!
//! The rows that need none are replayed beside the API itself, in `bridge`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::Command;

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::api::Answer;
use tests::peers::gateway::Setup;
use tests::peers::sdk::{Language, Sdk};
use tests::peers::sipp::Carrier;
use tests::{ports, root};

/// Where we answer otherwise than the stock server, and why: case, status of HTTP, code, reason.
const STRICTER: &[(&str, u16, &str, &str)] =
    &[("participant: bad dtmf", 400, "invalid_argument", "digits that no telephone has would be left out in silence")];

#[test]
fn rows_with_a_carrier_are_as_the_stock_server_answers_them() {
    let Some(bed) = Bed::new("api-rows", &setup(), &[Need::Sipp]) else { return };
    let port = ports::one();
    let _carrier = Carrier { calls: 1_000, ..Carrier::new("carrier.xml", port) }.start(&bed.scratch);
    let api = bed.gateway.api().admin_of("golden");
    let mut ids = BTreeMap::new();
    for (name, method, trunk) in [
        ("$IN", "CreateSIPInboundTrunk", json!({"name": "in", "numbers": ["+15550140"]})),
        (
            "$LOOP",
            "CreateSIPOutboundTrunk",
            json!({
                "name": "o4", "address": format!("127.0.0.1:{port}"), "numbers": ["+15550203"], "transport": "SIP_TRANSPORT_UDP",
            }),
        ),
    ] {
        ids.insert(name, api.must(method, &json!({"trunk": trunk}))["sip_trunk_id"].clone());
    }
    let rows = recorded();
    let mut replayed = 0;
    for row in &rows {
        let case = row["case"].as_str().unwrap_or_default();
        if !case.starts_with("participant: ") && !case.starts_with("transfer: ") {
            continue;
        }
        let mut request = row["request"].to_string().replace("127.0.0.1:5098", &format!("127.0.0.1:{port}"));
        for (name, id) in &ids {
            request = request.replace(name, id.as_str().unwrap_or_default());
        }
        let request = serde_json::from_str(&request).expect("a row is JSON");
        let answer = api.sip(row["method"].as_str().unwrap_or_default(), &request);
        compare(case, row, &answer);
        replayed += 1;
    }
    assert!(replayed >= 24, "{replayed} rows");
}

fn compare(case: &str, row: &Value, answer: &Answer) {
    if let Some((_, status, code, why)) = STRICTER.iter().find(|(stricter, ..)| *stricter == case) {
        assert_eq!((answer.status, answer.code()), (*status, *code), "{case} ({why}): {}", answer.body);
        return;
    }
    let expected = &row["response"];
    assert_eq!(u64::from(answer.status), row["status"], "{case}: {}", answer.body);
    assert_eq!(answer.body["code"], expected["code"], "{case}: {}", answer.body);
    if answer.status == 200 {
        let fields = expected.as_object().into_iter().flatten();
        for (field, value) in fields {
            let mask = |value: &Value| value.as_str().map_or(value.to_string(), |text| masked(field, text));
            assert_eq!(mask(&answer.body[field]), mask(value), "{case}: {field}");
        }
        return;
    }
    for field in ["sip_status_code", "sip_status"] {
        assert_eq!(answer.body["meta"][field], expected["meta"][field], "{case}: {}", answer.body);
    }
    let text = expected["msg"].as_str().unwrap_or_default();
    // The stock server speaks of where in itself the error came from; what happened comes after.
    let text = text.rsplit_once("sip status: ").map_or(text, |(_, tail)| tail);
    let text = text.trim_start_matches("twirp error unknown: ");
    assert!(answer.text("msg").replace("sip status: ", "sip status ").contains(text), "{case}: {}", answer.body);
}

/// Ids keep their kind.
fn masked(field: &str, text: &str) -> String {
    match text.split_once('_') {
        Some((kind, _)) if field != "participant_identity" && kind.chars().all(|c| c.is_ascii_uppercase()) => {
            kind.to_owned()
        }
        _ => text.to_owned(),
    }
}

#[test]
fn the_python_sdk_manages_objects_and_sees_sip_errors() {
    let Some((bed, port)) = with_carrier("api-python", &[]) else { return };
    let mut sdk = Sdk::start(Language::Python, &bed.gateway.url(), &bed.scratch);
    let mut must = |method: &str, request: Value| {
        sdk.call(method, request.clone()).unwrap_or_else(|thrown| panic!("{method} {request}: {thrown:?}"))
    };
    let inbound = must("create_inbound_trunk", json!({"trunk": {"name": "in", "numbers": ["+15550801"]}}));
    let id = inbound["sip_trunk_id"].clone();
    let outbound = must("create_outbound_trunk", json!({"trunk": outbound(port)}));
    let rule = must(
        "create_dispatch_rule",
        json!({"dispatch_rule": {"name": "r", "trunk_ids": [id], "rule": {"dispatch_rule_direct": {"room_name": "r"}}}}),
    );
    let listed = must("list_inbound_trunk", json!({"trunk_ids": [id]}));
    assert_eq!(listed["items"][0]["numbers"], json!(["+15550801"]));
    assert_eq!(must("list_dispatch_rule", json!({"trunk_ids": [id]}))["items"].as_array().map(Vec::len), Some(2));
    let call = |to: &str| {
        json!({
            "sip_trunk_id": outbound["sip_trunk_id"], "sip_call_to": to, "room_name": "r", "participant_identity": to,
            "wait_until_answered": true, "ringing_timeout": "10s",
        })
    };
    let placed = must("create_sip_participant", call("+15550200"));
    assert_eq!((&placed["participant_identity"], &placed["room_name"]), (&json!("+15550200"), &json!("r")));
    let changed = sdk
        .ask("update_inbound_fields", json!({"trunk_id": id, "name": "renamed", "numbers": {"add": ["+15550802"]}}))
        .expect("fields are updated");
    assert_eq!((&changed["name"], &changed["numbers"]), (&json!("renamed"), &json!(["+15550801", "+15550802"])));
    let replaced = json!({"trunk_id": id, "trunk": {"name": "other", "numbers": ["+15550803"]}});
    assert_eq!(sdk.ask("replace_inbound", replaced).expect("a trunk is replaced")["numbers"], json!(["+15550803"]));
    for (to, code, sip) in [
        ("+15550486", "resource_exhausted", (486, "Busy Here")),
        ("+15550603", "permission_denied", (603, "Decline")),
        ("+15550404", "not_found", (404, "Not Found")),
    ] {
        let thrown = sdk.call("create_sip_participant", call(to)).expect_err("the carrier refuses");
        assert!(thrown.is_sip(), "{to}: {thrown:?}");
        assert_eq!((thrown.code(), thrown.sip()), (code, sip), "{to}: {thrown:?}");
    }
    // The carrier takes the REFER and never says what became of it.
    let transfer = json!({
        "room_name": "r", "participant_identity": "+15550200", "transfer_to": "tel:+15550177", "ringing_timeout": "2s",
    });
    let thrown = sdk.call("transfer_sip_participant", transfer).expect_err("nobody says what became of it");
    assert_eq!(thrown.code(), "deadline_exceeded", "{thrown:?}");
    let wrong =
        sdk.call("create_sip_participant", json!({"sip_trunk_id": "ST_none", "sip_call_to": "+1", "room_name": "r"}));
    let thrown = wrong.expect_err("there is no such trunk");
    assert!(!thrown.is_sip() && thrown.code() == "not_found", "{thrown:?}");
    let mut must = |method: &str, request: Value| sdk.call(method, request).expect("objects are deleted");
    must("delete_dispatch_rule", json!({"sip_dispatch_rule_id": rule["sip_dispatch_rule_id"]}));
    must("delete_trunk", json!({"sip_trunk_id": id}));
    must("delete_trunk", json!({"sip_trunk_id": outbound["sip_trunk_id"]}));
    let left = must("list_inbound_trunk", json!({}));
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "the file's own: {left}");
}

#[test]
fn the_javascript_sdk_manages_objects_and_sees_sip_errors() {
    let Some((bed, port)) = with_carrier("api-node", &[Need::Node]) else { return };
    let mut sdk = Sdk::start(Language::JavaScript, &bed.gateway.url(), &bed.scratch);
    let mut must = |method: &str, arguments: Value| {
        sdk.call(method, arguments.clone()).unwrap_or_else(|thrown| panic!("{method} {arguments}: {thrown:?}"))
    };
    let inbound = must("createSipInboundTrunk", json!(["in", ["+15550801"], {"metadata": "m"}]));
    let id = inbound["sipTrunkId"].clone();
    let address = format!("127.0.0.1:{port}");
    let outbound = must("createSipOutboundTrunk", json!(["out", address, ["+15550300"], {"transport": 1}]));
    let rule =
        must("createSipDispatchRule", json!([{"type": "direct", "roomName": "r"}, {"name": "r", "trunkIds": [id]}]));
    assert_eq!(must("listSipInboundTrunk", json!([{"trunkIds": [id]}]))[0]["metadata"], "m");
    let changed = must("updateSipInboundTrunkFields", json!([id, {"name": "renamed"}]));
    assert_eq!((&changed["name"], &changed["numbers"]), (&json!("renamed"), &json!(["+15550801"])));
    let trunk = outbound["sipTrunkId"].clone();
    let call = |to: &str| json!([trunk, to, "r", {"participantIdentity": to, "waitUntilAnswered": true, "ringingTimeout": 10}]);
    let placed = must("createSipParticipant", call("+15550200"));
    assert_eq!((&placed["participantIdentity"], &placed["roomName"]), (&json!("+15550200"), &json!("r")));
    for (to, code, sip) in [
        ("+15550486", "resource_exhausted", (486, "Busy Here")),
        ("+15550480", "resource_exhausted", (480, "Temporarily Unavailable")),
        ("+15550503", "failed_precondition", (503, "Service Unavailable")),
    ] {
        let thrown = sdk.call("createSipParticipant", call(to)).expect_err("the carrier refuses");
        assert!(thrown.is_sip(), "{to}: {thrown:?}");
        assert_eq!((thrown.code(), thrown.sip()), (code, sip), "{to}: {thrown:?}");
    }
    let transfer = json!(["r", "+15550200", "tel:+15550177", {"ringingTimeout": 2}]);
    let thrown = sdk.call("transferSipParticipant", transfer).expect_err("nobody says what became of it");
    assert_eq!(thrown.code(), "deadline_exceeded", "{thrown:?}");
    let mut must = |method: &str, arguments: Value| sdk.call(method, arguments).expect("objects are deleted");
    must("deleteSipDispatchRule", json!([rule["sipDispatchRuleId"]]));
    must("deleteSipTrunk", json!([id]));
    must("deleteSipTrunk", json!([trunk]));
    let left = must("listSipInboundTrunk", json!([]));
    assert_eq!(left.as_array().map(Vec::len), Some(1), "the file's own: {left}");
}

#[test]
fn curl_does_the_same_with_json() {
    let Some((bed, port)) = with_carrier("api-curl", &[Need::Curl]) else { return };
    let api = bed.gateway.api().admin_of("r");
    let curl = |method: &str, body: Value| {
        let mut command = Command::new(Need::Curl.expect());
        command.args(["-sS", "--max-time", "30", "-w", "\n%{http_code} %{content_type}"]);
        command.args(["-H", &format!("Authorization: Bearer {}", api.token()), "-H", "Content-Type: application/json"]);
        command.args(["-d", &body.to_string()]).arg(format!("{}/twirp/livekit.SIP/{method}", api.url()));
        let output = command.output().expect("curl runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, tail) = text.rsplit_once('\n').unwrap_or_default();
        let (status, kind) = tail.split_once(' ').unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{method}: {text}"));
        (status.parse::<u16>().unwrap_or(0), kind.to_owned(), body)
    };
    let (status, kind, trunk) = curl("CreateSIPOutboundTrunk", json!({"trunk": outbound(port)}));
    assert_eq!((status, kind.as_str()), (200, "application/json"), "{trunk}");
    let id = &trunk["sip_trunk_id"];
    let (status, _, changed) = curl("UpdateSIPOutboundTrunk", json!({"sipTrunkId": id, "update": {"name": "renamed"}}));
    assert_eq!((status, &changed["name"]), (200, &json!("renamed")));
    let call = |to: &str| {
        json!({
            "sipTrunkId": id, "sipCallTo": to, "roomName": "r", "participantIdentity": to, "waitUntilAnswered": true,
            "ringingTimeout": "10s",
        })
    };
    let (status, kind, busy) = curl("CreateSIPParticipant", call("+15550486"));
    assert_eq!(
        (status, kind.as_str(), &busy["code"]),
        (429, "application/json", &json!("resource_exhausted")),
        "{busy}"
    );
    let meta = &busy["meta"];
    assert_eq!((&meta["sip_status_code"], &meta["sip_status"]), (&json!("486"), &json!("Busy Here")), "{busy}");
    let (status, _, placed) = curl("CreateSIPParticipant", call("+15550200"));
    assert_eq!((status, &placed["participant_identity"]), (200, &json!("+15550200")), "{placed}");
    let transfer = json!({
        "roomName": "r", "participantIdentity": "+15550200", "transferTo": "tel:+15550177", "ringingTimeout": "2s",
    });
    let (status, _, silent) = curl("TransferSIPParticipant", transfer);
    assert_eq!((status, &silent["code"]), (408, &json!("deadline_exceeded")), "{silent}");
    let (status, _, deleted) = curl("DeleteSIPTrunk", json!({"sip_trunk_id": id}));
    assert_eq!((status, &deleted["sip_trunk_id"]), (200, id));
    let (_, _, left) = curl("ListSIPOutboundTrunk", json!({}));
    assert_eq!(left, json!({"items": []}));
}

/// Somebody speaks in the room `r`, and one rule of the file is for every trunk.
fn setup() -> Setup {
    Setup { api: true, ..Setup::room("r") }
}

fn with_carrier(name: &str, needs: &[Need]) -> Option<(CarrierBed, u16)> {
    let port = ports::one();
    let mut bed = Bed::new(name, &setup(), &[needs, &[Need::Sipp]].concat())?;
    bed.listener.join("r", 880.0);
    let carrier = Carrier { calls: 1_000, ..Carrier::new("carrier.xml", port) }.start(&bed.scratch);
    Some((CarrierBed { bed, _carrier: carrier }, port))
}

/// A bed with `sipp` beside it.
struct CarrierBed {
    bed: Bed,
    _carrier: tests::peers::sipp::Sipp,
}

impl std::ops::Deref for CarrierBed {
    type Target = Bed;
    fn deref(&self) -> &Bed {
        &self.bed
    }
}

fn outbound(port: u16) -> Value {
    json!({
        "name": "out", "address": format!("{}:{port}", Ipv4Addr::LOCALHOST), "numbers": ["+15550300"],
        "transport": "SIP_TRANSPORT_UDP",
    })
}

fn recorded() -> Vec<Value> {
    let file = root().join("bridge/tests/data/api.json");
    let text = std::fs::read_to_string(file).expect("the recording is in the tree");
    serde_json::from_str(&text).expect("the recording is JSON")
}
