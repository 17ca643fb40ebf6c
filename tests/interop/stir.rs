//! STIR/SHAKEN: who is told what of a caller's number, and on whose word.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;
use tests::peers::repository::Repository;

const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(10);

/// What `sip.stir.…` is to say: verstat, verifiedBy, attest, failure.
type Told<'a> = [Option<&'a str>; 4];

const NAMES: [&str; 4] = ["verstat", "verifiedBy", "attest", "failure"];
const PASSED: Option<&str> = Some("TN-Validation-Passed");
const FAILED: Option<&str> = Some("TN-Validation-Failed");
const UNKNOWN: Option<&str> = Some("No-TN-Validation");
const GATEWAY: Option<&str> = Some("gateway");
const CARRIER: Option<&str> = Some("carrier");

#[test]
fn signatures_are_verified_and_the_room_is_told() {
    let repository = Repository::start();
    let setup = |scratch: &tests::scratch::Scratch| {
        let authority = scratch.write("sti-ca.pem", &repository.authority);
        let tls = scratch.write("tls-ca.pem", &repository.tls);
        let stir = json!({"verify": true, "ca_file": authority, "allow_loopback": true});
        let setup = Setup { api: true, ..Setup::room("desk") };
        setup.with("stir", stir).with("tls", json!({"ca_file": tls}))
    };
    let Some(mut bed) = Bed::with_setup("stir", |_, scratch| setup(scratch)) else { return };
    bed.listener.join_silently("desk");
    let right = || repository.identity("15550199", "15550100", |_, _| ());
    let cases: Vec<(&str, String, Told<'_>)> = vec![
        ("signed", right(), [PASSED, GATEWAY, Some("A"), None]),
        ("signed, in compact form of the name", right().replace("Identity:", "y:"), [PASSED, GATEWAY, Some("A"), None]),
        (
            "for another caller",
            repository.identity("15550198", "15550100", |_, _| ()),
            [FAILED, GATEWAY, None, Some("438 Invalid Identity Header")],
        ),
        (
            "too old",
            repository.identity("15550199", "15550100", |_, claims| claims["iat"] = 1_700_000_000.into()),
            [FAILED, GATEWAY, None, Some("403 Stale Date")],
        ),
        (
            "a certificate in the cloud's own network",
            repository.identity("15550199", "15550100", |header, _| header["x5u"] = "https://169.254.169.254/".into()),
            [FAILED, GATEWAY, None, Some("436 Bad Identity Info")],
        ),
        ("unsigned", String::new(), [UNKNOWN, GATEWAY, None, Some("428 Use Identity Header")]),
        (
            "the word of a carrier that is known",
            "X-Twilio-VerStat: TN-Validation-Passed-B\r\n".to_owned(),
            [PASSED, CARRIER, Some("B"), None],
        ),
    ];
    for (case, headers, told) in &cases {
        let call = ring(&mut bed, case, headers, told);
        let record = record(&bed, &call);
        let fields = ["verstat", "verified_by", "attest", "failure"];
        assert_eq!(fields.map(|field| record["stir"][field].as_str()), *told, "{case}: {record}");
    }
    assert_eq!(repository.asked(), 1, "the certificate was kept");
}

/// Whoever is not known by his address or a password may write what he likes.
#[test]
fn nobody_vouches_for_himself() {
    let repository = Repository::start();
    let open = json!([{"name": "open", "numbers": [NUMBER], "include_headers": "SIP_ALL_HEADERS"}]);
    let setup = Setup { trunks: open, ..Setup::room("desk") };
    let Some(mut bed) = Bed::new("stir-open", &setup, &[]) else { return };
    bed.listener.join_silently("desk");
    let headers = repository.identity("15550199", "15550100", |_, _| ())
        + "X-Twilio-VerStat: TN-Validation-Passed-A\r\nX-Plivo-Stir-Verification: Verified\r\nX-Other: 1\r\n";
    let mut phone = Phone::new(bed.gateway.sip());
    phone.invite(NUMBER, &headers);
    let participant = bed.listener.participant(CALLER);
    assert_eq!(participant.attribute("sip.h.x-other"), Some("1"));
    let names = participant.line["attributes"].as_object().expect("attributes are an object").keys();
    let told: Vec<_> =
        names.filter(|name| ["stir", "verstat", "identity"].iter().any(|word| name.contains(word))).collect();
    assert!(told.is_empty(), "{told:?}");
    phone.cancel();
    assert_eq!(phone.answer().map(|answer| answer.status()), Some(487));
    assert_eq!(repository.asked(), 0);
}

/// Calls, waits until the room was told, and gives up again. Returns the Call-ID.
fn ring(bed: &mut Bed, case: &str, headers: &str, told: &Told<'_>) -> String {
    bed.listener.forget();
    let mut phone = Phone::new(bed.gateway.sip());
    phone.invite(NUMBER, headers);
    let has = |event: &tests::peers::listener::Event| {
        event.text("identity") == CALLER && NAMES.map(|name| event.attribute(&format!("sip.stir.{name}"))) == *told
    };
    bed.listener.expect(&format!("{case}: {told:?}"), LIMIT, has);
    phone.cancel();
    assert_eq!(phone.answer().map(|answer| answer.status()), Some(487), "{case}");
    bed.listener.expect("the caller leaving", LIMIT, |event| event.kind() == "left");
    phone.call.id
}

/// What is left of a call.
fn record(bed: &Bed, call: &str) -> serde_json::Value {
    let mut found = serde_json::Value::Null;
    tests::within(LIMIT, || {
        let records = bed.gateway.api().get("/trunkline/v1/records").body;
        let records = records["records"].as_array().cloned().unwrap_or_default();
        found = records.into_iter().find(|record| record["sip_call_id"] == call).unwrap_or_default();
        !found.is_null()
    });
    found
}
