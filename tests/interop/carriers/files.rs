//! The files that people have for `lk`, and what their back ends ask and show.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::need::Need;
use tests::peers::callee::Callee;
use tests::peers::dns::{Dns, Record};
use tests::peers::gateway::Setup;
use tests::peers::listener::Listener;
use tests::peers::sipp;
use tests::ports;

use super::{CALLER, LIMIT, TWILIO, both_hear, carrier, hears, json_of, setup};

#[test]
pub(super) fn objects_are_taken_as_lk_sends_them() {
    let setup = Setup { trunks: json!([]), rules: json!([]), ..setup() };
    let Some(bed) = Bed::new("carriers-lk", &setup, &[]) else { return };
    let api = bed.gateway.api();
    let inbound = ["inbound-trunk", "inbound-trunk-telnyx", "inbound-trunk-any-number-pattern"];
    let outbound = ["outbound-trunk", "outbound-trunk-secure", "outbound-trunk-telnyx"];
    let mut first = Value::Null;
    for (method, files) in [("CreateSIPInboundTrunk", inbound), ("CreateSIPOutboundTrunk", outbound)] {
        for file in files {
            let request = json_of(&format!("lk/{file}.json"));
            let made = api.must(method, &request);
            assert_eq!(made["name"], request["trunk"]["name"], "{file}");
            assert_eq!(made["numbers"], request["trunk"]["numbers"], "{file}");
            assert!(made["sip_trunk_id"].as_str().is_some_and(|id| id.starts_with("ST_")), "{file}: {made}");
            if first.is_null() {
                first = made["sip_trunk_id"].clone();
            }
        }
    }
    for file in ["dispatch-rule-legacy-flat", "dispatch-rule"] {
        let text = json_of(&format!("lk/{file}.json")).to_string();
        let request = serde_json::from_str(&text.replace("\"ST_fixture0000001\"", &first.to_string())).expect("JSON");
        let made = api.must("CreateSIPDispatchRule", &request);
        assert_eq!(made["rule"]["dispatch_rule_individual"]["room_prefix"], "call-", "{file}: {made}");
        assert_eq!(made["room_config"]["agents"][0]["agent_name"], "telephony-agent", "{file}: {made}");
    }
    // What was written says where a call of the first file's trunk would go: to the rule that names the trunk.
    let call = json!({"from": "+14155550123", "to": TWILIO, "source": "54.172.60.1"});
    let told = api.post("/trunkline/v1/explain", &call);
    let text = told.body.to_string();
    assert!(text.contains("lk-flat") && text.contains("call-_+14155550123_"), "{}", told.body);
    // The second one takes every number that is written with a plus.
    let call = json!({"from": "+12125550144", "to": "+19995550100", "source": "192.76.120.10"});
    let told = api.post("/trunkline/v1/explain", &call);
    assert!(told.body.to_string().contains("telnyx-inbound"), "{}", told.body);
}

#[test]
pub(super) fn a_hidden_caller_with_a_pin() {
    let mut setup = setup();
    setup.trunks = json!([
        {"name": "Twilio", "sip_trunk_id": "ST_fixture0000001", "numbers": [TWILIO], "allowed_addresses": ["127.0.0.1"]}
    ]);
    setup.rules = json!([json_of("lk/dispatch-rule-direct-pin.json")]);
    let Some(mut bed) = Bed::new("carriers-pin", &setup, &[]) else { return };
    bed.listener.join("front-desk", 880.0);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("twilio-invite.sip");
    let answer = carrier.answer().expect("he is answered at once");
    carrier.send("twilio-ack.sip");
    carrier.talk(&answer, 440.0);
    let asked = tests::within(LIMIT, || carrier.rtp.measure().level > -35.0);
    assert!(asked.is_some(), "he is asked for the PIN: {:?}", carrier.rtp.measure());
    assert_eq!(bed.listener.participants("front-desk").len(), 1, "he stands outside");
    let media = answer.media().expect("an answer has media");
    for event in [4, 2, 4, 2, 11] {
        carrier.rtp.press(media, event);
        std::thread::sleep(std::time::Duration::from_millis(60));
    }
    let seen = bed.listener.expect("the caller", LIMIT, |e| e.kind() == "participant");
    let identity = seen.text("identity").to_owned();
    assert!(identity.starts_with("sip_") && !identity.contains("0123"), "{seen:?}");
    assert_eq!((seen.text("name"), seen.attribute("queue")), ("Phone 0123", Some("front-desk")), "{seen:?}");
    assert_eq!(seen.text("metadata"), "{\"tier\":\"gold\"}");
    assert!(!seen.line.to_string().contains("14155550123"), "{seen:?}");
    both_hear(&mut bed, &carrier.rtp, &identity, 440.0);
    assert!(!bed.gateway.log().contains("4242"), "the PIN is in the log");
    carrier.send("twilio-bye.sip");
    assert_eq!(carrier.answer_to("BYE").expect("BYE is answered").status(), 200);
}

