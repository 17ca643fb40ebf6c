//! Who calls, as carriers say it beside From, and what becomes of it in the room; why calls end, in both directions; the last
//! word of a room.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::callee::Callee;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::listener::Event;
use tests::peers::phone::Phone;
use tests::peers::sipp::Run;

const ROOM: &str = "identity";
const LIMIT: Duration = Duration::from_secs(10);
const PHONE: &str = "sip_+15550177";
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

type Told<'a> = &'a [(&'a str, Option<&'a str>)];

#[track_caller]
fn assert_told(name: &str, event: &Event, told: Told<'_>) {
    for (attribute, value) in told {
        assert_eq!(event.attribute(attribute), *value, "{name}: {attribute} in {}", event.line);
    }
}

#[test]
fn a_carrier_names_an_anonymous_caller_and_says_why_he_went() {
    let mut setup = Setup::room(ROOM);
    setup.trunks[0]["include_headers"] = "SIP_X_HEADERS".into();
    let Some(mut bed) = Bed::new("identity-sipp", &setup, &[Need::Sipp]) else { return };
    bed.listener.join(ROOM, 880.0);
    let run = Run { hold: 3_000, ..Run::one("forwarded.xml") };
    let mut sipp = run.start(bed.gateway.sip(), &bed.scratch);
    let caller = bed.listener.participant("sip_+15550123");
    assert_told(
        "INVITE",
        &caller,
        &[
            ("sip.phoneNumber", Some("+15550123")),
            ("sip.assertedIdentity", Some("+15550123")),
            ("sip.displayName", Some("Zoe, of Sales")),
            ("sip.diversion", Some("+15550188")),
            ("sip.diversionReason", Some("no-answer")),
            ("sip.trunkPhoneNumber", Some(NUMBER)),
            ("sip.hostname", Some("anonymous.invalid")),
            ("sip.privacy", None),
        ],
    );
    bed.listener.hear("sip_+15550123", 440.0, -15.0, LIMIT);
    let end = bed.listener.attribute("sip_+15550123", "sip.callStatus", "hangup");
    assert_told(
        "BYE",
        &end,
        &[
            ("sip.disconnectReason", Some("remote_hangup")),
            ("sip.disconnectStatus", Some("200")),
            ("sip.disconnectCause", Some("31")),
            ("sip.disconnectText", Some("Normal call clearing")),
            ("sip.h.x-twilio-recordingsid", Some("RE00000000000000000000000000000001")),
            ("sip.phoneNumber", Some("+15550123")),
        ],
    );
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    sipp.succeeds(LIMIT);
}

