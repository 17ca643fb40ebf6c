//! Two gateways that call each other: whoever speaks in a room of one is heard in a room of the other.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::peers::gateway::{Gateway, NUMBER, OUR_NUMBER, Setup};
use tests::peers::listener::Listener;
use tests::scratch::Scratch;

const LIMIT: Duration = Duration::from_secs(15);
/// The callee in the room of the one who called, and the caller in the other room.
const IN_EAST: &str = "sip_+15550100";
const IN_WEST: &str = "sip_+15550300";

#[test]
fn rooms_of_two_gateways_hear_each_other() {
    for transport in ["SIP_TRANSPORT_UDP", "SIP_TRANSPORT_TCP"] {
        let Some((mut bed, west)) = beds(&format!("two-{transport}"), transport) else { return };
        let mut far = Listener::start("far", &bed.livekit.url(), &bed.scratch);
        bed.listener.join("east", 880.0);
        far.join("west", 660.0);
        let call = json!({
            "sip_trunk_id": "west", "sip_call_to": NUMBER, "room_name": "east", "wait_until_answered": true, "dtmf": "5",
        });
        let placed = bed.gateway.api().sip("CreateSIPParticipant", &call);
        assert_eq!(placed.status, 200, "{transport}: {}", placed.body);
        bed.listener.attribute(IN_EAST, "sip.callStatus", "active");
        far.attribute(IN_WEST, "sip.callStatus", "active");
        bed.listener.hear(IN_EAST, 660.0, -15.0, LIMIT);
        far.hear(IN_WEST, 880.0, -15.0, LIMIT);
        far.expect("the key of the request", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "5");
        // Whoever hangs up here is gone there.
        bed.listener.tell("remove", json!({"room": "east", "identity": IN_EAST}));
        far.expect("the caller leaving", LIMIT, |e| e.kind() == "left" && e.text("identity") == IN_WEST);
        drop(west);
    }
}

/// One gateway with a trunk toward the other, which asks for a password.
fn beds(name: &str, transport: &str) -> Option<(Bed, Gateway)> {
    let mut inbound = Setup { api: true, name: "west", ..Setup::room("west") };
    inbound.trunks[0]["auth_username"] = "east".into();
    inbound.trunks[0]["auth_password"] = "correct-horse-battery".into();
    // The first has to know where the second is.
    let mut west = None;
    let way = |livekit: &tests::peers::livekit::LiveKit, scratch: &Scratch| {
        let gateway = Gateway::start(&inbound, &livekit.url(), scratch);
        let address = gateway.sip().to_string();
        west = Some(gateway);
        let trunk = json!({
            "name": "west", "address": address, "numbers": [OUR_NUMBER], "transport": transport,
            "auth_username": "east", "auth_password": "correct-horse-battery",
        });
        Setup { outbound: json!([trunk]), api: true, ..Setup::room("east") }
    };
    let bed = Bed::with_setup(name, way)?;
    Some((bed, west?))
}
