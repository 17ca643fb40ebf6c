//! What is spoken, in which order, and in packets of which length.

use std::time::Duration;

use serde_json::json;
use tests::peers::baresip::Baresip;
use tests::peers::listener::Event;
use tests::peers::phone::{Format, Law, Rtp};
use tests::peers::scenario::Scenario;

use super::Terms;
use super::desk::{Desk, LIMIT, ROOM_TONE};

/// G.722 first, but not alone.
const WIDE: (&str, u32) = ("G722/16000/1,PCMU/8000/1", 16_000);

/// What no narrow call could carry is heard at the one end or at the other.
pub(super) fn wide(desk: &mut Desk<'_>, said: f64, answered: f64) {
    desk.listener.join(&desk.room, answered);
    desk.caller = "+15550177".to_owned();
    let mut phone = Baresip::speaking(WIDE, "udp", said, "", desk.scratch);
    phone.call(&desk.number, desk.gateway.sip(), "udp");
    desk.room_hears(said);
    // Keys are told in the clock of the codec, which is that of the telephone for G.722 as well.
    phone.press("5");
    desk.keys("5");
    // It listens for a while, and for a whole second without fail.
    std::thread::sleep(Duration::from_millis(1_500));
    desk.hang_up_and_judge(&phone, answered, 16_000);
}

pub(super) fn wide_out(desk: &mut Desk<'_>, said: f64, answered: f64) {
    desk.listener.join(&desk.room, answered);
    desk.caller = "+15550177".to_owned();
    let mut phone = Baresip::speaking(WIDE, "udp", said, ";answermode=auto", desk.scratch);
    let answer = desk.place(phone.sip(), &json!({})).finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    desk.room_hears(said);
    let output = phone.process().output();
    let (_, invite) = output.split_once("INVITE sip:").expect("baresip shows what it is sent");
    let media = invite.lines().find(|line| line.starts_with("m=audio ")).expect("an offer");
    assert!(media.contains(" RTP/AVP 9 0 8 "), "{media}");
    // It listens for a while, and for a whole second without fail.
    std::thread::sleep(Duration::from_millis(1_500));
    desk.hang_up_and_judge(&phone, answered, 16_000);
}

/// Opus first, but not alone.
const OPUS: (&str, u32) = ("opus/48000/2,PCMU/8000/1", 48_000);

/// The trunk lists what is off where nobody asks for it.
pub(super) fn with_opus(terms: &mut Terms) {
    terms.trunk["media"] = json!({"codecs": [{"name": "opus", "rate": 48000}]});
}

pub(super) fn opus(desk: &mut Desk<'_>, said: f64, answered: f64) {
    desk.listener.join(&desk.room, answered);
    desk.caller = "+15550177".to_owned();
    let mut phone = Baresip::speaking(OPUS, "udp", said, "", desk.scratch);
    phone.call(&desk.number, desk.gateway.sip(), "udp");
    desk.room_hears(said);
    phone.press("5");
    desk.keys("5");
    // It listens for a while, and for a whole second without fail.
    std::thread::sleep(Duration::from_millis(1_500));
    desk.hang_up_and_judge(&phone, answered, 48_000);
}

pub(super) fn opus_out(desk: &mut Desk<'_>, said: f64, answered: f64) {
    desk.listener.join(&desk.room, answered);
    desk.caller = "+15550177".to_owned();
    let mut phone = Baresip::speaking(OPUS, "udp", said, ";answermode=auto", desk.scratch);
    let media = json!({"codecs": [{"name": "opus", "rate": 48000}]});
    let answer = desk.place(phone.sip(), &json!({"media": media})).finish();
    assert_eq!(answer.status, 200, "{}", answer.body);
    desk.room_hears(said);
    let output = phone.process().output();
    assert!(output.contains("opus/48000/2"), "Opus is offered");
    // It listens for a while, and for a whole second without fail.
    std::thread::sleep(Duration::from_millis(1_500));
    desk.hang_up_and_judge(&phone, answered, 48_000);
}

pub(super) fn a_law(desk: &mut Desk<'_>) {
    desk.join();
    desk.caller = "+15550177".to_owned();
    let mut phone = Baresip::speaking(("PCMA/8000/1", 8_000), "udp", 440.0, "", desk.scratch);
    phone.call(&desk.number, desk.gateway.sip(), "udp");
    desk.room_hears(440.0);
    // It listens for a while, and for a whole second without fail.
    std::thread::sleep(Duration::from_millis(1_500));
    desk.hang_up_and_judge(&phone, ROOM_TONE, 8_000);
}

/// The phone's packets have this length, and it asks for such.
pub(super) fn packets(desk: &mut Desk<'_>, millis: u64) {
    desk.join();
    let mut rtp = Rtp::speaking(Format { frame: Duration::from_millis(millis), ..Format::default() });
    let mut player = desk.call(desk.answered(&rtp).hangs_up(""));
    desk.talk(&mut player, 1, &mut rtp, 440.0);
    let body = player.answer("INVITE", 1).body().to_owned();
    let heard = rtp.heard();
    let length = heard.samples.len() as u64 / heard.packets.len().max(1) as u64 / 8;
    assert!(body.contains(&format!("a=ptime:{length}\r\n")), "packets of {length} ms, as against {body}");
    assert_eq!(heard.missing(), 0);
    player.go();
    player.succeeds();
}

pub(super) fn a_law_first(terms: &mut Terms) {
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

/// RFC 3264 §6.1: who answers names the numbers that he wants to get, whatever the offer has.
pub(super) fn other_types(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::speaking(Format { says: (0, 101), hears: (97, 102), ..Format::default() });
    let scenario = Scenario::callee().replies("200 OK", "", &rtp.offer()).hears("ACK").waits().hangs_up("");
    let mut player = scenario.listen(desk.scratch);
    let pending = desk.place(player.sip(), &json!({}));
    let media = player.request("INVITE", 1).media().expect("an INVITE has an offer");
    assert_eq!(pending.finish().status, 200);
    rtp.start(media, Some((440.0, -15.0)));
    desk.both_hear(&rtp, 440.0);
    rtp.forget();
    desk.listener.tell("dtmf", json!({"digits": "7"}));
    assert!(tests::within(LIMIT, || rtp.heard().digits() == "7").is_some(), "{}", rtp.heard().digits());
    rtp.press(media, 5);
    desk.listener.expect("a key", LIMIT, |e| e.kind() == "dtmf" && e.text("digit") == "5");
    player.go();
    player.succeeds();
}

/// RFC 3389: what the phone calls noise of -40 dBov is heard as such.
pub(super) fn comfort_noise(desk: &mut Desk<'_>) {
    desk.join();
    let mut rtp = Rtp::new();
    let offer = rtp.offer().replace(" RTP/AVP 0 101", " RTP/AVP 0 13 101");
    let mut player = desk.call(desk.caller().invites("", &offer).gets(200).acknowledges("").waits().hangs_up(""));
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