#[test]
fn who_is_believed_and_who_hides() {
    let mut setup = Setup::room(ROOM);
    setup.api = true;
    setup.trunks = json!([
        {"name": "known", "numbers": [NUMBER], "allowed_addresses": ["127.0.0.1"], "include_headers": "SIP_ALL_HEADERS"},
        {"name": "open", "numbers": ["+15550101"]},
    ]);
    let Some(mut bed) = Bed::new("identity", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let asserted = "P-Asserted-Identity: <sip:+15550123@carrier.example>\r\nX-Their: +15550123\r\n";
    let private = format!("{asserted}Privacy: id\r\n");
    let older = "Remote-Party-ID: \"Max\" <sip:+15550124@pbx>;party=calling;privacy=off;screen=yes\r\n";
    let diverted = "History-Info: <sip:+15550166@x>;index=1,<sip:+15550100@x;cause=486>;index=1.1;mp=1\r\n";
    let cases: [(&str, &str, &str, String, &str, Told<'_>); 5] = [
        (
            "private",
            ANONYMOUS,
            NUMBER,
            private,
            "",
            &[
                ("sip.phoneNumber", None),
                ("sip.assertedIdentity", None),
                ("sip.privacy", Some("id")),
                ("sip.trunkPhoneNumber", Some(NUMBER)),
                ("sip.h.p-asserted-identity", None),
                ("sip.h.x-their", None),
                ("sip.h.from", None),
            ],
        ),
        (
            "an older carrier",
            "\"Restricted\" <sip:Restricted@carrier.example>",
            NUMBER,
            older.to_owned(),
            "sip_+15550124",
            &[("sip.phoneNumber", Some("+15550124")), ("sip.displayName", Some("Max"))],
        ),
        (
            "a caller who shows himself",
            "\"Ann\" <sip:+15550199@carrier.example>",
            NUMBER,
            format!("{asserted}{diverted}"),
            "sip_+15550199",
            &[
                ("sip.phoneNumber", Some("+15550199")),
                ("sip.assertedIdentity", Some("+15550123")),
                ("sip.displayName", Some("Ann")),
                ("sip.diversion", Some("+15550166")),
                ("sip.diversionReason", Some("user-busy")),
            ],
        ),
        (
            "a stranger",
            ANONYMOUS,
            "+15550101",
            format!("{asserted}{diverted}"),
            "sip_anonymous",
            &[("sip.phoneNumber", Some("anonymous")), ("sip.assertedIdentity", None), ("sip.diversion", None)],
        ),
        (
            "nobody",
            ANONYMOUS,
            NUMBER,
            String::new(),
            "sip_anonymous",
            &[("sip.phoneNumber", Some("anonymous")), ("sip.displayName", None)],
        ),
    ];
    for (name, from, to, headers, identity, told) in cases {
        let mut phone = Phone::new(bed.gateway.sip());
        phone.call.from = from.to_owned();
        let answer = phone.call_with(to, &headers);
        assert_eq!(answer.status(), 200, "{name}: {}", answer.start());
        phone.ack(&answer);
        let is_it = |e: &Event| e.kind() == "participant" && e.text("identity") != "far-end";
        let caller = bed.listener.expect(name, LIMIT, is_it);
        match name {
            "private" => {
                // A fingerprint, and what is shown of numbers.
                assert_eq!((caller.text("identity").len(), caller.text("name")), (20, "Phone 0123"), "{name}");
                let told = caller.line.to_string();
                assert!(!told.contains("15550123"), "the room does not learn him: {told}");
                let listed = bed.gateway.api().get("/trunkline/v1/calls").body.to_string();
                assert!(!listed.contains("15550123"), "nor do lists: {listed}");
                let headers = rpc(&mut bed, caller.text("identity"), "lk.sip.GetRemoteHeaders", "");
                assert!(!headers.to_string().contains("15550123"), "nor do those who ask: {headers}");
            }
            _ => assert_eq!(caller.text("identity"), identity, "{name}"),
        }
        assert_told(name, &caller, told);
        let media = answer.media().expect("an answer has media");
        phone.rtp.start(media, Some((440.0, -15.0)));
        bed.listener.hear(caller.text("identity"), 440.0, -15.0, LIMIT);
        assert_eq!(phone.bye().status(), 200, "{name}");
        bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
        bed.listener.forget();
    }
}

#[test]
fn ends_are_told_in_both_directions() {
    let mut callee = Callee::new();
    let mut setup = Setup::outbound(ROOM, callee.address());
    setup.outbound[0]["headers_to_attributes"] = json!({"X-Cost": "cost"});
    setup.outbound[0]["attributes_to_headers"] = json!({"customer": "X-Customer"});
    let Some(mut bed) = Bed::new("ends", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);

    // The carrier refuses, and says why and what it costs.
    dial(&mut bed, 30);
    callee.invited();
    callee.reply_with("503 Service Unavailable", "Reason: Q.850;cause=34;text=\"No circuit\"\r\nX-Cost: 3\r\n", "");
    callee.expect("ACK");
    let end = bed.listener.attribute(PHONE, "sip.callStatus", "hangup");
    let told: Told<'_> = &[
        ("sip.disconnectReason", Some("upstream_error")),
        ("sip.disconnectStatus", Some("503")),
        ("sip.disconnectCause", Some("34")),
        ("sip.disconnectText", Some("No circuit")),
        ("cost", Some("3")),
    ];
    assert_told("refusal", &end, told);
    bed.listener.expect("the phone leaving", LIMIT, |e| e.kind() == "left");
    bed.listener.forget();

    // Nobody picks up.
    dial(&mut bed, 2);
    callee.invited();
    callee.reply("180 Ringing");
    let cancel = callee.expect("CANCEL");
    let said: Vec<_> = cancel.all("Reason").collect();
    let expected = ["Q.850;cause=19;text=\"ringing_timeout\"", "SIP;cause=480;text=\"Temporarily Unavailable\""];
    assert_eq!(said, expected);
    assert_eq!(cancel.header("X-Customer"), Some("4711"));
    callee.reply_to(&cancel, "200 OK");
    callee.reply("487 Request Terminated");
    callee.expect("ACK");
    let end = bed.listener.attribute(PHONE, "sip.callStatus", "hangup");
    assert_told(
        "CANCEL",
        &end,
        &[("sip.disconnectReason", Some("ringing_timeout")), ("sip.disconnectCause", Some("19"))],
    );
    bed.listener.expect("the phone leaving", LIMIT, |e| e.kind() == "left");
    bed.listener.forget();

    // The room sends the phone away.
    dial(&mut bed, 30);
    callee.invited();
    callee.pick_up(Some(440.0));
    bed.listener.hear(PHONE, 440.0, -15.0, LIMIT);
    bed.listener.tell("remove", json!({"room": ROOM, "identity": PHONE}));
    let bye = callee.expect_bye(LIMIT).expect("the gateway hangs up");
    assert_eq!(bye.all("Reason").collect::<Vec<_>>(), ["Q.850;cause=16;text=\"participant_removed\""]);
    assert_eq!(bye.header("X-Customer"), Some("4711"));
    bed.listener.expect("the phone leaving", LIMIT, |e| e.kind() == "left");
    bed.listener.forget();

    // A caller whose call another phone has answered.
    bed.listener.tell("leave", json!({}));
    bed.listener.join_silently(ROOM);
    bed.listener.forget();
    let mut phone = Phone::new(bed.gateway.sip());
    phone.invite(NUMBER, "");
    bed.listener.participant("sip_+15550199");
    let why = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
    let cancel = phone.request("CANCEL", phone.call.cseq, &phone.call.branch.clone(), why, "");
    phone.send(&cancel);
    assert_eq!(phone.answer().expect("a cancelled INVITE is answered").status(), 487);
    let end = bed.listener.attribute("sip_+15550199", "sip.callStatus", "hangup");
    let told: Told<'_> = &[
        ("sip.disconnectReason", Some("answered_elsewhere")),
        ("sip.disconnectStatus", Some("200")),
        ("sip.disconnectText", Some("Call completed elsewhere")),
    ];
    assert_told("elsewhere", &end, told);
    let records = || bed.gateway.api().get("/trunkline/v1/records").body.to_string();
    assert!(tests::within(LIMIT, || records().contains("answered_elsewhere")).is_some(), "{}", records());
}

