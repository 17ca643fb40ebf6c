//! Calls that the API places: what the callee, the room and the API's caller each see of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::audio;
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::baresip::Baresip;
use tests::peers::callee::Callee;
use tests::peers::dns::{Dns, Record};
use tests::peers::gateway::{OUR_NUMBER, Setup};
use tests::peers::phone::digest::Algorithm;
use tests::peers::sipp::Carrier;
use tests::ports;

const LIMIT: Duration = Duration::from_secs(10);
const ROOM: &str = "desk";
const THEIRS: &str = "+15550400";
const CALLED: &str = "sip_+15550400";
const USER: &str = "livekit-sip-user";
const PASSWORD: &str = "correct-horse-battery";

#[test]
fn an_answered_call_is_heard_both_ways_and_shows_each_step() {
    let Some((mut bed, mut callee)) = bed("outbound-answered", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let call = json!({
        "participant_name": "Alice", "participant_metadata": "m", "participant_attributes": {"case": "42"},
        "headers": {"X-Case": "42"}, "dtmf": "1w23#",
    });
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&call));
    let invite = callee.invited();
    assert!(invite.header("From").is_some_and(|from| from.contains(&format!("sip:{OUR_NUMBER}@"))), "{invite:?}");
    assert!(invite.start().starts_with(&format!("INVITE sip:{THEIRS}@{}", callee.address())), "{invite:?}");
    assert_eq!(invite.header("X-Case"), Some("42"));
    let seen = bed.listener.participant(CALLED);
    assert_eq!((seen.text("kind"), seen.text("name"), seen.text("metadata")), ("SIP", "Alice", "m"));
    for (attribute, value) in [
        ("sip.callStatus", "dialing"),
        ("sip.phoneNumber", THEIRS),
        ("sip.trunkPhoneNumber", OUR_NUMBER),
        ("case", "42"),
    ] {
        assert_eq!(seen.attribute(attribute), Some(value), "{attribute}");
    }
    callee.reply("180 Ringing");
    bed.listener.attribute(CALLED, "sip.callStatus", "ringing");
    assert!(!pending.is_over(), "nobody has answered yet");
    callee.pick_up(Some(440.0));
    let answer = pending.finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!((answer.text("participant_identity"), answer.text("room_name")), (CALLED, ROOM));
    assert!(answer.text("participant_id").starts_with("PA_") && answer.text("sip_call_id").starts_with("SCL_"));
    assert_eq!(seen.attribute("sip.callID"), Some(answer.text("sip_call_id")));
    bed.listener.attribute(CALLED, "sip.callStatus", "active");
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    expect_tone(&mut callee, 880.0);
    assert_eq!(callee.rtp.heard().digits(), "123#");
    let media = invite.media().expect("an INVITE has an offer");
    callee.rtp.press(media, 9);
    bed.listener.expect("a key for the room", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "9");
    assert_eq!(callee.bye().status(), 200);
    bed.listener.attribute(CALLED, "sip.callStatus", "hangup");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    assert_eq!(statuses(&mut bed), ["ringing", "automation", "active", "hangup"]);
}

#[test]
fn without_waiting_the_answer_comes_while_it_rings() {
    let Some((mut bed, mut callee)) = bed("outbound-at-once", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&json!({"wait_until_answered": false})));
    assert_eq!(answer.status, 200, "{}", answer.body);
    callee.invited();
    callee.reply("180 Ringing");
    bed.listener.attribute(CALLED, "sip.callStatus", "ringing");
    callee.refuse("486 Busy Here");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
}

