//! How calls end, and what both sides are told of it.

use serde_json::json;
use tests::peers::phone::Rtp;
use tests::peers::scenario::Scenario;

use super::desk::Desk;

pub(super) fn by_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up("Reason: Q.850;cause=31;text=\"enough\"\r\n"));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    player.succeeds();
    let left = desk.gone();
    assert_eq!(left.attribute("sip.callStatus"), Some("hangup"), "{left:?}");
}

pub(super) fn by_room(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.caller().invites("", &rtp.offer()).gets(200).acknowledges("").is_hung_up());
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let identity = desk.identity();
    desk.listener.tell("remove", json!({"room": desk.room, "identity": identity}));
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("cause=")), "{bye:?}");
    player.succeeds();
    desk.gone();
}

/// What the carrier says is what the caller of the API gets.
pub(super) fn refused(desk: &mut Desk<'_>) {
    desk.join();
    let scenario =
        Scenario::callee().replies("486 Busy Here", "Reason: Q.850;cause=17;text=\"User busy\"\r\n", "").hears("ACK");
    let mut player = scenario.listen(desk.scratch);
    let answer = desk.place(player.sip(), &json!({})).finish();
    assert_eq!((answer.code(), answer.sip_status()), ("resource_exhausted", Some(486)), "{}", answer.body);
    desk.gone();
    player.succeeds();
}

pub(super) fn no_media(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.caller().invites("", &rtp.offer()).gets(200).acknowledges("").is_hung_up());
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    rtp.stop();
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("media_timeout")), "{bye:?}");
    player.succeeds();
    desk.gone();
}
