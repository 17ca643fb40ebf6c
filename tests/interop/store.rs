//! What was acknowledged is there after a power cut; what the file says is in force without a restart.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tests::need;
use tests::peers::api::Api;
use tests::peers::gateway::{Gateway, NUMBER, Setup};
use tests::peers::phone::Phone;
use tests::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(10);
const WRITES: usize = 200;
/// After so many acknowledged writes the power goes.
const CUTS: [usize; 5] = [3, 40, 41, 97, 160];
/// Nobody is there: these tests need no room.
const NO_SERVER: &str = "ws://127.0.0.1:9";

#[test]
fn a_kill_loses_no_acknowledged_write() {
    let Some((scratch, mut gateway)) = start("store-kill") else { return };
    let api = gateway.api();
    let count = AtomicUsize::new(0);
    let mut kept = BTreeMap::new();
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| write_all(&api, &count));
        for cut in CUTS {
            let reached = tests::within(LIMIT, || count.load(Ordering::Relaxed) >= cut || writer.is_finished());
            assert!(reached.is_some(), "{} writes", count.load(Ordering::Relaxed));
            gateway.restart(&scratch);
        }
        kept = writer.join().expect("the writer writes");
    });
    gateway.restart(&scratch);
    let found = listed(&api);
    for (id, object) in &kept {
        assert_eq!(found.get(id), Some(object), "{id} was acknowledged");
    }
    assert_eq!(kept.len(), WRITES);
    // A write that was cut off may have been made; one each time, at most.
    let more = found.len() - kept.len();
    assert!(more <= CUTS.len(), "{more} more than were acknowledged");
}

