//! Warm transfer as agents do it: a caller in one room, a consultation in another, and one of the two moved over.

use std::time::Duration;

use serde_json::json;
use tests::bed::Bed;
use tests::peers::api::Answer;
use tests::peers::callee::Callee;
use tests::peers::gateway::{NUMBER, Setup};
use tests::peers::listener::Listener;
use tests::peers::phone::{Phone, Rtp};
use tests::peers::sdk::{Language, Sdk};

const LIMIT: Duration = Duration::from_secs(10);
/// No phone may be without sound, or without packets, for as long as this.
const GAP: Duration = Duration::from_millis(200);
const CALL: &str = "call";
const CONSULT: &str = "consult";
const CALLER: &str = "sip_+15550199";
const EXPERT: &str = "human-agent-sip";

#[test]
fn the_expert_is_moved_to_the_caller() {
    let Some(mut scene) = Scene::new("warm-expert") else { return };
    scene.forget();
    let moved = scene.move_participant(CONSULT, EXPERT, CALL);
    assert_eq!(moved.status, 200, "{}", moved.body);
    scene.bed.listener.participant(EXPERT);
    scene.bed.listener.hear(EXPERT, 660.0, -15.0, LIMIT);
    scene.second.expect("the expert leaving", LIMIT, |e| e.kind() == "left" && e.text("identity") == EXPERT);
    let seen = scene.bed.listener.participant(EXPERT);
    assert_eq!((seen.text("kind"), seen.attribute("sip.callStatus")), ("SIP", Some("active")));
    scene.expect_no_gap();
    scene.agent_leaves_and_the_phones_hear_each_other();
}

#[test]
fn the_caller_is_moved_to_the_expert() {
    let Some(mut scene) = Scene::new("warm-caller") else { return };
    scene.forget();
    let moved = scene.move_participant(CALL, CALLER, CONSULT);
    assert_eq!(moved.status, 200, "{}", moved.body);
    scene.second.hear(CALLER, 440.0, -15.0, LIMIT);
    scene.bed.listener.expect("the caller leaving", LIMIT, |e| e.kind() == "left" && e.text("identity") == CALLER);
    scene.expect_no_gap();
    scene.agent_leaves_and_the_phones_hear_each_other();
}

#[test]
fn a_server_sdk_moves_and_what_is_not_ours_is_the_servers_to_refuse() {
    let Some(mut scene) = Scene::new("warm-sdk") else { return };
    let mut sdk = Sdk::start(Language::Python, &scene.bed.gateway.url(), &scene.bed.scratch);
    let ours = json!({"room": CONSULT, "identity": EXPERT, "destination": CALL});
    assert!(sdk.ask("move", ours).is_ok());
    scene.bed.listener.hear(EXPERT, 660.0, -15.0, LIMIT);
    // The open-source server does not implement it, and says so itself, in the same words as without us.
    let theirs = json!({"room": CALL, "identity": "far-end", "destination": CONSULT});
    let through = sdk.ask("move", theirs.clone()).expect_err("a browser's participant is not ours");
    let mut direct = Sdk::start(Language::Python, &scene.bed.livekit.url(), &scene.bed.scratch);
    let straight = direct.ask("move", theirs).expect_err("this server moves nobody");
    assert_eq!(through.0, straight.0);
    // Without the right to both rooms nobody is moved.
    let body = json!({"room": CALL, "identity": EXPERT, "destination_room": CONSULT});
    for video in [
        json!({"roomAdmin": true, "room": CALL}),
        json!({"roomAdmin": true, "destinationRoom": CONSULT}),
        json!({"room": CALL, "destinationRoom": CONSULT}),
    ] {
        let api = scene.bed.gateway.api().with_grants(&json!({"video": video}));
        let refused = api.post("/twirp/livekit.RoomService/MoveParticipant", &body);
        assert!(matches!(refused.status, 401 | 403), "{video}: {} {}", refused.status, refused.body);
    }
    scene.bed.listener.forget();
    scene.bed.listener.hear(EXPERT, 660.0, -15.0, LIMIT);
}

