//! Encrypted calls with a phone that was not made by us: heard both ways, and never unencrypted where that was ruled out.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::gateway::{NUMBER, OUR_NUMBER, Setup};
use tests::peers::phone::Phone;

const LIMIT: Duration = Duration::from_secs(15);
const ROOM: &str = "vault";
const PHONE: &str = "sip_+15550177";
const DISABLE: &str = "SIP_MEDIA_ENCRYPT_DISABLE";
const ALLOW: &str = "SIP_MEDIA_ENCRYPT_ALLOW";
const REQUIRE: &str = "SIP_MEDIA_ENCRYPT_REQUIRE";
/// What baresip chooses of all that there is.
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

/// One call: how the phone encrypts, what the trunk says, and what comes of it.
struct Case {
    name: &'static str,
    transport: &'static str,
    /// `mediaenc` of baresip; empty for a phone that knows of none.
    phone: &'static str,
    trunk: &'static str,
    encrypted: bool,
}

#[test]
fn a_phone_that_offers_plain_rtp_with_keys_beside_it() {
    called(&Case { name: "srtp-in-allow", transport: "udp", phone: "srtp", trunk: ALLOW, encrypted: true });
}

#[test]
fn a_phone_that_offers_nothing_else() {
    called(&Case { name: "srtp-in-require", transport: "udp", phone: "srtp-mand", trunk: REQUIRE, encrypted: true });
}

#[test]
fn a_phone_over_tls() {
    called(&Case { name: "srtp-in-tls", transport: "tls", phone: "srtp-mand", trunk: ALLOW, encrypted: true });
}

#[test]
fn a_phone_that_cannot_where_it_need_not() {
    called(&Case { name: "srtp-in-plain", transport: "udp", phone: "", trunk: ALLOW, encrypted: false });
}

#[test]
fn a_phone_that_could_where_it_is_switched_off() {
    called(&Case { name: "srtp-in-off", transport: "udp", phone: "srtp", trunk: DISABLE, encrypted: false });
}

#[test]
fn a_called_phone_that_takes_the_keys() {
    calling(&Case { name: "srtp-out-allow", transport: "udp", phone: "srtp", trunk: ALLOW, encrypted: true });
}

#[test]
fn a_called_phone_that_takes_nothing_else() {
    calling(&Case { name: "srtp-out-require", transport: "udp", phone: "srtp-mand", trunk: REQUIRE, encrypted: true });
}

/// It refuses what we offer first, and takes what we offer then.
#[test]
fn a_called_phone_that_takes_nothing_else_where_it_need_not() {
    let log =
        calling(&Case { name: "srtp-out-again", transport: "udp", phone: "srtp-mand", trunk: ALLOW, encrypted: true });
    assert!(log.is_none_or(|log| log.contains("SRTP is tried")), "it took the first one");
}

#[test]
fn a_called_phone_that_cannot() {
    calling(&Case { name: "srtp-out-plain", transport: "udp", phone: "", trunk: ALLOW, encrypted: false });
}

#[test]
fn who_cannot_encrypt_is_refused_where_it_is_required() {
    let setup = setup(REQUIRE, "127.0.0.1:9");
    let Some(mut bed) = Bed::new("srtp-refused", &setup, &[Need::Baresip]) else { return };
    bed.listener.join(ROOM, 880.0);
    assert_eq!(Phone::new(bed.gateway.sip()).call(NUMBER).status(), 488);
    let mut callee = Baresip::start("udp", 440.0, ";answermode=auto", &bed.scratch);
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(callee.sip(), REQUIRE));
    assert_ne!(answer.status, 200, "{}", answer.body);
    callee.process().kill();
    assert!(bed.gateway.process().says("no_srtp", LIMIT));
}

/// The phone calls.
fn called(case: &Case) {
    let setup = Setup { tls: case.transport == "tls", ..setup(case.trunk, "127.0.0.1:9") };
    let Some(mut bed) = Bed::new(case.name, &setup, &[Need::Baresip]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Baresip::start(case.transport, 440.0, &account(case), &bed.scratch);
    let server = if case.transport == "tls" { bed.gateway.tls() } else { bed.gateway.sip() };
    phone.call(NUMBER, server, case.transport);
    judge(&mut bed, &mut phone, case);
}

/// The phone is called.
/// Calls the phone; returns what the gateway has logged.
fn calling(case: &Case) -> Option<String> {
    let mut bed = Bed::new(case.name, &setup(case.trunk, "127.0.0.1:9"), &[Need::Baresip])?;
    bed.listener.join(ROOM, 880.0);
    let mut phone = Baresip::start("udp", 440.0, &format!(";answermode=auto{}", account(case)), &bed.scratch);
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(phone.sip(), case.trunk));
    assert_eq!(answer.status, 200, "{}: {}", case.name, answer.body);
    judge(&mut bed, &mut phone, case);
    Some(bed.gateway.process().output())
}

/// Both hear each other; the call is encrypted or not; no key is in any log of ours.
fn judge(bed: &mut Bed, phone: &mut Baresip, case: &Case) {
    let name = case.name;
    bed.listener.hear(PHONE, 440.0, -15.0, LIMIT);
    phone.press("5#");
    for digit in ["5", "#"] {
        bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == digit);
    }
    let calls = bed.gateway.api().get("/trunkline/v1/calls");
    let listed = calls.body["calls"].as_array().and_then(|calls| calls.first()).cloned().unwrap_or_default();
    assert_eq!(listed["encrypted"], json!(case.encrypted), "{name}: {}", calls.body);
    std::thread::sleep(Duration::from_secs(1));
    bed.listener.tell("remove", json!({"room": ROOM, "identity": PHONE}));
    bed.listener.expect("the phone leaving", LIMIT, |e| e.kind() == "left");
    // It writes the rest of its file when the call is over.
    let heard = || audio::measure(audio::loudest(&phone.heard(), 8_000, 1.0), 8_000);
    assert!(tests::within(LIMIT, || heard().is_tone(880.0, -15.0)).is_some(), "{name}: {:?}", heard());
    let log = bed.gateway.process().output();
    assert_eq!(log.contains(SUITE), case.encrypted, "{name}: the log tells it");
    assert!(!log.contains("inline:"), "{name}: {log}");
    // baresip greets by RTCP before it sets its keys, and says goodbye after it gave them up: neither is taken in.
    let dropped = log.split_once(" packets without a right tag").and_then(|(before, _)| before.split("; ").last());
    assert!(dropped.is_none_or(|count| ["1", "2"].contains(&count)), "{name}: {dropped:?} packets dropped");
}

fn account(case: &Case) -> String {
    if case.phone.is_empty() { String::new() } else { format!(";mediaenc={}", case.phone) }
}

fn setup(encryption: &str, carrier: &str) -> Setup {
    let carrier: SocketAddr = carrier.parse().expect("an address");
    let mut setup = Setup::outbound(ROOM, carrier);
    setup.trunks[0]["media"] = json!({"encryption": encryption});
    setup
}

fn request(to: SocketAddr, encryption: &str) -> Value {
    json!({
        "trunk": {"hostname": to.to_string(), "transport": "SIP_TRANSPORT_UDP"}, "sip_number": OUR_NUMBER,
        "sip_call_to": "+15550177", "room_name": ROOM, "participant_identity": PHONE, "wait_until_answered": true,
        "media": {"encryption": encryption},
    })
}