/// The trunk stands in the request; its carrier is found by SRV and called over TCP.
#[test]
pub(super) fn calls_are_placed_as_lk_asks_for_them() {
    let port = ports::one();
    let dns = Dns::serve(vec![
        Record::Srv("_sip._tcp.clinic-demo.pstn.twilio.com", 10, 0, port, "edge.clinic-demo.pstn.twilio.com"),
        Record::A("edge.clinic-demo.pstn.twilio.com", Ipv4Addr::LOCALHOST),
    ]);
    let setup = setup().with("dns_servers", json!([dns.address().to_string()]));
    let Some(mut bed) = Bed::new("carriers-inline", &setup, &[Need::Sipp]) else { return };
    let request = json_of("lk/sip-participant-inline-trunk.json");
    let room = request["roomName"].as_str().expect("a room");
    bed.listener.join(room, 880.0);
    let echo = sipp::Carrier { transport: "t1", echo: true, ..sipp::Carrier::new("answer-echo.xml", port) };
    let mut echo = echo.start(&bed.scratch);
    let answer = bed.gateway.api().sip("CreateSIPParticipant", &request);
    assert_eq!(answer.status, 200, "{}; asked were {:?}", answer.body, dns.asked());
    assert_eq!(answer.text("participant_identity"), "human-agent-sip");
    bed.listener.hear("human-agent-sip", 880.0, -15.0, LIMIT);
    bed.listener.tell("remove", json!({"room": room, "identity": "human-agent-sip"}));
    echo.succeeds(LIMIT);
}

/// A caller, an expert in another room who is moved to him, and the caller sent elsewhere by REFER.
#[test]
pub(super) fn a_transfer_and_a_move_as_agents_ask_for_them() {
    let (moving, transfer) = (json_of("http/move-participant.json"), json_of("lk/transfer.json"));
    let room = transfer["room_name"].as_str().expect("a room").to_owned();
    let consult = moving["room"].as_str().expect("a room").to_owned();
    let mut callee = Callee::new();
    let mut setup = setup();
    setup.rules[0]["rule"]["dispatchRuleDirect"]["roomName"] = room.clone().into();
    let Some(mut bed) = Bed::new("carriers-move", &setup, &[]) else { return };
    bed.listener.join(&room, 880.0);
    let mut carrier = carrier(&bed, "UDP");
    carrier.send("twilio-invite.sip");
    let answer = carrier.answer().expect("an answer");
    carrier.send("twilio-ack.sip");
    carrier.talk(&answer, 440.0);
    both_hear(&mut bed, &carrier.rtp, CALLER, 440.0);

    let mut second = Listener::start("second", &bed.livekit.url(), &bed.scratch);
    second.join(&consult, 1_000.0);
    let mut request = json_of("lk/sip-participant-inline-trunk.json");
    request["trunk"] = json!({"hostname": callee.address().to_string(), "transport": "SIP_TRANSPORT_UDP"});
    request["roomName"] = consult.clone().into();
    let pending = bed.gateway.api().begin("CreateSIPParticipant", &request);
    callee.invited();
    callee.pick_up(Some(660.0));
    assert_eq!(pending.finish().status, 200);
    second.hear("human-agent-sip", 660.0, -15.0, LIMIT);
    hears(&callee.rtp, 1_000.0);
    bed.listener.forget();
    let video = json!({"roomAdmin": true, "room": consult, "destinationRoom": room});
    let api = bed.gateway.api().with_grants(&json!({"video": video}));
    let moved = api.post("/twirp/livekit.RoomService/MoveParticipant", &moving);
    assert_eq!(moved.status, 200, "{}", moved.body);
    bed.listener.hear("human-agent-sip", 660.0, -15.0, LIMIT);

    let pending = bed.gateway.api().admin_of(&room).begin("TransferSIPParticipant", &transfer);
    let refer = carrier.request("REFER").expect("the carrier is asked");
    assert_eq!(refer.header("Refer-To"), Some("<tel:+14155550177>"));
    assert_eq!(refer.header("X-Reason"), Some("billing"));
    carrier.wire.send(&refer.reply("202 Accepted"));
    carrier.send("twilio-bye.sip");
    assert_eq!(pending.finish().status, 200, "who hangs up has gone where he was sent");
    assert_eq!(callee.bye().status(), 200);
}

/// A back end of somebody's own: it asks us for a call, and shows the rooms that there are.
#[test]
pub(super) fn a_back_end_sees_what_it_shows() {
    let (asked, shown) = (json_of("http/sip-outbound-request.json"), json_of("http/sip-outbound-response.json"));
    let mut callee = Callee::new();
    let setup = Setup::outbound("lobby", callee.address());
    let Some(mut bed) = Bed::new("carriers-back-end", &setup, &[]) else { return };
    let room = asked["room"].as_str().expect("a room");
    bed.listener.join(room, 880.0);
    let request = json!({"sip_trunk_id": "out", "sip_call_to": asked["phone_number"], "room_name": room});
    let answer = bed.gateway.api().must("CreateSIPParticipant", &request);
    assert_eq!(answer["participant_identity"], shown["participant_identity"]);
    let id = answer["sip_call_id"].as_str().expect("an id");
    assert!(id.starts_with("SCL_") && shown["sip_call_id"].as_str().is_some_and(|id| id.starts_with("SCL_")));
    callee.invited();
    callee.reply("180 Ringing");
    let active = json_of("http/active-rooms-response.json")["rooms"][0].clone();
    bed.listener.attribute(CALLER, "sip.callStatus", active["callStatus"].as_str().expect("a status"));
    let seen = bed.listener.participants(room);
    let phone = seen.iter().find(|who| who["kind"] == "SIP").expect("the phone is in the room");
    assert_eq!(phone["attributes"]["sip.phoneNumber"], active["callerNumber"]);
    assert_eq!(phone["attributes"]["sip.callID"], id);
    callee.pick_up(Some(440.0));
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    hears(&callee.rtp, 880.0);
    assert_eq!(callee.bye().status(), 200);
}
