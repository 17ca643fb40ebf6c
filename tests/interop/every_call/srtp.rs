//! Encrypted calls with a phone that was not made by us: heard both ways, and never unencrypted where that was ruled out.

use serde_json::json;
use tests::peers::baresip::Baresip;
use tests::peers::filter::Filter;
use tests::peers::phone::{Format, Phone, Rtp, Seal};

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};

pub(super) const ALLOW: &str = "SIP_MEDIA_ENCRYPT_ALLOW";
pub(super) const REQUIRE: &str = "SIP_MEDIA_ENCRYPT_REQUIRE";

/// The one that everybody knows.
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

pub(super) fn allow(terms: &mut Terms<'_>) {
    terms.trunk["media"] = json!({"encryption": ALLOW});
}

pub(super) fn require(terms: &mut Terms<'_>) {
    terms.trunk["media"] = json!({"encryption": REQUIRE});
}

pub(super) fn disable(terms: &mut Terms<'_>) {
    terms.trunk["media"] = json!({"encryption": "SIP_MEDIA_ENCRYPT_DISABLE"});
}

/// The phone calls; `how` is `mediaenc` of baresip, empty for a phone that knows of no encryption.
pub(super) fn called(desk: &mut Desk<'_>, how: &str, transport: &str, is_encrypted: bool) {
    desk.join();
    let mut phone = desk.baresip(Baresip::NARROW, transport, 440.0, &account(how));
    let server = if transport == "tls" { desk.gateway.tls() } else { desk.gateway.sip() };
    phone.call(&desk.number, server, transport);
    judge(desk, &mut phone, is_encrypted.then_some(SUITE));
}

/// The phone is called.
pub(super) fn calling(desk: &mut Desk<'_>, how: &str, policy: &str, is_encrypted: bool) {
    desk.join();
    let mut phone = desk.baresip(Baresip::NARROW, "udp", 440.0, &format!(";answermode=auto{}", account(how)));
    desk.reach_at(phone.sip(), &json!({"media": {"encryption": policy}}));
    judge(desk, &mut phone, is_encrypted.then_some(SUITE));
}

/// It refuses what we offer first, and takes what we offer then.
pub(super) fn second_try(desk: &mut Desk<'_>) {
    calling(desk, "srtp-mand", ALLOW, true);
    let log = desk.gateway.log();
    let mut ours = log.lines().filter(|line| line.contains(&format!("room=\"{}\"", desk.room)));
    assert!(ours.any(|line| line.contains("SRTP is tried")), "it took the first one");
}

/// The phone offers this suite alone, and later another key for it (RFC 4568 §7.1.4).
pub(super) fn suite(desk: &mut Desk<'_>, suite: &str) {
    desk.join();
    let mut rtp = Rtp::new();
    rtp.seal = Some(Seal::new(suite));
    let first = rtp.offer();
    let mut next = Seal::new(suite);
    let second = first.replace(&crypto(&first), &crypto(&next.line()));
    let scenario = desk.caller().invites("", &first).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.offers(&second).waits().hangs_up(""));
    let answer = player.answer("INVITE", 1);
    assert!(answer.body().contains(" RTP/SAVP "), "{answer:?}");
    rtp.seal.iter_mut().for_each(|seal| seal.hears(answer.body()));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    player.go();
    next.hears(player.answer("INVITE", 2).body());
    rtp.seal = Some(next);
    desk.talk(&mut player, 2, &mut rtp, 520.0);
    assert_eq!(rtp.heard().missing(), 0);
    player.go();
    player.succeeds();
    assert!(!desk.gateway.log().contains("inline:"), "no key is in the log");
}

/// The phone is called, and takes one suite of all that we offer.
pub(super) fn suite_out(desk: &mut Desk<'_>, suite: &'static str) {
    desk.join();
    let mut phone = desk.baresip(Baresip::NARROW, "udp", 440.0, ";answermode=auto;mediaenc=srtp-mand");
    let is_other = move |line: &str| line.starts_with("a=crypto:") && !line.contains(&format!(" {suite} "));
    let filter = Filter::to(phone.sip(), move |line| !is_other(line));
    desk.reach_at(filter.address(), &json!({"media": {"encryption": REQUIRE}}));
    judge(desk, &mut phone, Some(suite));
}

/// Two lines for one stream, as PBXs offer it: the encrypted one is taken where encryption is, and the other one else.
pub(super) fn two_lines(desk: &mut Desk<'_>, is_encrypted: bool) {
    desk.join();
    let (mut rtp, mut other) = (Rtp::new(), Rtp::new());
    other.seal = Some(Seal::new(SUITE));
    let second = other.offer();
    let offer = rtp.offer() + &second[second.find("m=audio ").expect("a line of audio")..];
    let scenario = desk.caller().invites("", &offer).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.hangs_up(""));
    let answer = player.answer("INVITE", 1);
    let lines: Vec<_> = answer.body().lines().filter(|line| line.starts_with("m=audio ")).collect();
    let refused: Vec<_> = lines.iter().map(|line| line.starts_with("m=audio 0 ")).collect();
    assert_eq!(refused, [is_encrypted, !is_encrypted], "{answer:?}");
    let taken = if is_encrypted { &mut other } else { &mut rtp };
    taken.seal.iter_mut().for_each(|seal| seal.hears(answer.body()));
    desk.talk(&mut player, 1, taken, 440.0);
    desk.talk(&mut player, 1, taken, 520.0);
    player.go();
    player.succeeds();
}

