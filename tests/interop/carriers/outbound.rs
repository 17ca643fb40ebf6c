//! Calls that we place through a carrier, and transfers that we ask it for.

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::peers::callee::Callee;
use tests::peers::carrier::{fixture, here_in_sdp};
use tests::peers::gateway::Setup;
use tests::peers::phone::Message;
use tests::peers::phone::digest::Algorithm;

use super::{CALLER, LIMIT, ROOM, both_hear, carrier, hears, json_of, setup};

/// The trunk of the file, toward this callee, and the call of the file.
fn placed(file: &str, callee: &Callee) -> (Setup, Value) {
    let mut trunk = json_of("lk/outbound-trunk.json")["trunk"].clone();
    trunk["address"] = callee.address().to_string().into();
    trunk["sip_trunk_id"] = "ST_fixture0000002".into();
    let setup = Setup { outbound: json!([trunk]), ..setup() };
    (setup, json_of(file))
}

/// The carrier answers what is in a file, in the names of our INVITE.
fn say(callee: &mut Callee, file: &str) {
    let text = fixture(file);
    let message = Message::parse(&text).expect("a message");
    let status = message.start().trim_start_matches("SIP/2.0 ").to_owned();
    let route = format!("Record-Route: <sip:{};lr>\r\n", callee.address());
    let names =
        ["Contact", "Proxy-Authenticate", "Content-Type", "Reason", "Retry-After", "X-Twilio-CallSid", "Server"];
    let lines: String =
        names.iter().filter_map(|name| Some(format!("{name}: {}\r\n", message.header(name)?))).collect();
    let body = here_in_sdp(message.body(), &callee.rtp);
    let tag = message.tag("To").expect("an answer has a tag");
    let has_route = message.header("Record-Route").is_some();
    callee.say_as(&tag, &status, &format!("{}{lines}", if has_route { &route } else { "" }), &body);
}

#[test]
pub(super) fn a_termination_trunk_answers() {
    let mut callee = Callee::new();
    let (setup, request) = placed("lk/sip-participant.json", &callee);
    let Some(mut bed) = Bed::new("carriers-term", &setup, &[]) else { return };
    let (room, identity) = ("dispute-42", "bank-line");
    bed.listener.join(room, 880.0);
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request);
    callee.invited();
    say(&mut callee, "twilio-term-407.sip");
    callee.expect("ACK");
    let invite = callee.invited();
    assert_eq!(invite.cseq(), "2 INVITE", "as in the files");
    assert!(callee.knows(&invite, "livekit-sip-user", "correct-horse-battery", Algorithm::Md5), "{invite:?}");
    say(&mut callee, "twilio-term-183-early.sip");
    callee.talk(Some(440.0));
    bed.listener.hear(identity, 440.0, -15.0, LIMIT);
    assert!(!pending.is_over(), "nobody has answered yet");
    say(&mut callee, "twilio-term-200.sip");
    // Its Contact is a private address, so this comes by the recorded route or not at all.
    let ack = callee.expect("ACK");
    assert!(ack.start().starts_with("ACK sip:172.18.60.8:5060"), "{}", ack.start());
    assert!(
        tests::within(LIMIT, || callee.rtp.heard().digits() == "1234#").is_some(),
        "{}",
        callee.rtp.heard().digits()
    );
    let answer = pending.finish();
    assert_eq!((answer.status, answer.text("participant_identity")), (200, identity), "{}", answer.body);
    let seen = bed.listener.participants(room);
    let seen = seen.iter().find(|who| who["identity"] == identity).expect("he is in the room");
    assert_eq!(seen["name"], "Bank");
    assert_eq!(seen["attributes"]["dispute.id"], "42");
    assert_eq!(seen["attributes"]["sip.twilio.callSid"], "CA00000000000000000000000000000c09", "{seen}");
    callee.talk(Some(520.0));
    bed.listener.hear(identity, 520.0, -15.0, LIMIT);
    hears(&callee.rtp, 880.0);
    assert_eq!(callee.bye().status(), 200);
}

