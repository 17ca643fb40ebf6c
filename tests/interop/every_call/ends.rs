//! How calls end, and what both sides are told of it.

use serde_json::json;
use tests::audio;
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
    for (name, value) in [
        ("sip.callStatus", "hangup"),
        ("sip.disconnectReason", "remote_hangup"),
        ("sip.disconnectCause", "31"),
        ("sip.disconnectText", "enough"),
    ] {
        assert_eq!(left.attribute(name), Some(value), "{name}: {left:?}");
    }
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

/// A second that the room says just before it hangs up is heard whole.
pub(super) fn last_word(desk: &mut Desk<'_>) {
    desk.listener.tell("join", json!({"room": desk.room, "tone": 300.0, "dbfs": -85.0}));
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.caller().invites("", &rtp.offer()).gets(200).acknowledges("").is_hung_up());
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.start(media, Some((440.0, -15.0)));
    desk.room_hears(440.0);
    let identity = desk.identity();
    let word = json!({"hz": 880.0, "seconds": 1.0, "identity": identity, "payload": "{}"});
    assert_eq!(desk.listener.tell("last_word", word)["payload"], "{}");
    player.request("BYE", 1);
    let heard = rtp.heard().samples;
    let is_loud = |part: &&[i16]| part.iter().any(|sample| sample.abs() > 800);
    let length = heard.chunks(40).filter(is_loud).count() as f64 / 200.0;
    assert!((0.98..=1.06).contains(&length), "{length} s of a second");
    assert!(audio::measure(audio::loudest(&heard, 8_000, 0.9), 8_000).is_tone(880.0, -15.0));
    player.succeeds();
    desk.gone();
}