/// A phone hears all of a second that was said just before the end.
#[test]
fn the_phone_hears_the_last_word() {
    let Some(mut bed) = Bed::new("last-word", &Setup::room(ROOM), &[]) else { return };
    for turn in 0..3 {
        bed.listener.tell("join", json!({"room": ROOM, "tone": 300.0, "dbfs": -85.0}));
        let mut phone = Phone::new(bed.gateway.sip());
        phone.call_and_talk(NUMBER, 440.0);
        bed.listener.hear("sip_+15550199", 440.0, -15.0, LIMIT);
        let said = bed.listener.begin("last_word", last_word("sip_+15550199"));
        let (at, bye) = phone.expect_request("BYE", LIMIT).expect("the gateway hangs up");
        let result = bed.listener.finish(said, LIMIT).expect("the listener can speak");
        assert_eq!(result["payload"], "{}", "{result}");
        assert_eq!(bye.header("X-Why"), Some("done"));
        // What comes behind a BYE is not heard by any phone.
        let heard = phone.rtp.heard();
        let until = heard.packets.iter().take_while(|(came, _)| *came <= at).count();
        let samples = &heard.samples[..(until * 160).min(heard.samples.len())];
        assert_word(&format!("turn {turn}"), samples, 8_000);
        let last = heard.packets[..until].iter().zip(samples.chunks(160)).rfind(|(_, frame)| is_loud(frame));
        let (last, _) = last.expect("there was a tone").0;
        let kept = at - *last;
        assert!(
            (Duration::from_millis(80)..=Duration::from_millis(450)).contains(&kept),
            "BYE {kept:?} after the last word"
        );
        bed.listener.tell("leave", json!({}));
        bed.listener.forget();
    }
}

