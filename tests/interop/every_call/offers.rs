//! Where an offer may stand, and its answer (RFC 6337 §2.2).

use std::net::SocketAddr;

use serde_json::json;
use tests::peers::api::Pending;
use tests::peers::baresip::Baresip;
use tests::peers::gateway::OUR_NUMBER;
use tests::peers::phone::{Rtp, Seal};
use tests::peers::scenario::Scenario;

use super::desk::{Desk, LIMIT, ROOM_TONE};
use super::{hold, srtp};

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

/// We call by a trunk that leaves the offer to the callee.
fn place(desk: &Desk<'_>, to: SocketAddr, encryption: &str) -> Pending {
    let trunk = json!({
        "name": format!("no offer to {to}"), "address": to.to_string(), "transport": "SIP_TRANSPORT_UDP",
        "numbers": [OUR_NUMBER], "delayed_offer": true, "media": {"encryption": encryption},
    });
    let objects = json!({"outbound_trunks": [trunk]}).to_string();
    let answer = desk.gateway.api().request("PUT", "/trunkline/v1/objects?mode=add", &objects);
    assert_eq!(answer.status, 200, "{}", answer.body);
    desk.place(to, &json!({"trunk": null, "sip_trunk_id": trunk["name"]}))
}

/// The phone offers when it is picked up, and something else later.
pub(super) fn out_delayed(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let scenario = Scenario::callee().replies("180 Ringing", "", "").waits().replies("200 OK", "", &rtp.offer());
    let scenario = scenario.hears("ACK").waits().offers(&other.offer()).waits().hangs_up("");
    let mut player = scenario.listen(desk.scratch);
    let pending = place(desk, player.sip(), srtp::ALLOW);
    assert_eq!(player.request("INVITE", 1).body(), "", "it is for the phone to offer");
    desk.attribute("sip.callStatus", "ringing");
    assert!(!pending.is_over(), "nobody has answered yet");
    player.go();
    let ack = player.request("ACK", 1);
    rtp.start(ack.media().expect("the ACK has the answer"), Some((440.0, -15.0)));
    assert_eq!(pending.finish().status, 200);
    desk.both_hear(&rtp, 440.0);
    rtp.stop();
    player.go();
    desk.talk(&mut player, 1, &mut other, 520.0);
    player.go();
    player.succeeds();
}

/// The phone offers while it rings, and is heard in the room at once.
pub(super) fn out_while_it_rings(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let ringing = Scenario::callee().replies("183 Session Progress", "Require: 100rel\r\nRSeq: 7\r\n", &rtp.offer());
    let scenario = ringing.hears("PRACK").replies("200 OK", "", "").waits().answers_invite("200 OK", "");
    let mut player = scenario.hears("ACK").waits().hangs_up("").listen(desk.scratch);
    let pending = place(desk, player.sip(), srtp::ALLOW);
    assert_eq!(player.request("INVITE", 1).body(), "", "it is for the phone to offer");
    let prack = player.request("PRACK", 1);
    assert_eq!(prack.header("RAck"), Some("7 1 INVITE"));
    let media = prack.media().expect("the PRACK has the answer");
    rtp.start(media, Some((440.0, -15.0)));
    desk.room_hears(440.0);
    let silence = tests::within(LIMIT, || rtp.heard().packets.len() > 25);
    assert!(silence.is_some(), "a network behind a NAT has to hear us first: {:?}", rtp.heard());
    assert!(!pending.is_over(), "nobody has answered yet");
    player.go();
    assert_eq!(pending.finish().status, 200);
    assert_eq!(player.request("ACK", 1).body(), "", "there is nothing left to answer");
    rtp.start(media, Some((520.0, -15.0)));
    desk.both_hear(&rtp, 520.0);
    player.go();
    player.succeeds();
}

/// The trunk asks for encryption: a phone that offers some has it, and one that offers none is hung up.
pub(super) fn out_sealed(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    rtp.seal = Some(Seal::new("AES_CM_128_HMAC_SHA1_80"));
    let scenario = Scenario::callee().replies("200 OK", "", &rtp.offer()).hears("ACK").waits().hangs_up("");
    let mut player = scenario.listen(desk.scratch);
    let pending = place(desk, player.sip(), srtp::REQUIRE);
    let ack = player.request("ACK", 1);
    rtp.seal.iter_mut().for_each(|seal| seal.hears(ack.body()));
    rtp.start(ack.media().expect("the ACK has the answer"), Some((440.0, -15.0)));
    assert_eq!(pending.finish().status, 200);
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
    desk.gone();

    let plain = Rtp::new();
    let scenario = Scenario::callee().replies("200 OK", "", &plain.offer()).hears("ACK").is_hung_up();
    let mut player = scenario.listen(desk.scratch);
    let pending = place(desk, player.sip(), srtp::REQUIRE);
    let ack = player.request("ACK", 1);
    assert!(ack.body().contains("m=audio 0 RTP/AVP "), "{ack:?}");
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("no_srtp")), "{bye:?}");
    assert_ne!(pending.finish().status, 200);
    player.succeeds();
}

/// A phone that was not made by us.
pub(super) fn out_to_baresip(desk: &mut Desk<'_>) {
    desk.join();
    desk.caller = "+15550177".to_owned();
    let phone = Baresip::start("udp", 440.0, ";answermode=auto", desk.scratch);
    let answer = place(desk, phone.sip(), srtp::ALLOW).finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    desk.room_hears(440.0);
    // It listens for a while, and for a whole second without fail.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    desk.hang_up_and_judge(&phone, ROOM_TONE, 8_000);
}
