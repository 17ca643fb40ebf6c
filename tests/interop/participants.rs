//! Who stands in the room: kind, identity, name, metadata and attributes, as LiveKit's own gateway makes them.

use std::time::Duration;

use serde_json::{Value, json};
use tests::bed::Bed;
use tests::data;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::listener::Listener;
use tests::peers::phone::Phone;

const CALLER: &str = "sip_+15550199";
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn the_status_goes_from_ringing_over_active_to_hangup() {
    let Some(mut bed) = Bed::new("status", &Setup::room("desk"), &[]) else { return };
    bed.listener.join_silently("desk");
    let mut phone = Phone::new(bed.gateway.sip());
    phone.invite(NUMBER, "");
    let participant = bed.listener.participant(CALLER);
    assert_eq!(participant.text("kind"), "SIP");
    assert_eq!(participant.text("name"), "Phone +15550199");
    for (attribute, value) in [
        ("sip.callStatus", "ringing"),
        ("sip.phoneNumber", "+15550199"),
        ("sip.trunkPhoneNumber", NUMBER),
        ("sip.hostname", "trunk.example.com"),
        ("sip.callIDFull", &phone.call.id.clone()),
        ("sip.callTag", &phone.call.tag.clone()),
    ] {
        assert_eq!(participant.attribute(attribute), Some(value), "{attribute}");
    }
    for (attribute, start) in [("sip.callID", "SCL_"), ("sip.trunkID", "ST_"), ("sip.ruleID", "SDR_")] {
        let value = participant.attribute(attribute).unwrap_or_default();
        assert!(value.starts_with(start) && value.len() > start.len(), "{attribute} is {value}");
    }
    assert!(phone.answer_within(Duration::from_millis(500)).is_none(), "nobody has answered yet");
    assert!(phone.provisional.iter().any(|m| m.status() == 180), "the caller hears ringing");
    bed.listener.tell("tone", json!({"hz": 880}));
    let answer = phone.answer().expect("somebody speaks, so the call is answered");
    assert_eq!(answer.status(), 200);
    phone.ack(&answer);
    bed.listener.attribute(CALLER, "sip.callStatus", "active");
    phone.bye();
    bed.listener.attribute(CALLER, "sip.callStatus", "hangup");
    bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left");
    let statuses: Vec<String> = bed
        .listener
        .seen()
        .iter()
        .filter_map(|e| e.line["changed"]["sip.callStatus"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(statuses, ["active", "hangup"]);
}

/// The file holds what stock livekit-sip made of three trunks, rules and INVITEs.
#[test]
fn participants_are_those_of_stock_livekit_sip() {
    let recorded = std::fs::read_to_string(data("stock-participants.json")).expect("the recording is in the tree");
    let recorded: Value = serde_json::from_str(&recorded).expect("the recording is JSON");
    for (case, recorded) in recorded.as_object().expect("the recording is a table of cases") {
        let setup = Setup { trunks: json!([recorded["trunk"]]), rules: json!([recorded["rule"]]), ..Setup::room("") };
        let Some(mut bed) = Bed::new("stock", &setup, &[]) else { return };
        let mut phone = Phone::new(bed.gateway.sip());
        phone.call.from = "\"Alice A\" <sip:+15550199@trunk.example.com>".into();
        phone.call.tag = "ft".into();
        phone.invite(NUMBER, recorded["extra_headers"].as_str().unwrap_or_default());
        let snapshots = recorded["snapshots"].as_array().expect("a case has snapshots");
        let (room, ringing) = whole_room(&mut bed.listener);
        compare(case, &snapshots[0], &room, &ringing);
        bed.listener.join(room["name"].as_str().expect("a room has a name"), 880.0);
        let answer = phone.answer().expect("the call is answered");
        assert_eq!(answer.status(), 200, "{case}");
        phone.ack(&answer);
        bed.listener.attribute(CALLER, "sip.callStatus", "active");
        let (room, active) = whole_room(&mut bed.listener);
        compare(case, &snapshots[1], &room, &active);
        phone.bye();
    }
}

/// Waits for the caller's track and returns the room and the caller as the server has them.
fn whole_room(listener: &mut Listener) -> (Value, Value) {
    let mut found = None;
    tests::within(LIMIT, || {
        let rooms = listener.tell("rooms", json!({}));
        found = rooms.as_array().into_iter().flatten().find_map(|room| {
            let people = listener.participants(room["name"].as_str()?);
            let caller = people.into_iter().find(|p| p["identity"] == CALLER && p["tracks"] != json!([]))?;
            Some((room.clone(), caller))
        });
        found.is_some()
    });
    found.expect("the caller stands in a room and has a track")
}

fn compare(case: &str, recorded: &Value, room: &Value, participant: &Value) {
    let masked = |name: &str, value: &Value| mask(name, value.as_str().unwrap_or_default());
    assert_eq!(masked("room", &room["name"]), masked("room", &recorded["room"]), "{case}: room");
    assert_eq!(room["metadata"], recorded["room_metadata"], "{case}: metadata of the room");
    for field in ["identity", "name", "kind", "metadata"] {
        assert_eq!(participant[field], recorded[field], "{case}: {field}");
    }
    let attributes = |of: &Value| -> Vec<(String, String)> {
        let all = of["attributes"].as_object().into_iter().flatten();
        let mut all: Vec<_> = all.map(|(name, value)| (name.clone(), masked(name, value))).collect();
        all.sort();
        all
    };
    assert_eq!(attributes(participant), attributes(recorded), "{case}: attributes");
    for (name, value) in participant["permission"].as_object().into_iter().flatten() {
        assert_eq!(value, &recorded["permission"][name], "{case}: permission {name}");
    }
    let (track, model) = (&participant["tracks"][0], &recorded["tracks"][0]);
    for field in ["name", "source", "type", "muted", "stereo"] {
        assert_eq!(track[field], model[field], "{case}: {field} of the track");
    }
    let mime = |of: &Value| of["mime_type"].as_str().unwrap_or_default().to_lowercase();
    assert_eq!(mime(track), mime(model), "{case}: codec of the track");
}

/// What differs from call to call, ids, tags, addresses and lengths, made alike.
fn mask(name: &str, value: &str) -> String {
    match name {
        "sip.callID" | "sip.trunkID" | "sip.ruleID" => value.split('_').next().unwrap_or_default().to_owned(),
        "sip.callIDFull" | "sip.h.call-id" | "sip.h.contact" | "sip.h.content-length" | "sip.h.via" => String::new(),
        // The number and the start of our tag.
        "sip.h.to" => {
            let tag = value.split_once(";tag=").and_then(|(_, tag)| tag.get(..4)).unwrap_or_default();
            format!("{} {tag}", value.split('@').next().unwrap_or_default())
        }
        // A random tail of twelve.
        "room" => match value.rsplit_once('_') {
            Some((start, tail)) if tail.len() == 12 && !tail.starts_with('+') => format!("{start}_*"),
            _ => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}