#[test]
fn a_real_phone_hears_the_last_word() {
    let Some(mut bed) = Bed::new("last-word-baresip", &Setup::room(ROOM), &[Need::Baresip]) else { return };
    bed.listener.tell("join", json!({"room": ROOM, "tone": 300.0, "dbfs": -85.0}));
    let mut phone = Baresip::start("udp", 440.0, "", &bed.scratch);
    phone.call(NUMBER, bed.gateway.sip(), "udp");
    bed.listener.hear(PHONE, 440.0, -15.0, LIMIT);
    let result = bed.listener.tell("last_word", last_word(PHONE));
    assert_eq!(result["payload"], "{}", "{result}");
    bed.listener.expect("the phone leaving", LIMIT, |e| e.kind() == "left");
    // It writes the rest of its file when the call is over.
    let is_whole = tests::within(LIMIT, || loud(&phone.heard(), 8_000) >= 0.98);
    assert!(is_whole.is_some(), "{} s of a second", loud(&phone.heard(), 8_000));
    assert_word("baresip", &phone.heard(), 8_000);
}

/// An end that the room had no last word for is not delayed.
#[test]
fn a_silent_room_hangs_up_at_once() {
    let mut setup = Setup::room(ROOM);
    setup.rules[0]["answer"] = "immediately".into();
    let Some(mut bed) = Bed::new("last-word-silent", &setup, &[]) else { return };
    bed.listener.join_silently(ROOM);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear("sip_+15550199", 440.0, -15.0, LIMIT);
    let start = Instant::now();
    let result = rpc(&mut bed, "sip_+15550199", "lk.sip.EndCall", "");
    assert_eq!(result["payload"], "{}", "{result}");
    let (at, _) = phone.expect_request("BYE", LIMIT).expect("the gateway hangs up");
    assert!(at - start < Duration::from_millis(250), "{:?}", at - start);
}

fn last_word(identity: &str) -> Value {
    let payload = json!({"headers": {"X-Why": "done"}}).to_string();
    json!({"hz": 880.0, "seconds": 1.0, "identity": identity, "payload": payload})
}

#[track_caller]
fn assert_word(name: &str, samples: &[i16], rate: u32) {
    let heard = audio::measure(audio::loudest(samples, rate, 0.9), rate);
    assert!(heard.is_tone(880.0, -15.0), "{name}: {heard:?}");
    let length = loud(samples, rate);
    assert!((0.98..=1.06).contains(&length), "{name}: {length} s of a second");
}

fn is_loud(samples: &[i16]) -> bool {
    samples.iter().any(|sample| sample.abs() > 800)
}

/// How long something was to be heard, in seconds, counted in steps of five milliseconds.
fn loud(samples: &[i16], rate: u32) -> f64 {
    let step = rate as usize / 200;
    samples.chunks(step).filter(|part| is_loud(part)).count() as f64 / 200.0
}

fn rpc(bed: &mut Bed, identity: &str, method: &str, payload: &str) -> Value {
    bed.listener.tell("rpc", json!({"identity": identity, "method": method, "payload": payload}))
}

/// Calls the callee, who may let it ring for that long.
fn dial(bed: &mut Bed, seconds: u64) {
    let request = json!({
        "sip_trunk_id": "out", "sip_call_to": "+15550177", "room_name": ROOM,
        "participant_attributes": {"customer": "4711"}, "ringing_timeout": format!("{seconds}s"),
    });
    let placed = bed.gateway.api().sip("CreateSIPParticipant", &request);
    assert_eq!(placed.status, 200, "{}", placed.body);
}