#[test]
fn a_restart_shows_every_object_as_before() {
    let Some((scratch, mut gateway)) = start("store-restart") else { return };
    let api = gateway.api();
    fill(&api);
    let before = listed(&api);
    assert_eq!(before.len(), 8, "{before:?}");
    for stop in ["TERM", "KILL"] {
        gateway.process().signal(stop);
        gateway.process().wait(LIMIT);
        gateway.restart(&scratch);
        assert_eq!(listed(&api), before, "{stop}");
    }
    let mode = fs::metadata(gateway.store()).expect("the store is a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "passwords are in it");
    assert!(!gateway.process().output().contains("correct-horse-battery"), "and in no log");
}

#[test]
fn changes_of_the_file_are_taken_up_and_leave_the_api_s_objects() {
    let Some((_scratch, mut gateway)) = start("store-reload") else { return };
    let api = gateway.api();
    let ours = api.must("CreateSIPInboundTrunk", &json!({"trunk": {"name": "ours", "numbers": ["+15550901"]}}));
    for (number, signal) in [("+15550701", None), ("+15550702", Some("HUP"))] {
        assert!(!is_known(&gateway, number), "{number}");
        gateway.rewrite(|config| config["inbound_trunks"][0]["numbers"] = json!([NUMBER, number]));
        if let Some(signal) = signal {
            gateway.process().signal(signal);
        }
        let known = tests::within(Duration::from_secs(5), || is_known(&gateway, number));
        assert!(known.is_some(), "{number}:\n{}", gateway.process().output());
        let trunk = json!({"trunk_ids": [ours["sip_trunk_id"]]});
        assert_eq!(api.must("ListSIPInboundTrunk", &trunk)["items"], json!([ours]));
    }
    // What the file has is the file's to change.
    let listed = api.must("ListSIPInboundTrunk", &json!({}));
    let file = listed["items"].as_array().into_iter().flatten().find(|item| item["name"] == "carrier");
    let id = file.expect("the file's trunk is listed")["sip_trunk_id"].clone();
    let refused = api.sip("UpdateSIPInboundTrunk", &json!({"sip_trunk_id": id, "update": {"name": "mine"}}));
    assert_eq!(refused.code(), "failed_precondition", "{}", refused.body);
}

#[test]
fn a_bad_file_leaves_the_old_one_in_force_and_says_why() {
    let Some((_scratch, mut gateway)) = start("store-bad-file") else { return };
    let good = fs::read_to_string(gateway.file()).expect("the file can be read");
    for (case, text, word) in [
        ("no YAML", "inbound_trunks: [\n".to_owned(), "trunkline.yaml"),
        ("a key misspelt", good.replace("\"inbound_trunks\"", "\"inbound_tranks\""), "inbound_trunks"),
        (
            "a rule for a trunk that is not there",
            good.replace("\"rule\":", "\"trunk_ids\": [\"none\"], \"rule\":"),
            "none",
        ),
        ("empty", String::new(), "empty"),
    ] {
        let said = gateway.process().output().len();
        gateway.rewrite_raw(&text);
        let explained = tests::within(LIMIT, || {
            let output = gateway.process().output();
            output[said..].lines().any(|line| line.contains(word) && (line.contains("WARN") || line.contains("ERROR")))
        });
        assert!(explained.is_some(), "{case}:\n{}", &gateway.process().output()[said..]);
        assert!(is_known(&gateway, NUMBER), "{case}: the old one is in force");
    }
    fs::remove_file(gateway.file()).expect("the file can be removed");
    std::thread::sleep(Duration::from_secs(2));
    assert!(is_known(&gateway, NUMBER), "no file: the old one is in force");
    gateway.rewrite(|config| config["inbound_trunks"][0]["numbers"] = json!(["+15550703"]));
    assert!(tests::within(LIMIT, || is_known(&gateway, "+15550703")).is_some(), "a good one is taken up");
    assert!(!is_known(&gateway, NUMBER));
}

fn start(name: &str) -> Option<(Scratch, Gateway)> {
    // Nothing but the gateway is needed, but real time is measured.
    if !need::all(&[]) {
        return None;
    }
    let scratch = Scratch::new(name);
    let setup = Setup { api: true, ..Setup::room("desk") };
    // Everything is refused where the room would be, which tells a known number from an unknown one.
    let gateway = Gateway::start(&setup, NO_SERVER, &scratch);
    Some((scratch, gateway))
}

/// Writes until all are acknowledged, and again where no answer came.
fn write_all(api: &Api, count: &AtomicUsize) -> BTreeMap<String, Value> {
    let mut kept = BTreeMap::new();
    for n in 0..WRITES {
        let mut turn = 0;
        loop {
            // A number of its own for each try: one that was cut off may have been made.
            let numbers = [format!("+1556{turn:02}{n:05}")];
            let answer =
                api.sip("CreateSIPInboundTrunk", &json!({"trunk": {"name": format!("n{n}"), "numbers": numbers}}));
            if answer.status == 200 {
                kept.insert(answer.text("sip_trunk_id").to_owned(), answer.body);
                count.fetch_add(1, Ordering::Relaxed);
                break;
            }
            assert_eq!(answer.status, 0, "{}", answer.body);
            turn += 1;
            assert!(turn < 100, "the gateway comes back");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    kept
}

/// Two objects of each kind.
fn fill(api: &Api) {
    let mut trunks = Vec::new();
    for n in 0..2 {
        let trunk = json!({
            "name": format!("in {n}"), "numbers": [format!("+1555080{n}")], "allowed_addresses": ["192.0.2.0/24"],
            "auth_username": "u", "auth_password": "correct-horse-battery", "headers": {"X-A": "1"}, "metadata": "{}",
            "ringing_timeout": "30s",
        });
        trunks.push(api.must("CreateSIPInboundTrunk", &json!({"trunk": trunk}))["sip_trunk_id"].clone());
        let trunk = json!({
            "name": format!("out {n}"), "address": "sip.example.com", "numbers": [format!("+1555081{n}")],
            "transport": "SIP_TRANSPORT_TLS", "auth_username": "u", "auth_password": "correct-horse-battery",
        });
        api.must("CreateSIPOutboundTrunk", &json!({"trunk": trunk}));
        let rule = json!({
            "name": format!("rule {n}"), "trunk_ids": [trunks[n]], "attributes": {"a": "b"},
            "rule": {"dispatchRuleDirect": {"roomName": format!("room {n}"), "pin": "1234"}},
        });
        api.must("CreateSIPDispatchRule", &json!({"dispatch_rule": rule}));
    }
}

/// All objects, those of the file among them, by their ids.
fn listed(api: &Api) -> BTreeMap<String, Value> {
    let methods = [
        ("ListSIPInboundTrunk", "sip_trunk_id"),
        ("ListSIPOutboundTrunk", "sip_trunk_id"),
        ("ListSIPDispatchRule", "sip_dispatch_rule_id"),
    ];
    let all = methods.iter().flat_map(|(method, id)| {
        let items = api.must(method, &json!({}))["items"].as_array().cloned().unwrap_or_default();
        items.into_iter().map(move |item| (item[*id].as_str().unwrap_or_default().to_owned(), item))
    });
    all.collect()
}

/// Whether somebody who calls that number gets past the trunks and the rules. The room is not there, so it goes no further.
fn is_known(gateway: &Gateway, number: &str) -> bool {
    let mut phone = Phone::new(gateway.sip());
    phone.invite(number, "");
    let refused = phone.answer_within(Duration::from_millis(400)).is_some_and(|answer| answer.status() == 404);
    if !refused {
        phone.cancel();
        phone.answer_within(Duration::from_secs(1));
    }
    !refused
}