#[test]
fn the_room_hangs_up() {
    let Some((mut bed, mut callee)) = bed("outbound-removed", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.pick_up(Some(440.0));
    assert_eq!(pending.finish().status, 200);
    bed.listener.tell("remove", json!({"room": ROOM, "identity": CALLED}));
    assert!(callee.expect_bye(LIMIT).is_some());
}

#[test]
fn the_room_is_deleted_while_it_rings() {
    let Some((mut bed, mut callee)) = bed("outbound-deleted", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.reply("180 Ringing");
    bed.listener.attribute(CALLED, "sip.callStatus", "ringing");
    bed.listener.tell("delete", json!({"room": ROOM}));
    let cancel = callee.expect("CANCEL");
    callee.reply_to(&cancel, "200 OK");
    callee.refuse("487 Request Terminated");
    assert_ne!(pending.finish().status, 200);
}

/// Of a carrier that is `sipp`: status of SIP, status of HTTP, code of Twirp.
#[test]
fn refusals_reach_the_caller_of_the_api() {
    let port = ports::one();
    let Some(mut bed) = Bed::new("outbound-refused", &setup((Ipv4Addr::LOCALHOST, port).into()), &[Need::Sipp]) else {
        return;
    };
    bed.listener.join_silently(ROOM);
    let cases = [
        (486, "Busy Here", 429, "resource_exhausted"),
        (480, "Temporarily Unavailable", 429, "resource_exhausted"),
        (404, "Not Found", 404, "not_found"),
        (603, "Decline", 403, "permission_denied"),
        (503, "Service Unavailable", 412, "failed_precondition"),
        // Where a redirection would lead is not for the carrier to say.
        (302, "Moved Temporarily", 404, "not_found"),
    ];
    let calls = cases.len() as u32;
    let mut sipp = Carrier { calls, ..Carrier::new("carrier.xml", port) }.start(&bed.scratch);
    for (status, phrase, http, code) in cases {
        bed.listener.forget();
        let call = request(&json!({"sip_call_to": format!("+15550{status}")}));
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &call);
        assert_eq!((answer.status, answer.code()), (http, code), "{status}: {}", answer.body);
        assert_eq!(answer.sip_status(), Some(status), "{status}: {}", answer.body);
        assert_eq!(answer.body["meta"]["sip_status"], phrase, "{status}");
        bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    }
    sipp.succeeds(LIMIT);
}

#[test]
fn nobody_answers_and_the_call_is_cancelled() {
    let port = ports::one();
    let Some(mut bed) = Bed::new("outbound-unanswered", &setup((Ipv4Addr::LOCALHOST, port).into()), &[Need::Sipp])
    else {
        return;
    };
    bed.listener.join_silently(ROOM);
    let mut sipp = Carrier::new("carrier.xml", port).start(&bed.scratch);
    let start = Instant::now();
    let call = request(&json!({"sip_call_to": "+15550180", "ringing_timeout": "2s"}));
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &call);
    assert_eq!((answer.status, answer.code()), (408, "canceled"), "{}", answer.body);
    let took = start.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&took), "{took:?}");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    sipp.succeeds(LIMIT);
}

#[test]
fn what_plays_before_the_answer_is_heard_in_the_room() {
    let port = ports::one();
    let Some(mut bed) = Bed::new("outbound-early", &setup((Ipv4Addr::LOCALHOST, port).into()), &[Need::Sipp]) else {
        return;
    };
    bed.listener.join(ROOM, 880.0);
    let mut sipp = Carrier { hold: 5_000, ..Carrier::new("early.xml", port) }.start(&bed.scratch);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    assert!(!pending.is_over(), "it was heard before the answer");
    let answer = pending.finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    bed.listener.attribute(CALLED, "sip.callStatus", "active");
    bed.listener.forget();
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    bed.listener.tell("remove", json!({"room": ROOM, "identity": CALLED}));
    sipp.succeeds(LIMIT);
}

#[test]
fn early_media_changes_to_that_of_the_answer() {
    let Some((mut bed, mut callee)) = bed("outbound-early-changed", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.play_early(660.0);
    bed.listener.hear(CALLED, 660.0, -15.0, LIMIT);
    let before = callee.rtp.heard();
    assert!(before.samples.iter().all(|sample| sample.abs() < 100), "the callee hears nobody before it has answered");
    // Another socket answers, as where an announcement gives way to a person.
    callee.rtp = tests::peers::phone::Rtp::new();
    callee.pick_up(Some(440.0));
    assert_eq!(pending.finish().status, 200);
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    expect_tone(&mut callee, 880.0);
}

#[test]
fn a_dialtone_is_heard_until_the_answer() {
    let Some((mut bed, mut callee)) = bed("outbound-dialtone", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({"play_dialtone": true})));
    callee.invited();
    callee.reply("180 Ringing");
    bed.listener.expect("the tone of ringing", LIMIT, |e| {
        let number = |name: &str| e.line[name].as_f64().unwrap_or(0.0);
        e.kind() == "heard" && (number("pitch") - 425.0).abs() < 5.0 && number("share") > 0.8
    });
    callee.pick_up(Some(440.0));
    assert_eq!(pending.finish().status, 200);
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
}