/// What else the phone could do is listed beside plain RTP (RFC 5939), which is taken as it stands.
pub(super) fn capabilities(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let key = Seal::new(SUITE).line().replace("a=crypto:", "a=acap:1 crypto:");
    let offer = format!("{}a=tcap:1 RTP/SAVP\r\n{key}a=pcfg:1 t=1 a=1\r\n", rtp.offer());
    let scenario = desk.caller().invites("", &offer).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let answer = player.answer("INVITE", 1);
    assert!(answer.body().contains(" RTP/AVP ") && !answer.body().contains("crypto"), "{answer:?}");
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// Every packet comes twice, and is heard once (RFC 3711 §3.3.2).
pub(super) fn replayed(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::speaking(Format { copies: 2, ..Format::default() });
    rtp.seal = Some(Seal::new(SUITE));
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    let answer = player.answer("INVITE", 1);
    rtp.seal.iter_mut().for_each(|seal| seal.hears(answer.body()));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
    desk.gone();
    let is_told = || {
        let log = desk.gateway.log();
        let mut ours = log.lines().filter(|line| line.contains(&format!("room=\"{}\"", desk.room)));
        ours.any(|line| {
            line.contains("0 packets without a right tag dropped, ") && !line.contains("dropped, 0 repeated")
        })
    };
    assert!(tests::within(LIMIT, is_told).is_some(), "the log counts what was repeated");
}

/// Reports come on the port of the audio, and are encrypted where the audio is (RFC 3711 §3.4).
pub(super) fn reports(desk: &mut Desk<'_>, is_encrypted: bool) {
    desk.join();
    let mut rtp = Rtp::new();
    rtp.seal = is_encrypted.then(|| Seal::new(SUITE));
    let offer = format!("{}a=rtcp-mux\r\n", rtp.offer());
    let scenario = desk.caller().invites("", &offer).gets(200).acknowledges("").waits();
    let mut player = desk.call(scenario.hangs_up(""));
    let answer = player.answer("INVITE", 1);
    assert!(answer.body().contains("a=rtcp-mux\r\n"), "{answer:?}");
    rtp.seal.iter_mut().for_each(|seal| seal.hears(answer.body()));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    rtp.forget();
    assert!(tests::within(LIMIT, || rtp.heard().reports > 0).is_some(), "no report comes");
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

pub(super) fn refused(desk: &mut Desk<'_>) {
    desk.join();
    assert_eq!(Phone::new(desk.gateway.sip()).call(&desk.number).status(), 488);
    let callee = Baresip::start("udp", 440.0, ";answermode=auto", desk.scratch);
    let answer = desk.place(callee.sip(), &json!({"media": {"encryption": REQUIRE}})).finish();
    assert_ne!(answer.status, 200, "{}", answer.body);
    desk.gone();
    let log = desk.gateway.log();
    let ended = log.lines().filter(|line| line.contains(&format!("room=\"{}\"", desk.room)));
    assert!(ended.filter(|line| line.contains("no_srtp")).count() > 0, "the log says why");
}

/// Both hear each other; the call is encrypted or not; no key is in any log of ours.
fn judge(desk: &mut Desk<'_>, phone: &mut Baresip, suite: Option<&str>) {
    desk.room_hears(440.0);
    phone.press("5#");
    desk.keys("5#");
    let calls = desk.gateway.api().get("/trunkline/v1/calls");
    let ours = calls.body["calls"].as_array().and_then(|calls| calls.iter().find(|call| call["room"] == *desk.room));
    let ours = ours.unwrap_or_else(|| panic!("the call is not listed: {}", calls.body));
    assert_eq!(ours["encrypted"], json!(suite.is_some()), "{ours}");
    desk.hang_up_and_judge(phone, ROOM_TONE, 8_000);
    let log = desk.gateway.log();
    let id = ours["id"].as_str().expect("a call has an id");
    let told = log.lines().any(|line| line.contains(id) && suite.is_some_and(|suite| line.contains(suite)));
    assert_eq!(told, suite.is_some(), "the log tells the suite");
    assert!(!log.contains("inline:"), "no key is in the log");
    // baresip greets by RTCP before it sets its keys, and says goodbye after it gave them up: neither is taken in.
    let dropped = log.lines().filter(|line| line.contains(id)).find_map(|line| {
        line.split_once(" packets without a right tag").and_then(|(before, _)| before.split("; ").last())
    });
    assert!(dropped.is_none_or(|count| ["1", "2"].contains(&count)), "{dropped:?} packets dropped");
}

fn account(how: &str) -> String {
    if how.is_empty() { String::new() } else { format!(";mediaenc={how}") }
}

fn crypto(sdp: &str) -> String {
    sdp.lines().find(|line| line.starts_with("a=crypto:")).expect("there is a key").to_owned()
}