#[test]
fn a_moved_call_ends_as_any_other() {
    let Some(mut scene) = Scene::new("warm-ends") else { return };
    assert_eq!(scene.move_participant(CONSULT, EXPERT, CALL).status, 200);
    scene.bed.listener.hear(EXPERT, 660.0, -15.0, LIMIT);
    // The room it came from is gone, and the call is none the worse.
    scene.second.tell("delete", json!({"room": CONSULT}));
    assert!(scene.expert.expect_bye(Duration::from_secs(1)).is_none(), "it stands in another room now");
    scene.bed.listener.tell("remove", json!({"room": CALL, "identity": EXPERT}));
    assert!(scene.expert.expect_bye(LIMIT).is_some());
    scene.bed.listener.expect("the expert leaving", LIMIT, |e| e.kind() == "left" && e.text("identity") == EXPERT);
}

/// A caller with 440 Hz in one room, an expert with 660 Hz in another, and the agent in both with 880 Hz.
struct Scene {
    phone: Phone,
    expert: Callee,
    /// The agent in the room of the consultation.
    second: Listener,
    bed: Bed,
}

impl Scene {
    fn new(name: &str) -> Option<Self> {
        let mut expert = Callee::new();
        let mut bed = Bed::new(name, &Setup::outbound(CALL, expert.address()), &[])?;
        bed.listener.join(CALL, 880.0);
        let mut phone = Phone::new(bed.gateway.sip());
        phone.call_and_talk(NUMBER, 440.0);
        bed.listener.hear(CALLER, 440.0, -15.0, LIMIT);
        let mut second = Listener::start("second", &bed.livekit.url(), &bed.scratch);
        second.join(CONSULT, 880.0);
        let call = json!({
            "sip_trunk_id": "out", "sip_call_to": "+15550400", "room_name": CONSULT, "participant_identity": EXPERT,
            "wait_until_answered": true,
        });
        let pending = bed.gateway.api().begin("CreateSIPParticipant", &call);
        expert.invited();
        expert.pick_up(Some(660.0));
        let placed = pending.finish();
        assert_eq!(placed.status, 200, "{}", placed.body);
        second.hear(EXPERT, 660.0, -15.0, LIMIT);
        let scene = Self { phone, expert, second, bed };
        scene.expect_both_to_hear(880.0, 880.0);
        Some(scene)
    }

    /// As a server SDK asks for it.
    fn move_participant(&self, from: &str, identity: &str, to: &str) -> Answer {
        let video = json!({"roomAdmin": true, "room": from, "destinationRoom": to});
        let api = self.bed.gateway.api().with_grants(&json!({"video": video}));
        let body = json!({"room": from, "identity": identity, "destination_room": to});
        api.post("/twirp/livekit.RoomService/MoveParticipant", &body)
    }

    fn forget(&mut self) {
        self.phone.rtp.forget();
        self.expert.rtp.forget();
        self.bed.listener.forget();
        self.second.forget();
    }

    /// Since [`forget`](Self::forget) the agent was to be heard by both without a break.
    fn expect_no_gap(&self) {
        std::thread::sleep(Duration::from_secs(1));
        for (who, rtp) in [("caller", &self.phone.rtp), ("expert", &self.expert.rtp)] {
            let ear = rtp.heard();
            let (pause, silence) = (ear.longest_pause(), ear.longest_silence());
            assert!(ear.packets.len() > 50, "{who}: {} packets", ear.packets.len());
            assert!(pause < GAP && silence < GAP, "{who}: {pause:?} without packets, {silence:?} without sound");
            assert_eq!(ear.missing(), 0, "{who}");
        }
    }

    fn agent_leaves_and_the_phones_hear_each_other(&mut self) {
        self.bed.listener.tell("leave", json!({}));
        self.second.tell("leave", json!({}));
        self.expect_both_to_hear(660.0, 440.0);
        assert_eq!(self.phone.bye().status(), 200);
        assert!(self.expert.expect_bye(Duration::from_secs(1)).is_none(), "each hangs up for himself");
        assert_eq!(self.expert.bye().status(), 200);
    }

    fn expect_both_to_hear(&self, caller: f64, expert: f64) {
        let hears = |rtp: &Rtp, pitch: f64| tests::within(LIMIT, || rtp.measure().is_tone(pitch, -15.0)).is_some();
        assert!(hears(&self.phone.rtp, caller), "caller: {caller} Hz, but {:?}", self.phone.rtp.measure());
        assert!(hears(&self.expert.rtp, expert), "expert: {expert} Hz, but {:?}", self.expert.rtp.measure());
    }
}
