//! Where an offer may stand, and its answer (RFC 6337 §2.2).

use serde_json::json;
use tests::peers::phone::Rtp;

use super::desk::{Desk, ROOM_TONE};
use super::hold;

pub(super) fn early(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    player.succeeds();
}

pub(super) fn delayed(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = desk.caller().invites("", "").gets(200).acknowledges(&rtp.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    player.succeeds();
}

pub(super) fn while_it_rings(desk: &mut Desk<'_>) {
    desk.listener.join_silently(&desk.room);
    let mut rtp = Rtp::new();
    let ringing = desk.caller().rings("Require: 100rel\r\n", "").hears_ringing(180);
    let scenario = ringing.acknowledges_ringing(&rtp.offer()).gets(200);
    let mut player = desk.call(scenario.gets(200).acknowledges("").waits().hangs_up(""));
    let media = player.expect("180", 1, |m| m.status() == 180).media().expect("our offer is in what rings");
    player.go();
    assert_eq!(player.answer("PRACK", 1).status(), 200);
    desk.listener.tell("tone", json!({"hz": ROOM_TONE}));
    assert_eq!(player.answer("INVITE", 1).body(), "", "there is no other offer");
    rtp.start(media, Some((440.0, -15.0)));
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

/// RFC 3311: the media moves without an INVITE.
pub(super) fn update(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let scenario = desk.answered(&rtp).asks("UPDATE", "", &other.offer()).gets(200).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    rtp.stop();
    player.go();
    let media = player.answer("UPDATE", 1).media().expect("an offer is answered");
    other.start(media, Some((520.0, -15.0)));
    desk.both_hear(&other, 520.0);
    player.go();
    player.succeeds();
}

/// One that comes too soon is refused for a while, and taken afterwards.
pub(super) fn update_while_it_rings(desk: &mut Desk<'_>) {
    desk.listener.join_silently(&desk.room);
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let ringing = desk.caller().rings("Require: 100rel\r\n", &rtp.offer()).hears_ringing(180).acknowledges_ringing("");
    let early = ringing.gets(200).asks("UPDATE", "", &other.offer()).gets_with(500, "Retry-After", "[0-9]");
    let scenario = early.gets(200).acknowledges("").waits().asks("UPDATE", "", &other.offer()).gets(200);
    let mut player = desk.call(scenario.waits().hangs_up(""));
    player.expect("180", 1, |m| m.status() == 180);
    player.go();
    assert_eq!(player.answer("UPDATE", 1).status(), 500);
    desk.listener.tell("tone", json!({"hz": ROOM_TONE}));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    rtp.stop();
    player.go();
    let media = player.answer("UPDATE", 2).media().expect("an offer is answered");
    other.start(media, Some((520.0, -15.0)));
    desk.both_hear(&other, 520.0);
    player.go();
    player.succeeds();
}

/// Who was called asks for another offer of ours.
pub(super) fn reinvite_without_as_callee(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let picked_up = Desk::picked_up("", &rtp.offer()).waits();
    let scenario = picked_up.asks("INVITE", "", "").may_get(&[100]).gets(200).acknowledges(&other.offer());
    let (mut player, _) = desk.reach(scenario.waits().hangs_up(""), &mut rtp, &json!({}));
    rtp.stop();
    player.go();
    desk.talk(&mut player, 1, &mut other, 520.0);
    player.go();
    player.succeeds();
}

pub(super) fn reinvite_without(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let scenario = desk.answered(&rtp).asks("INVITE", "", "").may_get(&[100]).gets(200).acknowledges(&other.offer());
    let mut player = desk.call(scenario.waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    rtp.stop();
    player.go();
    desk.talk(&mut player, 2, &mut other, 520.0);
    player.go();
    player.succeeds();
}

/// As Cisco's call manager does it: the hold is an offer, and the resume asks for ours.
pub(super) fn resumed_by_asking(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let scenario = desk.answered(&rtp).offers(&hold::INACTIVE(&rtp.offer())).waits();
    let scenario = scenario.asks("INVITE", "", "").may_get(&[100]).gets(200).acknowledges(&other.offer());
    let mut player = desk.call(scenario.waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    player.answer("INVITE", 2);
    desk.attribute("sip.hold", "true");
    rtp.stop();
    player.go();
    let offer = player.answer("INVITE", 3);
    for part in ["a=sendrecv", "PCMU/8000", "PCMA/8000", "G722/8000"] {
        assert!(offer.body().contains(part), "{part} is not in {}", offer.body());
    }
    desk.talk(&mut player, 3, &mut other, 520.0);
    player.go();
    player.succeeds();
}