#[test]
fn sipp_asks_for_the_password() {
    let port = ports::one();
    let carrier = (Ipv4Addr::LOCALHOST, port).into();
    for (password, expected) in [(PASSWORD, 200), ("wrong", 403)] {
        let setup = with_password(setup(carrier), password);
        let Some(bed) = Bed::new("outbound-sipp-password", &setup, &[Need::Sipp]) else { return };
        let mut sipp = Carrier::new("password.xml", port).start(&bed.scratch);
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&json!({})));
        assert_eq!(answer.status, expected, "{}", answer.body);
        if expected == 200 {
            let call = format!("/trunkline/v1/calls/{}", answer.text("sip_call_id"));
            assert_eq!(bed.gateway.api().request("DELETE", &call, "").status / 100, 2);
        }
        sipp.succeeds(LIMIT);
    }
}

#[test]
fn passwords_are_given_with_both_hashes_to_both_challenges() {
    let mut callee = Callee::new();
    let setup = with_password(setup(callee.address()), PASSWORD);
    let Some(bed) = Bed::new("outbound-password", &setup, &[]) else { return };
    let (md5, sha) = (Algorithm::Md5, Algorithm::Sha256);
    for (status, asked, known) in [
        (401, vec![md5], md5),
        (401, vec![sha], sha),
        (407, vec![md5], md5),
        (407, vec![sha], sha),
        // The first that is understood is the one preferred (RFC 8760 §2.4).
        (401, vec![sha, md5], sha),
    ] {
        let case = format!("{status} {asked:?}");
        let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
        callee.invited();
        let invite = callee.challenge(status, &asked, false);
        assert!(callee.knows(&invite, USER, PASSWORD, known), "{case}: {invite:?}");
        let field = if status == 401 { "Authorization" } else { "Proxy-Authorization" };
        assert!(invite.header(field).is_some(), "{case}");
        // A nonce that has grown old is no wrong password.
        let invite = callee.challenge(status, &[known], true);
        assert!(callee.knows(&invite, USER, PASSWORD, known), "{case}: {invite:?}");
        callee.pick_up(None);
        let answer = pending.finish();
        assert_eq!(answer.status, 200, "{case}: {}", answer.body);
        assert_eq!(callee.bye().status(), 200);
    }
}

#[test]
fn a_wrong_password_is_not_repeated_for_ever() {
    let mut callee = Callee::new();
    let setup = with_password(setup(callee.address()), "wrong");
    let Some(bed) = Bed::new("outbound-wrong-password", &setup, &[]) else { return };
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    let mut rounds = 0;
    while callee.invited_within(Duration::from_secs(2)).is_some() {
        rounds += 1;
        assert!(rounds <= 6, "it gives up");
        let nonce = format!("WWW-Authenticate: Digest realm=\"carrier.test\", nonce=\"n{rounds}\", algorithm=MD5\r\n");
        callee.reply_with("401 Unauthorized", &nonce, "");
        callee.expect("ACK");
    }
    let answer = pending.finish();
    assert!(rounds >= 2 && matches!(answer.code(), "permission_denied" | "unauthenticated"), "{}", answer.body);
}

#[test]
fn srv_records_lead_past_carriers_that_are_full_or_dead() {
    let (mut full, dead, mut alive) = (Callee::new(), Callee::new(), Callee::new());
    let dns = Dns::serve(vec![
        Record::Srv("_sip._udp.full.test", 10, 0, full.address().port(), "a.full.test"),
        Record::Srv("_sip._udp.full.test", 20, 0, alive.address().port(), "b.full.test"),
        Record::Srv("_sip._udp.dead.test", 10, 0, dead.address().port(), "a.full.test"),
        Record::Srv("_sip._udp.dead.test", 20, 0, alive.address().port(), "b.full.test"),
        Record::A("a.full.test", Ipv4Addr::LOCALHOST),
        Record::A("b.full.test", Ipv4Addr::LOCALHOST),
    ]);
    let trunk = |name: &str, host: &str| json!({"name": name, "address": host, "numbers": [OUR_NUMBER]});
    let setup = Setup {
        outbound: json!([trunk("full", "full.test"), trunk("dead", "dead.test"), trunk("none", "none.test")]),
        api: true,
        ..Setup::room(ROOM)
    };
    let setup =
        setup.with("dns_servers", json!([dns.address().to_string()])).with("outbound", json!({"patience": "1s"}));
    let Some(bed) = Bed::new("outbound-srv", &setup, &[]) else { return };
    for name in ["full", "dead"] {
        let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({"sip_trunk_id": name})));
        let start = Instant::now();
        if name == "full" {
            full.invited();
            full.refuse("503 Service Unavailable");
        }
        let invite = alive.invited();
        assert!(start.elapsed() < Duration::from_secs(5), "{name}: {:?}", start.elapsed());
        assert!(invite.start().contains(&format!("@{name}.test")), "the URI keeps the domain: {}", invite.start());
        alive.pick_up(None);
        assert_eq!(pending.finish().status, 200, "{name}");
        assert_eq!(alive.bye().status(), 200);
    }
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&json!({"sip_trunk_id": "none"})));
    assert_eq!(answer.code(), "invalid_argument", "{}; asked were {:?}", answer.body, dns.asked());
}

