//! How calls end, and what both sides are told of it.

use serde_json::json;
use tests::audio;
use tests::peers::listener::Event;
use tests::peers::phone::Rtp;
use tests::peers::scenario::Scenario;

use super::desk::{Desk, LIMIT};

/// Attributes of a participant who has left.
type Told<'a> = &'a [(&'a str, &'a str)];

#[track_caller]
fn assert_told(left: &Event, told: Told<'_>) {
    for (name, value) in told {
        assert_eq!(left.attribute(name), Some(*value), "{name}: {left:?}");
    }
}

/// What carriers say of an end: by the telephone's causes, by SIP's, by both.
pub(super) const Q850: (&str, Told<'_>) = (
    "Reason: Q.850;cause=31;text=\"enough\"\r\n",
    &[("sip.disconnectStatus", "200"), ("sip.disconnectCause", "31"), ("sip.disconnectText", "enough")],
);
pub(super) const SIP: (&str, Told<'_>) = (
    "Reason: SIP;cause=503;text=\"no more\"\r\n",
    &[("sip.disconnectStatus", "503"), ("sip.disconnectText", "no more")],
);
pub(super) const BOTH: (&str, Told<'_>) = (
    "Reason: SIP;cause=200;text=\"Normal call clearing\", Q.850;cause=31\r\nX-Twilio-RecordingSid: RE1\r\n",
    &[
        ("sip.disconnectStatus", "200"),
        ("sip.disconnectCause", "31"),
        ("sip.disconnectText", "Normal call clearing"),
        ("sip.h.x-twilio-recordingsid", "RE1"),
    ],
);

/// What carriers say when they refuse, the code of the API for it, and the attributes.
pub(super) const BUSY: (&str, &str, Told<'_>) =
    ("Q.850;cause=17;text=\"User busy\"", "resource_exhausted", &[("sip.disconnectCause", "17")]);
pub(super) const FULL: (&str, &str, Told<'_>) = (
    "Q.850;cause=34;text=\"No circuit\"",
    "failed_precondition",
    &[("sip.disconnectReason", "upstream_error"), ("sip.disconnectCause", "34"), ("sip.disconnectText", "No circuit")],
);

pub(super) fn by_phone(desk: &mut Desk<'_>, (said, told): (&str, Told<'_>)) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.answered(&rtp).hangs_up(said));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    player.succeeds();
    let left = desk.gone();
    assert_told(&left, &[("sip.callStatus", "hangup"), ("sip.disconnectReason", "remote_hangup")]);
    assert_told(&left, told);
}

pub(super) fn by_room(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.connected(&rtp).is_hung_up());
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    desk.remove();
    let bye = player.request("BYE", 1);
    assert_eq!(bye.all("Reason").collect::<Vec<_>>(), ["Q.850;cause=16;text=\"participant_removed\""]);
    player.succeeds();
    desk.gone();
}

/// Headers of the refusal become attributes, as the trunk says.
pub(super) fn refused(desk: &mut Desk<'_>, status: &str, (reason, code, told): (&str, &str, Told<'_>)) {
    desk.join();
    let said = format!("Reason: {reason}\r\nX-Cost: 3\r\n");
    let mut player = Scenario::callee().replies(status, &said, "").hears("ACK").listen(desk.scratch);
    let trunk = json!({"trunk": {"headers_to_attributes": {"X-Cost": "cost"}}});
    let answer = desk.place(player.sip(), &trunk).finish();
    let sip = status[..3].parse().ok();
    assert_eq!((answer.code(), answer.sip_status()), (code, sip), "{}", answer.body);
    let left = desk.gone();
    assert_told(&left, &[("sip.callStatus", "hangup"), ("sip.disconnectStatus", &status[..3]), ("cost", "3")]);
    assert_told(&left, told);
    player.succeeds();
}

/// Both protocols say why, and attributes become headers, as the trunk says.
pub(super) fn unanswered(desk: &mut Desk<'_>) {
    desk.join();
    let ringing = Scenario::callee().replies("180 Ringing", "", "").hears("CANCEL").replies("200 OK", "", "");
    let mut player = ringing.answers_invite("487 Request Terminated", "").hears("ACK").listen(desk.scratch);
    let more = json!({
        "trunk": {"attributes_to_headers": {"customer": "X-Customer"}}, "participant_attributes": {"customer": "4711"},
        "ringing_timeout": "2s",
    });
    let answer = desk.place(player.sip(), &more).finish();
    assert_eq!(answer.code(), "canceled", "{}", answer.body);
    let cancel = player.request("CANCEL", 1);
    let said: Vec<_> = cancel.all("Reason").collect();
    assert_eq!(said, ["Q.850;cause=19;text=\"ringing_timeout\"", "SIP;cause=480;text=\"Temporarily Unavailable\""]);
    assert_eq!(cancel.header("X-Customer"), Some("4711"));
    assert_told(&desk.gone(), &[("sip.disconnectReason", "ringing_timeout"), ("sip.disconnectCause", "19")]);
    player.succeeds();
}

/// RFC 3326 §3.1: another phone has answered the call.
pub(super) fn elsewhere(desk: &mut Desk<'_>) {
    desk.listener.join_silently(&desk.room);
    let rtp = Rtp::new();
    let said = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
    let scenario = desk.caller().rings("", &rtp.offer()).gets(180).cancels(said);
    let mut player = desk.call(scenario);
    let identity = desk.identity();
    desk.listener.participant(&identity);
    player.succeeds();
    let told = [
        ("sip.callStatus", "hangup"),
        ("sip.disconnectReason", "answered_elsewhere"),
        ("sip.disconnectStatus", "200"),
        ("sip.disconnectText", "Call completed elsewhere"),
    ];
    assert_told(&desk.gone(), &told);
    let records = || desk.gateway.api().get("/trunkline/v1/records").body.to_string();
    assert!(tests::within(LIMIT, || records().contains("answered_elsewhere")).is_some(), "{}", records());
}

pub(super) fn no_media(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.connected(&rtp).is_hung_up());
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    rtp.stop();
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("media_timeout")), "{bye:?}");
    player.succeeds();
    assert_told(&desk.gone(), &[("sip.disconnectReason", "media_timeout")]);
}

/// A second that the room says just before it hangs up is heard whole.
pub(super) fn last_word(desk: &mut Desk<'_>) {
    desk.listener.tell("join", json!({"room": desk.room, "tone": 300.0, "dbfs": -85.0}));
    let mut rtp = Rtp::new();
    let mut player = desk.call(desk.connected(&rtp).is_hung_up());
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
