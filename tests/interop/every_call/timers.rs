//! Sessions that have to be refreshed (RFC 4028).

use std::time::{Duration, Instant};

use serde_json::json;
use tests::peers::phone::Rtp;
use tests::peers::scenario::{Player, Scenario};

use super::desk::Desk;

/// The shortest session that RFC 4028 §4 allows is refreshed at half its time.
const SESSION: &str = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n";

pub(super) fn by_phone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let refreshed = |scenario: Scenario| scenario.gets_with(200, "Session-Expires", "90;refresher=uac");
    let scenario = desk
        .caller()
        .invites("Supported: timer\r\nSession-Expires: 30\r\n", &rtp.offer())
        .gets_with(422, "Min-SE", "90")
        .takes_refusal()
        .invites(&format!("{SESSION}Min-SE: 90\r\n"), &rtp.offer());
    let scenario = refreshed(scenario).acknowledges("").waits().asks("UPDATE", SESSION, "");
    let scenario = refreshed(scenario).waits().asks("INVITE", SESSION, &rtp.offer()).may_get(&[100]);
    let mut player = desk.call(refreshed(scenario).acknowledges("").waits().hangs_up(""));
    desk.talk(&mut player, 2, &mut rtp, 440.0);
    for (method, nth, tone) in [("UPDATE", 1, 480.0), ("INVITE", 3, 520.0)] {
        player.go();
        assert_eq!(player.answer(method, nth).status(), 200);
        desk.talk(&mut player, 2, &mut rtp, tone);
    }
    player.go();
    player.succeeds();
}

/// The phone leaves the refreshing to us, and knows UPDATE or does not.
pub(super) fn by_us(desk: &mut Desk<'_>, method: &str) {
    desk.join();
    let mut rtp = Rtp::new();
    let wish = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\n";
    let allow = if method == "UPDATE" { "Allow: INVITE, ACK, BYE, UPDATE\r\n" } else { "Allow: INVITE, ACK, BYE\r\n" };
    let body = if method == "UPDATE" { String::new() } else { rtp.offer() };
    let granted = format!("Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n{allow}");
    let scenario = desk
        .caller()
        .invites(&format!("{wish}{allow}"), &rtp.offer())
        .gets_with(200, "Session-Expires", "90;refresher=uas")
        .acknowledges("")
        .hears(method)
        .replies("200 OK", &granted, &body);
    let scenario = if method == "INVITE" { scenario.hears("ACK") } else { scenario };
    let mut player = desk.call(scenario.waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    expect_refresh(&player, method);
    let refresh = player.request(method, 1);
    assert_eq!(refresh.header("Session-Expires"), Some("90;refresher=uac"));
    // The same description again, with the same version, where there is one (RFC 4028 §7.4).
    let answer = player.answer("INVITE", 1);
    assert_eq!(refresh.body(), if method == "INVITE" { answer.body() } else { "" });
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// A phone that wants longer sessions than we do gets the shortest of those (RFC 4028 §9).
pub(super) fn longer(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let wish = "Supported: timer\r\nSession-Expires: 7200;refresher=uac\r\nMin-SE: 3600\r\n";
    let scenario = desk.caller().invites(wish, &rtp.offer()).gets_with(200, "Session-Expires", "3600;refresher=uac");
    let scenario = scenario.acknowledges("").waits().asks("UPDATE", wish, "");
    let scenario = scenario.gets_with(200, "Session-Expires", "3600;refresher=uac").waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    assert_eq!(player.answer("UPDATE", 1).status(), 200);
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// We call, and the carrier leaves the refreshing to us.
pub(super) fn by_us_as_caller(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let session = "Session-Expires: 90;refresher=uac\r\nRequire: timer\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    let scenario = Desk::picked_up(session, &rtp.offer()).hears("UPDATE").replies("200 OK", session, "");
    let (mut player, media) = desk.reach(scenario.waits().hangs_up(""), &mut rtp, &json!({}));
    expect_refresh(&player, "UPDATE");
    assert_eq!(player.request("UPDATE", 1).header("Session-Expires"), Some("90;refresher=uac"));
    rtp.start(media, Some((520.0, -15.0)));
    desk.both_hear(&rtp, 520.0);
    player.go();
    player.succeeds();
}

/// A phone that was to refresh and never does, although its media goes on: the end comes before that of the session.
pub(super) fn forgotten(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let scenario = desk.caller().invites(SESSION, &rtp.offer()).gets_with(200, "Session-Expires", "90;refresher=uac");
    let mut player = desk.call(scenario.acknowledges("").is_hung_up());
    let start = Instant::now();
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let ended = tests::within(Duration::from_secs(70), || !player.requests("BYE").is_empty());
    assert!(ended.is_some_and(|_| start.elapsed() > Duration::from_secs(55)), "after {:?}", start.elapsed());
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("408")), "{bye:?}");
    assert!(desk.gone().attribute("sip.disconnectReason").is_some());
    player.succeeds();
}

/// A phone whose media goes on, but that answers nothing any more.
pub(super) fn gone(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let wish = "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    let scenario = desk.caller().invites(wish, &rtp.offer()).gets(200).acknowledges("").hears("UPDATE").hears("BYE");
    let mut player = desk.call(scenario.replies("200 OK", "", ""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let ended = tests::within(Duration::from_secs(88), || !player.requests("BYE").is_empty());
    assert!(ended.is_some(), "nobody notices");
    let bye = player.request("BYE", 1);
    assert!(bye.header("Reason").is_some_and(|reason| reason.contains("408")), "{bye:?}");
    desk.gone();
    player.succeeds();
}

pub(super) fn by_carrier(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let session = "Session-Expires: 3600;refresher=uac\r\nRequire: timer\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n";
    let scenario = Scenario::callee()
        .replies("422 Session Interval Too Small", "Min-SE: 3600\r\n", "")
        .hears("ACK")
        .hears_again()
        .replies("200 OK", session, &rtp.offer())
        .hears("ACK")
        .waits()
        .asks("UPDATE", "Supported: timer\r\nSession-Expires: 3600;refresher=uas\r\n", "")
        .gets_with(200, "Session-Expires", "3600;refresher=uas")
        .waits()
        .hangs_up("");
    let mut player = scenario.listen(desk.scratch);
    let pending = desk.place(player.sip(), &json!({}));
    let first = player.request("INVITE", 1);
    let says = |header: &str, word: &str| first.header(header).is_some_and(|value| value.contains(word));
    assert!(says("Supported", "timer") && says("Supported", "100rel") && says("Session-Expires", "1800"), "{first:?}");
    let second = player.request("INVITE", 2);
    assert_eq!((second.header("Session-Expires"), second.header("Min-SE")), (Some("3600"), Some("3600")));
    assert_eq!(pending.finish().status, 200);
    let media = second.media().expect("an INVITE has an offer");
    rtp.start(media, Some((440.0, -15.0)));
    desk.both_hear(&rtp, 440.0);
    player.go();
    assert_eq!(player.answer("UPDATE", 1).status(), 200);
    rtp.start(media, Some((520.0, -15.0)));
    desk.both_hear(&rtp, 520.0);
    player.go();
    player.succeeds();
}

/// Half of the shortest session that there is.
#[track_caller]
fn expect_refresh(player: &Player, method: &str) {
    assert!(tests::within(Duration::from_secs(50), || !player.requests(method).is_empty()).is_some(), "no {method}");
}