/// RFC 3261 §9.1: a 200 that was under way when the CANCEL went out is acknowledged, and the call hung up.
#[test]
fn a_cancel_that_crosses_the_answer_hangs_up() {
    let Some((mut bed, mut callee)) = bed("outbound-crossing", &[]) else { return };
    bed.listener.join_silently(ROOM);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({"ringing_timeout": "1s"})));
    callee.invited();
    callee.reply("180 Ringing");
    let cancel = callee.expect("CANCEL");
    let offer = callee.rtp.offer();
    callee.reply_with("200 OK", "Content-Type: application/sdp\r\n", &offer);
    callee.reply_to(&cancel, "200 OK");
    callee.expect("ACK");
    assert!(callee.expect_bye(LIMIT).is_some());
    assert_eq!(pending.finish().code(), "canceled");
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
}

/// RFC 3261 §13.2.2.4: every 2xx is acknowledged; of several one stands.
#[test]
fn of_forked_answers_one_wins() {
    let Some((mut bed, mut callee)) = bed("outbound-forked", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.reply_as("one", "180 Ringing", "", "");
    callee.reply_as("two", "180 Ringing", "", "");
    let offer = callee.rtp.offer();
    let other = tests::peers::phone::Rtp::new().offer();
    callee.reply_as("one", "200 OK", "Content-Type: application/sdp\r\n", &offer);
    callee.reply_as("two", "200 OK", "Content-Type: application/sdp\r\n", &other);
    let mut acknowledged = [callee.expect("ACK").tag("To"), callee.expect("ACK").tag("To")];
    acknowledged.sort();
    assert_eq!(acknowledged, [Some("one".to_owned()), Some("two".to_owned())]);
    let bye = callee.expect_bye(LIMIT).expect("the second is hung up");
    assert_eq!(bye.tag("To").as_deref(), Some("two"));
    assert_eq!(pending.finish().status, 200);
    callee.talk(Some(440.0));
    bed.listener.hear(CALLED, 440.0, -15.0, LIMIT);
    expect_tone(&mut callee, 880.0);
    assert!(callee.expect_bye(Duration::from_millis(500)).is_none(), "the first stands");
}

#[test]
fn baresip_is_called_over_udp_tcp_and_with_a_long_request() {
    let long: serde_json::Map<_, _> = (0..4).map(|n| (format!("X-Long-{n}"), "x".repeat(500).into())).collect();
    for (case, transport, headers) in [
        ("udp", "SIP_TRANSPORT_UDP", json!({})),
        ("tcp", "SIP_TRANSPORT_TCP", json!({})),
        ("long", "SIP_TRANSPORT_AUTO", Value::Object(long)),
    ] {
        let inline = |to: SocketAddr| json!({"hostname": to.to_string(), "transport": transport});
        let Some(mut bed) = Bed::new(&format!("outbound-baresip-{case}"), &setup(unused()), &[Need::Baresip]) else {
            return;
        };
        bed.listener.join(ROOM, 880.0);
        let mut phone = Baresip::start("udp", 440.0, ";answermode=auto", &bed.scratch);
        let call = json!({
            "sip_trunk_id": null, "trunk": inline(phone.sip()), "sip_number": OUR_NUMBER, "sip_call_to": "+15550177",
            "headers": headers,
        });
        let answer = bed.gateway.api().sip("CreateSIPParticipant", &request(&call));
        assert_eq!(answer.status, 200, "{case}: {}", answer.body);
        bed.listener.hear("sip_+15550177", 440.0, -15.0, LIMIT);
        let via = if case == "udp" { "Via: SIP/2.0/UDP" } else { "Via: SIP/2.0/TCP" };
        let invites = phone.process().output();
        let (_, invite) = invites.split_once("INVITE sip:").expect("baresip shows what it is sent");
        assert!(invite.lines().take(12).any(|line| line.contains(via)), "{case}: not {via}");
        std::thread::sleep(Duration::from_secs(1));
        bed.listener.tell("remove", json!({"room": ROOM, "identity": "sip_+15550177"}));
        bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
        // It writes the rest of its file when the call is over.
        let heard = || audio::measure(audio::loudest(&phone.heard(), 8_000, 1.0), 8_000);
        assert!(tests::within(LIMIT, || heard().is_tone(880.0, -15.0)).is_some(), "{case}: {:?}", heard());
    }
}

#[test]
fn a_trunk_takes_only_so_many_calls() {
    let mut callee = Callee::new();
    let mut setup = setup(callee.address());
    setup.outbound[0]["max_calls"] = 1.into();
    let Some(bed) = Bed::new("outbound-caps", &setup, &[]) else { return };
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    let second = request(&json!({"participant_identity": "second"}));
    let refused = bed.gateway.api().sip("CreateSIPParticipant", &second);
    assert_eq!(refused.code(), "resource_exhausted", "{}", refused.body);
    assert_eq!(refused.sip_status(), None, "nobody was called");
    callee.refuse("486 Busy Here");
    pending.finish();
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &second);
    callee.invited();
    callee.refuse("486 Busy Here");
    assert_eq!(pending.finish().sip_status(), Some(486), "the line is free again");
}

