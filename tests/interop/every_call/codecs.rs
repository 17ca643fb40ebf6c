//! What is spoken, in which order, and in packets of which length.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tests::peers::listener::Event;
use tests::peers::phone::{Format, Law, Rtp};
use tests::peers::scenario::Player;

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};

/// What a `baresip` speaks, the best first but not alone, at which rate that is, and how it is found in our offer.
pub(super) struct Spoken {
    codecs: (&'static str, u32),
    offered: &'static str,
}

pub(super) const WIDE: Spoken = Spoken { codecs: ("G722/16000/1,PCMU/8000/1", 16_000), offered: " RTP/AVP 9 0 8 " };
pub(super) const OPUS: Spoken = Spoken { codecs: ("opus/48000/2,PCMU/8000/1", 48_000), offered: " RTP/AVP 96 9 0 8 " };
pub(super) const A_LAW: Spoken = Spoken { codecs: ("PCMA/8000/1", 8_000), offered: " RTP/AVP 9 0 8 " };

/// The trunk lists what is off where nobody asks for it.
pub(super) fn with_opus(terms: &mut Terms<'_>) {
    terms.trunk["media"] = json!({"codecs": [{"name": "opus", "rate": 48000}]});
}

/// What the phone says, and what the room answers: what no narrow call could carry is at the one end or at the other.
pub(super) const UP: (f64, f64) = (1_000.0, 5_000.0);
pub(super) const DOWN: (f64, f64) = (5_000.0, 1_000.0);
pub(super) const NARROW: (f64, f64) = (440.0, ROOM_TONE);

pub(super) fn called(desk: &mut Desk<'_>, spoken: &Spoken, (said, answered): (f64, f64)) {
    desk.listener.join(&desk.room, answered);
    let mut phone = desk.baresip(spoken.codecs, "udp", said, "");
    phone.call(&desk.number, desk.gateway.sip(), "udp");
    desk.room_hears(said);
    // Keys are told in the clock of the codec, which is that of the telephone for G.722 as well.
    phone.press("5");
    desk.keys("5");
    desk.hang_up_and_judge(&phone, answered, spoken.codecs.1);
}

pub(super) fn calling(desk: &mut Desk<'_>, spoken: &Spoken, (said, answered): (f64, f64)) {
    desk.listener.join(&desk.room, answered);
    let mut phone = desk.baresip(spoken.codecs, "udp", said, ";answermode=auto");
    let media = match spoken.codecs.1 {
        48_000 => json!({"codecs": [{"name": "opus", "rate": 48000}]}),
        _ => json!({}),
    };
    desk.reach_at(phone.sip(), &json!({"media": media}));
    desk.room_hears(said);
    let output = phone.process().output();
    let (_, invite) = output.split_once("INVITE sip:").expect("baresip shows what it is sent");
    let line = invite.lines().find(|line| line.starts_with("m=audio ")).expect("an offer");
    assert!(line.contains(spoken.offered), "{line}");
    desk.hang_up_and_judge(&phone, answered, spoken.codecs.1);
}

/// The phone's packets have this length, and it asks for such.
pub(super) fn packets(desk: &mut Desk<'_>, millis: u64) {
    desk.join();
    let mut rtp = Rtp::speaking(Format { frame: Duration::from_millis(millis), ..Format::default() });
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    expect_packets(&mut player, &rtp, millis);
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// The phone would like longer packets than it can take.
pub(super) fn longest(desk: &mut Desk<'_>, millis: u64) {
    desk.join();
    let mut rtp = Rtp::new();
    let offer = rtp.offer().replace("a=ptime:20", &format!("a=ptime:60\r\na=maxptime:{millis}"));
    let mut player = desk.call(desk.caller().invites("", &offer).gets(200).acknowledges("").waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    expect_packets(&mut player, &rtp, millis);
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

#[track_caller]
fn expect_packets(player: &mut Player, rtp: &Rtp, millis: u64) {
    let body = player.answer("INVITE", 1).body().to_owned();
    let heard = rtp.heard();
    let length = heard.samples.len() as u64 / heard.packets.len().max(1) as u64 / 8;
    assert!(
        length == millis && body.contains(&format!("a=ptime:{length}\r\n")),
        "packets of {length} ms, as against {body}"
    );
    assert_eq!(heard.missing(), 0);
}

pub(super) fn a_law_first(terms: &mut Terms<'_>) {
    let codecs = json!([{"name": "PCMA", "rate": 8000}, {"name": "PCMU", "rate": 8000}]);
    terms.trunk["media"] = json!({"only_listed_codecs": true, "codecs": codecs});
}

pub(super) fn order(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::speaking(Format { law: Law::A, says: (8, 101), hears: (8, 101), ..Format::default() });
    let offer = rtp.offer().replace(" RTP/AVP 8 101", " RTP/AVP 9 0 8 101");
    let mut player = desk.call(desk.caller().invites("", &offer).gets(200).acknowledges("").waits().hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let answer = player.answer("INVITE", 1);
    assert!(answer.body().contains(" RTP/AVP 8 ") && !answer.body().contains("G722"), "{answer:?}");
    player.go();
    player.succeeds();
}

/// Of two codecs the trunk has one: who offers only the other is refused.
pub(super) fn mu_law_alone(terms: &mut Terms<'_>) {
    terms.trunk["media"] = json!({"only_listed_codecs": true, "codecs": [{"name": "PCMU", "rate": 8000}]});
}

pub(super) fn disabled(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let other = Rtp::speaking(Format { law: Law::A, says: (8, 101), hears: (8, 101), ..Format::default() });
    let offer = rtp.offer().replace(" RTP/AVP 0 101", " RTP/AVP 9 8 0 101");
    let refused = desk.caller().rings("", &other.offer()).gets(488).takes_refusal();
    let mut player = desk.call(refused.invites("", &offer).gets(200).acknowledges("").waits().hangs_up(""));
    desk.talk(&mut player, 2, &mut rtp, 440.0);
    let answer = player.answer("INVITE", 2);
    assert!(answer.body().contains(" RTP/AVP 0 101\r\n"), "{answer:?}");
    desk.talk(&mut player, 2, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

/// Each side names the numbers that it wants to get (RFC 3264 §5.1, §6.1).
const APART: Format =
    Format { says: (0, 101), hears: (97, 102), law: Law::Mu, frame: Duration::from_millis(20), copies: 1 };

/// The phone answers with other numbers than those that we have offered in our 200.
pub(super) fn other_types(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::speaking(APART);
    let scenario = desk.caller().invites("", "").gets(200).acknowledges(&rtp.offer()).waits().hangs_up("");
    let mut player = desk.call(scenario);
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an offer has media");
    expect_keys_both_ways(desk, &rtp, media);
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}

pub(super) fn other_types_of_a_callee(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::speaking(APART);
    let scenario = Desk::picked_up("", &rtp.offer()).waits().hangs_up("");
    let (mut player, media) = desk.reach(scenario, &mut rtp, &json!({}));
    expect_keys_both_ways(desk, &rtp, media);
    desk.both_hear(&rtp, 440.0);
    player.go();
    player.succeeds();
}

fn expect_keys_both_ways(desk: &mut Desk<'_>, rtp: &Rtp, media: SocketAddr) {
    rtp.forget();
    desk.listener.tell("dtmf", json!({"digits": "7"}));
    assert!(tests::within(LIMIT, || rtp.heard().digits() == "7").is_some(), "{}", rtp.heard().digits());
    rtp.press(media, 5);
    desk.keys("5");
}

/// RFC 3389: what the phone calls noise of -40 dBov is heard as such.
pub(super) fn comfort_noise(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    rtp.noise = true;
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let media = player.answer("INVITE", 1).media().expect("an answer has media");
    rtp.stop();
    desk.listener.forget();
    let identity = desk.identity();
    let is_noise = |e: &Event| {
        let number = |name: &str| e.line[name].as_f64().unwrap_or_default();
        let is_soft = (-46.0..=-34.0).contains(&number("level")) && number("share") < 0.3;
        e.kind() == "heard" && e.text("identity") == identity && is_soft
    };
    let heard = tests::within(LIMIT, || {
        rtp.say(media, 13, &[40], 800);
        std::thread::sleep(Duration::from_millis(100));
        desk.listener.seen().iter().any(is_noise)
    });
    assert!(heard.is_some(), "the room hears {:?}", desk.listener.seen().last());
    desk.talk(&mut player, 1, &mut rtp, 520.0);
    player.go();
    player.succeeds();
}
