use serde_json::json;

use super::super::gateway::tests::Stub;

#[test]
fn what_is_said_is_what_is_asked() {
    let calls = json!({"sip": {"call": true}, "video": {"roomAdmin": true, "room": "r"}});
    let cases = [
        (
            "participant create --trunk twilio --call +1555 --room r --identity i --name n --wait --timeout 45s --dtmf ww1# --header X-A:1",
            "livekit.SIP/CreateSIPParticipant",
            json!({
                "sip_trunk_id": "twilio", "sip_call_to": "+1555", "room_name": "r", "participant_identity": "i",
                "participant_name": "n", "wait_until_answered": true, "ringing_timeout": "45s", "dtmf": "ww1#", "headers": {"X-A": "1"}
            }),
            calls.clone(),
        ),
        (
            "participant create {\"sipCallTo\":\"+1\",\"roomName\":\"x\",\"displayName\":\"d\"} --room r --no-display-name --timeout 500ms",
            "livekit.SIP/CreateSIPParticipant",
            json!({"sip_call_to": "+1", "room_name": "r", "display_name": "", "ringing_timeout": "0.500s"}),
            calls.clone(),
        ),
        (
            "participant transfer --room r --identity i --to tel:+1 --play-dialtone --timeout 30s",
            "livekit.SIP/TransferSIPParticipant",
            json!({
                "room_name": "r", "participant_identity": "i", "transfer_to": "tel:+1", "play_dialtone": true, "headers": {},
                "ringing_timeout": "30s"
            }),
            calls,
        ),
        (
            "participant move --room r --identity i --to other",
            "livekit.RoomService/MoveParticipant",
            json!({"room": "r", "identity": "i", "destination_room": "other"}),
            json!({"video": {"roomAdmin": true, "room": "r", "destinationRoom": "other"}}),
        ),
    ];
    for (command, method, request, grants) in cases {
        let stub = Stub::start(vec![("Participant", 200, json!({}))]);
        stub.run(command).unwrap_or_else(|error| panic!("{command}: {error}"));
        let asked = stub.asked();
        assert_eq!((&asked[0].what, &asked[0].body), (&format!("POST /twirp/{method}"), &request), "{command}");
        assert_eq!(asked[0].grants, grants, "{command}");
    }
}

#[test]
fn a_carrier_that_says_no_is_told_as_it_said_it() {
    let busy =
        json!({"code": "resource_exhausted", "msg": "sip status 486: Busy Here", "meta": {"sip_status_code": "486"}});
    let stub = Stub::start(vec![("Participant", 429, busy)]);
    let error = stub.run("participant create --call +1 --room r --wait").unwrap_err();
    assert_eq!(error.to_string(), "sip status 486: Busy Here");
    let error = stub.run("participant create --room r").unwrap_err();
    assert!(error.to_string().contains("say --call"), "{error}");
}
