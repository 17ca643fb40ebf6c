//! Calls and requests that come to us.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::peers::carrier::fixture;
use tests::peers::gateway::Setup;
use tests::peers::phone::digest::{Algorithm, Reply, is_right, parameter};
use tests::peers::phone::{Format, Law, Message};

use super::{
    CALLER, LIMIT, ROOM, TELNYX, both_hear, carrier, expected, hangs_up, hears, json_of, record, setup, talks,
};

/// One INVITE, and how it is spoken.
struct Case {
    file: &'static str,
    transport: &'static str,
    identity: &'static str,
    format: Format,
}

#[test]
pub(super) fn invites_reach_the_room() {
    let wide = Format { law: Law::Wide, says: (9, 101), hears: (9, 101), ..Format::default() };
    let cases = [
        Case { file: "twilio-invite.sip", transport: "UDP", identity: CALLER, format: Format::default() },
        // Opus is off where nobody has switched it on.
        Case { file: "twilio-invite-opus.sip", transport: "UDP", identity: CALLER, format: Format::default() },
        Case { file: "telnyx-invite.sip", transport: "TCP", identity: "sip_+12125550144", format: wide },
        Case {
            file: "telnyx-invite-call-control.sip",
            transport: "TCP",
            identity: "sip_+12125550144",
            format: Format::default(),
        },
    ];
    let Some(mut bed) = Bed::new("carriers", &setup(), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    for Case { file, transport, identity, format } in cases {
        let mut carrier = carrier(&bed, transport);
        carrier.rtp.format = format;
        carrier.send(file);
        let answer = carrier.answer().unwrap_or_else(|| panic!("{file}: no answer"));
        assert_eq!(answer.status(), 200, "{file}: {}", answer.start());
        // One kind of keys, in the clock of the codec.
        let keys: Vec<_> = answer.body().lines().filter(|line| line.contains("telephone-event")).collect();
        assert_eq!(keys, ["a=rtpmap:101 telephone-event/8000"], "{file}");
        assert!(answer.body().contains(&format!("RTP/AVP {} 101", format.says.0)), "{file}: {}", answer.body());
        let seen = bed.listener.participant(identity);
        let expected = expected(file);
        assert_eq!(seen.text("kind"), "SIP", "{file}");
        for field in ["identity", "name", "kind"] {
            assert!(expected[field].is_null() || seen.line[field] == expected[field], "{file}: {field} of {seen:?}");
        }
        for (name, value) in expected["attributes"].as_object().into_iter().flatten() {
            assert_eq!(seen.attribute(name), value.as_str(), "{file}: {name}");
        }
        talks(&mut bed, &mut carrier, &answer, identity);
        hangs_up(&mut bed, &mut carrier, &answer, file);
    }
}

#[test]
pub(super) fn opus_is_taken_by_those_who_want_it() {
    let setup = setup().with("codecs", json!({"opus/48000/2": true}));
    let Some(mut bed) = Bed::new("carriers-opus", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    for (file, transport, taken) in [
        ("twilio-invite-opus.sip", "UDP", "RTP/AVP 107 101\r\n"),
        ("telnyx-invite.sip", "TCP", "RTP/AVP 102 103\r\n"),
        ("twilio-invite.sip", "UDP", "RTP/AVP 0 101\r\n"),
    ] {
        let mut carrier = carrier(&bed, transport);
        carrier.send(file);
        let answer = carrier.answer().unwrap_or_else(|| panic!("{file}: no answer"));
        assert_eq!(answer.status(), 200, "{file}: {}", answer.start());
        assert!(answer.body().contains(taken), "{file}: {}", answer.body());
        carrier.acknowledge(&answer);
        hangs_up(&mut bed, &mut carrier, &answer, file);
    }
}

#[test]
pub(super) fn a_call_from_its_invite_to_its_bye() {
    let Some(mut bed) = Bed::new("carriers-bye", &setup(), &[]) else { return };
    bed.listener.join_silently(ROOM);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("twilio-invite.sip");
    bed.listener.attribute(CALLER, "sip.callStatus", "ringing");
    bed.listener.tell("tone", json!({"hz": 880}));
    let answer = carrier.answer().expect("an answer");
    carrier.send("twilio-ack.sip");
    carrier.talk(&answer, 440.0);
    both_hear(&mut bed, &carrier.rtp, CALLER, 440.0);
    carrier.send("twilio-bye.sip");
    assert_eq!(carrier.answer_to("BYE").expect("BYE is answered").status(), 200);
    bed.listener.attribute(CALLER, "sip.callStatus", "hangup");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    let seen = bed.listener.seen().iter();
    let statuses: Vec<_> = seen.filter_map(|e| e.line["changed"]["sip.callStatus"].as_str()).collect();
    let expected = expected("twilio-invite.sip");
    let sequence: Vec<_> = expected["callStatus_sequence"].as_array().into_iter().flatten().skip(1).collect();
    assert_eq!(statuses, sequence);
    let record = record(&bed);
    assert!(record.to_string().contains("cause=16"), "{record}");
}

#[test]
pub(super) fn compact_headers_hang_up_as_well() {
    let Some(mut bed) = Bed::new("carriers-compact", &setup(), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut carrier = carrier(&bed, "TCP");
    carrier.rtp.format = Format { law: Law::Wide, says: (9, 101), hears: (9, 101), ..Format::default() };
    carrier.send("telnyx-invite.sip");
    let answer = carrier.answer().expect("an answer");
    talks(&mut bed, &mut carrier, &answer, "sip_+12125550144");
    carrier.send("telnyx-bye.sip");
    assert_eq!(carrier.answer_to("BYE").expect("BYE is answered").status(), 200);
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    assert!(record(&bed).to_string().contains("cause=16"));
}

#[test]
pub(super) fn secure_trunks_are_answered_as_the_trunk_says() {
    for (encryption, encrypted, plain) in [
        ("SIP_MEDIA_ENCRYPT_DISABLE", 488, 200),
        ("SIP_MEDIA_ENCRYPT_ALLOW", 200, 200),
        ("SIP_MEDIA_ENCRYPT_REQUIRE", 200, 488),
    ] {
        let mut setup = Setup { tls: true, ..setup() };
        for trunk in setup.trunks.as_array_mut().expect("a list") {
            trunk["media"] = json!({"encryption": encryption});
        }
        let Some(mut bed) = Bed::new("carriers-secure", &setup, &[]) else { return };
        bed.listener.join(ROOM, 880.0);
        for (file, identity, format, status) in [
            ("twilio-invite-tls-srtp.sip", CALLER, Format::default(), encrypted),
            (
                "telnyx-invite-tls-srtp.sip",
                "sip_+12125550144",
                Format { law: Law::Wide, says: (9, 101), hears: (9, 101), ..Format::default() },
                encrypted,
            ),
            ("twilio-invite-tls-plain-rtp.sip", CALLER, Format::default(), plain),
        ] {
            let mut carrier = carrier(&bed, "TLS");
            carrier.rtp.format = format;
            carrier.send(file);
            let answer = carrier.answer().unwrap_or_else(|| panic!("{file}: no answer"));
            assert_eq!(answer.status(), status, "{file}, {encryption}: {}", answer.start());
            if status != 200 {
                continue;
            }
            let secure = carrier.rtp.seal.is_some();
            let keys: Vec<_> = answer.body().lines().filter(|line| line.starts_with("a=crypto:")).collect();
            assert_eq!(answer.body().contains("RTP/SAVP "), secure, "{file}: {}", answer.body());
            assert_eq!(keys.len(), usize::from(secure), "{file}: {keys:?}");
            // The first of two suites, and a key of our own.
            assert!(keys.iter().all(|line| line.starts_with("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:")), "{keys:?}");
            talks(&mut bed, &mut carrier, &answer, identity);
            hangs_up(&mut bed, &mut carrier, &answer, file);
        }
    }
}

/// Twilio's Contact is a private address: what we say in the call has to take the way of Record-Route.
#[test]
fn our_bye_takes_the_recorded_route() {
    let Some(mut bed) = Bed::new("carriers-route", &setup(), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("twilio-invite.sip");
    let answer = carrier.answer().expect("an answer");
    carrier.acknowledge(&answer);
    bed.listener.participant(CALLER);
    bed.listener.tell("remove", json!({"room": ROOM, "identity": CALLER}));
    let bye = carrier.request("BYE").expect("BYE comes where the route says");
    carrier.wire.send(&bye.reply("200 OK"));
    assert!(bye.start().starts_with("BYE sip:+14155550123@172.18.31.77:5060"), "{}", bye.start());
    assert!(bye.header("Route").is_some_and(|route| route.contains(&carrier.wire.here().to_string())), "{bye:?}");
}

#[test]
pub(super) fn a_caller_who_cancels_gets_487() {
    let Some(mut bed) = Bed::new("carriers-cancel", &setup(), &[]) else { return };
    bed.listener.join_silently(ROOM);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("twilio-invite.sip");
    bed.listener.participant(CALLER);
    carrier.send("twilio-cancel.sip");
    assert_eq!(carrier.answer().expect("an answer").status(), 487);
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    assert!(record(&bed).to_string().contains("cause=16"));
}

#[test]
pub(super) fn a_refresh_and_a_hold_are_answered_and_the_call_stays() {
    let Some(mut bed) = Bed::new("carriers-hold", &setup(), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("twilio-invite.sip");
    let answer = carrier.answer().expect("an answer");
    talks(&mut bed, &mut carrier, &answer, CALLER);
    carrier.send("twilio-reinvite-refresh-offerless.sip");
    let refreshed = carrier.answer().expect("an answer to the refresh");
    assert_eq!(refreshed.status(), 200, "{}", refreshed.start());
    assert!(refreshed.media().is_some(), "an INVITE without an offer is answered with one");
    assert_eq!(refreshed.header("Session-Expires"), Some("1800;refresher=uac"));
    let sdp = carrier.rtp.offer();
    carrier.acknowledge_with(&refreshed, &sdp);
    carrier.talk(&refreshed, 480.0);
    both_hear(&mut bed, &carrier.rtp, CALLER, 480.0);
    carrier.send("twilio-reinvite-hold.sip");
    let held = carrier.answer().expect("an answer to the hold");
    assert_eq!(held.status(), 200, "{}", held.start());
    // RFC 3264 §8.4: who is told sendonly answers recvonly.
    assert!(held.body().contains("a=recvonly"), "{}", held.body());
    carrier.acknowledge(&held);
    bed.listener.attribute(CALLER, "sip.hold", "true");
    carrier.talk(&held, 520.0);
    bed.listener.hear(CALLER, 520.0, -15.0, LIMIT);
    let is_silent = || {
        carrier.rtp.forget();
        std::thread::sleep(Duration::from_millis(300));
        carrier.rtp.heard().samples.iter().all(|sample| sample.abs() < 100)
    };
    assert!(tests::within(LIMIT, is_silent).is_some(), "nothing is said to a phone that holds");
}

#[test]
pub(super) fn an_offer_may_come_late() {
    let Some(mut bed) = Bed::new("carriers-offerless", &setup(), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("pbx-invite-offerless.sip");
    let answer = carrier.answer().expect("an answer");
    assert_eq!(answer.status(), 200, "{}", answer.start());
    let sdp = carrier.rtp.offer();
    carrier.acknowledge_with(&answer, &sdp);
    carrier.talk(&answer, 440.0);
    both_hear(&mut bed, &carrier.rtp, "sip_5001", 440.0);
}

/// The INFO of a PBX as it came, within a call that bears its names.
#[test]
pub(super) fn the_key_of_a_pbx_reaches_the_room() {
    let Some(mut bed) = Bed::new("carriers-info", &setup(), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut carrier = carrier(&bed, "UDP");
    let names = [
        ("delayed-offer-1@cucm.example.org", "info-1@pbx.example.org"),
        ("<sip:5001@cucm.example.org>;tag=cucm1", "<sip:5001@pbx.example.org>;tag=as1"),
    ];
    carrier.send_with("pbx-invite-offerless.sip", &names);
    let answer = carrier.answer().expect("an answer");
    let sdp = carrier.rtp.offer();
    carrier.acknowledge_with(&answer, &sdp);
    carrier.talk(&answer, 440.0);
    both_hear(&mut bed, &carrier.rtp, "sip_5001", 440.0);
    carrier.send("pbx-info-dtmf.sip");
    let answer = carrier.answer_to("INFO").expect("an INFO is answered");
    assert_eq!((answer.status(), answer.cseq()), (200, "104 INFO"));
    bed.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "5");
}

#[test]
pub(super) fn a_ping_is_answered_with_what_is_really_handled() {
    let Some(bed) = Bed::new("carriers-ping", &setup(), &[]) else { return };
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("telnyx-options-ping.sip");
    let answer = carrier.answer_to("OPTIONS").expect("an answer");
    assert_eq!(answer.status(), 200);
    let allowed = answer.all("Allow").collect::<Vec<_>>().join(",");
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK"] {
        assert!(allowed.contains(method), "{method} is missing in {allowed}");
    }
    for method in ["SUBSCRIBE", "PUBLISH", "MESSAGE", "REGISTER"] {
        assert!(!allowed.contains(method), "{method} is not handled, but in {allowed}");
    }
}

#[test]
pub(super) fn a_scanner_gets_nothing() {
    let mut setup = setup();
    let trunks = setup.trunks.as_array_mut().expect("a list");
    trunks.iter_mut().for_each(|trunk| trunk["allowed_addresses"] = json!(["192.0.2.1"]));
    let Some(bed) = Bed::new("carriers-scanner", &setup, &[]) else { return };
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("scanner-invite.sip");
    let answer = carrier.wire.receive(Duration::from_secs(2));
    assert!(answer.is_none(), "{answer:?}");
    let record = record(&bed);
    assert_eq!((record["from"].as_str(), record["answered"].is_null()), (Some("100"), true), "{record}");
}

/// The nonces of the files are those of another gateway, so what was made of them is made of ours.
#[test]
pub(super) fn the_digest_exchange_of_programmable_voice() {
    let trunk = json_of("lk/inbound-trunk-digest.json")["trunk"].clone();
    let (user, password) = ("livekit-sip-user", "correct-horse-battery");
    assert_eq!((&trunk["authUsername"], &trunk["authPassword"]), (&json!(user), &json!(password)));
    let setup = Setup { trunks: json!([trunk]), ..setup() };
    let Some(mut bed) = Bed::new("carriers-digest", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let model = Message::parse(&fixture("twilio-dial-sip-407-challenge.sip")).expect("a message");
    let model = model.header("Proxy-Authenticate").expect("a challenge").to_owned();
    for (file, password, status) in
        [("twilio-dial-sip-invite-2-auth.sip", password, 200), ("twilio-dial-sip-invite-2-badauth.sip", "wrong", 403)]
    {
        let theirs = Message::parse(&fixture(file)).expect("a message");
        let theirs = theirs.header("Proxy-Authorization").expect("a reply").to_owned();
        let right = is_right(&theirs, "INVITE", user, "correct-horse-battery", Algorithm::Md5);
        assert_eq!(right, status == 200, "the arithmetic of {file}");
        let mut carrier = carrier(&bed, "TCP");
        // The files are one call; this is one each time.
        let id = format!("{status}@0.0.0.0");
        let other = ("3c7d52fe90ab4e6c8c41d2b75e8a1f30@0.0.0.0", id.as_str());
        carrier.send_with("twilio-dial-sip-invite-1-unauth.sip", &[other]);
        let asked = carrier.answer().expect("an answer");
        assert_eq!(asked.status(), 407, "{}", asked.start());
        let challenges: Vec<_> = asked.all("Proxy-Authenticate").collect();
        let is_md5 = |challenge: &&&str| parameter(challenge, "algorithm").as_deref() == Some("MD5");
        let challenge = challenges.iter().find(is_md5).expect("MD5 is asked for");
        for name in ["realm", "qop"] {
            assert_eq!(parameter(challenge, name), parameter(&model, name), "{name}");
        }
        let reply = Reply { user, password, algorithm: Algorithm::Md5, count: 1, qop: true };
        let reply = reply.to(challenge, "INVITE", &parameter(&theirs, "uri").expect("it names a URI"));
        carrier.send_with(file, &[other, (&theirs, &reply)]);
        let answer = carrier.answer().expect("an answer");
        if status == 200 {
            assert_eq!(answer.status(), 200, "{file}: {}", answer.start());
            let seen = bed.listener.participant(CALLER);
            assert_eq!(seen.attribute("clinic.tenant"), Some("north"), "{seen:?}");
            talks(&mut bed, &mut carrier, &answer, CALLER);
            assert_eq!(carrier.bye(&answer).status(), 200);
        } else {
            assert!(matches!(answer.status(), 403 | 407), "{file}: {}", answer.start());
        }
    }
}

/// Telnyx tells the id by a webhook and by a header of the call; a rule makes the name of the room of it.
#[test]
pub(super) fn the_call_control_id_names_the_room() {
    let told = json_of("http/telnyx-call-initiated.json")["data"]["payload"].clone();
    let room = format!("telnyx_call_{}", told["call_control_id"].as_str().expect("an id"));
    let mut setup = setup();
    setup.trunks[1]["headers_to_attributes"] = json!({"X-Room": "room.wanted", "User-to-User": "uui"});
    setup.rules[0]["rule"]["dispatchRuleDirect"]["roomName"] = "telnyx_call_{telnyx.call_control_id}".into();
    let Some(mut bed) = Bed::new("carriers-control", &setup, &[]) else { return };
    bed.listener.join(&room, 880.0);
    let mut carrier = carrier(&bed, "TCP");
    carrier.send("telnyx-invite-call-control.sip");
    let answer = carrier.answer().expect("an answer");
    carrier.acknowledge(&answer);
    let identity = format!("sip_{}", told["from"].as_str().expect("a number"));
    let seen = bed.listener.participant(&identity);
    for (name, value) in [
        ("sip.telnyx.callLegID", &told["call_leg_id"]),
        ("sip.telnyx.callSessionID", &told["call_session_id"]),
        ("sip.trunkPhoneNumber", &told["to"]),
        ("room.wanted", &json!(room)),
        ("uui", &json!("636c696e69633d3432;encoding=hex")),
    ] {
        assert_eq!(seen.attribute(name), value.as_str(), "{name}");
    }
    carrier.talk(&answer, 440.0);
    bed.listener.hear(&identity, 440.0, -15.0, LIMIT);
    hears(&carrier.rtp, 880.0);
    assert_eq!(carrier.bye(&answer).status(), 200);
    assert_eq!(told["to"], json!(TELNYX));
}
