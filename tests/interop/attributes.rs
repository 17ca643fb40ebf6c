//! What an app notes on the participant of a phone, for the carrier.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::phone::Phone;

const ROOM: &str = "notes";
const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn attributes_that_an_app_sets_are_in_the_bye() {
    let mut setup = Setup { api: true, ..Setup::room(ROOM) };
    setup.trunks[0]["attributes_to_headers"] = json!({"outcome": "X-Outcome", "sip.phoneNumber": "X-Caller"});
    let Some(mut bed) = Bed::new("attributes", &setup, &[]) else { return };
    bed.listener.join(ROOM, 880.0);
    let mut phone = Phone::new(bed.gateway.sip());
    phone.call_and_talk(NUMBER, 440.0);
    bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
    let api = bed.gateway.api().with_grants(&json!({"video": {"roomAdmin": true, "room": ROOM}}));
    for outcome in ["booked", "sold"] {
        let attributes = json!({"outcome": outcome});
        let body = json!({"room": ROOM, "identity": CALLER, "attributes": attributes});
        let set = api.post("/twirp/livekit.RoomService/UpdateParticipant", &body);
        assert_eq!(set.status, 200, "{}", set.body);
        bed.listener.attribute(CALLER, "outcome", outcome);
    }
    bed.listener.tell("remove", json!({"room": ROOM, "identity": CALLER}));
    let (_, bye) = phone.expect_request("BYE", LIMIT).expect("the gateway hangs up");
    assert_eq!(bye.header("X-Outcome"), Some("sold"), "{bye:?}");
    assert_eq!(bye.header("X-Caller"), Some("+15550199"), "{bye:?}");
}