#[test]
pub(super) fn a_termination_trunk_refuses() {
    let mut callee = Callee::new();
    let (setup, mut request) = placed("lk/sip-participant-trunk-by-name.json", &callee);
    request["wait_until_answered"] = true.into();
    let Some(mut bed) = Bed::new("carriers-refused", &setup, &[]) else { return };
    bed.listener.join_silently("dispute-42");
    let model = json_of("http/twirp-error-486.json");
    for (file, code, status) in
        [("twilio-term-486.sip", "resource_exhausted", 486), ("twilio-term-503-cps.sip", "failed_precondition", 503)]
    {
        let pending = bed.gateway.api().begin("CreateSIPParticipant", &request);
        callee.invited();
        say(&mut callee, "twilio-term-407.sip");
        callee.expect("ACK");
        callee.invited();
        say(&mut callee, file);
        callee.expect("ACK");
        let answer = pending.finish();
        assert_eq!((answer.code(), answer.sip_status()), (code, Some(status)), "{file}: {}", answer.body);
        if status == 486 {
            assert!(answer.text("msg").ends_with("486: Busy Here"), "{}", answer.body);
            for name in ["sip_status_code", "sip_status"] {
                assert_eq!(answer.body["meta"][name], model["meta"][name], "{name}");
            }
            assert_eq!(answer.body["code"], model["code"]);
        }
        bed.listener.expect("the callee leaving", LIMIT, |e| e.kind() == "left");
        bed.listener.forget();
    }
}

/// The reports of a REFER name it by its number, which is ours.
#[test]
pub(super) fn a_transfer_is_reported() {
    let Some(mut bed) = Bed::new("carriers-refer", &setup(), &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("twilio-invite.sip");
    let answer = carrier.answer().expect("an answer");
    carrier.send("twilio-ack.sip");
    carrier.talk(&answer, 440.0);
    both_hear(&mut bed, &carrier.rtp, CALLER, 440.0);
    let transfer = json!({"room_name": ROOM, "participant_identity": CALLER, "transfer_to": "tel:+14155550177"});
    for (file, cseq, outcome) in
        [("twilio-notify-refer-486.sip", 7, Some(486)), ("twilio-notify-refer-200.sip", 9, None)]
    {
        let pending = bed.gateway.api().admin_of(ROOM).begin("TransferSIPParticipant", &transfer);
        let refer = carrier.request("REFER").expect("the carrier is asked");
        assert_eq!(refer.header("Refer-To"), Some("<tel:+14155550177>"));
        carrier.wire.send(&refer.reply("202 Accepted"));
        let id = format!("refer;id={}", refer.cseq().split(' ').next().unwrap_or_default());
        let number = |n: u32| format!("CSeq: {n} NOTIFY");
        for (file, theirs, ours) in [("twilio-notify-refer-100.sip", 6, cseq - 1), (file, 7, cseq)] {
            let branch = format!("notify{theirs}.{ours}");
            let names = [
                ("refer;id=2", id.as_str()),
                (&number(theirs), &number(ours)),
                (&format!("notify{theirs}.0"), &branch),
            ];
            assert!(!pending.is_over(), "{file}: it is not over yet");
            carrier.send_with(file, &names);
            assert_eq!(carrier.answer_to("NOTIFY").expect("NOTIFY is answered").status(), 200, "{file}");
        }
        let answer = pending.finish();
        assert_eq!(
            (answer.status == 200, answer.sip_status()),
            (outcome.is_none(), outcome),
            "{file}: {}",
            answer.body
        );
        if outcome.is_some() {
            both_hear(&mut bed, &carrier.rtp, CALLER, 440.0);
        }
    }
    let bye = carrier.request("BYE").expect("the call is over");
    carrier.wire.send(&bye.reply("200 OK"));
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
}