#[test]
fn live_calls_are_listed_and_hung_up() {
    let Some((mut bed, mut callee)) = bed("outbound-live", &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let api = bed.gateway.api();
    let pending = api.begin("CreateSIPParticipant", &request(&json!({})));
    callee.invited();
    callee.pick_up(Some(440.0));
    let id = pending.finish().text("sip_call_id").to_owned();
    let calls = api.get("/trunkline/v1/calls");
    assert!(calls.status == 200 && calls.body.to_string().contains(&id), "{}", calls.body);
    let one = api.get(&format!("/trunkline/v1/calls/{id}"));
    assert_eq!((one.status, one.text("room"), one.text("identity")), (200, ROOM, CALLED), "{}", one.body);
    let nobody = api.with_grants(&json!({"video": {"roomAdmin": true, "room": ROOM}}));
    assert_eq!(nobody.get("/trunkline/v1/calls").status, 401);
    assert_eq!(api.request("DELETE", &format!("/trunkline/v1/calls/{id}"), "").status / 100, 2);
    assert!(callee.expect_bye(LIMIT).is_some());
    bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
    let gone = tests::within(LIMIT, || api.get(&format!("/trunkline/v1/calls/{id}")).status == 404);
    assert!(gone.is_some());
}

fn setup(carrier: SocketAddr) -> Setup {
    Setup::outbound(ROOM, carrier)
}

fn with_password(mut setup: Setup, password: &str) -> Setup {
    setup.outbound[0]["auth_username"] = USER.into();
    setup.outbound[0]["auth_password"] = password.into();
    setup
}

fn bed(name: &str, needs: &[Need]) -> Option<(Bed, Callee)> {
    let callee = Callee::new();
    Some((Bed::new(name, &setup(callee.address()), needs)?, callee))
}

/// An address at which nobody is called.
fn unused() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 9).into()
}

/// A request for a call to [`THEIRS`] that waits for the answer, with some fields changed.
fn request(changes: &Value) -> Value {
    let mut request = json!({
        "sip_trunk_id": "out", "sip_call_to": THEIRS, "room_name": ROOM, "wait_until_answered": true,
        "ringing_timeout": "20s",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

fn expect_tone(callee: &mut Callee, pitch: f64) {
    let heard = tests::within(LIMIT, || callee.rtp.measure().is_tone(pitch, -15.0));
    assert!(heard.is_some(), "the callee should hear {pitch} Hz, but it is {:?}", callee.rtp.measure());
}

/// The changes of `sip.callStatus`, in order.
fn statuses(bed: &mut Bed) -> Vec<String> {
    let seen = bed.listener.seen().iter();
    seen.filter_map(|e| e.line["changed"]["sip.callStatus"].as_str().map(str::to_owned)).collect()
}
