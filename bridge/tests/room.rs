//! Participants of ours in a real room: joined, heard, muted, cut off, lost and back.
//!
//! Needs a `livekit-server`: the one that the variable `LIVEKIT_SERVER` names, or one on the search path.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "room/bed.rs"]
mod bed;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bed::{Cut, Person, Server, plane, profile};
use bridge::room::{Command, End, Event, Kind, Restored};
use livekit_protocol::DisconnectReason;
use media::desk::Play;
use serde_json::json;

const LOW: f32 = 440.0;
const HIGH: f32 = 880.0;

fn tone(frequency: f32) -> Play {
    Play::Tone { frequency, level: 20 }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_participants_hear_each_other() {
    let Some(server) = Server::start().await else { return };
    let plane = plane();
    for dual in [false, true] {
        let room = if dual { "hear-dual" } else { "hear" };
        let enter = |identity: &str, frequency| {
            let mut profile = profile(room, identity);
            profile.dual = dual;
            profile.name = "Phone +15550199".into();
            profile.metadata = "{\"r\":1}".into();
            profile.attributes = BTreeMap::from([("sip.callStatus".into(), "ringing".into())]);
            Person::enter(&plane, &server.url(), profile, tone(frequency))
        };
        let begun = Instant::now();
        let mut low = enter("sip_low", LOW);
        low.until("joined", |event| matches!(event, Event::Joined(_))).await;
        let joined = begun.elapsed();
        low.until("connected", |event| *event == Event::Connected).await;
        println!("dual {dual}: joined after {joined:?}, connected after {:?}", begun.elapsed());
        let mut high = enter("sip_high", HIGH);
        let audible = |event: &Event| matches!(event, Event::Audience(audience) if audience.heard == 1);
        low.until("heard", audible).await;
        high.until("heard", audible).await;

        let shown = server.participants(room).await;
        let me = shown.iter().find(|shown| shown["identity"] == "sip_low").unwrap();
        assert_eq!((&me["kind"], &me["name"]), (&json!("SIP"), &json!("Phone +15550199")));
        assert_eq!((&me["metadata"], &me["attributes"]["sip.callStatus"]), (&json!("{\"r\":1}"), &json!("ringing")));
        let track = &me["tracks"][0];
        assert_eq!((&track["name"], &track["source"]), (&json!("sip_low"), &json!("MICROPHONE")));
        for field in ["disableDtx", "disableRed", "stereo", "muted"] {
            assert!(track[field].is_null() || track[field] == json!(false), "{field}: {track}");
        }

        low.command(Command::Attributes(BTreeMap::from([("sip.callStatus".into(), "active".into())]))).await;
        for key in ['1', '#'] {
            low.command(Command::Dtmf(key)).await;
        }
        for (code, digits) in [(1, "1"), (11, "#")] {
            let dtmf = Event::Dtmf { from: "sip_low".into(), code, digits: digits.into() };
            high.until("a digit", |event| *event == dtmf).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let shown = server.participants(room).await;
        let me = shown.iter().find(|shown| shown["identity"] == "sip_low").unwrap();
        assert_eq!(me["attributes"]["sip.callStatus"], json!("active"));
        low.hears(HIGH).await;
        high.hears(LOW).await;

        low.command(Command::Leave(DisconnectReason::ClientInitiated)).await;
        low.until("left", |event| *event == Event::Ended(End::Left)).await;
        high.until("alone", |event| matches!(event, Event::Audience(audience) if audience.participants == 0)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_mutes_and_shows_us_out() {
    let Some(server) = Server::start().await else { return };
    let plane = plane();
    let mut phone = Person::enter(&plane, &server.url(), profile("ends", "sip_1"), tone(LOW));
    phone.until("connected", |event| *event == Event::Connected).await;
    let track = loop {
        let shown = server.participants("ends").await;
        if let Some(sid) = shown[0]["tracks"][0]["sid"].as_str() {
            break sid.to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for muted in [true, false] {
        let request = json!({"room": "ends", "identity": "sip_1", "trackSid": track, "muted": muted});
        server.ask("MutePublishedTrack", request).await;
        phone.until("muted", |event| *event == Event::Publishing(!muted)).await;
    }
    for allowed in [false, true] {
        let permission = json!({"canPublish": allowed, "canSubscribe": true, "canPublishData": true});
        let request = json!({"room": "ends", "identity": "sip_1", "permission": permission});
        server.ask("UpdateParticipant", request).await;
        phone.until("permission", |event| *event == Event::Publishing(allowed)).await;
    }
    phone.until("a new track", |event| *event == Event::Restored(Restored::Rejoined)).await;
    server.ask("RemoveParticipant", json!({"room": "ends", "identity": "sip_1"})).await;
    phone.until("removed", |event| *event == Event::Ended(End::Removed)).await;

    let mut phone = Person::enter(&plane, &server.url(), profile("ends", "sip_2"), tone(LOW));
    phone.until("connected", |event| *event == Event::Connected).await;
    let mut other = Person::enter(&plane, &server.url(), profile("ends", "sip_2"), tone(LOW));
    phone.until("replaced", |event| *event == Event::Ended(End::DuplicateIdentity)).await;
    other.until("connected", |event| *event == Event::Connected).await;
    server.ask("DeleteRoom", json!({"room": "ends"})).await;
    other.until("deleted", |event| *event == Event::Ended(End::RoomDeleted)).await;
}

/// A caller in one room, somebody to consult in another: the caller moves there, and later on into a third place.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_moves_from_room_to_room() {
    let Some(server) = Server::start().await else { return };
    let plane = plane();
    let caller = |room: &str| {
        let mut profile = profile(room, "sip_caller");
        profile.name = "Phone +15550199".into();
        profile.metadata = "{\"r\":1}".into();
        profile.attributes = BTreeMap::from([("sip.callStatus".into(), "active".into())]);
        profile
    };
    let heard = |event: &Event| matches!(event, Event::Audience(audience) if audience.heard == 1);
    let mut agent = Person::enter(&plane, &server.url(), profile("first", "agent"), tone(HIGH));
    let mut here = Person::enter(&plane, &server.url(), caller("first"), tone(LOW));
    here.until("heard", heard).await;
    agent.until("heard", heard).await;
    for (room, frequency) in [("second", 660.0), ("third", 1_320.0)] {
        let mut consulted = Person::enter(&plane, &server.url(), profile(room, "consulted"), tone(frequency));
        consulted.until("connected", |event| *event == Event::Connected).await;
        let mut there = here.enter_also(&server.url(), caller(room)).await;
        there
            .until("joined", |event| matches!(event, Event::Joined(joined) if !joined.participant_sid.is_empty()))
            .await;
        there.until("heard", heard).await;
        // Our track there is silent, but all is ready for it.
        consulted.until("heard", heard).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let shown = server.participants(room).await;
        let me = shown.iter().find(|shown| shown["identity"] == "sip_caller").unwrap();
        assert_eq!((&me["kind"], &me["name"]), (&json!("SIP"), &json!("Phone +15550199")));
        assert_eq!((&me["metadata"], &me["attributes"]["sip.callStatus"]), (&json!("{\"r\":1}"), &json!("active")));

        there.occupy().await;
        let moved = Instant::now();
        let until_now = there.report().await.room_received;
        while there.report().await.room_received == until_now {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        println!("the {room} room is heard after {:?}", moved.elapsed());
        assert!(moved.elapsed() < Duration::from_millis(180), "{:?}, and a packet before it", moved.elapsed());
        here.command(Command::Leave(DisconnectReason::ClientInitiated)).await;
        here.until("left", |event| *event == Event::Ended(End::Left)).await;
        tokio::time::sleep(Duration::from_secs(2).saturating_sub(moved.elapsed())).await;
        let recording = consulted.recorded(LOW).await;
        let late = moved.elapsed().saturating_sub(heard_for(&recording));
        println!("the caller is heard in the {room} room after at most {late:?}");
        assert!(late < Duration::from_millis(200), "{late:?}");
        here = there;
    }
    here.hears(1_320.0).await;
    agent.until("alone", |event| matches!(event, Event::Audience(audience) if audience.participants == 0)).await;
}

/// How long the sound at the end lasts.
fn heard_for(recording: &[i16]) -> Duration {
    let frames = recording.rchunks_exact(160).take_while(|frame| media::frame::level(frame) < 40).count();
    Duration::from_millis(20) * u32::try_from(frames).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_found_again() {
    let Some(mut server) = Server::start().await else { return };
    let plane = plane();
    let mut phone = Person::enter(&plane, &server.url(), profile("lost", "sip_1"), tone(LOW));
    let mut guest_profile = profile("lost", "guest");
    guest_profile.kind = Kind::Standard;
    let mut guest = Person::enter(&plane, &server.url(), guest_profile, tone(HIGH));
    let audible = |event: &Event| matches!(event, Event::Audience(audience) if audience.heard == 1);
    phone.until("heard", audible).await;
    guest.until("heard", audible).await;
    phone.command(Command::Attributes(BTreeMap::from([("sip.callStatus".into(), "active".into())]))).await;

    server.kill();
    phone.until("lost", |event| *event == Event::Interrupted).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.restart().await;
    let back = Instant::now();
    phone.until("back", |event| *event == Event::Restored(Restored::Rejoined)).await;
    let after = back.elapsed();
    println!("our media is back {after:?} after the server");
    assert!(after < Duration::from_millis(1_500), "{after:?}");
    phone.until("heard again", audible).await;
    guest.until("heard again", audible).await;
    let shown = server.participants("lost").await;
    let me = shown.iter().find(|shown| shown["identity"] == "sip_1").unwrap();
    assert_eq!(me["attributes"]["sip.callStatus"], json!("active"));
    guest.renew();
    tokio::time::sleep(Duration::from_secs(2)).await;
    guest.hears(LOW).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_signal_connection_loses_no_audio() {
    let Some(server) = Server::start().await else { return };
    let plane = plane();
    let wire = Cut::start(server.port).await;
    let mut phone = Person::enter(&plane, &wire.url(), profile("cut", "sip_1"), tone(LOW));
    let mut guest = Person::enter(&plane, &server.url(), profile("cut", "sip_2"), tone(HIGH));
    let audible = |event: &Event| matches!(event, Event::Audience(audience) if audience.heard == 1);
    phone.until("heard", audible).await;
    guest.until("heard", audible).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    let (sent, received) = (phone.report().await.room_sent, guest.report().await.room_received);
    wire.cut(true);
    phone.until("lost", |event| *event == Event::Interrupted).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    wire.cut(false);
    phone.until("back", |event| *event == Event::Restored(Restored::Resumed)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (sent, received) = (phone.report().await.room_sent - sent, guest.report().await.room_received - received);
    let due = u64::try_from(begun.elapsed().as_millis()).unwrap() / 20;
    println!("{due} packets due, {sent} sent, {received} received over the cut");
    // Those under way when counting starts and ends may differ.
    assert!(sent + 2 >= due && received + 2 >= sent, "{due} due, {sent} sent, {received} received");
    phone.hears(HIGH).await;
    guest.hears(LOW).await;
}
