//! What happens before the answer.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tests::peers::phone::Rtp;
use tests::peers::scenario::{Player, Scenario};

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};

/// The usual rule answers when somebody's audio is in the room.
pub(super) fn rings(desk: &mut Desk<'_>) {
    desk.listener.join_silently(&desk.room);
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    let ringing = player.expect("180", 1, |m| m.status() == 180);
    assert!(ringing.header("RSeq").is_none(), "{ringing:?}");
    desk.attribute("sip.callStatus", "ringing");
    std::thread::sleep(Duration::from_millis(1_200));
    assert!(player.received().iter().all(|m| m.status() < 200), "nobody has spoken");
    desk.listener.tell("tone", json!({"hz": ROOM_TONE}));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    desk.attribute("sip.callStatus", "active");
    player.go();
    player.succeeds();
}

/// RFC 3262 §3: repeated from T1 on until the caller has acknowledged it.
pub(super) fn acknowledged(desk: &mut Desk<'_>, wish: &str) {
    desk.listener.join_silently(&desk.room);
    let mut rtp = Rtp::new();
    let scenario = desk.caller().rings(wish, &rtp.offer()).hears_ringing(180).acknowledges_ringing("").gets(200);
    let mut player = desk.call(scenario.gets(200).acknowledges("").waits().hangs_up(""));
    let numbers: Vec<_> = (1..=3)
        .map(|nth| {
            let ringing = player.expect("180 once more", nth, |m| m.status() == 180);
            ringing.header("RSeq").map(str::to_owned)
        })
        .collect();
    assert!(numbers[0].is_some() && numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
    player.go();
    assert_eq!(player.answer("PRACK", 1).status(), 200);
    desk.listener.tell("tone", json!({"hz": ROOM_TONE}));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    player.succeeds();
}

/// Callers hear the room, and are answered when a participant says so.
pub(super) fn on_request(terms: &mut Terms<'_>) {
    terms.rule["answer"] = json!("on_request");
    terms.rule["early_media"] = json!(true);
}

pub(super) fn heard(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = desk.caller().rings("", &rtp.offer()).may_get(&[183]).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.hangs_up(""));
    let early = player.expect("183", 1, |m| m.status() == 183);
    player.expect("183 again", 2, |m| m.status() == 183);
    rtp.start(early.media().expect("183 has a description"), Some((440.0, -15.0)));
    desk.both_hear(&rtp, 440.0);
    desk.attribute("sip.callStatus", "ringing");
    assert!(player.received().iter().all(|m| m.status() < 200 && m.status() != 180), "nobody has taken the call");
    let number = desk.begin("trunkline.answer", "");
    assert_eq!(desk.result(number)["payload"], "{}");
    // RFC 3261 §13.2.1: the same description again; and the stream goes on.
    assert_eq!(player.answer("INVITE", 1).body(), early.body());
    desk.attribute("sip.callStatus", "active");
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    assert_eq!(rtp.heard().missing(), 0);
    let number = desk.begin("trunkline.answer", "");
    assert_eq!(desk.result(number)["code"], 1500, "he waits no longer");
    player.go();
    player.succeeds();
}

/// What the caller hears early is acknowledged; an offer in the PRACK is answered, and media moves at once.
pub(super) fn heard_reliably(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let ringing = desk.caller().rings("Require: 100rel\r\n", &rtp.offer()).hears_ringing(183);
    let scenario = ringing.acknowledges_ringing(&other.offer()).gets(200).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.hangs_up(""));
    let early = player.expect("183", 1, |m| m.status() == 183);
    assert!(early.header("RSeq").is_some(), "{early:?}");
    rtp.start(early.media().expect("183 has a description"), Some((440.0, -15.0)));
    desk.both_hear(&rtp, 440.0);
    rtp.stop();
    player.go();
    let media = player.answer("PRACK", 1).media().expect("an offer is answered");
    moved(desk, &mut player, &mut other, media);
}

/// The same, acknowledged without an offer, which comes in an UPDATE (RFC 3311 §5.1).
pub(super) fn updated(desk: &mut Desk<'_>) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    let ringing = desk.caller().rings("Require: 100rel\r\n", &rtp.offer()).hears_ringing(183);
    let scenario = ringing.acknowledges_ringing("").gets(200).waits().asks("UPDATE", "", &other.offer()).gets(200);
    let mut player = desk.call(scenario.gets(200).acknowledges("").waits().hangs_up(""));
    let early = player.expect("183", 1, |m| m.status() == 183);
    rtp.start(early.media().expect("183 has a description"), Some((440.0, -15.0)));
    player.go();
    assert_eq!(player.answer("PRACK", 1).body(), "");
    desk.both_hear(&rtp, 440.0);
    rtp.stop();
    player.go();
    let media = player.answer("UPDATE", 1).media().expect("an offer is answered");
    moved(desk, &mut player, &mut other, media);
}

/// The call rings on and is heard at its new place, before the answer and after it.
fn moved(desk: &mut Desk<'_>, player: &mut Player, rtp: &mut Rtp, media: SocketAddr) {
    rtp.start(media, Some((520.0, -15.0)));
    desk.both_hear(rtp, 520.0);
    desk.attribute("sip.callStatus", "ringing");
    let number = desk.begin("trunkline.answer", "");
    assert_eq!(desk.result(number)["payload"], "{}");
    let answer = player.answer("INVITE", 1);
    assert_eq!((answer.status(), answer.body()), (200, ""), "what counts was said later than what it would say");
    desk.attribute("sip.callStatus", "active");
    rtp.start(media, Some((440.0, -15.0)));
    desk.both_hear(rtp, 440.0);
    player.go();
    player.succeeds();
}

/// A carrier that plays before the answer.
pub(super) fn early(desk: &mut Desk<'_>, is_acknowledged: bool) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = if is_acknowledged {
        let ringing =
            Scenario::callee().replies("183 Session Progress", "Require: 100rel\r\nRSeq: 7\r\n", &rtp.offer());
        ringing.hears("PRACK").replies("200 OK", "", "").waits().answers_invite("200 OK", &rtp.offer())
    } else {
        Scenario::callee().replies("183 Session Progress", "", &rtp.offer()).waits().replies("200 OK", "", &rtp.offer())
    };
    let mut player = scenario.hears("ACK").waits().hangs_up("").listen(desk.scratch);
    let pending = desk.place(player.sip(), &json!({}));
    let media = player.request("INVITE", 1).media().expect("an INVITE has an offer");
    rtp.start(media, Some((440.0, -15.0)));
    desk.room_hears(440.0);
    let silence = tests::within(LIMIT, || rtp.heard().packets.len() > 25);
    assert!(silence.is_some(), "a network behind a NAT has to hear us first: {:?}", rtp.heard());
    assert!(!pending.is_over(), "nobody has answered yet");
    if is_acknowledged {
        assert_eq!(player.request("PRACK", 1).header("RAck"), Some("7 1 INVITE"));
    }
    player.go();
    assert_eq!(pending.finish().status, 200);
    rtp.start(media, Some((520.0, -15.0)));
    desk.both_hear(&rtp, 520.0);
    player.go();
    player.succeeds();
}
